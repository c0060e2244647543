//! The blocking side of metric questions: what they read of a view.

use std::sync::Arc;

use throughline_model::metric::ComplexPoint;
use throughline_model::origin::{Resource, Scope};
use throughline_model::schema::col;
use throughline_model::{SpanId, TraceId, attrs};
use throughline_storage::View;
use throughline_storage::metric::Exemplar as StoredExemplar;
use throughline_storage::metric::scan::{SeriesRequest, SeriesSet, find_exemplars, find_series};
use throughline_storage::metric::series::SeriesColumns;
use throughline_storage::scan::ScanContext;

use super::{
    Exemplar, ExemplarList, HistogramPoint, Metric, MetricQuery, Metrics, NumberPoint, PointList,
    Series, SeriesExemplars, SeriesList, SeriesPoints,
};
use crate::services::series::{Ask, with_span_series};
use crate::{Error, ErrorKind, Result};

/// A read of a view.
pub(super) type Read<T> = fn(&Arc<View>, &MetricQuery, &ScanContext) -> Result<T>;

/// Which metrics there are.
pub(super) fn metrics(
    view: &Arc<View>,
    query: &MetricQuery,
    context: &ScanContext,
) -> Result<Metrics> {
    let view = with_span_series(view, &query.filters, query.time, Ask::List, context)?;
    let set = find_series(&view, &request(query), context)?;
    let columns = set.columns()?;
    // The table is sorted by name, so metrics of one name are neighbours.
    let mut metrics: Vec<Metric> = Vec::new();
    let mut first_of_name = 0;
    for row in 0..set.len() {
        let identity = columns.identity(row)?;
        if metrics.get(first_of_name).is_some_and(|metric| metric.name != identity.name) {
            first_of_name = metrics.len();
        }
        let description = text(&columns, col::DESCRIPTION, row);
        let known = metrics[first_of_name..].iter_mut().find(|metric| {
            (metric.kind, metric.temporality, metric.is_monotonic)
                == (identity.kind, identity.temporality, identity.is_monotonic)
                && metric.unit == identity.unit
        });
        if let Some(metric) = known {
            metric.series += 1;
            if metric.description.as_str() < description {
                description.clone_into(&mut metric.description);
            }
            continue;
        }
        if metrics.len() == query.limit {
            return Ok(Metrics { metrics, truncated: true, ..Metrics::default() });
        }
        metrics.push(Metric {
            name: identity.name.to_owned(),
            kind: identity.kind,
            unit: identity.unit.to_owned(),
            description: description.to_owned(),
            temporality: identity.temporality,
            is_monotonic: identity.is_monotonic,
            series: 1,
        });
    }
    Ok(Metrics { metrics, ..Metrics::default() })
}

/// The series that meet the conditions.
pub(super) fn series(
    view: &Arc<View>,
    query: &MetricQuery,
    context: &ScanContext,
) -> Result<SeriesList> {
    let set = find(view, query, context)?;
    let columns = set.columns()?;
    let listed = set.len().min(query.limit);
    let series = (0..listed).map(|row| spell_out(&columns, row)).collect::<Result<Vec<_>>>()?;
    Ok(SeriesList { series, truncated: set.len() > listed, ..SeriesList::default() })
}

/// The points of the series that meet the conditions.
pub(super) fn points(
    view: &Arc<View>,
    query: &MetricQuery,
    context: &ScanContext,
) -> Result<PointList> {
    Ok(PointList {
        series: read_points(&find(view, query, context)?, query, context)?.0,
        ..PointList::default()
    })
}

/// The same with the exemplars that came with the points.
pub(super) fn points_with_exemplars(
    view: &Arc<View>,
    query: &MetricQuery,
    context: &ScanContext,
) -> Result<PointList> {
    let set = find(view, query, context)?;
    let (mut series, rows) = read_points(&set, query, context)?;
    for (row, exemplar) in set.exemplars_of_points(context, query.limit)? {
        if let Ok(place) = rows.binary_search(&row) {
            series[place].exemplars.push(spell_out_exemplar(&exemplar)?);
        }
    }
    for one in &mut series {
        one.exemplars.sort_by_key(|exemplar| (exemplar.point_time_ns, exemplar.time_ns));
    }
    Ok(PointList { series, ..PointList::default() })
}

