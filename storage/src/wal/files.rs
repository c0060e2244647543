//! The files of one log: naming, preallocation, rolling over and trimming.
//!
//! ```text
//! wal/traces/0000000000000007.wal   numbered in the order of use; the last one is written to
//! wal/traces/spare.wal              written full of zeros, or of a trimmed file's old bytes
//! ```
//!
//! A file that was written over its whole length before syncs several times faster than one that
//! grows, so a spare is made in the background ahead of need, and a trimmed file becomes the spare.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use throughline_model::Signal;

use super::frame::{FRAMES_START, FileHeader};
use crate::io::{Disk, DiskFile};
use crate::{Error, Result};

const SPARE: &str = "spare.wal";
const SPARE_ZEROS: &str = "spare.zeros";
const ACTIVE_DRAFT: &str = "active.draft";
const ZEROS_BYTES: usize = 1024 * 1024;

/// A log file that is no longer written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClosedFile {
    pub path: PathBuf,
    pub last_seq: u64,
    pub bytes: u64,
}

/// The file that frames go to.
#[derive(Debug)]
pub(crate) struct ActiveFile {
    pub path: PathBuf,
    pub file: Box<dyn DiskFile>,
    pub epoch: u64,
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Inventory {
    closed: VecDeque<ClosedFile>,
    active_bytes: u64,
    has_spare: bool,
    next_number: u64,
}

/// The folder of one log. Shared by its committer (rolls over) and the flush (trims).
#[derive(Debug)]
pub(crate) struct WalFiles {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    signal: Signal,
    file_bytes: u64,
    inventory: Mutex<Inventory>,
    /// Held while the spare changes its name, so that what is activated is what was prepared.
    renaming: Mutex<()>,
}

impl WalFiles {
    /// Opens the folder; what is in it is read by the replay.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        signal: Signal,
        file_bytes: u64,
    ) -> Result<Self> {
        disk.create_folder(&folder).map_err(|err| Error::file("create folder", &folder, &err))?;
        let (inventory, renaming) = (Mutex::default(), Mutex::default());
        let files = Self { disk, folder, signal, file_bytes, inventory, renaming };
        let listed = files.listed()?;
        let mut inventory = files.inventory.lock();
        inventory.has_spare = listed.iter().any(|(name, len)| name == SPARE && *len == file_bytes);
        inventory.next_number = numbered(&listed).last().map_or(1, |(number, _)| number + 1);
        drop(inventory);
        Ok(files)
    }

    fn listed(&self) -> Result<Vec<(String, u64)>> {
        self.disk.list(&self.folder).map_err(|err| Error::file("list", &self.folder, &err))
    }

    /// The files to replay with their lengths, in order.
    pub fn to_replay(&self) -> Result<Vec<(PathBuf, u64)>> {
        let listed = self.listed()?;
        let len_of = |name: &str| listed.iter().find(|(n, _)| n == name).map_or(0, |(_, len)| *len);
        let names = numbered(&listed).into_iter();
        Ok(names.map(|(_, name)| (self.folder.join(name), len_of(name))).collect())
    }

