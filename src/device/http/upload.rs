//! Sends an image: progress, stalls, and an answer that may come at any time ([section
//! 7](crate::hem#7-firmware-upgrade)).
//!
//! Not one byte of the image is sent after a final answer; `connection/expect_continue.rs` sees to that.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::connection::connect::Connection;
use super::connection::exchange::HttpConnection;
use super::connection::expect_continue::{BodyMeter, expect_continue};
use super::link_fault;
use crate::device::UploadProgress;
use crate::model::LinkFault;

/// How often progress is reported at most.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// How long each part of an upload may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The wait for `100 Continue`.
    pub(super) continue_wait: Duration,
    /// For the whole upload.
    pub(super) whole: Duration,
    /// Without the socket taking another byte.
    pub(super) stall: Duration,
    /// From the last byte to the answer. Behind a tunnel `stall` is added: the tunnel still holds bytes, and these
    /// may stall unseen.
    pub(super) answer: Duration,
}

/// How an upload was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Answered {
    /// The HTTP status.
    pub(super) status: u16,
    /// Whether the socket had taken the whole image by then.
    pub(super) whole: bool,
}

/// Sends `image` with `head` and waits for the status, which alone decides: the answer's body is not read.
///
/// # Errors
///
/// No answer came: the connection broke, the upload stalled, or time ran out.
pub(super) async fn send(
    connection: Connection,
    head: Request<()>,
    image: Bytes,
    mut limits: Limits,
    progress: &dyn UploadProgress,
) -> Result<Answered, LinkFault> {
    if connection.tunnel {
        limits.answer += limits.stall;
    }
    let total = image.len() as u64;
    let (request, meter) = expect_continue(head, image, connection.written, limits.continue_wait);
    let mut http = HttpConnection::open(connection.io).await?;
    let mut answer = pin!(http.send(request));
    let mut watch = UploadWatch::new(total, limits);
    let mut tick = interval(watch.tick());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            answer = http.drive(answer.as_mut()) => {
                let status = answer.map_err(|e| link_fault::exchange(&e))?.status().as_u16();
                watch.tell(&meter, progress);
                return Ok(Answered { status, whole: meter.is_whole() });
            }
            now = tick.tick() => {
                watch.tell(&meter, progress);
                watch.check_limits(&meter, now)?;
            }
        }
    }
}

struct UploadWatch {
    total: u64,
    limits: Limits,
    begun: Instant,
    told: Option<u64>,
    /// The last count seen and when it was new.
    moved: Option<(u64, Instant)>,
    /// When the socket was first seen to have taken the whole image.
    whole: Option<Instant>,
}

impl UploadWatch {
    fn new(total: u64, limits: Limits) -> Self {
        Self {
            total,
            limits,
            begun: Instant::now(),
            told: None,
            moved: None,
            whole: None,
        }
    }

    /// Fine enough for the shortest limit.
    fn tick(&self) -> Duration {
        (self.limits.stall.min(self.limits.answer) / 4).clamp(Duration::from_millis(5), TELL_EVERY)
    }

    fn tell(&mut self, meter: &BodyMeter, progress: &dyn UploadProgress) {
        if let Some(sent) = meter.sent()
            && self.told != Some(sent)
        {
            self.told = Some(sent);
            progress.sent(sent);
        }
    }

    fn check_limits(&mut self, meter: &BodyMeter, now: Instant) -> Result<(), LinkFault> {
        let sent = meter.sent();
        if now.duration_since(self.begun) >= self.limits.whole {
            return Err(LinkFault::UploadTimeout {
                sent: sent.unwrap_or(0),
                total: self.total,
                after: self.limits.whole,
            });
        }
        // The body begins by itself after the wait for `100 Continue`; until then nothing can stall.
        let Some(sent) = sent else { return Ok(()) };
        if meter.is_whole() {
            let since = *self.whole.get_or_insert(now);
            if now.duration_since(since) >= self.limits.answer {
                return Err(LinkFault::NoAnswer {
                    after: self.limits.answer,
                });
            }
            return Ok(());
        }
        match self.moved {
            Some((before, since)) if before == sent => {
                if now.duration_since(since) >= self.limits.stall {
                    return Err(LinkFault::Stalled {
                        sent,
                        total: self.total,
                        after: self.limits.stall,
                    });
                }
            }
            _ => self.moved = Some((sent, now)),
        }
        Ok(())
    }
}
