//! Standard output for a run's events, written beside the run: a reader that stops reading must not
//! stop anybody from being interrupted. Must not: know what is written.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Events that may wait for the reader before the run waits for it.
const WAITING: usize = 64;

/// Where a reporter writes; [`Outlet::flush`] takes it from there.
#[derive(Clone, Default)]
pub(super) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes pages to standard output in a thread of its own.
pub(super) struct Outlet {
    page: Page,
    pages: mpsc::Sender<Vec<u8>>,
    writer: JoinHandle<io::Result<()>>,
}

/// Nobody reads any more.
#[derive(Debug)]
pub(super) struct Closed;

impl Outlet {
    /// Takes what is written to `page` to standard output.
    pub(super) fn stdout(page: Page) -> Self {
        let (pages, mut waiting) = mpsc::channel::<Vec<u8>>(WAITING);
        let writer = tokio::task::spawn_blocking(move || {
            while let Some(bytes) = waiting.blocking_recv() {
                let mut out = io::stdout().lock();
                out.write_all(&bytes)?;
                out.flush()?;
            }
            Ok(())
        });
        Self {
            page,
            pages,
            writer,
        }
    }

    /// Hands on what has been written to the page; waits while the reader is far behind.
    pub(super) async fn flush(&self) -> Result<(), Closed> {
        let bytes = self.page.take();
        if bytes.is_empty() {
            return Ok(());
        }
        self.pages.send(bytes).await.map_err(|_| Closed)
    }

    /// Waits until all is written.
    ///
    /// # Errors
    ///
    /// What standard output said, also earlier.
    pub(super) async fn close(self) -> io::Result<()> {
        drop(self.pages);
        self.writer.await.map_err(io::Error::other)?
    }
}