/// The points by series, and for each of these its row in the set.
fn read_points(
    set: &SeriesSet,
    query: &MetricQuery,
    context: &ScanContext,
) -> Result<(Vec<SeriesPoints>, Vec<usize>)> {
    let columns = set.columns()?;
    let mut reader = set.points(context)?;
    let (mut series, mut rows) = (Vec::new(), Vec::new());
    let mut total = 0;
    while let Some(groups) = reader.next_group()? {
        for group in groups {
            let (numbers, complex) = (group.numbers, group.complex);
            total += numbers.len() + complex.len();
            if total > query.limit {
                return Err(too_many("points", query));
            }
            if numbers.is_empty() && complex.is_empty() {
                continue; // its segment was left out
            }
            let number = |i: usize| NumberPoint {
                time_ns: numbers.times[i],
                start_time_ns: numbers.start_times[i],
                flags: numbers.flags[i],
                value: numbers.value(i),
            };
            let times = complex.times.into_iter().zip(complex.start_times).zip(complex.flags);
            let histogram = |(((time_ns, start_time_ns), flags), point)| HistogramPoint {
                time_ns,
                start_time_ns,
                flags,
                point: ComplexPoint::to_otlp(point),
            };
            rows.push(group.series);
            series.push(SeriesPoints {
                series: spell_out(&columns, group.series)?,
                numbers: (0..numbers.len()).map(number).collect(),
                histograms: times.zip(complex.points).map(histogram).collect(),
                exemplars: Vec::new(),
            });
        }
    }
    Ok((series, rows))
}

/// The exemplars of the series that meet the conditions.
pub(super) fn exemplars(
    view: &Arc<View>,
    query: &MetricQuery,
    context: &ScanContext,
) -> Result<ExemplarList> {
    let (set, found) = find_exemplars(view, &request(query), query.limit, context)?;
    let columns = set.columns()?;
    let mut list = ExemplarList::default();
    let mut last = None;
    for (row, exemplar) in found {
        if last != Some(row) {
            let series = spell_out(&columns, row)?;
            list.series.push(SeriesExemplars { series, exemplars: Vec::new() });
            last = Some(row);
        }
        if let Some(of_series) = list.series.last_mut() {
            of_series.exemplars.push(spell_out_exemplar(&exemplar)?);
        }
    }
    Ok(list)
}

fn request(query: &MetricQuery) -> SeriesRequest {
    SeriesRequest { predicates: query.filters.clone(), time: query.time }
}

fn find(view: &Arc<View>, query: &MetricQuery, context: &ScanContext) -> Result<SeriesSet> {
    let view = with_span_series(view, &query.filters, query.time, Ask::ByName, context)?;
    Ok(find_series(&view, &request(query), context)?)
}

fn too_many(what: &str, query: &MetricQuery) -> Error {
    Error::new(
        ErrorKind::Limit,
        format!(
            "there are more than limit = {} {what}: narrow the range or the series",
            query.limit
        ),
    )
}

fn text<'a>(columns: &SeriesColumns<'a>, name: &str, row: usize) -> &'a str {
    columns.dict(name).map(|column| column.text(row)).unwrap_or_default()
}

fn spell_out_exemplar(exemplar: &StoredExemplar) -> Result<Exemplar> {
    Ok(Exemplar {
        time_ns: exemplar.time_ns,
        value: exemplar.value(),
        trace_id: exemplar.trace_id.map(TraceId),
        span_id: exemplar.span_id.map(SpanId),
        attributes: attrs::decode(&exemplar.attributes)?,
        point_time_ns: exemplar.point_time_ns,
    })
}

fn spell_out(columns: &SeriesColumns<'_>, row: usize) -> Result<Series> {
    let identity = columns.identity(row)?;
    Ok(Series {
        id: columns.id(row),
        name: identity.name.to_owned(),
        kind: identity.kind,
        unit: identity.unit.to_owned(),
        description: text(columns, col::DESCRIPTION, row).to_owned(),
        temporality: identity.temporality,
        is_monotonic: identity.is_monotonic,
        service_name: text(columns, col::SERVICE_NAME, row).to_owned(),
        resource: Arc::new(Resource::decode(identity.resource)?),
        scope: Arc::new(Scope::decode(identity.scope)?),
        attributes: attrs::decode(identity.attributes)?,
        metadata: attrs::decode(columns.metadata.value(row))?,
    })
}
