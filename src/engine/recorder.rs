//! Where the messages of a run are kept: the port that the journal implements.

use futures_util::future::BoxFuture;

use super::reducer_messages::Message;

/// Keeps what the reducer takes in.
pub trait Recorder: Send + Sync + 'static {
    /// Takes in a message, in the order in which the reducer does; never blocks.
    fn record(&self, message: &Message);

    /// Waits until everything that was recorded before this call outlives a power cut.
    ///
    /// # Errors
    ///
    /// It could not be written: why, in one line.
    fn on_disk(&self) -> BoxFuture<'static, Result<(), String>>;
}

/// Keeps nothing (`--no-journal`, and commands that change nothing).
#[derive(Clone, Copy, Debug)]
pub struct NotRecorded;

impl Recorder for NotRecorded {
    fn record(&self, _: &Message) {}

    fn on_disk(&self) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}
