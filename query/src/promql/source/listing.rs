//! Series, metadata and exemplars without points.

use std::collections::{BTreeMap, BTreeSet};

use throughline_model::metric::{MetricKind, Number};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::value::ValueRef;
use throughline_model::{SpanId, TraceId, attrs};
use throughline_storage::metric::Exemplar as StoredExemplar;
use throughline_storage::metric::scan::{find_exemplars_where, find_series_where};
use throughline_storage::metric::series::SeriesColumns;

use super::target_info::TARGET_INFO;
use super::translate::{Base, Derived, unit_name};
use super::{NS_PER_MS, Source, Translator, meets, names, range};
use crate::Result;
use crate::promql::discover::{Exemplar, Metadata};
use crate::promql::labels::{BUCKET, Labels, NAME};
use crate::promql::matcher::Matcher;

/// The key of a series' metadata that names its type (OpenTelemetry, "Prometheus compatibility").
const TYPE_KEY: &str = "prometheus.type";
/// The key of the unit that a sender of Prometheus names.
const UNIT_KEY: &str = "prometheus.unit";

impl Source {
    /// The label sets of the series that meet all conditions and have a point in the range, sorted.
    pub(crate) fn labels(
        &self,
        matchers: &[Matcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Labels>> {
        let time = range(from_ms, to_ms);
        let wanted = |columns: &SeriesColumns<'_>| {
            names::candidates(columns, matchers, &mut Translator::default())
        };
        let set = find_series_where(&self.view, &wanted, time, &self.scan)?;
        let columns = set.columns()?;
        let is_bounded = |kind: &i32| {
            *kind == MetricKind::Histogram as i32 || *kind == MetricKind::Summary as i32
        };
        if columns.kinds.iter().any(is_bounded) {
            // Bounds and quantiles are known from points only.
            let series = self.select(matchers, from_ms, to_ms)?;
            return Ok(series.into_iter().map(|series| series.labels).collect());
        }
        let mut translator = Translator::default();
        let mut all = self.targets(matchers, from_ms, to_ms)?;
        for row in 0..columns.len() {
            let base = translator.base(&columns, row)?;
            for labels in whole(&base) {
                if meets(&labels, matchers) {
                    all.insert(labels);
                }
            }
        }
        Ok(all.into_iter().collect())
    }

    /// What is known about metrics, by name.
    pub(crate) fn metadata(
        &self,
        metric: Option<String>,
    ) -> Result<BTreeMap<String, Vec<Metadata>>> {
        let wanted = |columns: &SeriesColumns<'_>| Ok(vec![true; columns.len()]);
        let set = find_series_where(&self.view, &wanted, TimeRange::ALL, &self.scan)?;
        let columns = set.columns()?;
        let mut translator = Translator::default();
        let mut found: BTreeMap<String, BTreeSet<Metadata>> = BTreeMap::new();
        for row in 0..columns.len() {
            let base = translator.base(&columns, row)?;
            if metric.as_ref().is_some_and(|metric| *metric != *base.name) {
                continue;
            }
            let text = |name: &str| columns.dict(name).map_or("", |dict| dict.text(row)).to_owned();
            let said = |key: &str| attrs::get_str(columns.metadata.value(row), key);
            let is_untyped = columns.kinds[row] == MetricKind::Untyped as i32;
            let metric_type = match MetricKind::from_i32(columns.kinds[row]) {
                Some(MetricKind::Sum) if columns.is_counter(row) => "counter".to_owned(),
                Some(MetricKind::Gauge | MetricKind::Sum) => "gauge".to_owned(),
                Some(MetricKind::Histogram | MetricKind::ExponentialHistogram) => {
                    "histogram".to_owned()
                }
                Some(MetricKind::Summary) => "summary".to_owned(),
                _ => said(TYPE_KEY).unwrap_or("unknown").to_owned(),
            };
            let help = text(col::DESCRIPTION);
            let unit = match is_untyped {
                true => said(UNIT_KEY).unwrap_or_default().to_owned(),
                false => unit_name(&text(col::UNIT)),
            };
            // Of a series that says nothing there is nothing to tell.
            if is_untyped && metric_type == "unknown" && help.is_empty() {
                continue;
            }
            let metadata = Metadata { metric_type, help, unit };
            found.entry(family(&base.name, &metadata.metric_type)).or_default().insert(metadata);
        }
        if metric.is_none_or(|metric| metric == TARGET_INFO) {
            let is_target = Matcher::equal(NAME, TARGET_INFO);
            if !self.targets(&[is_target], i64::MIN, i64::MAX)?.is_empty() {
                let (metric_type, help) = ("gauge".to_owned(), "Target metadata".to_owned());
                let metadata = Metadata { metric_type, help, unit: String::new() };
                found.entry(TARGET_INFO.to_owned()).or_default().insert(metadata);
            }
        }
        Ok(found.into_iter().map(|(name, all)| (name, all.into_iter().collect())).collect())
    }

    /// Exemplars in the range of the series that meet all conditions.
    pub(crate) fn exemplars(
        &self,
        matchers: &[Matcher],
        from_ms: i64,
        to_ms: i64,
        limit: usize,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>> {
        let wanted = |columns: &SeriesColumns<'_>| {
            names::candidates(columns, matchers, &mut Translator::default())
        };
        let time = range(from_ms, to_ms);
        let (set, exemplars) = find_exemplars_where(&self.view, &wanted, time, limit, &self.scan)?;
        let columns = set.columns()?;
        let mut translator = Translator::default();
        let mut found: Vec<(Labels, Vec<Exemplar>)> = Vec::new();
        let mut last_row = None;
        for (row, exemplar) in exemplars {
            if last_row != Some(row) {
                last_row = Some(row);
                let base = translator.base(&columns, row)?;
                found.push((exemplar_labels(&base, matchers), Vec::new()));
            }
            if let Some((_, list)) = found.last_mut() {
                list.push(spell_out(&exemplar)?);
            }
        }
        Ok(found)
    }
}

/// The label sets of a row that are known without points.
fn whole(base: &Base) -> Vec<Labels> {
    let labels = |derived: &Derived| match derived {
        Derived::AsIs => base.labels.clone(),
        derived => base.labels.with(NAME, &base.part_name(*derived)),
    };
    base.derives.iter().map(labels).collect()
}

/// Exemplars of a histogram belong to its buckets; of which one their values tell.
fn exemplar_labels(base: &Base, matchers: &[Matcher]) -> Labels {
    let others = matchers.iter().filter(|matcher| &*matcher.name != BUCKET).cloned();
    let others = others.collect::<Vec<_>>();
    let all = whole(base);
    all.iter().find(|labels| meets(labels, &others)).or(all.first()).cloned().unwrap_or_default()
}

/// The name of the family to which a sender's series belongs.
fn family(name: &str, metric_type: &str) -> String {
    let parts: &[&str] = match metric_type {
        "histogram" => &["_bucket", "_count", "_sum"],
        "summary" => &["_count", "_sum"],
        _ => &[],
    };
    let base = parts.iter().find_map(|part| name.strip_suffix(part));
    base.unwrap_or(name).to_owned()
}

fn spell_out(exemplar: &StoredExemplar) -> Result<Exemplar> {
    let mut labels = Vec::new();
    for entry in attrs::iter(&exemplar.attributes) {
        let (key, value) = entry?;
        if let Some(text) = ValueRef::read(value)?.text()? {
            labels.push((super::translate::label_name(key), text.into_owned()));
        }
    }
    let value = match exemplar.value() {
        Number::None => f64::NAN,
        Number::Double(value) => value,
        Number::Int(value) => value as f64,
    };
    Ok(Exemplar {
        time_ms: exemplar.time_ns.div_euclid(NS_PER_MS),
        value,
        trace_id: exemplar.trace_id.map(TraceId),
        span_id: exemplar.span_id.map(SpanId),
        labels,
    })
}
