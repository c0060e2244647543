//! Reading series and their points, from heads and segments as one.
//!
//! Place in the flow: `query` asks [`find_series`] for the series that meet conditions and have
//! points in a range of time, then reads their points or exemplars group by group. Everything here
//! blocks: callers run it off the async workers.
//!
//! A segment that does not read back is named in the statistics (`partial`) and left out.

pub mod tables;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use throughline_model::metric::MetricBatch;
use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;

use super::chunk_rows::{ALL_DATA, ALL_TIMES, ChunkColumns, chunk_times};
use super::exemplars::Exemplar;
use super::gather::{self, Gathered, NOT_WANTED, Tables};
use super::matching::matching;
use super::points::{ComplexPoints, NumberPoints};
use super::segment::{MetricSegment, Opened};
use super::series::{self, SeriesColumns};
use crate::scan::{ScanContext, ScanStats};
use crate::view::View;
use crate::{Error, ErrorKind, Result};

/// Points that a group of series should have together; bounds what a reader holds.
const GROUP_POINTS: u64 = 256 * 1024;
/// Series of a group at most.
const GROUP_SERIES_MAX: usize = 4096;

/// Which series to find.
#[derive(Clone, Debug)]
pub struct SeriesRequest {
    /// Conditions on fixed columns of [`throughline_model::schema::series`] and on attributes.
    pub predicates: Vec<Predicate>,
    /// The range of time.
    pub time: TimeRange,
}

/// What a series must have in a range of time to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Having {
    /// A point.
    Points,
    /// Perhaps an exemplar: it may be older than the points that carry it, so that more series are
    /// found than have one.
    Exemplars,
}

/// The series that were found, and where their points are.
pub struct SeriesSet {
    /// One row a series in [`throughline_model::schema::series`], sorted by metric name, service,
    /// resource, attributes.
    pub table: RecordBatch,
    view: Arc<View>,
    segments: Vec<SegmentRows>,
    /// For each distinct table of the heads, which series of `table` each row is.
    head_rows: Vec<Vec<u32>>,
    time: TimeRange,
}

/// The wanted series of a segment.
struct SegmentRows {
    segment: Arc<MetricSegment>,
    opened: Arc<Opened>,
    /// Rows in the segment's table, ascending.
    own: Vec<u32>,
    /// Rows in the set's table, ascending.
    global: Vec<u32>,
}

/// Points of one series.
#[derive(Clone, Debug, Default)]
pub struct SeriesPoints {
    /// Row of the series in [`SeriesSet::table`].
    pub series: usize,
    /// Gauge and sum points, in order.
    pub numbers: NumberPoints,
    /// Histogram, exponential-histogram and summary points, in order.
    pub complex: ComplexPoints,
}

/// Which rows of a table of series are wanted; true for each that is.
type Wanted<'a> = dyn Fn(&SeriesColumns<'_>) -> Result<Vec<bool>> + 'a;

/// Finds the series of a view that meet the conditions and have a point in the range.
pub fn find_series(
    view: &Arc<View>,
    request: &SeriesRequest,
    context: &ScanContext,
) -> Result<SeriesSet> {
    let wanted = |series: &SeriesColumns<'_>| matching(series, &request.predicates);
    find_having(view, &wanted, request.time, Having::Points, context)
}

/// Reads exemplars in the range of series that meet the conditions, by series and time; the set may
/// hold series without one. More than `rows_max` are an error.
pub fn find_exemplars(
    view: &Arc<View>,
    request: &SeriesRequest,
    rows_max: usize,
    context: &ScanContext,
) -> Result<(SeriesSet, Vec<(usize, Exemplar)>)> {
    let wanted = |series: &SeriesColumns<'_>| matching(series, &request.predicates);
    let set = find_having(view, &wanted, request.time, Having::Exemplars, context)?;
    let exemplars = set.exemplars(|exemplar| exemplar.time_ns, context, rows_max)?;
    Ok((set, exemplars))
}

