//! Segment files: where they live, how they are written, synced and read.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt};

use super::disk::{Disk, DiskFile};
use crate::{Error, Result};

/// Bytes that a [`SegmentSink`] gathers before it writes.
const SINK_BUFFER_BYTES: usize = 256 * 1024;

/// The segment files of a store, flat in one folder.
///
/// Written locally and synced by us, because `object_store`'s local file system does not sync; read
/// by position, or through `object_store` from async code.
#[derive(Debug)]
pub struct SegmentStore {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    aside: PathBuf,
    objects: Arc<dyn ObjectStore>,
}

impl SegmentStore {
    /// Opens `folder`, creating it and `aside`, where quarantined files go.
    pub fn open(disk: Arc<dyn Disk>, folder: PathBuf, aside: PathBuf) -> Result<Arc<Self>> {
        for path in [&folder, &aside] {
            disk.create_folder(path).map_err(|err| Error::file("create folder", path, &err))?;
        }
        let objects = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|err| Error::new(crate::ErrorKind::Io, err.to_string()))?;
        Ok(Arc::new(Self { disk, folder, aside, objects: Arc::new(objects) }))
    }

    /// Starts a file. It is not durable before [`SegmentSink::sync`] and [`Self::sync_folder`].
    pub fn create(&self, name: &str) -> Result<SegmentSink> {
        let path = self.folder.join(name);
        let file = self.disk.create(&path).map_err(|err| Error::file("create", &path, &err))?;
        Ok(SegmentSink {
            path,
            file,
            buffer: Vec::new(),
            bytes: 0,
            written: 0,
            crc32c: 0,
            error: None,
        })
    }

    /// Makes the names of new files durable.
    pub fn sync_folder(&self) -> Result<()> {
        self.disk
            .sync_folder(&self.folder)
            .map_err(|err| Error::file("sync folder", &self.folder, &err))
    }

    /// Reads a range, blocking the calling thread.
    pub fn read(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        let path = self.folder.join(name);
        let len = range.end.saturating_sub(range.start) as usize;
        let mut buffer = vec![0; len];
        File::open(&path)
            .and_then(|file| FileExt::read_exact_at(&file, &mut buffer, range.start))
            .map_err(|err| read_error(&path, &range, &err))?;
        Ok(Bytes::from(buffer))
    }

    /// Opens a file that will be read in many places, blocking the calling thread.
    pub fn open_file(&self, name: &str) -> Result<SegmentFile> {
        let path = self.folder.join(name);
        let file = File::open(&path).map_err(|err| read_error(&path, &(0..0), &err))?;
        Ok(SegmentFile { path, file })
    }

    /// Reads a range through `object_store`.
    pub async fn read_async(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        let location = object_store::path::Path::from(name);
        self.objects.get_range(&location, range.clone()).await.map_err(|err| {
            Error::corrupt(format!(
                "could not read bytes {}..{} of {name}: {err}",
                range.start, range.end
            ))
        })
    }

    /// The same files as an object store, for readers that want one.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.objects.clone()
    }

    /// Removes a file; one that is not there is fine.
    pub fn delete(&self, name: &str) -> Result<()> {
        let path = self.folder.join(name);
        match self.disk.remove(&path) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => {
                Err(Error::file("remove", &path, &err))
            }
            _ => Ok(()),
        }
    }

    /// Moves a file to the quarantine folder; one that is not there is fine.
    pub fn set_aside(&self, name: &str) -> Result<()> {
        let from = self.folder.join(name);
        match self.disk.rename(&from, &self.aside.join(name)) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => {
                Err(Error::file("set aside", &from, &err))
            }
            _ => Ok(()),
        }
    }

    /// Names and lengths of all files.
    pub fn list(&self) -> Result<Vec<(String, u64)>> {
        self.disk.list(&self.folder).map_err(|err| Error::file("list", &self.folder, &err))
    }
}

// A segment in the catalog whose bytes cannot be had is corrupt; the process need not stop for it.
fn read_error(path: &Path, range: &Range<u64>, err: &io::Error) -> Error {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Error::corrupt(format!("could not read bytes {}..{} of {name}: {err}", range.start, range.end))
}

/// An open segment file.
#[derive(Debug)]
pub struct SegmentFile {
    path: PathBuf,
    file: File,
}

impl SegmentFile {
    /// Reads a range, blocking the calling thread.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let mut buffer = vec![0; range.end.saturating_sub(range.start) as usize];
        FileExt::read_exact_at(&self.file, &mut buffer, range.start)
            .map_err(|err| read_error(&self.path, &range, &err))?;
        Ok(Bytes::from(buffer))
    }

    /// The file's length in bytes.
    pub fn bytes(&self) -> Result<u64> {
        let metadata = self.file.metadata().map_err(|err| read_error(&self.path, &(0..0), &err))?;
        Ok(metadata.len())
    }
}

/// A segment file being written: buffers, counts and sums what passes through it.
#[derive(Debug)]
pub struct SegmentSink {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    buffer: Vec<u8>,
    bytes: u64,
    written: u64,
    crc32c: u32,
    /// The first failed write, before an encoder wraps it.
    error: Option<Error>,
}

impl SegmentSink {
    /// Bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// crc32c of the bytes taken so far.
    pub fn crc32c(&self) -> u32 {
        self.crc32c
    }

    /// Why a write failed, if one did: encoders wrap the error beyond recognition.
    pub fn error(&self) -> Option<Error> {
        self.error.clone()
    }

    /// Writes what is buffered and makes the file durable. The folder is synced apart.
    pub fn sync(&mut self) -> Result<()> {
        self.drain()
            .and_then(|()| self.file.sync())
            .map_err(|err| Error::file("write and sync", &self.path, &err))
    }

    fn drain(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.written).inspect_err(|err| {
            self.error = Some(Error::file("write", &self.path, err));
        })?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for SegmentSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        self.bytes += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= SINK_BUFFER_BYTES {
            self.drain()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()
    }
}
