//! The rollup in the `.idx`: two sections behind the part that opening a segment reads.
//!
//! ```text
//! keys := frame of varint strings, (len, text)*
//!         | varint operations, (varint service, varint name, zigzag kind, zigzag status)*
//!         | varint edges, (varint client, varint server, connection u8)*
//!         | complete u8 (1 names, 2 peers) | varint slabs, (4 × place)*
//!         | varint wide buckets, (zigzag number, 2 × place)*
//! place := varint offset in rows − end of the place before | varint length
//! rows := frame*: for each slab counts and durations of operations, edges, halves; then for each wide
//!         bucket of the segment counts and durations of services
//! frame := crc32c u32 LE of what follows | varint length | zstd
//! halves := varint n | steps row* | steps trace* | span id 8 B* | sparse linked trace 16 B
//!           | varint linked, steps row*
//! ```

use std::ops::Range;

use throughline_model::codec::{Reader, put_bytes, put_varint};

use super::build::{Half, Halves, SlabRollup};
use super::columns::{
    put_signed, put_sparse, put_steps, read_rows, read_signed, read_sparse, read_steps,
};
use super::edges::EdgeColumns;
use super::operations::{OperationCounts, OperationDurations};
use super::tables::{Edge, Operation, Tables};
use super::wide::WideBuilder;
use super::{ConnectionType, ROLLUP_KEYS_MAX};
use crate::{Error, Result};

/// Frames of a slab.
const PARTS: usize = 4;
/// Bytes of a frame before it is packed, so that a damaged length claims no memory.
const FRAME_BYTES_MAX: u64 = 64 << 20;
const ZSTD_LEVEL: i32 = 1;

/// Which frame of a slab.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum Part {
    Counts = 0,
    Durations = 1,
    Edges = 2,
    Halves = 3,
}

/// The rollup of a segment that is being written.
#[derive(Debug)]
pub(crate) struct RollupBuilder {
    pub tables: Tables,
    slabs: Vec<[Range<u64>; PARTS]>,
    rows: Vec<u8>,
    wide: WideBuilder,
}

impl Default for RollupBuilder {
    fn default() -> Self {
        let tables = Tables::new(ROLLUP_KEYS_MAX);
        Self { tables, slabs: Vec::new(), rows: Vec::new(), wide: WideBuilder::default() }
    }
}

impl RollupBuilder {
    /// Adds the rollup of the next slab.
    pub(crate) fn push(&mut self, slab: &SlabRollup) -> Result<()> {
        let mut parts = [const { Vec::new() }; PARTS];
        let [counts, durations, edges, halves] = &mut parts;
        slab.counts.put(counts);
        slab.durations.put(durations);
        slab.edges.put(edges);
        put_halves(halves, &slab.halves);
        let mut places = [const { 0..0 }; PARTS];
        for (part, place) in parts.iter().zip(&mut places) {
            let start = self.rows.len() as u64;
            put_frame(&mut self.rows, part)?;
            *place = start..self.rows.len() as u64;
        }
        self.slabs.push(places);
        self.wide.push(slab, &mut self.tables)?;
        Ok(())
    }

    /// The two sections; both are empty if there is no slab.
    pub(crate) fn encode(&self) -> Result<[Vec<u8>; 2]> {
        if self.slabs.is_empty() {
            return Ok([Vec::new(), Vec::new()]);
        }
        let mut keys = Vec::new();
        let tables = &self.tables;
        put_varint(&mut keys, tables.strings.len() as u64);
        for number in 0..tables.strings.len() as u32 {
            put_bytes(&mut keys, tables.strings.get(number));
        }
        put_varint(&mut keys, tables.operations.keys.len() as u64);
        for key in &tables.operations.keys {
            put_varint(&mut keys, u64::from(key.service));
            put_varint(&mut keys, u64::from(key.name));
            put_signed(&mut keys, i64::from(key.kind));
            put_signed(&mut keys, i64::from(key.status));
        }
        put_varint(&mut keys, tables.edges.keys.len() as u64);
        for key in &tables.edges.keys {
            put_varint(&mut keys, u64::from(key.client));
            put_varint(&mut keys, u64::from(key.server));
            keys.push(key.connection as u8);
        }
        keys.push(u8::from(tables.names_complete) | u8::from(tables.peers_complete) << 1);
        put_varint(&mut keys, self.slabs.len() as u64);
        let mut end = 0;
        let mut put_place = |keys: &mut Vec<u8>, place: &Range<u64>| {
            put_varint(keys, place.start - end);
            put_varint(keys, place.end - place.start);
            end = place.end;
        };
        self.slabs.iter().flatten().for_each(|place| put_place(&mut keys, place));
        let mut rows = self.rows.clone();
        let wide = self.wide.finish();
        put_varint(&mut keys, wide.len() as u64);
        for (bucket, counts, durations) in &wide {
            put_signed(&mut keys, *bucket);
            let mut parts = [Vec::new(), Vec::new()];
            counts.put(&mut parts[0]);
            durations.put(&mut parts[1]);
            for part in &parts {
                let start = rows.len() as u64;
                put_frame(&mut rows, part)?;
                put_place(&mut keys, &(start..rows.len() as u64));
            }
        }
        let mut framed = Vec::new();
        put_frame(&mut framed, &keys)?;
        Ok([framed, rows])
    }
}