fn find_having(
    view: &Arc<View>,
    wanted: &Wanted<'_>,
    time: TimeRange,
    having: Having,
    context: &ScanContext,
) -> Result<SeriesSet> {
    let heads = view.metrics.heads.iter().collect::<Vec<_>>();
    let tables = Tables::new(&heads);
    let mut found: Vec<RecordBatch> = Vec::new();
    let mut head_wanted = Vec::new();
    for table in &tables.distinct {
        head_wanted.push(wanted(&SeriesColumns::new(table)?)?);
    }
    let head_active = match having {
        Having::Points => active_rows(&heads, &tables, &head_wanted, &time)?,
        Having::Exemplars => head_wanted,
    };
    for (table, active) in tables.distinct.iter().zip(&head_active) {
        found.push(filter(table, active)?);
    }
    let mut segments = Vec::new();
    ScanStats::add(&context.stats.segments_total, view.metrics.segments.len() as u64);
    for segment in view.metrics.segments.iter() {
        check(context)?;
        if !time.overlaps(segment.meta.min_time_ns, segment.meta.max_time_ns) {
            ScanStats::add(&context.stats.segments_pruned_time, 1);
            continue;
        }
        match wanted_of(segment, wanted, &time, having, context) {
            Ok(Some((opened, own))) => {
                let mut wanted = vec![false; opened.series_len()];
                own.iter().for_each(|row| wanted[*row as usize] = true);
                found.push(filter(&*segment.series()?, &wanted)?);
                segments.push(SegmentRows {
                    segment: segment.clone(),
                    opened,
                    own,
                    global: Vec::new(),
                });
            }
            Ok(None) => ScanStats::add(&context.stats.segments_pruned_filter, 1),
            Err(err) => leave_out(segment, err, context)?,
        }
    }
    let (table, mut rows) = series::union(&found.iter().collect::<Vec<_>>())?;
    for segment in segments.iter_mut().rev() {
        segment.global = rows.pop().unwrap_or_default();
    }
    let head_rows = rows.into_iter().zip(&head_active).map(|(rows, active)| spread(&rows, active));
    let head_rows = head_rows.collect();
    Ok(SeriesSet { table, view: view.clone(), segments, head_rows, time })
}

/// Of the wanted rows of head tables, those with a point in the range.
fn active_rows(
    heads: &[&MetricBatch],
    tables: &Tables<'_>,
    wanted: &[Vec<bool>],
    time: &TimeRange,
) -> Result<Vec<Vec<bool>>> {
    let mut active = wanted.iter().map(|rows| vec![false; rows.len()]).collect::<Vec<_>>();
    for (batch, table) in heads.iter().zip(&tables.of_batch) {
        let (wanted, active) = (&wanted[*table as usize], &mut active[*table as usize]);
        let (numbers, ..) = gather::number_columns(&batch.numbers)?;
        let (complex, _) = gather::complex_columns(&batch.complex)?;
        for points in [numbers, complex] {
            for (series, time_ns) in points.series.iter().zip(points.times) {
                let row = *series as usize;
                if wanted.get(row) == Some(&true) && time.contains(*time_ns) {
                    active[row] = true;
                }
            }
        }
    }
    Ok(active)
}

/// The rows of a segment's table that are wanted; nothing if there is none.
fn wanted_of(
    segment: &MetricSegment,
    wanted: &Wanted<'_>,
    time: &TimeRange,
    having: Having,
    context: &ScanContext,
) -> Result<Option<(Arc<Opened>, Vec<u32>)>> {
    let opened = segment.open()?;
    let wanted = wanted(&SeriesColumns::new(&*segment.series()?)?)?;
    let rows = 0..wanted.len() as u32;
    let mut own = rows.filter(|row| wanted[*row as usize]).collect::<Vec<_>>();
    if having == Having::Exemplars {
        return Ok((!own.is_empty()).then_some((opened, own)));
    }
    own.retain(|row| !opened.chunks_of(*row as usize).is_empty());
    let (min, max) = (segment.meta.min_time_ns, segment.meta.max_time_ns);
    let is_inside = time.contains(min) && time.contains(max);
    if !own.is_empty() && !is_inside {
        own = with_times(&opened, &own, time, context)?;
    }
    Ok((!own.is_empty()).then_some((opened, own)))
}

/// Of the rows, those with a point in the range.
fn with_times(
    opened: &Opened,
    rows: &[u32],
    time: &TimeRange,
    context: &ScanContext,
) -> Result<Vec<u32>> {
    let mut found: Vec<u32> = Vec::new();
    for batch in opened.chunks(Some(rows), &ALL_TIMES, Some(&context.stats))? {
        check(context)?;
        for (series, times, min, max) in chunk_times(&batch?)? {
            if found.last() == Some(&series) || !time.overlaps(min, max) {
                continue;
            }
            let is_hit = time.contains(min)
                || time.contains(max)
                || opened.sequence(times)?.iter().any(|time_ns| time.contains(*time_ns));
            if is_hit {
                found.push(series);
            }
        }
    }
    Ok(found)
}

