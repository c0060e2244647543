//! Splitting a sealed head into what becomes one segment each: by tenant, then by window.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{TimestampNanosecondType, UInt32Type};
use throughline_model::Signal;
use throughline_model::metric::MetricBatch;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::list::HeadBatch;
use super::window::Windows;
use crate::{Error, Result};

/// The batches of one tenant and window.
#[derive(Debug)]
pub(crate) struct Part<B> {
    pub tenant: Arc<str>,
    pub window: TimeRange,
    pub batches: Vec<B>,
}

/// Splits spans or log records.
pub(crate) fn split_rows(
    signal: Signal,
    head: &[&HeadBatch<RecordBatch>],
    now_ns: i64,
) -> Result<Vec<Part<RecordBatch>>> {
    let time = if signal == Signal::Traces { col::START_TIME } else { col::TIME };
    split(
        signal,
        head,
        now_ns,
        |batch| Ok(vec![times(batch, time)?]),
        |batch, windows| {
            let times = times(batch, time)?;
            let mut parts = Vec::new();
            for (window, rows) in rows_by_window(times, windows) {
                let part = match rows.len() == times.len() {
                    true => batch.clone(),
                    false => take_record_batch(batch, &UInt32Array::from(rows))?,
                };
                parts.push((window, part));
            }
            Ok(parts)
        },
    )
}

/// Splits series and points.
pub(crate) fn split_points(
    head: &[&HeadBatch<MetricBatch>],
    now_ns: i64,
) -> Result<Vec<Part<MetricBatch>>> {
    fn all_times(batch: &MetricBatch) -> Result<Vec<&[i64]>> {
        Ok(vec![times(&batch.numbers, col::TIME)?, times(&batch.complex, col::TIME)?])
    }
    split(Signal::Metrics, head, now_ns, all_times, |batch, windows| {
        let mut by_window: BTreeMap<(i64, i64), [Vec<u32>; 3]> = BTreeMap::new();
        // An exemplar goes where its point goes.
        let rows_of = [
            (times(&batch.numbers, col::TIME)?, 0),
            (times(&batch.complex, col::TIME)?, 1),
            (times(&batch.exemplars, "point_time")?, 2),
        ];
        for (times, kind) in rows_of {
            for (window, rows) in rows_by_window(times, windows) {
                by_window.entry((window.start_ns, window.end_ns)).or_default()[kind] = rows;
            }
        }
        if by_window.len() == 1 {
            return Ok(by_window
                .into_keys()
                .map(|(start_ns, end_ns)| (TimeRange { start_ns, end_ns }, batch.clone()))
                .collect());
        }
        let part = |((start_ns, end_ns), rows)| {
            Ok((TimeRange { start_ns, end_ns }, take_points(batch, rows)?))
        };
        by_window.into_iter().map(part).collect()
    })
}

fn split<'a, B: Clone>(
    signal: Signal,
    head: &[&'a HeadBatch<B>],
    now_ns: i64,
    times: impl Fn(&'a B) -> Result<Vec<&'a [i64]>>,
    cut: impl Fn(&B, &Windows) -> Result<Vec<(TimeRange, B)>>,
) -> Result<Vec<Part<B>>> {
    let mut tenants: BTreeMap<Arc<str>, Vec<&'a B>> = BTreeMap::new();
    for batch in head {
        tenants.entry(batch.tenant.clone()).or_default().push(&batch.batch);
    }
    let mut parts = Vec::new();
    for (tenant, batches) in tenants {
        let mut all_times = Vec::new();
        for batch in &batches {
            all_times.extend(times(batch)?);
        }
        let each = all_times.iter().flat_map(|times| times.iter().copied());
        let windows = Windows::choose(signal, now_ns, each);
        let mut by_window: BTreeMap<(i64, i64), Vec<B>> = BTreeMap::new();
        for batch in batches {
            for (window, rows) in cut(batch, &windows)? {
                by_window.entry((window.start_ns, window.end_ns)).or_default().push(rows);
            }
        }
        for ((start_ns, end_ns), batches) in by_window {
            let window = TimeRange { start_ns, end_ns };
            parts.push(Part { tenant: tenant.clone(), window, batches });
        }
    }
    Ok(parts)
}

fn rows_by_window(times: &[i64], windows: &Windows) -> Vec<(TimeRange, Vec<u32>)> {
    let (Some(min_ns), Some(max_ns)) = (times.iter().min(), times.iter().max()) else {
        return Vec::new();
    };
    let first = windows.of_time(*min_ns);
    if first != TimeRange::ALL && first.contains(*max_ns) {
        return vec![(first, (0..times.len() as u32).collect())];
    }
    let mut parts: Vec<(TimeRange, Vec<u32>)> = Vec::new();
    for (row, t_ns) in times.iter().enumerate() {
        let window = windows.of_time(*t_ns);
        match parts.iter_mut().find(|(of, _)| *of == window) {
            Some((_, rows)) => rows.push(row as u32),
            None => parts.push((window, vec![row as u32])),
        }
    }
    parts
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Error::invalid(format!("a batch has no column '{name}'")))
}

fn times<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a [i64]> {
    let times = column(batch, name)?
        .as_primitive_opt::<TimestampNanosecondType>()
        .ok_or_else(|| Error::invalid(format!("column '{name}' of a batch is no time")))?;
    Ok(times.values())
}

/// The given rows of numbers, complex points and exemplars, with only the series that they need.
fn take_points(batch: &MetricBatch, rows: [Vec<u32>; 3]) -> Result<MetricBatch> {
    let [numbers, complex, exemplars] = rows.map(UInt32Array::from);
    let mut kept = [
        take_record_batch(&batch.numbers, &numbers)?,
        take_record_batch(&batch.complex, &complex)?,
        take_record_batch(&batch.exemplars, &exemplars)?,
    ];
    let mut new_row = vec![None; batch.series.num_rows()];
    let mut series_rows = Vec::new();
    for points in &mut kept {
        let old = column(points, col::SERIES)?
            .as_primitive_opt::<UInt32Type>()
            .ok_or_else(|| Error::invalid("column 'series' of a batch is no row number"))?;
        let mut renumbered = Vec::with_capacity(old.len());
        for row in old.values() {
            let slot = new_row.get_mut(*row as usize).ok_or_else(|| {
                Error::invalid(format!("series row {row} of {}", batch.series.num_rows()))
            })?;
            renumbered.push(*slot.get_or_insert_with(|| {
                series_rows.push(*row);
                series_rows.len() as u32 - 1
            }));
        }
        let mut columns = points.columns().to_vec();
        columns[points.schema_ref().index_of(col::SERIES)?] =
            Arc::new(UInt32Array::from(renumbered));
        *points = RecordBatch::try_new(points.schema(), columns)?;
    }
    let series = take_record_batch(&batch.series, &UInt32Array::from(series_rows))?;
    let [numbers, complex, exemplars] = kept;
    Ok(MetricBatch { series, numbers, complex, exemplars })
}
