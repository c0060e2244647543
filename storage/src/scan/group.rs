//! The scan of one row group: statistics first, then one condition after the other on the rows that
//! are left, and the projection last.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Int64Type, TimestampNanosecondType, UInt32Type};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use throughline_model::predicate::{Op, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::value::ValueRef;
use throughline_model::{Signal, TraceId};

use super::evaluate::{Condition, Scalar, Verdicts};
use super::plan::Plan;
use super::{ScanColumn, ScanStats, prune};
use crate::cache::Part;
use crate::segment::layout::{PARENT, PARENT_NONE, REST, TRACE};
use crate::segment::open::{Meter, Opened, Segment};
use crate::segment::rows::{Assembler, AttributeArray, Parents, ValueReader};
use crate::{Error, Result};

/// Rows of a batch that a scan hands out.
pub(crate) const BATCH_ROWS: usize = 8 * 1024;

/// Selectors of rows that are remembered of a row group.
const SELECTORS_KEPT_MAX: usize = 128;
/// What they take in the cache beside.
const FOUND_BYTES: usize = 256;

/// A row group about to be scanned.
pub(crate) struct GroupScan<'a> {
    pub plan: &'a Plan,
    pub segment: &'a Segment,
    pub opened: &'a Opened,
    pub row_group: usize,
    pub io: &'a Meter,
    pub stats: &'a ScanStats,
}

/// The rows of a row group that are left.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    selection: Option<RowSelection>,
    rows: usize,
}

impl Left {
    /// How many rows are left.
    pub(crate) fn count(&self) -> usize {
        self.rows
    }

    /// The rows that are left, of so many, ascending.
    pub(crate) fn rows(&self, total: usize) -> Vec<u32> {
        let Some(selection) = &self.selection else { return (0..total as u32).collect() };
        let mut rows = Vec::with_capacity(self.rows);
        let mut at = 0u32;
        for selector in selection.iter() {
            let end = at + selector.row_count as u32;
            if !selector.skip {
                rows.extend(at..end);
            }
            at = end;
        }
        rows
    }

    // Of so many rows only those in the ranges.
    fn only(self, ranges: Vec<Range<usize>>, total: usize) -> Self {
        if ranges.len() == 1 && ranges[0] == (0..total) {
            return self;
        }
        self.intersection(RowSelection::from_consecutive_ranges(ranges.into_iter(), total))
    }

    fn intersection(self, other: RowSelection) -> Self {
        let selection = match &self.selection {
            Some(selection) => selection.intersection(&other),
            None => other,
        };
        Self { rows: selection.row_count(), selection: Some(selection) }
    }

    fn refine(self, keep: BooleanBuffer) -> Self {
        let rows = keep.count_set_bits();
        if rows == self.rows {
            return self;
        }
        Self { selection: Some(prune::refine(self.selection, keep)), rows }
    }
}