fn filter(table: &RecordBatch, wanted: &[bool]) -> Result<RecordBatch> {
    Ok(filter_record_batch(table, &BooleanArray::from(wanted.to_vec()))?)
}

/// The numbers of the wanted rows, at the places of all rows.
fn spread(rows: &[u32], wanted: &[bool]) -> Vec<u32> {
    let mut rows = rows.iter();
    let place = |wanted: &bool| if *wanted { rows.next().copied() } else { None };
    wanted.iter().map(place).map(|row| row.unwrap_or(NOT_WANTED)).collect()
}

/// Whether the asker still waits, and may read on.
fn check(context: &ScanContext) -> Result<()> {
    if context.cancel.is_cancelled() {
        return Err(Error::new(ErrorKind::Cancelled, "the query was cancelled"));
    }
    if context.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        return Err(Error::new(ErrorKind::Deadline, "the query reached its deadline"));
    }
    let read = context.stats.bytes_read.load(Ordering::Relaxed);
    if read > context.bytes_max {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("the query read {read} bytes, its limit is {}", context.bytes_max),
        ));
    }
    Ok(())
}

/// Goes on without a segment that is damaged.
fn leave_out(segment: &MetricSegment, err: Error, context: &ScanContext) -> Result<()> {
    if err.kind() != ErrorKind::Corrupt {
        return Err(err);
    }
    segment.mark_corrupt(&err);
    let mut partial = context.stats.partial.lock();
    let name = segment.meta.id.to_string();
    if !partial.contains(&name) {
        partial.push(name);
    }
    Ok(())
}

impl SeriesSet {
    /// How many series were found.
    pub fn len(&self) -> usize {
        self.table.num_rows()
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns of the table.
    pub fn columns(&self) -> Result<SeriesColumns<'_>> {
        SeriesColumns::new(&self.table)
    }

    /// A reader of the points in the set's range.
    pub fn points(&self, context: &ScanContext) -> Result<PointReader<'_>> {
        let heads = self.view.metrics.heads.iter().collect::<Vec<_>>();
        let tables = Tables::new(&heads);
        let gathered = Gathered::new(&heads, &tables, &self.head_rows, self.len(), &self.time)?;
        Ok(PointReader { set: self, gathered, context: context.clone(), next: 0 })
    }

    /// The exemplars that came with the points in the set's range, by series and time. More than
    /// `rows_max` are an error.
    pub fn exemplars_of_points(
        &self,
        context: &ScanContext,
        rows_max: usize,
    ) -> Result<Vec<(usize, Exemplar)>> {
        self.exemplars(|exemplar| exemplar.point_time_ns, context, rows_max)
    }

    /// Exemplars of which the time that `time_of` names lies in the range.
    fn exemplars(
        &self,
        time_of: fn(&Exemplar) -> i64,
        context: &ScanContext,
        rows_max: usize,
    ) -> Result<Vec<(usize, Exemplar)>> {
        let heads = self.view.metrics.heads.iter().collect::<Vec<_>>();
        let tables = Tables::new(&heads);
        let gathered =
            Gathered::new(&heads, &tables, &self.head_rows, self.len(), &TimeRange::ALL)?;
        let mut found = Vec::new();
        for series in 0..self.len() {
            found
                .extend(gathered.exemplars(series)?.into_iter().map(|exemplar| (series, exemplar)));
        }
        for rows in &self.segments {
            check(context)?;
            let wanted = |exemplar: &Exemplar| self.time.contains(time_of(exemplar));
            if let Err(err) = rows.exemplars(wanted, rows_max, &mut found) {
                leave_out(&rows.segment, err, context)?;
            }
        }
        found.retain(|(_, exemplar)| self.time.contains(time_of(exemplar)));
        found.sort_unstable();
        found.dedup();
        if found.len() > rows_max {
            return Err(too_many_exemplars(rows_max));
        }
        Ok(found)
    }

    /// How many series to read at once.
    fn group_series(&self) -> usize {
        let points: u64 = self.segments.iter().map(SegmentRows::points_per_series).sum();
        ((GROUP_POINTS / points.max(1)) as usize).clamp(1, GROUP_SERIES_MAX)
    }
}

fn too_many_exemplars(rows_max: usize) -> Error {
    Error::new(ErrorKind::Limit, format!("there are more than {rows_max} exemplars in the range"))
}

impl SegmentRows {
    fn points_per_series(&self) -> u64 {
        self.segment.meta.rows / (self.opened.series_len() as u64).max(1) + 1
    }

