//! Standard output of a command that prints and is done. A run's is `stdout_writer`.

use std::io::{self, Write};

use serde::Serialize;

use crate::report::json::SCHEMA;

/// Standard output, of which nobody may be left to read the rest: that is no error, as of a run, and the exit code
/// says all the same how the command ended.
pub(in crate::cli) struct PlainStdout(io::StdoutLock<'static>);

/// The process's own.
pub(in crate::cli) fn plain_stdout() -> PlainStdout {
    PlainStdout(io::stdout().lock())
}

/// What a closed pipe says of it.
fn forgiving<T>(done: io::Result<T>, otherwise: T) -> io::Result<T> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(otherwise),
        done => done,
    }
}

impl Write for PlainStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        forgiving(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        forgiving(self.0.flush(), ())
    }
}

/// What a command came to, as one line of JSON with its `schema`. Within one schema fields are added, never renamed,
/// removed or given another meaning; a field that does not fit is absent, never `null`.
pub(in crate::cli) fn print_json(body: &impl Serialize) -> io::Result<()> {
    let schema = SCHEMA;
    let mut line = serde_json::to_vec(&Answer { schema, body })?;
    line.push(b'\n');
    let mut out = plain_stdout();
    out.write_all(&line)?;
    out.flush()
}

#[derive(Serialize)]
struct Answer<'a, B> {
    schema: u32,
    #[serde(flatten)]
    body: &'a B,
}
