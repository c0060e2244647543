//! The tables of series of a view, for a reader that knows what their rows mean: an index of labels keeps that
//! by table, so that a query looks at no series but those that it wants.
//!
//! ```text
//! TableSet::open ─→ tables, each with a key ─→ the reader picks rows and numbers the series
//!                ─→ points | activity | exemplars, by number
//! ```
//! Numbers are the reader's: a series has one, whatever the tables that it is in.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use throughline_model::metric::MetricBatch;
use throughline_model::time::TimeRange;
use ulid::Ulid;

use super::{
    ALL_TIMES, Gathered, NOT_WANTED, SegmentRows, SeriesPoints, Tables, check, chunk_times,
    complete, gather, leave_out, read_rows, too_many_exemplars, with_times,
};
use crate::metric::exemplars::Exemplar;
use crate::metric::segment::{MetricSegment, Opened};
use crate::scan::{ScanContext, ScanStats};
use crate::view::View;
use crate::{Error, ErrorKind, Result};

/// Points that are read at once.
const GROUP_POINTS: u64 = 256 * 1024;
/// Series that are read at once.
const GROUP_SERIES_MAX: usize = 4096;

/// Names a table. That of a head is the address of its ids: it names the table as long as somebody holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableKey {
    /// Of a segment.
    Segment(Ulid),
    /// Of requests in a head.
    Head(usize),
}

/// A table of series.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub key: TableKey,
    /// How many series it has.
    pub len: usize,
    /// That of a head.
    series: Option<RecordBatch>,
    segment: Option<(Arc<MetricSegment>, Arc<Opened>)>,
}

impl Table {
    /// The table: one row a series in [`throughline_model::schema::series`]. Blocks.
    pub fn series(&self) -> Result<Arc<RecordBatch>> {
        match (&self.series, &self.segment) {
            (Some(series), _) => Ok(Arc::new(series.clone())),
            (None, Some((segment, _))) => segment.series().inspect_err(|err| {
                if err.kind() == ErrorKind::Corrupt {
                    segment.mark_corrupt(err);
                }
            }),
            (None, None) => Err(Error::invalid("a table of nothing")),
        }
    }
}

/// The tables of series of a view that may have points in a range of time.
#[derive(Debug)]
pub struct TableSet {
    view: Arc<View>,
    tables: Vec<Table>,
    /// For each batch of the heads, its table; tables of heads come first.
    of_batch: Vec<u32>,
    time: TimeRange,
}

/// Rows of a table that were picked, each with the number of its series; a row once.
pub type Picked = Vec<(u32, u32)>;

impl TableSet {
    /// Opens the tables. Segments that do not read back are named in the statistics and left out.
    pub fn open(view: &Arc<View>, time: TimeRange, context: &ScanContext) -> Result<Self> {
        let heads = view.metrics.heads.iter().collect::<Vec<_>>();
        let shared = Tables::new(&heads);
        let of_head = |series: &&RecordBatch| {
            let ids = series.column(0).as_fixed_size_binary_opt();
            let address = ids.map_or(0, |ids| ids.value_data().as_ptr() as usize);
            let (key, len) = (TableKey::Head(address), series.num_rows());
            Table { key, len, series: Some((*series).clone()), segment: None }
        };
        let mut tables = shared.distinct.iter().map(of_head).collect::<Vec<_>>();
        ScanStats::add(&context.stats.segments_total, view.metrics.segments.len() as u64);
        for segment in view.metrics.segments.iter() {
            check(context)?;
            if !time.overlaps(segment.meta.min_time_ns, segment.meta.max_time_ns) {
                ScanStats::add(&context.stats.segments_pruned_time, 1);
                continue;
            }
            match segment.open() {
                Ok(opened) => tables.push(Table {
                    key: TableKey::Segment(segment.meta.id),
                    len: opened.series_len(),
                    series: None,
                    segment: Some((segment.clone(), opened)),
                }),
                Err(err) => leave_out(segment, err, context)?,
            }
        }
        Ok(Self { view: view.clone(), tables, of_batch: shared.of_batch, time })
    }

