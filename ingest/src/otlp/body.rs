//! Reading a request's body within limits of size and time, under a permit.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout, timeout_at};

use crate::admit::{IngestLimits, Permit};
use crate::{Error, ErrorKind, Result};

/// How long the rest of a refused body is read and thrown away, so that a client which is still
/// sending gets to read its answer.
const DRAIN_MAX: Duration = Duration::from_secs(3);
/// How much of it.
const DRAIN_BYTES_MAX: usize = 128 << 20;

/// A body being read.
pub struct BodyReader {
    body: Body,
    pause_max: Duration,
    deadline: Instant,
    deadline_ms: u64,
}

impl BodyReader {
    /// A reader whose time runs from now.
    pub fn new(body: Body, limits: &IngestLimits) -> Self {
        Self {
            body,
            pause_max: Duration::from_millis(limits.body_pause_ms_max),
            deadline: Instant::now() + Duration::from_millis(limits.body_ms_max),
            deadline_ms: limits.body_ms_max,
        }
    }

    /// The next chunk; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let frame = timeout(self.pause_max, self.body.frame());
            let frame = match timeout_at(self.deadline, frame).await {
                Ok(Ok(frame)) => frame,
                Ok(Err(_)) => {
                    let pause_ms = self.pause_max.as_millis();
                    return Err(too_slow(format!("the body paused for {pause_ms} ms")));
                }
                Err(_) => {
                    return Err(too_slow(format!("the body took over {} ms", self.deadline_ms)));
                }
            };
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Ok(Some(data)),
                    Err(_) => {} // trailers
                },
                Some(Err(err)) => {
                    return Err(Error::malformed(format!("the body broke off: {err}")));
                }
            }
        }
    }

    /// The whole body, of at most `bytes_max` bytes; `permit` grows with it.
    pub async fn read_all(&mut self, permit: &mut Permit, bytes_max: usize) -> Result<Bytes> {
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        check_len(first.len(), bytes_max)?;
        permit.grow_to(first.len())?;
        let Some(second) = self.chunk().await? else {
            return Ok(first);
        };
        let mut whole = BytesMut::with_capacity(permit.bytes().min(bytes_max));
        whole.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(chunk) = next {
            let len = whole.len() + chunk.len();
            check_len(len, bytes_max)?;
            permit.grow_to(len)?;
            whole.extend_from_slice(&chunk);
            next = self.chunk().await?;
        }
        Ok(whole.freeze())
    }

    /// Reads the rest and throws it away, within bounds.
    pub async fn drain(mut self) {
        self.deadline = Instant::now() + DRAIN_MAX;
        let mut drained = 0;
        while drained < DRAIN_BYTES_MAX {
            match self.chunk().await {
                Ok(Some(chunk)) => drained += chunk.len(),
                Ok(None) | Err(_) => return,
            }
        }
    }
}

fn check_len(len: usize, bytes_max: usize) -> Result<()> {
    if len > bytes_max {
        return Err(Error::too_large(format!(
            "the body has {len} bytes or more, the limit is {bytes_max}"
        )));
    }
    Ok(())
}

fn too_slow(message: String) -> Error {
    Error::new(ErrorKind::Timeout, message)
}
