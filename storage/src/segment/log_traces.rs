//! Which rows of a segment of log records belong to a trace. Rows lie by service and template, so those
//! of a trace are all over a bucket of time; this names them, and nothing else is read to find them.
//!
//! ```text
//! section := (crc32c u32 LE | trace*)*       frames of FRAME_TRACES ordinals of the trace table
//! trace   := varint rows | (varint difference of rows)*
//! ```
//! Rows are numbered through all row groups. Segments of level 0 have no such section.

use bytes::Bytes;
use throughline_model::codec::{Reader, put_varint};

use super::index::section::{checked, put_checked};
use crate::{Error, Result};

/// Traces of a frame: about 16 KiB where a trace has two dozen records.
pub(crate) const FRAME_TRACES: usize = 256;
/// Stands for a row without a trace.
const NONE: u32 = u32::MAX;

/// The trace of each row, in the order in which rows are written.
#[derive(Debug, Default)]
pub(crate) struct TracesOfRows {
    ordinals: Vec<u32>,
}

impl TracesOfRows {
    /// Adds the next row.
    pub(crate) fn push(&mut self, ordinal: Option<u32>) {
        self.ordinals.push(ordinal.unwrap_or(NONE));
    }

    /// The frames, one after the other, and how long each is.
    pub(crate) fn encode(&self) -> (Vec<u8>, Vec<u64>) {
        let traces = self.ordinals.iter().filter(|ordinal| **ordinal != NONE).max();
        let Some(traces) = traces.map(|last| *last as usize + 1) else { return Default::default() };
        let mut starts = vec![0u32; traces + 1];
        let rows = || self.ordinals.iter().zip(0u32..).filter(|(ordinal, _)| **ordinal != NONE);
        rows().for_each(|(ordinal, _)| starts[*ordinal as usize + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut sorted = vec![0u32; starts[traces] as usize];
        let mut next = starts.clone();
        for (ordinal, row) in rows() {
            let place = &mut next[*ordinal as usize];
            sorted[*place as usize] = row;
            *place += 1;
        }
        let (mut out, mut lengths) = (Vec::new(), Vec::new());
        for first in (0..traces).step_by(FRAME_TRACES) {
            let mut frame = Vec::new();
            for trace in first..traces.min(first + FRAME_TRACES) {
                let rows = &sorted[starts[trace] as usize..starts[trace + 1] as usize];
                put_varint(&mut frame, rows.len() as u64);
                let mut before = 0;
                for row in rows {
                    put_varint(&mut frame, u64::from(row - before));
                    before = *row;
                }
            }
            let start = out.len();
            put_checked(&mut out, &frame);
            lengths.push((out.len() - start) as u64);
        }
        (out, lengths)
    }
}

/// Adds the rows of a trace to others, out of its frame.
pub(crate) fn read(frame: &Bytes, ordinal: u32, rows: &mut Vec<u32>) -> Result<()> {
    let frame = checked(frame)?;
    let mut reader = Reader::new(&frame);
    for _ in 0..ordinal as usize % FRAME_TRACES {
        for _ in 0..reader.varint()? {
            reader.varint()?;
        }
    }
    let mut row = 0u64;
    for _ in 0..reader.varint()? {
        row = row.saturating_add(reader.varint()?);
        let row = u32::try_from(row);
        rows.push(row.map_err(|_| Error::corrupt("a trace has a row past all rows"))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_read_back(ordinals in proptest::collection::vec(proptest::option::of(0u32..700), 0..900)) {
            let mut builder = TracesOfRows::default();
            ordinals.iter().for_each(|ordinal| builder.push(*ordinal));
            let (bytes, lengths) = builder.encode();
            let last = ordinals.iter().flatten().max();
            prop_assert_eq!(lengths.len(), last.map_or(0, |last| *last as usize / FRAME_TRACES + 1));
            for ordinal in 0..last.map_or(0, |last| last + 1) {
                let frame = ordinal as usize / FRAME_TRACES;
                let start = lengths[..frame].iter().sum::<u64>() as usize;
                let piece = Bytes::copy_from_slice(&bytes[start..start + lengths[frame] as usize]);
                let mut rows = Vec::new();
                read(&piece, ordinal, &mut rows).expect("reads back");
                let of = ordinals.iter().zip(0u32..).filter(|(other, _)| **other == Some(ordinal));
                prop_assert_eq!(rows, of.map(|(_, row)| row).collect::<Vec<_>>());
            }
        }

        #[test]
        fn any_bytes_are_rows_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60), ordinal in 0u32..300) {
            let mut piece = Vec::new();
            put_checked(&mut piece, &bytes);
            let _ = read(&Bytes::from(piece), ordinal, &mut Vec::new());
        }
    }
}