    /// The whole content of a file.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let read = || {
            let file = self.disk.open(path)?;
            let mut content = vec![0; file.bytes()? as usize];
            file.read_exact_at(&mut content, 0)?;
            Ok(content)
        };
        read().map_err(|err| Error::file("read", path, &err))
    }

    /// Keeps a replayed file until the checkpoint passes its last frame.
    pub fn add_closed(&self, file: ClosedFile) {
        self.inventory.lock().closed.push_back(file);
    }

    /// Files and bytes, the active one included.
    pub fn usage(&self) -> (u64, u64) {
        let inventory = self.inventory.lock();
        let closed: u64 = inventory.closed.iter().map(|file| file.bytes).sum();
        (inventory.closed.len() as u64 + 1, closed + inventory.active_bytes)
    }

    /// Takes the spare, or makes a file that grows, as the next active file with room for
    /// `content_bytes`. It is durable, with its header, when this returns.
    pub fn activate(&self, epoch: u64, first_seq: u64, content_bytes: u64) -> Result<ActiveFile> {
        let wanted = self.file_bytes.max(FRAMES_START as u64 + content_bytes);
        let _renaming = self.renaming.lock();
        let (number, has_spare) = {
            let mut inventory = self.inventory.lock();
            let number = inventory.next_number;
            inventory.next_number += 1;
            let takes_spare = inventory.has_spare && wanted == self.file_bytes;
            inventory.has_spare &= !takes_spare;
            (number, takes_spare)
        };
        let draft = self.folder.join(if has_spare { SPARE } else { ACTIVE_DRAFT });
        let path = self.folder.join(format!("{number:016}.wal"));
        let make = || {
            let file = if has_spare {
                self.disk.open(&draft)?
            } else {
                let file = self.disk.create(&draft)?;
                file.set_len(wanted)?;
                file
            };
            // The header stands before the file gets its name, so that no file of the log ever
            // carries the header of an earlier life.
            let header = FileHeader { epoch, first_seq, signal: self.signal };
            file.write_all_at(&header.encode(), 0)?;
            file.sync()?;
            self.disk.rename(&draft, &path)?;
            self.disk.sync_folder(&self.folder)?;
            Ok(file)
        };
        let file = make().map_err(|err| Error::file("prepare log file", &path, &err))?;
        self.inventory.lock().active_bytes = wanted;
        Ok(ActiveFile { path, file, epoch, bytes: wanted })
    }

    /// Whether the next file is ready.
    pub fn has_spare(&self) -> bool {
        self.inventory.lock().has_spare
    }

    /// Makes a spare if there is none. Slow: writes a whole file. Not to be called twice at a time.
    pub fn prepare_spare(&self) -> Result<()> {
        if self.inventory.lock().has_spare {
            return Ok(());
        }
        let draft = self.folder.join(SPARE_ZEROS);
        let make = || {
            let file = self.disk.create(&draft)?;
            let zeros = vec![0; ZEROS_BYTES];
            let mut at = 0;
            while at < self.file_bytes {
                let len = (self.file_bytes - at).min(ZEROS_BYTES as u64);
                file.write_all_at(&zeros[..len as usize], at)?;
                at += len;
            }
            file.sync()
        };
        make().map_err(|err| Error::file("prepare spare", &draft, &err))?;
        let _renaming = self.renaming.lock();
        self.disk
            .rename(&draft, &self.folder.join(SPARE))
            .map_err(|err| Error::file("rename", &draft, &err))?;
        self.inventory.lock().has_spare = true;
        Ok(())
    }

    /// Drops the files whose frames all stand in segments by now.
    pub fn trim(&self, checkpoint_seq: u64) -> Result<()> {
        loop {
            let _renaming = self.renaming.lock();
            let (file, becomes_spare) = {
                let mut inventory = self.inventory.lock();
                let done = inventory.closed.front().is_some_and(|f| f.last_seq <= checkpoint_seq);
                if !done {
                    return Ok(());
                }
                let Some(file) = inventory.closed.pop_front() else { return Ok(()) };
                let becomes_spare = !inventory.has_spare && file.bytes == self.file_bytes;
                (file, becomes_spare)
            };
            if becomes_spare {
                self.disk
                    .rename(&file.path, &self.folder.join(SPARE))
                    .map_err(|err| Error::file("recycle", &file.path, &err))?;
                // Before the file starts another life: were this renaming lost then, the file would
                // come back under its old number with its new header.
                self.disk
                    .sync_folder(&self.folder)
                    .map_err(|err| Error::file("sync folder", &self.folder, &err))?;
                self.inventory.lock().has_spare = true;
            } else {
                self.disk
                    .remove(&file.path)
                    .map_err(|err| Error::file("remove", &file.path, &err))?;
            }
        }
    }
}

fn numbered(listed: &[(String, u64)]) -> Vec<(u64, &str)> {
    let number = |name: &str| name.strip_suffix(".wal")?.parse::<u64>().ok();
    let mut files: Vec<_> =
        listed.iter().filter_map(|(name, _)| Some((number(name)?, name.as_str()))).collect();
    files.sort_unstable();
    files
}
