//! How a run is shown, on the dashboard, as lines or as JSON; its report files; and the writers that never wait for a
//! reader.

pub(super) mod byte_queue;
pub(super) mod headless_loop;
pub(super) mod headless_secrets;
pub(super) mod last_words;
mod log_file;
pub(super) mod logging;
pub(super) mod plain_stdout;
pub(super) mod progress_line;
pub(super) mod read_only;
pub(super) mod report_files;
pub(super) mod show_session;
pub(super) mod stderr_and_log;
pub(super) mod stdout_writer;
