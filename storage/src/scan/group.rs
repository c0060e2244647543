//! The scan of one row group: statistics first, then one condition after the other on the rows that
//! are left, and the projection last.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Int64Type, Schema, TimestampNanosecondType, UInt32Type};
use parquet::arrow::arrow_reader::RowSelection;
use throughline_model::predicate::{Op, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::{Signal, TraceId};

use super::evaluate::{Condition, Verdicts};
use super::known::Known;
use super::left::{Left, SELECTOR_BYTES};
use super::plan::{self, Plan};
use super::templates::TemplateRows;
use super::{ScanColumn, ScanStats, prune};
use crate::cache::Part;
use crate::segment::layout::{PARENT, PARENT_NONE, REST, TRACE};
use crate::segment::open::{Meter, Opened, Segment};
use crate::segment::row_set::RowSet;
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
    /// Rows that are deleted, if there are any.
    pub deleted: Option<&'a RowSet>,
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
            ScanStats::add(&self.stats.rows_matched, known.count() as u64);
            return Ok(self.without_deleted(Left::clone(&known)));
        }
        let left = self.look(newest)?;
        if let Some(part) = part
            && let Some((kept, selectors)) = left.compact(SELECTORS_KEPT_MAX)
        {
            let bytes = FOUND_BYTES + selectors * SELECTOR_BYTES;
            self.segment.keep(part, Arc::new(kept), bytes);
        }
        Ok(self.without_deleted(left))
    }

    // What is remembered of a segment does not depend on what is deleted of it.
    fn without_deleted(&self, left: Left) -> Left {
        match self.deleted {
            Some(deleted) if left.count() > 0 => {
                let mut set = left.set(deleted.rows());
                set.subtract(deleted);
                Left::of_set(set)
            }
            _ => left,
        }
    }

    fn look(&self, newest: Option<(usize, i64)>) -> Result<Left> {
        let group = self.opened.row_group(self.row_group)?;
        let rows = group.rows as usize;
        let mut left = Left::all(rows);
        if let Some(traces) = &self.plan.traces {
            left = self.keep_traces(left, traces)?;
        }
        let time = &self.plan.time;
        let inside = time.contains(group.min_time_ns) && time.contains(group.max_end_ns);
        let is_cut = *time != TimeRange::ALL && !inside;
        let mut known = Vec::with_capacity(self.plan.predicates.len());
        for number in 0..self.plan.predicates.len() {
            if left.count() == 0 {
                return Ok(left);
            }
            let (found, kept) = self.known(number, left)?;
            known.push(found);
            left = kept;
        }
        let (in_time, mut left) = self.known_time(is_cut, left)?;
        if left.count() == 0 {
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
        ScanStats::add(&self.stats.rows_scanned, left.count() as u64);
        if is_cut {
            left = self.verify(left, &in_time, |left| self.keep_time(left))?;
        }
        let conditions = self.plan.predicates.iter().zip(&self.plan.conditions);
        for ((predicate, condition), known) in conditions.zip(&known) {
            if left.count() > 0 && !self.plan.names_traces(predicate) {
                let keep = |left| self.keep_matching(left, predicate, condition);
                left = self.verify(left, known, keep)?;
            }
        }
        if let Some((count, floor_ns)) = newest {
            left = self.keep_newest(self.without_deleted(left), count, floor_ns)?;
        }
        ScanStats::add(&self.stats.rows_matched, left.count() as u64);
        Ok(left)
    }

    // Checks the rows of which it is not known already whether they meet a condition.
    fn verify(
        &self,
        left: Left,
        known: &Known,
        check: impl FnOnce(Left) -> Result<Left>,
    ) -> Result<Left> {
        let known = match known {
            Known::Nothing => return check(left),
            Known::Decided => return Ok(left),
            Known::Found(found) => found,
        };
        let rows = known.sure.rows();
        let mut sure = left.set(rows);
        let mut open = sure.clone();
        open.intersect(&known.maybe);
        if open.is_empty() {
            return Ok(left);
        }
        sure.subtract(&known.maybe);
        sure.unite(&check(Left::of_set(open))?.set(rows));
        Ok(Left::of_set(sure))
    }

    /// Hands out the rows found, in batches of the plan's columns with the time of each row.
    pub(crate) fn read(
        &self,
        left: Left,
        with_times: bool,
        mut emit: impl FnMut(RecordBatch, Vec<i64>) -> Result<bool>,
    ) -> Result<()> {
        if left.count() == 0 {
            return Ok(());
        }
        let assembler = self.assembler();
        let is_template = |column: &&ScanColumn| plan::is_template(column);
        let (derived, columns): (Vec<_>, Vec<_>) = self.plan.columns.iter().partition(is_template);
        let columns = columns.into_iter().cloned().collect::<Vec<_>>();
        let mut leaves = Vec::new();
        for column in &columns {
            leaves.extend(assembler.leaves(column, Parents::InSlab)?);
        }
        if with_times {
            leaves.push(self.opened.leaf(self.plan.time_column())?);
        }
        let mut templates = match derived.is_empty() {
            true => None,
            false => Some(self.template_rows(&left)?),
        };
        if columns.is_empty() && !with_times {
            return self.read_nothing(left.count(), templates.as_mut(), emit);
        }
        if leaves.is_empty() {
            leaves.push(self.opened.leaf(col::FLAGS)?); // rows are counted by some column
        }
        let rows = self.opened.read_rows(
            self.row_group,
            &leaves,
            left.selection(),
            BATCH_ROWS.min(left.count()),
            self.io,
        )?;
        for file in rows {
            let file = file?;
            let times =
                if with_times { times(&file, self.plan.time_column())? } else { Vec::new() };
            let mut batch = assembler.assemble(&file, &columns, Parents::InSlab, self.io)?;
            if let Some(templates) = &mut templates {
                batch = templates.add_to(&batch, &self.plan.columns)?;
            }
            if !emit(batch, times)? {
                break;
            }
        }
        Ok(())
    }

    /// Hands out the times of rows, in order.
    pub(crate) fn times(
        &self,
        left: Left,
        mut emit: impl FnMut(&[i64]) -> Result<()>,
    ) -> Result<()> {
        if left.count() == 0 {
            return Ok(());
        }
        let name = self.plan.time_column();
        let (selection, count) = (left.selection(), BATCH_ROWS.min(left.count()));
        let leaves = [self.opened.leaf(name)?];
        for file in self.opened.read_rows(self.row_group, &leaves, selection, count, self.io)? {
            emit(&times(&file?, name)?)?;
        }
        Ok(())
    }

    // Rows of which nothing in the file is asked for.
    fn read_nothing(
        &self,
        mut rows: usize,
        mut templates: Option<&mut TemplateRows>,
        mut emit: impl FnMut(RecordBatch, Vec<i64>) -> Result<bool>,
    ) -> Result<()> {
        while rows > 0 {
            let count = rows.min(BATCH_ROWS);
            rows -= count;
            let options = RecordBatchOptions::new().with_row_count(Some(count));
            let schema = Arc::new(Schema::empty());
            let mut batch = RecordBatch::try_new_with_options(schema, Vec::new(), &options)?;
            if let Some(templates) = &mut templates {
                batch = templates.add_to(&batch, &self.plan.columns)?;
            }
            if !emit(batch, Vec::new())? {
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
        let (selection, count) = (left.selection(), left.count());
        let mut rows = self.opened.read_rows(self.row_group, leaves, selection, count, self.io)?;
        let batch = rows.next().transpose()?;
        let batch = batch.filter(|batch| batch.num_rows() == count);
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
            let ranges = rows.iter().map(|row| *row as usize..*row as usize + 1);
            let selection = RowSelection::from_consecutive_ranges(ranges, left.count());
            return Ok(Left::of_selection(selection));
        }
        if let Some(rows) = self.segment.log_rows_of_traces(&ordinals, self.io)? {
            let groups = &self.opened.summary().row_groups;
            let first = groups[..self.row_group].iter().map(|group| group.rows).sum::<u32>();
            let mut set = RowSet::none(left.count());
            let total = left.count() as u32;
            let here = rows.iter().filter_map(|row| row.checked_sub(first));
            here.filter(|row| *row < total).for_each(|row| set.insert(row as usize));
            return Ok(Left::of_set(set));
        }
        ordinals.sort_unstable();
        let leaf = self.opened.leaf(TRACE)?;
        let (pages, skipped) =
            prune::pages_with_numbers(self.opened, self.row_group, leaf, left.count(), &ordinals);
        ScanStats::add(&self.stats.pages_pruned, skipped);
        let left = match pages {
            Some(selection) => Left::of_selection(selection),
            None => left,
        };
        if left.count() == 0 {
            return Ok(left);
        }
        let batch = self.column_batch(&left, &[leaf])?;
        let column = batch.column(0).as_primitive::<UInt32Type>();
        let keep = BooleanBuffer::collect_bool(column.len(), |row| {
            column.is_valid(row) && ordinals.binary_search(&column.value(row)).is_ok()
        });
        Ok(left.refine(keep))
    }

    fn keep_time(&self, left: Left) -> Result<Left> {
        if left.count() == 0 {
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
            let keep = BooleanBuffer::collect_bool(left.count(), |_| condition.absent());
            return Ok(left.refine(keep));
        }
        let file = self.column_batch(&left, &leaves)?;
        if let Some(keep) = self.by_one_column(&file, &target, predicate, condition)? {
            return Ok(left.refine(keep));
        }
        let mut verdicts = Verdicts::new(condition, &predicate.target, file.num_rows());
        if let Target::Attribute(key) | Target::AnyAttribute(key) | Target::PresentAttribute(key) =
            &predicate.target
        {
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
            Target::ResourceAttribute(key)
            | Target::AnyAttribute(key)
            | Target::PresentAttribute(key) => {
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
        if left.count() == 0 || (left.count() <= count && group.min_time_ns >= floor_ns) {
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
