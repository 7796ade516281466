//! What an inventory needs from its surroundings: environment variables and files, and the messages for those that
//! are missing or unreadable.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::diagnostic::{quoted, shown_path};
use super::toml::single_values::ValueError;

/// How the environment is asked for a variable.
pub type Env<'e> = dyn Fn(&str) -> Option<OsString> + 'e;

/// A variable of this process's environment, for [`load`](super::load) and [`SecretStore`](super::secrets::secret_store::SecretStore).
pub fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A variable that is not there, or is there and empty.
pub(super) fn unset(name: &str, empty: bool) -> ValueError {
    let what = if empty { "is empty" } else { "is not set" };
    ValueError::new(format!("the environment variable {} {what}", quoted(name))).hint(format!(
        "set it without leaving it in the shell's history: read -rs {name} && export {name}"
    ))
}

/// What reading a file said, with the path as it was looked for.
pub(super) fn unreadable(path: &Path, what: &str, error: &io::Error) -> ValueError {
    let shown = shown_path(path);
    let value_error = ValueError::new(format!("cannot read the {what} {shown}: {}", reason(error)));
    if shown.contains("~/") {
        value_error.hint("`~` is not expanded: write the whole path")
    } else if error.kind() == io::ErrorKind::NotFound {
        value_error.hint("a relative path starts from the folder of the inventory")
    } else {
        value_error
    }
}

/// The operating system's words, without its error number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map(|c| c.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}