impl GroupScan<'_> {
    /// The rows that meet all conditions. With `newest` (how many, and the oldest time that counts)
    /// only as many of the newest among them, ties included. Few rows are remembered: dashboards, rules
    /// and people ask the same again, and rows of a segment do not change.
    pub(crate) fn find(&self, newest: Option<(usize, i64)>) -> Result<Left> {
        let group = self.opened.row_group(self.row_group)?;
        let time = &self.plan.time;
        let inside = time.contains(group.min_time_ns) && time.contains(group.max_end_ns);
        let key = self.plan.key(*time != TimeRange::ALL && !inside).filter(|_| newest.is_none());
        let part = key.map(|key| Part::Found(self.row_group as u32, key));
        if let Some(known) = part.and_then(|part| self.segment.kept::<Left>(part)) {
            ScanStats::add(&self.stats.rows_matched, known.rows as u64);
            return Ok(Left::clone(&known));
        }
        let left = self.look(newest)?;
        let selectors = left.selection.as_ref().map_or(0, |selection| selection.iter().count());
        if let Some(part) = part.filter(|_| selectors <= SELECTORS_KEPT_MAX) {
            let bytes = FOUND_BYTES + selectors * size_of::<RowSelector>();
            self.segment.keep(part, Arc::new(left.clone()), bytes);
        }
        Ok(left)
    }

    fn look(&self, newest: Option<(usize, i64)>) -> Result<Left> {
        let group = self.opened.row_group(self.row_group)?;
        let mut left = Left { selection: None, rows: group.rows as usize };
        if let Some(traces) = &self.plan.traces {
            left = self.keep_traces(left, traces)?;
        }
        let mut in_runs = vec![false; self.plan.predicates.len()];
        for (number, predicate) in self.plan.predicates.iter().enumerate() {
            if let Some(rows) = self.rows_in_runs(predicate, &self.plan.conditions[number])? {
                in_runs[number] = true;
                left = left.only(rows, group.rows as usize);
            }
        }
        if left.rows == 0 {
            return Ok(left);
        }
        let (selection, pages) = prune::pages(
            self.opened,
            self.plan.signal,
            self.row_group,
            &self.plan.predicates,
            &self.plan.time,
        )?;
        ScanStats::add(&self.stats.pages_pruned, pages);
        if let Some(pages) = selection {
            left = left.intersection(pages);
        }
        ScanStats::add(&self.stats.rows_scanned, left.rows as u64);
        let time = &self.plan.time;
        let inside = time.contains(group.min_time_ns) && time.contains(group.max_end_ns);
        if *time != TimeRange::ALL && !inside {
            left = self.keep_time(left)?;
        }
        let conditions = self.plan.predicates.iter().zip(&self.plan.conditions);
        for ((predicate, condition), in_runs) in conditions.zip(in_runs) {
            if left.rows > 0 && !in_runs && !self.plan.names_traces(predicate) {
                left = self.keep_matching(left, predicate, condition)?;
            }
        }
        if let Some((count, floor_ns)) = newest {
            left = self.keep_newest(left, count, floor_ns)?;
        }
        ScanStats::add(&self.stats.rows_matched, left.rows as u64);
        Ok(left)
    }

    /// Hands out the rows found, in batches of the plan's columns with the time of each row.
    pub(crate) fn read(
        &self,
        left: Left,
        with_times: bool,
        mut emit: impl FnMut(RecordBatch, Vec<i64>) -> Result<bool>,
    ) -> Result<()> {
        if left.rows == 0 {
            return Ok(());
        }
        let assembler = self.assembler();
        let mut leaves = Vec::new();
        for column in &self.plan.columns {
            leaves.extend(assembler.leaves(column, Parents::InSlab)?);
        }
        if with_times {
            leaves.push(self.opened.leaf(self.plan.time_column())?);
        }
        if leaves.is_empty() {
            leaves.push(self.opened.leaf(col::FLAGS)?); // rows are counted by some column
        }
        let rows = self.opened.read_rows(
            self.row_group,
            &leaves,
            left.selection,
            BATCH_ROWS.min(left.rows),
            self.io,
        )?;
        for file in rows {
            let file = file?;
            let times =
                if with_times { times(&file, self.plan.time_column())? } else { Vec::new() };
            let batch = assembler.assemble(&file, &self.plan.columns, Parents::InSlab, self.io)?;
            if !emit(batch, times)? {
                break;
            }
        }
        Ok(())
    }

    fn assembler(&self) -> Assembler<'_> {
        Assembler { segment: self.segment, opened: self.opened, row_group: self.row_group }
    }

    // All rows left of some file columns, as one batch.
    fn column_batch(&self, left: &Left, leaves: &[usize]) -> Result<RecordBatch> {
        let selection = left.selection.clone();
        let mut rows =
            self.opened.read_rows(self.row_group, leaves, selection, left.rows, self.io)?;
        let batch = rows.next().transpose()?;
        let batch = batch.filter(|batch| batch.num_rows() == left.rows);
        batch.ok_or_else(|| {
            Error::corrupt(format!("row group {} has fewer rows than expected", self.row_group))
        })
    }

    fn keep_traces(&self, left: Left, ids: &[TraceId]) -> Result<Left> {
        let mut ordinals = Vec::new();
        for id in ids {
            ordinals.extend(self.segment.find_trace(*id)?);
        }
        if self.plan.signal == Signal::Traces {
            let rows = trace_rows(self.segment, self.opened, self.row_group, &ordinals, self.io)?;
            let total = left.rows;
            let ranges = rows.iter().map(|row| *row as usize..*row as usize + 1);
            let selection = RowSelection::from_consecutive_ranges(ranges, total);
            return Ok(Left { selection: Some(selection), rows: rows.len() });
        }
        ordinals.sort_unstable();
        let leaf = self.opened.leaf(TRACE)?;
        let (pages, skipped) =
            prune::pages_with_numbers(self.opened, self.row_group, leaf, left.rows, &ordinals);
        ScanStats::add(&self.stats.pages_pruned, skipped);
        let left = match pages {
            Some(selection) => Left { rows: selection.row_count(), selection: Some(selection) },
            None => left,
        };
        if left.rows == 0 {
            return Ok(left);
        }
        let batch = self.column_batch(&left, &[leaf])?;
        let column = batch.column(0).as_primitive::<UInt32Type>();
        let keep = BooleanBuffer::collect_bool(column.len(), |row| {
            column.is_valid(row) && ordinals.binary_search(&column.value(row)).is_ok()
        });
        Ok(left.refine(keep))
    }

    // The rows that meet a condition on what sorts the rows of a slab, from its runs.
    fn rows_in_runs(
        &self,
        predicate: &Predicate,
        condition: &Condition,
    ) -> Result<Option<Vec<Range<usize>>>> {
        let Target::Column(column) = &predicate.target else { return Ok(None) };
        let sorts = matches!(column.as_str(), col::SERVICE_NAME | col::NAME);
        if !sorts || self.plan.signal != Signal::Traces {
            return Ok(None);
        }
        let runs = self.segment.runs(self.row_group, column, self.io)?;
        if runs.is_unsorted {
            return Ok(None);
        }
        runs.rows(|text| condition.value(Scalar::Value(ValueRef::String(text)))).map(Some)
    }

    fn keep_time(&self, left: Left) -> Result<Left> {
        if left.rows == 0 {
            return Ok(left);
        }
        let time = self.plan.time;
        let mut leaves = vec![self.opened.leaf(self.plan.time_column())?];
        let spans = self.plan.signal == Signal::Traces;
        if spans {
            leaves.push(self.opened.leaf(col::DURATION_NS)?);
        }
        let batch = self.column_batch(&left, &leaves)?;
        Ok(left.refine(in_time(&batch, self.plan.time_column(), spans, &time)?))
    }

    fn keep_matching(
        &self,
        left: Left,
        predicate: &Predicate,
        condition: &Condition,
    ) -> Result<Left> {
        let assembler = self.assembler();
        let target = ScanColumn::Attribute(predicate.target.clone());
        if let (Target::Column(name), Op::Exists | Op::Missing) = (&predicate.target, &predicate.op)
            && name == col::PARENT_SPAN_ID
        {
            let batch = self.column_batch(&left, &[self.opened.leaf(PARENT)?])?;
            let places = batch.column(0).as_primitive::<UInt32Type>().values();
            let exists = matches!(predicate.op, Op::Exists);
            let keep = BooleanBuffer::collect_bool(places.len(), |row| {
                (places[row] != PARENT_NONE) == exists
            });
            return Ok(left.refine(keep));
        }
        let leaves = assembler.leaves(&target, Parents::InSlab)?;
        if leaves.is_empty() {
            let keep = BooleanBuffer::collect_bool(left.rows, |_| condition.absent());
            return Ok(left.refine(keep));
        }
        let file = self.column_batch(&left, &leaves)?;
        if let Some(keep) = self.by_one_column(&file, &target, predicate, condition)? {
            return Ok(left.refine(keep));
        }
        let mut verdicts = Verdicts::new(condition, file.num_rows());
        if let Target::Attribute(key) | Target::AnyAttribute(key) = &predicate.target {
            for column in assembler.attribute_arrays(&file, key) {
                if let Some(array) = column.array {
                    verdicts.add_values(&ValueReader::new(column.kind, array))?;
                }
            }
            if let Some(rest) = file.column_by_name(REST) {
                verdicts.add_sets(rest.as_binary::<i32>(), key)?;
            }
        }
        let fixed = |name: &str| {
            let column = ScanColumn::Fixed(name.to_owned());
            assembler.column(&file, &column, Parents::InSlab, self.io)
        };
        match &predicate.target {
            Target::Column(name) => verdicts.add_column(&fixed(name)?)?,
            Target::ResourceAttribute(key) | Target::AnyAttribute(key) => {
                verdicts.add_resource(&fixed(col::RESOURCE)?, key)?;
            }
            Target::ScopeAttribute(key) => verdicts.add_scope(&fixed(col::SCOPE)?, key)?,
            Target::Attribute(_) => {}
        }
        Ok(left.refine(verdicts.finish()))
    }

    // Where one column decides, each of its values is looked at once.
    fn by_one_column(
        &self,
        file: &RecordBatch,
        target: &ScanColumn,
        predicate: &Predicate,
        condition: &Condition,
    ) -> Result<Option<BooleanBuffer>> {
        let assembler = self.assembler();
        match &predicate.target {
            Target::Column(_) => {
                let ScanColumn::Attribute(Target::Column(name)) = target else { return Ok(None) };
                let fixed = ScanColumn::Fixed(name.clone());
                condition.mask(&assembler.column(file, &fixed, Parents::InSlab, self.io)?)
            }
            Target::Attribute(key) if file.num_columns() == 1 => {
                let columns = assembler.attribute_arrays(file, key);
                match columns.as_slice() {
                    [AttributeArray { array: Some(array), .. }] => condition.mask(array),
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    fn keep_newest(&self, left: Left, count: usize, floor_ns: i64) -> Result<Left> {
        let group = self.opened.row_group(self.row_group)?;
        if left.rows == 0 || (left.rows <= count && group.min_time_ns >= floor_ns) {
            return Ok(left);
        }
        let batch = self.column_batch(&left, &[self.opened.leaf(self.plan.time_column())?])?;
        let times = times(&batch, self.plan.time_column())?;
        let mut sorted = times.clone();
        let mut floor_ns = floor_ns;
        if count > 0 && sorted.len() > count {
            let (_, kth, _) = sorted.select_nth_unstable_by(count - 1, |a, b| b.cmp(a));
            floor_ns = floor_ns.max(*kth);
        }
        let keep = BooleanBuffer::collect_bool(times.len(), |row| times[row] >= floor_ns);
        Ok(left.refine(keep))
    }
}

/// The rows of a slab that belong to the given ordinals, ascending.
pub(crate) fn trace_rows(
    segment: &Segment,
    opened: &Opened,
    row_group: usize,
    ordinals: &[u32],
    io: &Meter,
) -> Result<Vec<u32>> {
    let group = opened.row_group(row_group)?;
    let here = ordinals.iter().map(|ordinal| ordinal.wrapping_sub(group.first_trace));
    let here = here.filter(|place| *place < group.traces).collect::<Vec<_>>();
    if here.is_empty() {
        return Ok(Vec::new());
    }
    let by_trace = segment.trace_rows(row_group, io)?;
    let mut rows = here.iter().flat_map(|place| by_trace.rows(*place)).copied().collect::<Vec<_>>();
    rows.sort_unstable();
    rows.dedup(); // a trace may be asked for twice
    Ok(rows)
}

/// The values of a column of times.
pub(crate) fn times(batch: &RecordBatch, name: &str) -> Result<Vec<i64>> {
    let column = batch.column_by_name(name);
    let column = column.ok_or_else(|| Error::invalid(format!("column '{name}' was not read")))?;
    Ok(column.as_primitive::<TimestampNanosecondType>().values().to_vec())
}

/// Which rows lie in a range: spans by `[start, end]`, log records by their time.
pub(crate) fn in_time(
    batch: &RecordBatch,
    time_column: &str,
    spans: bool,
    range: &TimeRange,
) -> Result<BooleanBuffer> {
    let starts = times(batch, time_column)?;
    if !spans {
        return Ok(BooleanBuffer::collect_bool(starts.len(), |row| range.contains(starts[row])));
    }
    let durations = batch.column_by_name(col::DURATION_NS);
    let durations = durations
        .ok_or_else(|| Error::invalid("the durations of spans were not read"))?
        .as_primitive::<Int64Type>()
        .values();
    Ok(BooleanBuffer::collect_bool(starts.len(), |row| {
        let end = starts[row].saturating_add(durations[row].max(0));
        range.overlaps(starts[row], end)
    }))
}
