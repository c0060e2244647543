//! Reads operations: counts of segments, then heads, then the rows of buckets that a range cuts.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::{
    Coverage, OperationDurations, OperationKey, OperationRows, OperationsRequest, SpanRef, Split,
    Steps, split, tolerate,
};
use crate::Result;
use crate::scan::plan::Guard;
use crate::scan::{ScanColumn, ScanContext, ScanStats};
use crate::segment::gather::{Gather, RowRef};
use crate::segment::index::file::IndexFile;
use crate::segment::open::{Meter, Opened, Segment};
use crate::segment::rollup::build::Spans;
use crate::segment::rollup::operations::{self, OperationCounts};
use crate::segment::rollup::section::{Part, RollupKeys, read_counts, read_durations};
use crate::segment::rollup::tables::Tables;
use crate::segment::rollup::wide::{WIDE_NS, wide_of};
use crate::segment::rollup::{ROLLUP_NS, bucket_of};
use crate::segment::rows::{Assembler, Parents};
use crate::view::View;

/// The columns that counting needs.
const COLUMNS: [&str; 7] = [
    col::SERVICE_NAME,
    col::NAME,
    col::KIND,
    col::STATUS_CODE,
    col::START_TIME,
    col::DURATION_NS,
    col::TRACE_STATE,
];

/// Reads the operations of a view. `each` is given all operations known so far, which the numbers in
/// the rows point into, and some rows; it is called again until all rows are read.
pub fn read_operations(
    view: &Arc<View>,
    request: &OperationsRequest,
    context: &ScanContext,
    mut each: impl FnMut(&[OperationKey], OperationRows) -> Result<()>,
) -> Result<Coverage> {
    let guard = Guard::new(context);
    let Split { whole, cuts } = split(request.time);
    let cuts = if request.cut_buckets { cuts } else { Vec::new() };
    let mut reader = Reader {
        guard: &guard,
        io: Meter::new(guard.clone()),
        durations: request.durations,
        nameless_steps: request.nameless_steps,
        whole,
        cuts,
        keys: Vec::new(),
        numbers: HashMap::new(),
        names_complete: true,
        each: &mut each,
    };
    ScanStats::add(&guard.stats.segments_total, view.spans.segments.len() as u64);
    for segment in view.spans.segments.iter() {
        guard.check()?;
        if !request.time.overlaps(segment.meta.min_time_ns, segment.meta.max_time_ns) {
            ScanStats::add(&guard.stats.segments_pruned_time, 1);
            continue;
        }
        let outcome = reader.read_segment(segment);
        tolerate(segment, &guard.stats, outcome)?;
    }
    for (number, batch) in view.spans.heads.iter().enumerate() {
        guard.check()?;
        reader.read_head(number as u32, batch)?;
    }
    let time = match request.cut_buckets {
        true => Some(request.time),
        false => (whole.start_ns < whole.end_ns).then_some(whole),
    };
    Ok(Coverage { time, names_complete: reader.names_complete })
}

struct Reader<'a, F> {
    guard: &'a Guard,
    io: Meter,
    durations: bool,
    nameless_steps: Option<Steps>,
    /// Whole buckets.
    whole: TimeRange,
    /// What is answered from rows.
    cuts: Vec<TimeRange>,
    keys: Vec<OperationKey>,
    numbers: HashMap<OperationKey, u32>,
    names_complete: bool,
    each: &'a mut F,
}

/// A segment that is being read.
struct Open<'a> {
    segment: &'a Segment,
    index: &'a IndexFile,
    keys: &'a RollupKeys,
    /// By number of the segment's operations: their number among all.
    known: Vec<Option<u32>>,
    /// The wide buckets that were read.
    wide: BTreeSet<i64>,
}