    /// The tables.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The tables that the view has, whether they were opened or not.
    pub fn known(&self) -> impl Iterator<Item = TableKey> + '_ {
        let segments = self.view.metrics.segments.iter();
        let heads = self.tables.iter().filter(|table| table.segment.is_none());
        let heads = heads.map(|table| table.key);
        heads.chain(segments.map(|segment| TableKey::Segment(segment.meta.id)))
    }

    /// Whether all series of a table have a point in the range, which takes no look at points to know.
    pub fn is_whole(&self, table: usize) -> bool {
        self.tables[table].segment.as_ref().is_some_and(|(segment, opened)| {
            let meta = &segment.meta;
            self.time.contains(meta.min_time_ns)
                && self.time.contains(meta.max_time_ns)
                && opened.all_have_chunks()
        })
    }

    /// Which of `series` series have a point in the range; `picked` has the rows of each table.
    pub fn active(
        &self,
        picked: &[Picked],
        series: usize,
        context: &ScanContext,
    ) -> Result<Vec<bool>> {
        let mut active = vec![false; series];
        let rows = self.head_rows(picked);
        let mut is_done = vec![false; rows.len()];
        for (batch, table) in self.view.metrics.heads.iter().zip(&self.of_batch) {
            check(context)?;
            let (rows, is_done) = (&rows[*table as usize], &mut is_done[*table as usize]);
            // A sender sends the same series in every request: the first one tells, nearly always.
            if rows.is_empty() || *is_done {
                continue;
            }
            head_activity(batch, rows, &mut |number, time_ns, _| {
                active[number] |= self.time.contains(time_ns);
            })?;
            *is_done = picked[*table as usize].iter().all(|(_, number)| active[*number as usize]);
        }
        for rows in self.segment_rows(picked) {
            if let Err(err) = self.active_of(&rows, &mut active, context) {
                leave_out(&rows.segment, err, context)?;
            }
        }
        Ok(active)
    }

    fn active_of(
        &self,
        rows: &SegmentRows,
        active: &mut [bool],
        context: &ScanContext,
    ) -> Result<()> {
        let has_points = |row: u32| !rows.opened.chunks_of(row as usize).is_empty();
        let meta = &rows.segment.meta;
        if self.time.contains(meta.min_time_ns) && self.time.contains(meta.max_time_ns) {
            for (own, number) in rows.own.iter().zip(&rows.global) {
                active[*number as usize] |= has_points(*own);
            }
            return Ok(());
        }
        let unknown = rows.own.iter().zip(&rows.global).filter(|(_, n)| !active[**n as usize]);
        let (own, numbers): (Vec<u32>, Vec<u32>) = unknown.unzip();
        let found = with_times(&rows.opened, &own, &self.time, context)?;
        let mut found = found.iter().peekable();
        for (own, number) in own.iter().zip(numbers) {
            active[number as usize] |= found.next_if_eq(&own).is_some();
        }
        Ok(())
    }

    /// Tells `found` when the picked series had points: the number of a series, the first and the last time of
    /// points that were written together. They may reach beyond the range. No point of a segment is read.
    pub fn activity(
        &self,
        picked: &[Picked],
        context: &ScanContext,
        found: &mut dyn FnMut(usize, i64, i64),
    ) -> Result<()> {
        let rows = self.head_rows(picked);
        for (batch, table) in self.view.metrics.heads.iter().zip(&self.of_batch) {
            check(context)?;
            head_activity(batch, &rows[*table as usize], found)?;
        }
        for rows in self.segment_rows(picked) {
            if let Err(err) = self.activity_of(&rows, context, found) {
                leave_out(&rows.segment, err, context)?;
            }
        }
        Ok(())
    }

    fn activity_of(
        &self,
        rows: &SegmentRows,
        context: &ScanContext,
        found: &mut dyn FnMut(usize, i64, i64),
    ) -> Result<()> {
        let mut at = 0;
        for batch in rows.opened.chunks(Some(&rows.own), &ALL_TIMES, Some(&context.stats))? {
            check(context)?;
            for (series, _, min, max) in chunk_times(&batch?)? {
                while rows.own.get(at).is_some_and(|own| *own < series) {
                    at += 1;
                }
                if rows.own.get(at) == Some(&series) && self.time.overlaps(min, max) {
                    found(rows.global[at] as usize, min, max);
                }
            }
        }
        Ok(())
    }

    /// The points of the picked series in the range.
    pub fn points(
        &self,
        picked: &[Picked],
        series: usize,
        context: &ScanContext,
    ) -> Result<PointSource<'_>> {
        let gathered = self.gathered(picked, series, &self.time)?;
        let segments = self.segment_rows(picked);
        let by_number = |rows: &SegmentRows| {
            let pairs = rows.global.iter().copied().zip(rows.own.iter().copied());
            let mut pairs = pairs.collect::<Vec<_>>();
            pairs.sort_unstable();
            pairs
        };
        let segments = segments.into_iter().map(|rows| (by_number(&rows), rows)).collect();
        Ok(PointSource { set: self, gathered, segments, series, context: context.clone() })
    }

    /// Exemplars in the range of the picked series, by number and time. More than `rows_max` are an error.
    pub fn exemplars(
        &self,
        picked: &[Picked],
        series: usize,
        rows_max: usize,
        context: &ScanContext,
    ) -> Result<Vec<(usize, Exemplar)>> {
        let gathered = self.gathered(picked, series, &TimeRange::ALL)?;
        let mut found = Vec::new();
        for number in 0..series {
            found
                .extend(gathered.exemplars(number)?.into_iter().map(|exemplar| (number, exemplar)));
        }
        for rows in self.segment_rows(picked) {
            check(context)?;
            let wanted = |exemplar: &Exemplar| self.time.contains(exemplar.time_ns);
            if let Err(err) = rows.exemplars(wanted, rows_max, &mut found) {
                leave_out(&rows.segment, err, context)?;
            }
        }
        found.retain(|(_, exemplar)| self.time.contains(exemplar.time_ns));
        found.sort_unstable();
        found.dedup();
        if found.len() > rows_max {
            return Err(too_many_exemplars(rows_max));
        }
        Ok(found)
    }

    fn gathered(&self, picked: &[Picked], series: usize, time: &TimeRange) -> Result<Gathered<'_>> {
        let heads = self.view.metrics.heads.iter().collect::<Vec<_>>();
        let tables = Tables { distinct: Vec::new(), of_batch: self.of_batch.clone() };
        Gathered::new(&heads, &tables, &self.head_rows(picked), series, time)
    }

    /// The numbers of the rows of each table of the heads; nothing for a table of which none was picked.
    fn head_rows(&self, picked: &[Picked]) -> Vec<Vec<u32>> {
        let heads = self.tables.iter().zip(picked).filter(|(table, _)| table.segment.is_none());
        let dense = |(table, picked): (&Table, &Picked)| {
            if picked.is_empty() {
                return Vec::new();
            }
            let mut rows = vec![NOT_WANTED; table.len];
            picked.iter().for_each(|(row, number)| rows[*row as usize] = *number);
            rows
        };
        heads.map(dense).collect()
    }

    fn segment_rows(&self, picked: &[Picked]) -> Vec<SegmentRows> {
        let mut all = Vec::new();
        for (table, picked) in self.tables.iter().zip(picked) {
            let Some((segment, opened)) = &table.segment else { continue };
            if picked.is_empty() {
                continue;
            }
            let mut picked = picked.clone();
            picked.sort_unstable();
            let (own, global) = picked.into_iter().unzip();
            let (segment, opened) = (segment.clone(), opened.clone());
            all.push(SegmentRows { segment, opened, own, global });
        }
        all
    }
}

