//! Edges of buckets that a range cuts: from the rows of the traces that have spans there.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, TimestampNanosecondType, UInt32Type};
use hashbrown::HashSet;
use throughline_model::TraceId;
use throughline_model::codec::Reader;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::edges::EdgeScan;
use super::parts::{Part, read_parts, united};
use super::tolerate;
use crate::Result;
use crate::scan::ScanStats;
use crate::segment::layout::TRACE;
use crate::segment::open::{Meter, Segment};
use crate::segment::rollup::CONSUMER;
use crate::segment::spans::column;

/// Traces that are put together at once.
const TRACES_AT_ONCE: usize = 2048;

/// Adds the edges in the cuts.
pub(super) fn read(scan: &mut EdgeScan<'_>, cuts: &[TimeRange]) -> Result<()> {
    for cut in cuts {
        let traces = traces_in(scan, *cut)?;
        let mut traces = traces.into_iter().collect::<Vec<_>>();
        traces.sort_unstable();
        for some in traces.chunks(TRACES_AT_ONCE) {
            let some = some.iter().copied().collect::<HashSet<_>>();
            read_traces(scan, &some, *cut)?;
        }
    }
    Ok(())
}

fn read_traces(scan: &mut EdgeScan<'_>, traces: &HashSet<TraceId>, cut: TimeRange) -> Result<()> {
    let mut parts = read_parts(scan.view, &scan.heads, traces, cut, scan.guard)?;
    let mut tied = HashSet::new();
    for part in &parts {
        linked_traces(part, &mut tied)?;
    }
    // Consumers elsewhere that link to producers here.
    let linking = |trace: TraceId| traces.contains(&trace);
    let halves = scan.halves.iter().filter(|half| half.linked_trace.is_some_and(linking));
    tied.extend(halves.map(|half| half.trace));
    tied.retain(|id| !traces.contains(id));
    // What the tied traces have in the cut among themselves is counted with their own.
    let counted = parts.iter().map(|part| part.order.len()).sum();
    if !tied.is_empty() {
        parts.extend(read_parts(scan.view, &scan.heads, &tied, cut, scan.guard)?);
    }
    let edges = united(&parts).edges_of_first(counted, cut, &mut scan.sums.tables)?;
    scan.sums.add_own(&edges, 1);
    Ok(())
}

/// The traces that consumers of a part link to.
fn linked_traces(part: &Part, found: &mut HashSet<TraceId>) -> Result<()> {
    for at in &part.order {
        let batch = &part.batches[at.batch as usize];
        let links = column(batch, col::LINKS)?.as_binary::<i32>();
        let kinds = column(batch, col::KIND)?.as_primitive::<Int32Type>();
        let row = at.row as usize;
        if kinds.value(row) != CONSUMER || links.is_null(row) {
            continue;
        }
        let mut outer = Reader::new(links.value(row));
        while !outer.is_empty() {
            found.insert(TraceId(Reader::new(outer.bytes()?).array()?));
        }
    }
    Ok(())
}

/// The traces with a span that starts in a range.
fn traces_in(scan: &EdgeScan<'_>, time: TimeRange) -> Result<HashSet<TraceId>> {
    let mut traces = HashSet::new();
    for segment in scan.view.spans.segments.iter() {
        scan.guard.check()?;
        if time.overlaps(segment.meta.min_time_ns, segment.meta.max_time_ns) {
            let read = traces_of(scan, segment, time);
            traces.extend(tolerate(segment, &scan.guard.stats, read)?.unwrap_or_default());
        }
    }
    for batch in &scan.heads.all.batches {
        let ids = column(batch, col::TRACE_ID)?.as_fixed_size_binary();
        let starts = column(batch, col::START_TIME)?.as_primitive::<TimestampNanosecondType>();
        for (row, start) in starts.values().iter().enumerate() {
            if time.contains(*start) {
                traces.insert(TraceId::from_slice(ids.value(row))?);
            }
        }
    }
    Ok(traces)
}

fn traces_of(scan: &EdgeScan<'_>, segment: &Segment, time: TimeRange) -> Result<Vec<TraceId>> {
    let opened = segment.open()?;
    let io = Meter::new(scan.guard.clone());
    let leaves = [opened.leaf(TRACE)?, opened.leaf(col::START_TIME)?];
    let mut ordinals = HashSet::new();
    for (number, group) in opened.summary().row_groups.iter().enumerate() {
        scan.guard.check()?;
        if !time.overlaps(group.min_time_ns, group.max_time_ns) {
            continue;
        }
        let rows = group.rows as usize;
        ScanStats::add(&scan.guard.stats.rows_scanned, rows as u64);
        for file in opened.read_rows(number, &leaves, None, rows, &io)? {
            let file = file?;
            let traces = column(&file, TRACE)?.as_primitive::<UInt32Type>().values();
            let starts = column(&file, col::START_TIME)?;
            let starts = starts.as_primitive::<TimestampNanosecondType>().values();
            let here = traces.iter().zip(starts).filter(|(_, start)| time.contains(**start));
            ordinals.extend(here.map(|(trace, _)| *trace));
        }
    }
    ordinals.into_iter().map(|ordinal| opened.traces.id(ordinal)).collect()
}