impl<F: FnMut(&[OperationKey], OperationRows) -> Result<()>> Reader<'_, F> {
    fn read_segment(&mut self, segment: &Segment) -> Result<()> {
        let index = segment.index()?;
        let keys = segment.rollup_keys(&self.io)?;
        self.names_complete &= keys.tables.names_complete;
        let mut open = Open {
            segment,
            known: vec![None; keys.tables.operations.keys.len()],
            index: &index,
            keys: &keys,
            wide: BTreeSet::new(),
        };
        self.read_wide(&mut open)?;
        for (number, group) in index.index.summary.row_groups.iter().enumerate() {
            self.guard.check()?;
            let (min, max) = (group.min_time_ns, group.max_time_ns);
            ScanStats::add(&self.guard.stats.row_groups_total, 1);
            let is_cut = self.cuts.iter().any(|cut| cut.overlaps(min, max));
            let has_whole = self.whole.start_ns < self.whole.end_ns;
            let is_read =
                has_whole && self.whole.overlaps(min, max) && !self.is_covered(&open, min, max);
            if is_read {
                self.read_slab(&mut open, number)?;
            } else if !is_cut {
                ScanStats::add(&self.guard.stats.row_groups_pruned, 1);
            }
            if is_cut {
                self.read_cut(segment, &*segment.open()?, number)?;
            }
        }
        Ok(())
    }

    // Whether what starts between two times and in the range was read from wide buckets.
    fn is_covered(&self, open: &Open<'_>, min: i64, max: i64) -> bool {
        let last = max.min(self.whole.end_ns.saturating_sub(1));
        let wides = wide_of(bucket_of(min.max(self.whole.start_ns)))..=wide_of(bucket_of(last));
        let count = (i128::from(*wides.end()) - i128::from(*wides.start()) + 1).max(0);
        open.wide.range(wides).count() as i128 == count
    }

    // Reads the wide buckets that lie whole in the range and in one step.
    fn read_wide(&mut self, open: &mut Open<'_>) -> Result<()> {
        let Some(steps) = self.nameless_steps else { return Ok(()) };
        for (wide, places) in &open.keys.wide {
            self.guard.check()?;
            let start_ns = wide.saturating_mul(WIDE_NS);
            let last_ns = start_ns.saturating_add(WIDE_NS - 1);
            let is_whole = self.whole.contains(start_ns) && self.whole.contains(last_ns);
            if !is_whole || !steps.hold(start_ns, last_ns) {
                continue;
            }
            let (counts, durations) = self.read_frames(open, places)?;
            // Durations of sampled spans weigh what the spans of their narrow bucket do.
            let weighs = |row: usize| counts.weighted[row] != counts.counts[row] as f64;
            if durations.is_some() && (0..counts.keys.len()).any(weighs) {
                continue;
            }
            open.wide.insert(*wide);
            let groups = &open.index.index.summary.row_groups;
            let mut first = 0u32;
            let firsts = groups.iter().map(|group| {
                first += group.rows;
                first - group.rows
            });
            let firsts = firsts.collect::<Vec<_>>();
            let id = open.segment.meta.id;
            let span = |row: u32| {
                let group = firsts.partition_point(|first| *first <= row).saturating_sub(1);
                let first = firsts.get(group).copied().unwrap_or_default();
                SpanRef { segment: Some(id), group: group as u32, row: row - first }
            };
            let wanted = (0..counts.keys.len()).collect::<Vec<_>>();
            self.emit_of(open, &counts, durations, (&wanted, true), span)?;
        }
        Ok(())
    }

    fn read_frames(
        &self,
        open: &Open<'_>,
        [counts, durations]: &[Range<u64>; 2],
    ) -> Result<(OperationCounts, Option<operations::OperationDurations>)> {
        let frame = open.index.rollup_frame(counts.clone(), &self.io)?;
        let counts = read_counts(&frame, &open.keys.tables)?;
        if !self.durations {
            return Ok((counts, None));
        }
        let frame = open.index.rollup_frame(durations.clone(), &self.io)?;
        let durations = read_durations(&frame, counts.keys.len())?;
        Ok((counts, Some(durations)))
    }

    fn read_slab(&mut self, open: &mut Open<'_>, slab: usize) -> Result<()> {
        let places =
            [open.keys.place(slab, Part::Counts)?, open.keys.place(slab, Part::Durations)?];
        let (counts, durations) = self.read_frames(open, &places)?;
        let whole = self.whole;
        let is_wanted = |row: &usize| {
            let bucket = counts.buckets[*row];
            let is_known = !open.wide.is_empty() && open.wide.contains(&wide_of(bucket));
            !is_known && whole.contains(bucket.saturating_mul(ROLLUP_NS))
        };
        let wanted = (0..counts.keys.len()).filter(is_wanted).collect::<Vec<_>>();
        let all = wanted.len() == counts.keys.len();
        let id = open.segment.meta.id;
        let span = |row: u32| SpanRef { segment: Some(id), group: slab as u32, row };
        self.emit_of(open, &counts, durations, (&wanted, all), span)
    }

    fn emit_of(
        &mut self,
        open: &mut Open<'_>,
        counts: &OperationCounts,
        durations: Option<operations::OperationDurations>,
        (wanted, all): (&[usize], bool),
        span: impl Fn(u32) -> SpanRef,
    ) -> Result<()> {
        let (known, tables) = (&mut open.known, &open.keys.tables);
        let number_of = |this: &mut Self, key: u32| {
            *known[key as usize].get_or_insert_with(|| this.number(tables, key))
        };
        self.emit(counts, durations, wanted, all, number_of, span)
    }

    fn read_cut(&mut self, segment: &Segment, opened: &Opened, slab: usize) -> Result<()> {
        let assembler = Assembler { segment, opened, row_group: slab };
        let columns = COLUMNS.map(|name| ScanColumn::Fixed(name.to_owned()));
        let mut leaves = Vec::new();
        for column in &columns {
            leaves.extend(assembler.leaves(column, Parents::InSlab)?);
        }
        let rows = opened.row_group(slab)?.rows as usize;
        ScanStats::add(&self.guard.stats.rows_scanned, rows as u64);
        let mut first = 0;
        for file in opened.read_rows(slab, &leaves, None, rows, &self.io)? {
            let batch = assembler.assemble(&file?, &columns, Parents::InSlab, &self.io)?;
            let (cuts, from) = (self.cuts.clone(), first);
            let span = |row: u32| SpanRef {
                segment: Some(segment.meta.id),
                group: slab as u32,
                row: row + from,
            };
            first += batch.num_rows() as u32;
            self.read_rows(batch, span, |start| cuts.iter().any(|cut| cut.contains(start)))?;
        }
        Ok(())
    }

    fn read_head(&mut self, number: u32, batch: &RecordBatch) -> Result<()> {
        ScanStats::add(&self.guard.stats.rows_scanned, batch.num_rows() as u64);
        let (whole, cuts) = (self.whole, self.cuts.clone());
        let has_whole = whole.start_ns < whole.end_ns;
        let is_wanted = |start: i64| {
            (has_whole && whole.contains(start)) || cuts.iter().any(|cut| cut.contains(start))
        };
        let span = |row: u32| SpanRef { segment: None, group: number, row };
        self.read_rows(batch.clone(), span, is_wanted)
    }

    fn read_rows(
        &mut self,
        batch: RecordBatch,
        span: impl Fn(u32) -> SpanRef,
        is_wanted: impl Fn(i64) -> bool,
    ) -> Result<()> {
        let order = (0..batch.num_rows() as u32).map(|row| RowRef { batch: 0, row });
        let order = order.collect::<Vec<_>>();
        let batches = [batch];
        let mut tables = Tables::new(usize::MAX);
        let spans = Spans::of(&Gather { batches: &batches, order: &order }, &mut tables)?;
        let (counts, durations) = operations::count(&spans, &mut tables, is_wanted)?;
        if counts.keys.is_empty() {
            return Ok(());
        }
        let durations = self.durations.then_some(durations);
        let wanted = (0..counts.keys.len()).collect::<Vec<_>>();
        let number_of = |this: &mut Self, key: u32| this.number(&tables, key);
        self.emit(&counts, durations, &wanted, true, number_of, span)
    }

    fn emit(
        &mut self,
        counts: &OperationCounts,
        durations: Option<operations::OperationDurations>,
        wanted: &[usize],
        all: bool,
        mut number_of: impl FnMut(&mut Self, u32) -> u32,
        span: impl Fn(u32) -> SpanRef,
    ) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let durations = durations.map(|durations| OperationDurations {
            slowest: wanted.iter().map(|row| span(durations.slowest[*row])).collect(),
            columns: match all {
                true => durations.durations,
                false => durations.durations.only(wanted),
            },
        });
        let mut keys = Vec::with_capacity(wanted.len());
        for row in wanted {
            keys.push(number_of(self, counts.keys[*row]));
        }
        let rows = OperationRows {
            keys,
            starts_ns: wanted
                .iter()
                .map(|row| counts.buckets[*row].saturating_mul(ROLLUP_NS))
                .collect(),
            counts: wanted.iter().map(|row| counts.counts[*row]).collect(),
            weighted: wanted.iter().map(|row| counts.weighted[*row]).collect(),
            durations,
        };
        (self.each)(&self.keys, rows)
    }

    /// The number of an operation of some tables among all.
    fn number(&mut self, tables: &Tables, key: u32) -> u32 {
        let operation = tables.operations.keys[key as usize];
        let key = OperationKey {
            service: Arc::from(tables.text(operation.service)),
            name: Arc::from(tables.text(operation.name)),
            kind: operation.kind,
            status_code: operation.status,
        };
        let next = self.keys.len() as u32;
        *self.numbers.entry(key).or_insert_with_key(|key| {
            self.keys.push(key.clone());
            next
        })
    }
}