fn head_activity(
    batch: &MetricBatch,
    rows: &[u32],
    found: &mut dyn FnMut(usize, i64, i64),
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let (numbers, ..) = gather::number_columns(&batch.numbers)?;
    let (complex, _) = gather::complex_columns(&batch.complex)?;
    for points in [numbers, complex] {
        for (series, time_ns) in points.series.iter().zip(points.times) {
            match rows.get(*series as usize) {
                Some(row) if *row != NOT_WANTED => found(*row as usize, *time_ns, *time_ns),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The points of picked series. Several threads may read groups of them.
pub struct PointSource<'a> {
    set: &'a TableSet,
    gathered: Gathered<'a>,
    /// Numbers with rows, by number, and the rows of the segment.
    segments: Vec<(Vec<(u32, u32)>, SegmentRows)>,
    series: usize,
    context: ScanContext,
}

impl PointSource<'_> {
    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.series.div_ceil(self.group_series())
    }

    /// How many series are read at once.
    fn group_series(&self) -> usize {
        let points: u64 = self.segments.iter().map(|(_, rows)| rows.points_per_series()).sum();
        ((GROUP_POINTS / points.max(1)) as usize).clamp(1, GROUP_SERIES_MAX)
    }

    /// The points of the series of a group, by number: in order, repeated ones once.
    pub fn read(&self, group: usize) -> Result<Vec<SeriesPoints>> {
        check(&self.context)?;
        let size = self.group_series();
        let numbers = group * size..((group + 1) * size).min(self.series);
        let new = |series| SeriesPoints { series, ..Default::default() };
        let mut groups = numbers.clone().map(new).collect::<Vec<_>>();
        for (by_number, rows) in &self.segments {
            if let Err(err) = self.read_segment(by_number, rows, &numbers, &mut groups) {
                leave_out(&rows.segment, err, &self.context)?;
            }
        }
        complete(&mut groups, &self.gathered, &self.set.time, &self.context)?;
        Ok(groups)
    }

    fn read_segment(
        &self,
        by_number: &[(u32, u32)],
        rows: &SegmentRows,
        numbers: &Range<usize>,
        groups: &mut [SeriesPoints],
    ) -> Result<()> {
        let before = |limit: usize| by_number.partition_point(|(n, _)| (*n as usize) < limit);
        let mut wanted = by_number[before(numbers.start)..before(numbers.end)].to_vec();
        wanted.sort_unstable_by_key(|(_, row)| *row);
        let place = |number: u32| number - numbers.start as u32;
        let (places, own): (Vec<_>, Vec<_>) =
            wanted.into_iter().map(|(number, row)| (place(number), row)).unzip();
        if own.last().is_some_and(|row| *row as usize >= rows.opened.series_len()) {
            return Err(Error::invalid("a row that the table does not have"));
        }
        read_rows(&rows.opened, (&own, &places), groups, &self.set.time, &self.context)
    }
}
