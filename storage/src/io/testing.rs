//! A disk that misbehaves on request.

use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, DiskFile, LocalDisk};

/// What goes wrong, shared by the disk and its files.
#[derive(Debug, Default)]
struct Faults {
    /// Bytes that may still be written before the disk is full.
    room_bytes: Option<u64>,
    /// Whether every sync of a file fails.
    sync_fails: bool,
    /// What power loss would undo, in the order of writing.
    unsynced: Vec<Unsynced>,
    after_open: Hook,
}

/// What happens once, at a moment of the test's choice.
#[derive(Default)]
struct Hook(Option<Box<dyn FnOnce() + Send>>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hook({})", if self.0.is_some() { "set" } else { "none" })
    }
}

#[derive(Debug)]
struct Unsynced {
    file: Arc<dyn DiskFile>,
    offset: u64,
    before: Vec<u8>,
}

/// The local disk with faults.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyDisk(Arc<Mutex<Faults>>);

impl FaultyDisk {
    /// Lets `bytes` more be written, then answers "no space"; `None` lifts the limit.
    pub fn limit_room(&self, bytes: Option<u64>) {
        self.0.lock().room_bytes = bytes;
    }

    /// Makes every sync fail from now on, or not.
    pub fn fail_syncs(&self, fails: bool) {
        self.0.lock().sync_fails = fails;
    }

    /// Runs this when the next file has been opened, before whoever opened it goes on.
    pub fn after_next_open(&self, run: impl FnOnce() + Send + 'static) {
        self.0.lock().after_open = Hook(Some(Box::new(run)));
    }

    /// Undoes the newest `lost` of the writes that were not synced, as a power cut may.
    pub fn lose_unsynced(&self, lost: usize) -> io::Result<()> {
        let mut faults = self.0.lock();
        for _ in 0..lost.min(faults.unsynced.len()) {
            if let Some(Unsynced { file, offset, before }) = faults.unsynced.pop() {
                file.write_all_at(&before, offset)?;
            }
        }
        Ok(())
    }

    fn wrap(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FaultyFile { file: Arc::from(file), faults: self.0.clone() })
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.wrap(LocalDisk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.wrap(LocalDisk.open(path)?);
        let hook = self.0.lock().after_open.0.take();
        if let Some(run) = hook {
            run();
        }
        Ok(file)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        LocalDisk.sync_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<(String, u64)>> {
        LocalDisk.list(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_folder(path)
    }

    fn available_bytes(&self, path: &Path) -> io::Result<u64> {
        match self.0.lock().room_bytes {
            Some(room) => Ok(room),
            None => LocalDisk.available_bytes(path),
        }
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn DiskFile>,
    faults: Arc<Mutex<Faults>>,
}

impl DiskFile for FaultyFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut faults = self.faults.lock();
        let fits =
            faults.room_bytes.map_or(bytes.len() as u64, |room| room.min(bytes.len() as u64));
        let len = self.file.bytes()?;
        let end = len.min(offset + fits);
        let mut before = vec![0; fits as usize];
        if end > offset {
            self.file.read_exact_at(&mut before[..(end - offset) as usize], offset)?;
        }
        // A full disk tears the write: what fits is written.
        self.file.write_all_at(&bytes[..fits as usize], offset)?;
        faults.unsynced.push(Unsynced { file: self.file.clone(), offset, before });
        if let Some(room) = &mut faults.room_bytes {
            *room -= fits;
        }
        if fits < bytes.len() as u64 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        let mut faults = self.faults.lock();
        if faults.sync_fails {
            return Err(io::Error::other("input/output error (made by the test)"));
        }
        faults.unsynced.retain(|write| !Arc::ptr_eq(&write.file, &self.file));
        self.file.sync()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }
}