/// The keys of a segment's rollup, and where the rows of its slabs are.
#[derive(Debug)]
pub(crate) struct RollupKeys {
    pub tables: Tables,
    slabs: Vec<[Range<u64>; PARTS]>,
    /// By number of wide bucket: where its counts and durations are.
    pub wide: Vec<(i64, [Range<u64>; 2])>,
}

impl RollupKeys {
    pub(crate) fn read(section: &[u8]) -> Result<Self> {
        let bytes = unframe(section)?;
        let mut reader = Reader::new(&bytes);
        let mut tables = Tables::new(ROLLUP_KEYS_MAX);
        let strings = read_rows(&mut reader)?;
        for _ in 0..strings {
            tables.string(reader.str()?.as_bytes())?;
        }
        let string = |reader: &mut Reader<'_>| match reader.varint()? {
            number if number < strings as u64 => Ok(number as u32),
            number => Err(Error::corrupt(format!("string {number} of {strings} in a rollup"))),
        };
        for _ in 0..read_rows(&mut reader)? {
            let (service, name) = (string(&mut reader)?, string(&mut reader)?);
            let (kind, status) =
                (read_signed(&mut reader)? as i32, read_signed(&mut reader)? as i32);
            tables.operations.number(Operation { service, name, kind, status });
        }
        for _ in 0..read_rows(&mut reader)? {
            let (client, server) = (string(&mut reader)?, string(&mut reader)?);
            let [number] = reader.array()?;
            let connection = ConnectionType::ALL.get(usize::from(number)).copied();
            let connection = connection
                .ok_or_else(|| Error::corrupt(format!("connection {number} in a rollup")))?;
            tables.edges.number(Edge { client, server, connection });
        }
        let [complete] = reader.array()?;
        tables.names_complete = complete & 1 != 0;
        tables.peers_complete = complete & 2 != 0;
        let mut slabs = Vec::new();
        let mut end = 0u64;
        let mut place = |reader: &mut Reader<'_>| -> Result<Range<u64>> {
            let start = end.saturating_add(reader.varint()?);
            end = start.saturating_add(reader.varint()?);
            Ok(start..end)
        };
        for _ in 0..read_rows(&mut reader)? {
            let mut places = [const { 0..0 }; PARTS];
            for slot in &mut places {
                *slot = place(&mut reader)?;
            }
            slabs.push(places);
        }
        let mut wide = Vec::new();
        for _ in 0..read_rows(&mut reader)? {
            let bucket = read_signed(&mut reader)?;
            wide.push((bucket, [place(&mut reader)?, place(&mut reader)?]));
        }
        Ok(Self { tables, slabs, wide })
    }

    /// Where the rows of a part of a slab are in the section of rows.
    pub(crate) fn place(&self, slab: usize, part: Part) -> Result<Range<u64>> {
        let places = self.slabs.get(slab).map(|places| places[part as usize].clone());
        places.ok_or_else(|| Error::corrupt(format!("no rollup of row group {slab}")))
    }

    /// Bytes of memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        let tables = &self.tables;
        let strings = (0..tables.strings.len() as u32).map(|n| tables.strings.get(n).len() + 16);
        strings.sum::<usize>()
            + tables.operations.keys.len() * 3 * size_of::<Operation>()
            + tables.edges.keys.len() * 3 * size_of::<Edge>()
            + self.slabs.len() * size_of::<[Range<u64>; PARTS]>()
            + self.wide.len() * size_of::<(i64, [Range<u64>; 2])>()
    }
}