    /// Appends the points of the series `from..` of the set to `groups`.
    fn read(
        &self,
        from: usize,
        groups: &mut [SeriesPoints],
        time: &TimeRange,
        context: &ScanContext,
    ) -> Result<()> {
        let start = self.global.partition_point(|row| (*row as usize) < from);
        let end = self.global.partition_point(|row| (*row as usize) < from + groups.len());
        let places = self.global[start..end].iter().map(|row| row - from as u32);
        let places = places.collect::<Vec<_>>();
        read_rows(&self.opened, (&self.own[start..end], &places), groups, time, context)
    }

    fn exemplars(
        &self,
        wanted: impl Fn(&Exemplar) -> bool,
        rows_max: usize,
        found: &mut Vec<(usize, Exemplar)>,
    ) -> Result<()> {
        let mut stream = self.opened.exemplars();
        for (own, global) in self.own.iter().zip(&self.global) {
            stream.skip_to(*own);
            while let Some(series) = stream.peek()?.filter(|series| series <= own) {
                let Some(exemplar) = stream.pop() else { break };
                if series == *own && wanted(&exemplar) {
                    found.push((*global as usize, exemplar));
                }
                // Segments may repeat exemplars, so the limit is only exact at the end.
                if found.len() > rows_max.saturating_mul(2) {
                    return Err(too_many_exemplars(rows_max));
                }
            }
        }
        Ok(())
    }
}

/// Appends the points of rows of a segment's table, which ascend, to the groups at their places.
fn read_rows(
    opened: &Opened,
    (rows, places): (&[u32], &[u32]),
    groups: &mut [SeriesPoints],
    time: &TimeRange,
    context: &ScanContext,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut at = 0;
    for batch in opened.chunks(Some(rows), &ALL_DATA, Some(&context.stats))? {
        check(context)?;
        let batch = batch?;
        let chunks = ChunkColumns::new(&batch)?;
        for (row, series) in chunks.series.iter().enumerate() {
            while rows.get(at).is_some_and(|own| own < series) {
                at += 1;
            }
            if rows.get(at) != Some(series) {
                return Err(Error::corrupt(format!("a chunk of series {series}, not asked for")));
            }
            if !time.overlaps(chunks.min_times[row], chunks.max_times[row]) {
                continue;
            }
            let group = &mut groups[places[at] as usize];
            chunks.decode(row, opened, &mut group.numbers, &mut group.complex)?;
        }
    }
    Ok(())
}

/// Adds the points of heads, and puts all in order.
fn complete(
    groups: &mut [SeriesPoints],
    gathered: &Gathered<'_>,
    time: &TimeRange,
    context: &ScanContext,
) -> Result<()> {
    let (mut read, mut matched) = (0, 0);
    for group in groups {
        gathered.numbers(group.series, &mut group.numbers);
        gathered.complex(group.series, &mut group.complex)?;
        read += group.numbers.len() + group.complex.len();
        group.numbers.retain(|time_ns| time.contains(time_ns));
        group.complex.retain(|time_ns| time.contains(time_ns));
        group.numbers.sort();
        group.complex.sort();
        matched += group.numbers.len() + group.complex.len();
    }
    ScanStats::add(&context.stats.rows_matched, matched as u64);
    ScanStats::add(&context.stats.rows_scanned, read as u64);
    Ok(())
}

/// Reads the points of a set, a group of series at a time.
pub struct PointReader<'a> {
    set: &'a SeriesSet,
    gathered: Gathered<'a>,
    context: ScanContext,
    next: usize,
}

impl PointReader<'_> {
    /// The points of the next series, in the order of the table; nothing after the last. All points
    /// of a series come together, in order, repeated ones once.
    pub fn next_group(&mut self) -> Result<Option<Vec<SeriesPoints>>> {
        check(&self.context)?;
        let from = self.next;
        let to = (from + self.set.group_series()).min(self.set.len());
        if from == to {
            return Ok(None);
        }
        self.next = to;
        let new = |series| SeriesPoints { series, ..Default::default() };
        let mut groups = (from..to).map(new).collect::<Vec<_>>();
        for rows in &self.set.segments {
            if let Err(err) = rows.read(from, &mut groups, &self.set.time, &self.context) {
                leave_out(&rows.segment, err, &self.context)?;
            }
        }
        complete(&mut groups, &self.gathered, &self.set.time, &self.context)?;
        Ok(Some(groups))
    }
}
