//! Appending to one log: a window of frames, one write, one sync.

use std::sync::Arc;

use super::files::{ActiveFile, ClosedFile, WalFiles};
use super::frame::{FRAMES_START, frame_bytes, put_frame_head};
use super::record::WalRecord;
use crate::{Error, Result};

/// Bodies at least this long are written from where they are, others through one buffer.
const BODY_DIRECT_BYTES: usize = 256 * 1024;

/// How a window failed.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// Nothing of the window counts; the log goes on.
    Refused(Error),
    /// It is unknown what is on disk; the log must not be used again.
    Failed(Error),
}

/// The writing end of a log.
#[derive(Debug)]
pub(crate) struct WalWriter {
    files: Arc<WalFiles>,
    active: ActiveFile,
    offset: u64,
    next_seq: u64,
    new_epoch: u64,
    buffer: Vec<u8>,
}

impl WalWriter {
    /// Starts a new file whose first frame will be `next_seq`. `epoch` must differ from those of all
    /// earlier lives of the log's files.
    pub fn start(files: Arc<WalFiles>, epoch: u64, next_seq: u64) -> Result<Self> {
        let active = files.activate(epoch, next_seq, 0)?;
        Ok(Self {
            files,
            active,
            offset: FRAMES_START as u64,
            next_seq,
            new_epoch: epoch.wrapping_add(1),
            buffer: Vec::new(),
        })
    }

    /// Writes and syncs the records; returns the number of the first. All or none of them count.
    pub fn commit(&mut self, records: &[&WalRecord]) -> std::result::Result<u64, CommitError> {
        let bytes = records.iter().map(|record| frame_bytes(record)).sum();
        if self.offset + bytes > self.active.bytes {
            self.roll_over(bytes)?;
        }
        let first_seq = self.next_seq;
        if let Err(err) = self.write(records) {
            let error = Error::file("write to the log", &self.active.path, &err);
            // A torn window at the end must not be taken for damage later.
            return match self.active.file.set_len(self.offset) {
                Ok(()) if error.kind() == crate::ErrorKind::Overloaded => {
                    Err(CommitError::Refused(error))
                }
                _ => Err(CommitError::Failed(error)),
            };
        }
        if let Err(err) = self.active.file.sync() {
            let error = Error::file("sync the log", &self.active.path, &err);
            return Err(CommitError::Failed(Error::new(crate::ErrorKind::Io, error.to_string())));
        }
        self.offset += bytes;
        self.next_seq += records.len() as u64;
        Ok(first_seq)
    }

    fn write(&mut self, records: &[&WalRecord]) -> std::io::Result<()> {
        let mut at = self.offset;
        self.buffer.clear();
        for (seq, record) in (self.next_seq..).zip(records) {
            let zeros = put_frame_head(record, seq, self.active.epoch, &mut self.buffer);
            if record.body.len() >= BODY_DIRECT_BYTES {
                self.active.file.write_all_at(&self.buffer, at)?;
                at += self.buffer.len() as u64;
                self.buffer.clear();
                self.active.file.write_all_at(&record.body, at)?;
                at += record.body.len() as u64;
            } else {
                self.buffer.extend_from_slice(&record.body);
            }
            self.buffer.resize(self.buffer.len() + zeros, 0);
        }
        self.active.file.write_all_at(&self.buffer, at)
    }

    // The old file is synced already: every window ends in a sync.
    fn roll_over(&mut self, bytes: u64) -> std::result::Result<(), CommitError> {
        let next = match self.files.activate(self.new_epoch, self.next_seq, bytes) {
            Ok(next) => next,
            Err(err) if err.kind() == crate::ErrorKind::Overloaded => {
                return Err(CommitError::Refused(err));
            }
            Err(err) => return Err(CommitError::Failed(err)),
        };
        let last = std::mem::replace(&mut self.active, next);
        self.files.add_closed(ClosedFile {
            path: last.path,
            last_seq: self.next_seq - 1,
            bytes: last.bytes,
        });
        self.new_epoch = self.new_epoch.wrapping_add(1);
        self.offset = FRAMES_START as u64;
        Ok(())
    }

    /// Whether it is time to make a spare.
    pub fn wants_spare(&self) -> bool {
        self.offset > self.active.bytes / 4
    }
}
