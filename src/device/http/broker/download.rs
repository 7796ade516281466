//! Downloads whole files from the broker, with progress ([section 12](crate::hem#12-broker)). Whoever asked for a file
//! checks that it is the right one.

use bytes::{Bytes, BytesMut};
use reqwest::header::LOCATION;
use reqwest::{Client, Response, Url};
use tokio::time::timeout;

use super::client::{Broker, garbled};
use crate::hem::path::{self, download_name};
use crate::model::{BrokerFault, Component, MAX_APP_BYTES, MAX_IMAGE_BYTES, human_bytes};

/// How many redirects are followed.
const MAX_HOPS: usize = 3;

impl Broker {
    /// The broker for people: scheme, host and port, without a user's name or password.
    pub fn name(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// Downloads the file that a check-in announced as `newfws` or `newuis`. `progress` gets the bytes
    /// so far and, where the broker states it, the total.
    ///
    /// # Errors
    ///
    /// An announcement that cannot be part of a path, another status than 200, a file larger than any that a
    /// device takes, or one that ends before its announced length.
    pub async fn download(
        &self,
        component: Component,
        announced: &str,
        progress: &mut (dyn FnMut(u64, Option<u64>) + Send),
    ) -> Result<Bytes, BrokerFault> {
        let name = download_name(announced);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(garbled("what it announces is no base64"));
        }
        let (url, limit) = match component {
            Component::Firmware => {
                let path = format!("{}{name}/bin", path::DOWNLOAD_FIRMWARE);
                (self.url(&path, None), MAX_IMAGE_BYTES)
            }
            Component::Ui => (self.url(path::DOWNLOAD_UI, Some(&name)), MAX_APP_BYTES),
        };
        let client = self.client()?;
        let answer = self.follow(&client, url).await?;
        let total = answer.content_length();
        let too_large = |bytes: u64| {
            let (is, takes) = (human_bytes(bytes), human_bytes(limit as u64));
            garbled(&format!(
                "a {component} of {is}, a device takes at most {takes}"
            ))
        };
        if let Some(bytes) = total.filter(|&bytes| bytes > limit as u64) {
            return Err(too_large(bytes));
        }
        self.read(answer, limit, progress)
            .await?
            .ok_or_else(|| too_large(limit as u64 + 1))
    }

    /// Follows redirects: downloads may lie elsewhere, but never behind a weaker scheme.
    async fn follow(&self, client: &Client, mut url: Url) -> Result<Response, BrokerFault> {
        for _ in 0..=MAX_HOPS {
            let request = client.get(url.clone()).timeout(self.transfer);
            let answer = request.send().await.map_err(|e| self.unreachable(e))?;
            let status = answer.status().as_u16();
            if status == 200 {
                return Ok(answer);
            }
            let next = answer
                .headers()
                .get(LOCATION)
                .and_then(|location| location.to_str().ok())
                .and_then(|location| url.join(location).ok())
                .filter(|next| next.scheme() == "https" || next.scheme() == url.scheme());
            match next {
                Some(next) if (300..=399).contains(&status) => url = next,
                _ => return Err(BrokerFault::Status { status }),
            }
        }
        Err(garbled("it points from one place to the next"))
    }

    /// Reads the body; `None` where it is longer than `limit`.
    async fn read(
        &self,
        mut answer: Response,
        limit: usize,
        progress: &mut (dyn FnMut(u64, Option<u64>) + Send),
    ) -> Result<Option<Bytes>, BrokerFault> {
        let total = answer.content_length();
        let mut body = BytesMut::new();
        loop {
            let chunk = timeout(self.request, answer.chunk())
                .await
                .map_err(|_| garbled("the download stands still"))?
                .map_err(|e| self.unreachable(e))?;
            let Some(chunk) = chunk else { break };
            if body.len() + chunk.len() > limit {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
            progress(body.len() as u64, total);
        }
        Ok(Some(body.freeze()))
    }
}
