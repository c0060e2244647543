//! The files of one log: naming, preallocation, rolling over and trimming.
//!
//! ```text
//! wal/traces/0000000000000007.wal   numbered in the order of use; the last one is written to
//! wal/traces/3.spare                written full of zeros, or of a trimmed file's old bytes
//! ```
//!
//! A file that was written over its whole length before syncs several times faster than one that
//! grows, so a spare is made in the background ahead of need, and trimmed files become spares: a
//! flush frees several files at once, and writing zeros over new ones would cost as much as logging.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use throughline_model::Signal;

use super::frame::{FRAMES_START, FileHeader};
use crate::io::{Disk, DiskFile};
use crate::{Error, Result};

const SPARE_SUFFIX: &str = ".spare";
const SPARE_ZEROS: &str = "spare.zeros";
/// Files that wait for their next use, of one log.
const SPARES_MAX: usize = 3;
const ACTIVE_DRAFT: &str = "active.draft";
const ZEROS_BYTES: usize = 1024 * 1024;

/// Of files and of spares. A stray file past it must not make the numbers run out.
const NUMBER_MAX: u64 = 1 << 48;

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
    spares: Vec<PathBuf>,
    next_spare: u64,
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
        let spare = |(name, len): &(String, u64)| {
            let number = name.strip_suffix(SPARE_SUFFIX)?.parse::<u64>().ok()?;
            (number <= NUMBER_MAX).then_some(())?;
            Some((number, files.folder.join(name), *len))
        };
        for (number, path, len) in listed.iter().filter_map(spare) {
            inventory.next_spare = inventory.next_spare.max(number + 1);
            if len == file_bytes && inventory.spares.len() < SPARES_MAX {
                inventory.spares.push(path);
            } else {
                files.disk.remove(&path).map_err(|err| Error::file("remove", &path, &err))?;
            }
        }
        inventory.next_number = next_number(&listed)?;
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
        let (number, spare) = {
            let mut inventory = self.inventory.lock();
            let number = inventory.next_number;
            inventory.next_number += 1;
            let spare = if wanted == self.file_bytes { inventory.spares.pop() } else { None };
            (number, spare)
        };
        let has_spare = spare.is_some();
        let draft = spare.unwrap_or_else(|| self.folder.join(ACTIVE_DRAFT));
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
        !self.inventory.lock().spares.is_empty()
    }

    /// Makes a spare if there is none. Slow: writes a whole file. Not to be called twice at a time.
    pub fn prepare_spare(&self) -> Result<()> {
        if self.has_spare() {
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
        let spare = self.spare_path();
        self.disk.rename(&draft, &spare).map_err(|err| Error::file("rename", &draft, &err))?;
        self.inventory.lock().spares.push(spare);
        Ok(())
    }

    fn spare_path(&self) -> PathBuf {
        let mut inventory = self.inventory.lock();
        let number = inventory.next_spare;
        inventory.next_spare += 1;
        self.folder.join(format!("{number}{SPARE_SUFFIX}"))
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
                let wanted = inventory.spares.len() < SPARES_MAX;
                let becomes_spare = wanted && file.bytes == self.file_bytes;
                (file, becomes_spare)
            };
            if becomes_spare {
                let spare = self.spare_path();
                self.disk
                    .rename(&file.path, &spare)
                    .map_err(|err| Error::file("recycle", &file.path, &err))?;
                // Before the file starts another life: were this renaming lost then, the file would
                // come back under its old number with its new header.
                self.disk
                    .sync_folder(&self.folder)
                    .map_err(|err| Error::file("sync folder", &self.folder, &err))?;
                self.inventory.lock().spares.push(spare);
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

fn next_number(listed: &[(String, u64)]) -> Result<u64> {
    match numbered(listed).last() {
        Some((number, name)) if *number > NUMBER_MAX => Err(Error::corrupt(format!(
            "{name} is not a file of a log, whose numbers end at {NUMBER_MAX}"
        ))),
        last => Ok(last.map_or(1, |(number, _)| number + 1)),
    }
}
