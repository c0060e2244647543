//! The index file of a metric segment, `<ulid>.idx`: sections one after the other, a directory at the
//! end.
//!
//! ```text
//! file      := section* | directory | u32 LE directory length | u32 LE crc32c of the directory | "TLM1"
//! directory := (u8 kind | varint first | varint count | varint offset | varint length)*
//! ```
//! | kind | section | first, count |
//! |---|---|---|
//! | 1 | the series table without ids, and how many chunks each series has: a batch | 0, series |
//! | 2 | a page of sequences, see [`super::sequences`] | first sequence, sequences |
//! | 3 | exemplars by series and time: a batch | first series, exemplars |
//!
//! A batch is `varint length | zstd of that many bytes of Arrow IPC stream`.
//!
//! Sections can be written as they fill and read one by one, so that neither a merge nor a read holds
//! the whole file.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use throughline_model::codec::{Reader, put_varint};

use crate::{Error, ErrorKind, Result};

const MAGIC: &[u8; 4] = b"TLM1";
/// Length, checksum and magic at the very end.
const TRAILER_BYTES: usize = 12;
/// Most bytes that a decompressed section may have.
const SECTION_BYTES_MAX: u64 = 1 << 30;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SectionKind {
    /// The series table.
    Series = 1,
    /// A page of sequences.
    Sequences = 2,
    /// Exemplars.
    Exemplars = 3,
}

/// One entry of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // see the module
pub struct Section {
    pub kind: SectionKind,
    pub first: u32,
    pub count: u32,
    pub offset: u64,
    pub length: u64,
}

impl Section {
    /// Where the section lies in the file.
    pub fn range(&self) -> std::ops::Range<u64> {
        self.offset..self.offset + self.length
    }
}

/// Writes an index file.
pub struct IndexWriter<'a, W: Write> {
    sink: &'a mut W,
    offset: u64,
    sections: Vec<Section>,
}

impl<'a, W: Write> IndexWriter<'a, W> {
    /// A writer at the start of the file.
    pub fn new(sink: &'a mut W) -> Self {
        Self { sink, offset: 0, sections: Vec::new() }
    }

    /// Appends a section.
    pub fn section(
        &mut self,
        kind: SectionKind,
        first: u32,
        count: u32,
        bytes: &[u8],
    ) -> Result<()> {
        self.sink.write_all(bytes).map_err(write_error)?;
        let length = bytes.len() as u64;
        self.sections.push(Section { kind, first, count, offset: self.offset, length });
        self.offset += length;
        Ok(())
    }

    /// Writes the directory.
    pub fn finish(self) -> Result<()> {
        let mut bytes = Vec::new();
        for section in &self.sections {
            bytes.push(section.kind as u8);
            let numbers =
                [section.first.into(), section.count.into(), section.offset, section.length];
            numbers.into_iter().for_each(|number| put_varint(&mut bytes, number));
        }
        let (length, checksum) = (bytes.len() as u32, crc32c::crc32c(&bytes));
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(MAGIC);
        self.sink.write_all(&bytes).map_err(write_error)
    }
}

/// A failed write to a segment file, which must not be taken for damage.
pub fn write_error(err: std::io::Error) -> Error {
    let kind = match err.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ErrorKind::Overloaded
        }
        _ => ErrorKind::Io,
    };
    Error::new(kind, format!("could not write a metric segment: {err}"))
}

/// Reads the directory of a file of `len` bytes through `read`.
pub fn read_directory(
    len: u64,
    read: impl Fn(std::ops::Range<u64>) -> Result<Bytes>,
) -> Result<Vec<Section>> {
    let too_short = || Error::corrupt(format!("an index file of {len} bytes is too short"));
    let trailer_at = len.checked_sub(TRAILER_BYTES as u64).ok_or_else(too_short)?;
    let trailer = read(trailer_at..len)?;
    let mut reader = Reader::new(&trailer);
    let length = u32::from_le_bytes(reader.array()?);
    let checksum = u32::from_le_bytes(reader.array()?);
    if reader.rest() != MAGIC {
        return Err(Error::corrupt("an index file does not end as one"));
    }
    let start = trailer_at.checked_sub(u64::from(length)).ok_or_else(too_short)?;
    let directory = read(start..trailer_at)?;
    if crc32c::crc32c(&directory) != checksum {
        return Err(Error::corrupt("the directory of an index file has another checksum"));
    }
    let mut reader = Reader::new(&directory);
    let mut sections = Vec::new();
    while !reader.is_empty() {
        let [kind] = reader.array()?;
        let kind = match kind {
            1 => SectionKind::Series,
            2 => SectionKind::Sequences,
            3 => SectionKind::Exemplars,
            other => return Err(Error::corrupt(format!("index section of kind {other}"))),
        };
        let (first, count) = (reader.varint()? as u32, reader.varint()? as u32);
        let (offset, length) = (reader.varint()?, reader.varint()?);
        if offset.checked_add(length).is_none_or(|end| end > start) {
            return Err(Error::corrupt(format!("an index section of {length} bytes at {offset}")));
        }
        sections.push(Section { kind, first, count, offset, length });
    }
    Ok(sections)
}

/// A batch as a section: Arrow IPC, compressed.
pub fn encode_batch(batch: &RecordBatch, level: i32) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    let mut section = Vec::new();
    put_varint(&mut section, bytes.len() as u64);
    section.append(&mut zstd::bulk::compress(&bytes, level).map_err(write_error)?);
    Ok(section)
}

/// The batch of a section.
pub fn decode_batch(section: &[u8]) -> Result<RecordBatch> {
    let mut reader = Reader::new(section);
    let length = reader.varint()?;
    if length > SECTION_BYTES_MAX {
        return Err(Error::corrupt(format!(
            "a section of {length} bytes, the limit is {SECTION_BYTES_MAX}"
        )));
    }
    let raw = crate::inflate::inflate(reader.rest(), length as usize)
        .map_err(|err| Error::corrupt(format!("a section does not decompress: {err}")))?;
    let mut batches = StreamReader::try_new(raw.as_slice(), None)?;
    let batch = batches.next().ok_or_else(|| Error::corrupt("a section has no batch"))?;
    Ok(batch?)
}
