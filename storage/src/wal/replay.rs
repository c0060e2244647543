//! Reading a log back after a restart, one file at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use throughline_model::Signal;

use super::files::{ClosedFile, WalFiles};
use super::frame::{FRAMES_START, FileHeader, Found, FrameReader};
use super::record::WalRecord;
use crate::Result;

/// Bytes of a log file that are no frames although frames must have stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Names the side file: file and offset.
    pub name: String,
    /// What was found, for the operator.
    pub why: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// One thing read back.
#[derive(Debug, PartialEq)]
pub(crate) enum Replay {
    /// A request.
    Frame { seq: u64, record: WalRecord },
    /// Something to quarantine.
    Damage(Damage),
}

/// A log file being read. A torn tail is left out: its requests were not acknowledged.
#[derive(Debug)]
pub(crate) struct LogFileReader {
    files: Arc<WalFiles>,
    path: PathBuf,
    name: String,
    content: Bytes,
    frames: Option<FrameReader>,
    damage: Option<Damage>,
    expected_seq: u64,
}

impl LogFileReader {
    /// Reads the file into memory. `expected_seq` is what the file before returned from
    /// [`Self::close`], or follows the checkpoint.
    pub fn open(
        files: Arc<WalFiles>,
        path: &Path,
        signal: Signal,
        expected_seq: u64,
    ) -> Result<Self> {
        let content = Bytes::from(files.read(path)?);
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("wal-{signal}-{file_name}");
        let header = FileHeader::decode(&content).filter(|header| header.signal == signal);
        let damage = |offset: usize, why: String, bytes: Bytes| Damage {
            name: format!("{name}-{offset}"),
            why,
            bytes,
        };
        let damage = match header {
            None => Some(damage(0, format!("{name}: no readable header"), content.clone())),
            Some(header) if header.first_seq > expected_seq => {
                let lost = header.first_seq - expected_seq;
                let why = format!("{name}: {lost} frames before this file are missing");
                Some(damage(FRAMES_START, why, Bytes::new()))
            }
            _ => None,
        };
        let frames = header.map(|header| FrameReader::new(content.clone(), header));
        Ok(Self { files, path: path.to_owned(), name, content, frames, damage, expected_seq })
    }

    /// Ends the reading: the file is kept until the checkpoint passes its last frame. Returns the
    /// number that the next frame must have.
    pub fn close(self) -> u64 {
        let next_seq = self.frames.map_or(0, |frames| frames.next_seq()).max(self.expected_seq);
        let bytes = self.content.len() as u64;
        let last_seq = next_seq.saturating_sub(1);
        self.files.add_closed(ClosedFile { path: self.path, last_seq, bytes });
        next_seq
    }
}

impl Iterator for LogFileReader {
    type Item = Replay;

    fn next(&mut self) -> Option<Replay> {
        if let Some(damage) = self.damage.take() {
            return Some(Replay::Damage(damage));
        }
        match self.frames.as_mut()?.next()? {
            Found::Frame { seq, record } => Some(Replay::Frame { seq, record }),
            Found::Bad { range, frames_lost } => Some(Replay::Damage(Damage {
                name: format!("{}-{}", self.name, range.start),
                why: format!(
                    "{}: {} bytes at {} are no frames, {frames_lost} frames lost",
                    self.name,
                    range.len(),
                    range.start
                ),
                bytes: self.content.slice(range),
            })),
        }
    }
}