/// Reads the counts of a slab's operations.
pub(crate) fn read_counts(frame: &[u8], tables: &Tables) -> Result<OperationCounts> {
    let counts = OperationCounts::read(&unframe(frame)?)?;
    check_keys(&counts.keys, tables.operations.keys.len())?;
    Ok(counts)
}

/// Reads the durations of a slab's operations.
pub(crate) fn read_durations(frame: &[u8], rows: usize) -> Result<OperationDurations> {
    OperationDurations::read(&unframe(frame)?, rows)
}

/// Reads the edges of a slab.
pub(crate) fn read_edges(frame: &[u8], tables: &Tables) -> Result<EdgeColumns> {
    let edges = EdgeColumns::read(&unframe(frame)?)?;
    check_keys(&edges.keys, tables.edges.keys.len())?;
    Ok(edges)
}

fn check_keys(keys: &[u32], known: usize) -> Result<()> {
    match keys.iter().find(|key| **key as usize >= known) {
        Some(key) => Err(Error::corrupt(format!("key {key} of {known} in a rollup"))),
        None => Ok(()),
    }
}

fn put_halves(out: &mut Vec<u8>, halves: &Halves) {
    let Halves { halves, linked } = halves;
    put_varint(out, halves.len() as u64);
    put_steps(out, halves.iter().map(|half| i64::from(half.row)));
    put_steps(out, halves.iter().map(|half| i64::from(half.trace)));
    halves.iter().for_each(|half| out.extend_from_slice(&half.span.to_be_bytes()));
    let traces = halves.iter().map(|half| half.linked_trace).collect::<Vec<_>>();
    let put = |out: &mut Vec<u8>, id: &Option<[u8; 16]>| {
        out.extend_from_slice(&id.unwrap_or_default());
    };
    put_sparse(out, &traces, Option::is_some, put);
    put_varint(out, linked.len() as u64);
    put_steps(out, linked.iter().map(|row| i64::from(*row)));
}

/// Reads the halves of a slab.
pub(crate) fn read_halves(frame: &[u8]) -> Result<Halves> {
    let bytes = unframe(frame)?;
    let mut reader = Reader::new(&bytes);
    let rows = read_rows(&mut reader)?;
    let (row, trace) = (read_steps(&mut reader, rows)?, read_steps(&mut reader, rows)?);
    let spans =
        (0..rows).map(|_| Ok(u64::from_be_bytes(reader.array()?))).collect::<Result<Vec<_>>>()?;
    let linked = read_sparse(&mut reader, rows, None, |reader| Ok(Some(reader.array()?)))?;
    let halves = row.into_iter().zip(trace).zip(spans).zip(linked);
    let half = |(((row, trace), span), linked_trace)| Half {
        row: row as u32,
        trace: trace as u32,
        span,
        linked_trace,
    };
    let halves = halves.map(half).collect();
    let count = read_rows(&mut reader)?;
    let linked = read_steps(&mut reader, count)?.into_iter().map(|row| row as u32).collect();
    Ok(Halves { halves, linked })
}

fn put_frame(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    let packed = zstd::bulk::compress(bytes, ZSTD_LEVEL)
        .map_err(|err| Error::invalid(format!("could not compress a rollup: {err}")))?;
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(&packed);
    let crc32c = crc32c::crc32c(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc32c.to_le_bytes());
    Ok(())
}

fn unframe(frame: &[u8]) -> Result<Vec<u8>> {
    let mut reader = Reader::new(frame);
    let expected = u32::from_le_bytes(reader.array()?);
    let crc32c = crc32c::crc32c(reader.rest());
    if crc32c != expected {
        return Err(Error::corrupt(format!(
            "a rollup has crc32c {crc32c:08x}, expected {expected:08x}"
        )));
    }
    let len = reader.varint()?;
    if len > FRAME_BYTES_MAX {
        return Err(Error::corrupt(format!("a rollup of {len} bytes")));
    }
    crate::inflate::inflate(reader.rest(), len as usize)
        .map_err(|err| Error::corrupt(format!("a rollup does not decompress: {err}")))
}
