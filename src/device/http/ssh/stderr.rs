//! Reads what ssh says on standard error: its last lines, and why it refused a stream.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

/// How many lines are kept; the last ones hold the verdict.
const LINES: usize = 3;

/// The longest line that is kept, in bytes.
const LINE: usize = 400;

/// How many refusals are kept until somebody asks for them.
const REFUSALS: usize = 64;

/// How long to wait for a message that must be on its way.
const PATIENCE: Duration = Duration::from_millis(500);

/// Replaces a reason that could belong to another stream.
const ANY_REASON: &str = "open failed";

/// The last lines of a text, joined into one.
#[derive(Debug, Default)]
pub(super) struct LastLines {
    lines: VecDeque<String>,
    part: Vec<u8>,
}

impl LastLines {
    /// Takes in what was read, and passes every line that it completes to `line`.
    fn take(&mut self, bytes: &[u8], mut line: impl FnMut(&str)) {
        for byte in bytes {
            match byte {
                b'\n' => self.end(&mut line),
                _ if self.part.len() < LINE => self.part.push(*byte),
                _ => {}
            }
        }
    }

    fn end(&mut self, line: &mut impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.part);
        // OpenSSH frames its large warnings with @.
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '@');
        if !text.is_empty() {
            line(text);
            if self.lines.len() == LINES {
                self.lines.pop_front();
            }
            self.lines.push_back(text.to_owned());
        }
        self.part.clear();
    }

    /// Reads a stream to its end.
    pub(super) async fn of(mut from: impl AsyncRead + Unpin) -> String {
        let mut tail = Self::default();
        let mut bytes = [0; 1024];
        while let Ok(n @ 1..) = from.read(&mut bytes).await {
            tail.take(&bytes[..n], |_| ());
        }
        tail.end(&mut |_| ());
        tail.in_one_line()
    }

    fn in_one_line(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(String::as_str).collect();
        lines.join("; ")
    }
}

/// What the ssh says that keeps a connection.
#[derive(Debug)]
pub(super) struct StderrReader {
    heard: Arc<Mutex<Heard>>,
    /// The number of refusals so far; closed at the end of the text.
    news: watch::Receiver<u64>,
    _reader: AbortOnDropHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    tail: LastLines,
    refusals: VecDeque<(Instant, String)>,
}

impl StderrReader {
    /// Reads a stream to its end in a task of its own.
    pub(super) fn listen(mut from: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (tell, news) = watch::channel(0);
        let kept = Arc::clone(&heard);
        let reader = tokio::spawn(async move {
            let mut bytes = [0; 1024];
            while let Ok(n @ 1..) = from.read(&mut bytes).await {
                let refusals = kept
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .hear(&bytes[..n]);
                tell.send_modify(|sum| *sum += refusals);
            }
        });
        Self {
            heard,
            news,
            _reader: AbortOnDropHandle::new(reader),
        }
    }

    /// The last lines as one, once the text has ended.
    pub(super) async fn last(&self) -> String {
        let mut news = self.news.clone();
        // Something that ssh has started may hold its standard error open longer.
        let _ = timeout(PATIENCE, async { while news.changed().await.is_ok() {} }).await;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.tail.end(&mut |_| ());
        heard.tail.in_one_line()
    }

    /// Why a stream that was started at `since` was refused. OpenSSH does not say which stream it means: where
    /// several were refused for different reasons at once, none gets a reason that may be another's.
    pub(super) async fn refusal(&self, since: Instant) -> String {
        let mut news = self.news.clone();
        let find = async {
            loop {
                news.mark_unchanged();
                if let Some(reason) = self.claim(since) {
                    return reason;
                }
                if news.changed().await.is_err() {
                    return ANY_REASON.to_owned();
                }
            }
        };
        timeout(PATIENCE, find)
            .await
            .unwrap_or_else(|_| ANY_REASON.to_owned())
    }

    fn claim(&self, since: Instant) -> Option<String> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let refusals = &mut heard.refusals;
        let first = refusals.iter().position(|(at, _)| *at >= since)?;
        let (_, reason) = refusals.remove(first)?;
        let mut rest = refusals.iter_mut().filter(|(at, _)| *at >= since);
        if rest.all(|(_, other)| *other == reason) {
            return Some(reason);
        }
        for (_, other) in refusals.iter_mut().filter(|(at, _)| *at >= since) {
            ANY_REASON.clone_into(other);
        }
        Some(ANY_REASON.to_owned())
    }
}

impl Heard {
    /// Takes in what was read; returns how many refusals there were in it.
    fn hear(&mut self, bytes: &[u8]) -> u64 {
        let mut count = 0;
        let Self { tail, refusals } = self;
        tail.take(bytes, |line| {
            tracing::debug!("ssh: {}", crate::model::printable(line, LINE));
            if let Some((_, reason)) = line.split_once(": open failed: ")
                && line.starts_with("channel ")
            {
                count += 1;
                if refusals.len() == REFUSALS {
                    refusals.pop_front();
                }
                refusals.push_back((Instant::now(), reason.to_owned()));
            }
        });
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_lines_become_one() {
        let text = "@@@@@@@@\r\n@    WARNING: CHANGED!     @\r\n@@@@@@@@\r\none\r\n\r\ntwo\nthree";
        assert_eq!(LastLines::of(text.as_bytes()).await, "one; two; three");
        let text = "@@@@@@@@\r\n@    WARNING: CHANGED!     @\r\n";
        assert_eq!(LastLines::of(text.as_bytes()).await, "WARNING: CHANGED!");
        assert_eq!(LastLines::of(&b""[..]).await, "");
        assert_eq!(LastLines::of(&[b'x'; 5000][..]).await.len(), LINE);
    }

    #[tokio::test]
    async fn a_refusal_is_told_to_the_one_it_belongs_to_or_to_nobody() {
        use tokio::io::AsyncWriteExt as _;

        let (mut ssh, theirs) = tokio::io::duplex(1024);
        let words = StderrReader::listen(theirs);
        let since = Instant::now();
        let refused = b"channel 2: open failed: connect failed: Connection refused\r\n";
        ssh.write_all(refused).await.unwrap();
        ssh.write_all(refused).await.unwrap();
        let reason = "connect failed: Connection refused";
        assert_eq!(words.refusal(since).await, reason);
        assert_eq!(words.refusal(since).await, reason);

        ssh.write_all(
            b"channel 2: open failed: connect failed: Connection refused\r\n\
              channel 3: open failed: administratively prohibited: open failed\r\n\
              Connection to host7 closed by remote host.\r\n",
        )
        .await
        .unwrap();
        drop(ssh);
        let last = words.last().await;
        assert!(last.ends_with("host7 closed by remote host."), "{last}");
        for _ in 0..3 {
            assert_eq!(words.refusal(since).await, ANY_REASON);
        }
    }
}
