//! Requests that no segment takes: the encoder refuses their columns, however often it is asked.
//!
//! They must not hold up their signal for ever: heads would fill, the log would grow, and a restart
//! would meet them again. Their bodies are set aside as they were received, and reported; everything
//! else of the head is written.
//!
//! ```text
//! head refused → halves → … → single requests: written | refused → body from the log → quarantine/
//! ```

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use throughline_model::Signal;
use ulid::Ulid;

use super::flush::receipts;
use crate::core::Core;
use crate::publish::SealedHead;
use crate::segment::SegmentMeta;
use crate::wal::{Damage, LogFileReader, Replay};
use crate::{Error, ErrorKind, Result};

/// Requests of one head that are set aside. Where more are refused, the encoder is at fault rather
/// than they: the head stays in memory and in the log, and is tried again.
const REFUSED_MAX: usize = 16;

/// Whether an error says that the rows are at fault, so that another attempt would fail alike. A
/// panic of the encoder counts: it is reported as [`ErrorKind::Corrupt`].
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Corrupt | ErrorKind::Limit)
}

impl Core {
    /// Writes a head that was refused as a whole in parts, and sets the requests aside that are
    /// refused alone. `seqs` are the numbers that the log has for the head, the first one excluded.
    pub(super) async fn write_without_refused(
        self: &Arc<Self>,
        signal: Signal,
        head: SealedHead,
        seqs: (u64, u64),
        now_ns: i64,
        error: Error,
    ) -> Result<Vec<SegmentMeta>> {
        tracing::error!(%signal, %error, "a head cannot be written as a whole; writing its parts");
        let mut metas = Vec::new();
        let outcome = self.write_halves(signal, &head, now_ns, &mut metas).await;
        let outcome = match outcome {
            Ok(refused) => self.set_requests_aside(signal, &head, seqs, refused).await,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            let ids: Vec<Ulid> = metas.iter().map(|meta| meta.id).collect();
            let core = self.clone();
            let forget = move || {
                core.forget_files(&ids);
                Ok(())
            };
            self.blocking(forget).await?;
            return Err(error);
        }
        Ok(metas)
    }

    // Returns the places of the requests that cannot be written even alone, with the reasons.
    async fn write_halves(
        self: &Arc<Self>,
        signal: Signal,
        head: &SealedHead,
        now_ns: i64,
        metas: &mut Vec<SegmentMeta>,
    ) -> Result<Vec<(usize, Error)>> {
        let mut refused = Vec::new();
        let mut todo: Vec<Range<usize>> = Vec::new();
        todo.push(0..head.len());
        while let Some(part) = todo.pop() {
            let (core, of, batches) = (self.clone(), head.clone(), part.clone());
            let write = move || core.write_head(signal, &of, batches, now_ns);
            match self.blocking(write).await {
                Ok(more) => metas.extend(more),
                Err(error) if is_refusal(&error) && part.len() > 1 => {
                    let middle = part.start + part.len() / 2;
                    todo.extend([middle..part.end, part.start..middle]);
                }
                Err(error) if is_refusal(&error) && refused.len() < REFUSED_MAX => {
                    refused.push((part.start, error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    async fn set_requests_aside(
        self: &Arc<Self>,
        signal: Signal,
        head: &SealedHead,
        seqs: (u64, u64),
        refused: Vec<(usize, Error)>,
    ) -> Result<()> {
        let receipts = match head {
            SealedHead::Rows(sealed) => receipts(&sealed.slice),
            SealedHead::Points(sealed) => receipts(&sealed.slice),
        };
        for (place, error) in refused {
            let hash = receipts[place].body_hash;
            let core = self.clone();
            let find = move || core.logged_body(signal, seqs, hash, &error);
            let damage = self.blocking(find).await?;
            self.keep_damage(damage).await?;
        }
        Ok(())
    }

    // The body of a request as it was received, out of the log.
    fn logged_body(
        &self,
        signal: Signal,
        (after_seq, last_seq): (u64, u64),
        body_hash: u128,
        error: &Error,
    ) -> Result<Damage> {
        let wal = self.wal(signal);
        let mut seen = HashSet::new();
        for (path, _) in wal.to_replay()? {
            // Whatever came before is not asked about.
            for found in LogFileReader::open(wal.clone(), &path, signal, u64::MAX)? {
                let Replay::Frame { seq, record } = found else { continue };
                if seq <= after_seq || seq > last_seq || !seen.insert(seq) {
                    continue;
                }
                if record.body_hash == body_hash {
                    let why = format!(
                        "request {seq} of tenant {} cannot be written: {error}; its body is {:?}, {:?}",
                        record.tenant, record.format, record.encoding
                    );
                    let name = format!("refused-{signal}-{body_hash:032x}");
                    return Ok(Damage { name, why, bytes: record.body });
                }
            }
        }
        Err(Error::new(
            error.kind(),
            format!("a request cannot be written, and the log does not have its body: {error}"),
        ))
    }
}
