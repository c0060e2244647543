//! Series, metadata and exemplars without points.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashSet;
use throughline_model::metric::{MetricKind, Number};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::value::ValueRef;
use throughline_model::{SpanId, TraceId, attrs};
use throughline_storage::metric::Exemplar as StoredExemplar;
use throughline_storage::metric::scan::tables::TableSet;
use throughline_storage::metric::series::SeriesColumns;

use super::index::{Reader, Selection};
use super::target_info::TARGET_INFO;
use super::translate::{Derived, Texts, Translator, unit_name};
use super::{NS_PER_MS, Source, range};
use crate::Result;
use crate::promql::discover::{Exemplar, Metadata};
use crate::promql::labels::{BUCKET, Labels, QUANTILE};
use crate::promql::matcher::{MatchOp, Matcher};

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
        let tables = TableSet::open(&self.view, range(from_ms, to_ms), &self.scan)?;
        let selection = self.index.read(&tables)?.select(matchers);
        let Selection { series, picked, .. } = &selection;
        let active = tables.active(picked, series.len(), &self.scan)?;
        let active = series.iter().zip(active).filter(|(_, is_active)| *is_active);
        let parts = active.flat_map(|(selected, _)| selected.parts()).collect::<Vec<_>>();
        if parts.iter().any(|part| part.is_bounded()) {
            // Bounds and quantiles are known from points only.
            let series = self.select(matchers, from_ms, to_ms)?;
            return Ok(series.into_iter().map(|series| series.labels).collect());
        }
        let mut all = parts.iter().map(|part| part.labels.clone()).collect::<Vec<_>>();
        all.extend(self.targets(matchers, from_ms, to_ms)?);
        if !all.is_sorted_by(|a, b| a < b) {
            all.sort();
            all.dedup();
        }
        Ok(all)
    }

    /// The names of the labels of series with a point in the range, sorted.
    pub(crate) fn label_names(&self, from_ms: i64, to_ms: i64) -> Result<Vec<String>> {
        let tables = TableSet::open(&self.view, range(from_ms, to_ms), &self.scan)?;
        let (active, reader) = self.active(&tables)?;
        let is_active = |number: u32| active.get(number as usize) == Some(&true);
        let names = reader.names().filter(|(_, series)| series.clone().any(is_active));
        let mut names = names.map(|(name, _)| name.to_string()).collect::<BTreeSet<_>>();
        for labels in reader.active_targets(&active) {
            names.extend(labels.iter().map(|(name, _)| name.to_string()));
        }
        let parts = || reader.parts().filter(|(number, _)| is_active(*number));
        let has = |derived| parts().any(|(_, part)| part.derived == derived);
        let (has_buckets, has_quantiles) = (has(Derived::Buckets), has(Derived::Quantiles));
        drop(reader);
        names.extend(has_buckets.then(|| BUCKET.to_owned()));
        if has_quantiles && !names.contains(QUANTILE) {
            // A summary may have none.
            let any = Matcher::new(QUANTILE, MatchOp::NotEqual, "");
            let any = any.map_err(crate::Error::internal)?;
            names.extend(
                (!self.select(&[any], from_ms, to_ms)?.is_empty()).then(|| QUANTILE.into()),
            );
        }
        Ok(names.into_iter().collect())
    }

    /// The values of a label of series with a point in the range, sorted; not those of bounds.
    pub(crate) fn label_values(&self, name: &str, from_ms: i64, to_ms: i64) -> Result<Vec<String>> {
        let tables = TableSet::open(&self.view, range(from_ms, to_ms), &self.scan)?;
        let (active, reader) = self.active(&tables)?;
        let is_active = |number: &u32| active.get(*number as usize) == Some(&true);
        let values = reader.values(name).filter(|(_, series)| series.iter().any(is_active));
        let mut values = values.map(|(value, _)| value.to_string()).collect::<BTreeSet<_>>();
        for labels in reader.active_targets(&active) {
            values.extend(labels.find(name).map(|value| value.to_string()));
        }
        Ok(values.into_iter().collect())
    }

    /// Which entries of the index have a point in the range, and the index that numbers them.
    fn active<'a>(&'a self, tables: &'a TableSet) -> Result<(Vec<bool>, Reader<'a>)> {
        loop {
            self.check()?;
            let reader = self.index.read(tables)?;
            let (generation, (mut active, others)) = (reader.generation(), reader.whole());
            drop(reader);
            let found = tables.active(&others, active.len(), &self.scan)?;
            active.iter_mut().zip(found).for_each(|(own, found)| *own |= found);
            let reader = self.index.read(tables)?;
            // Entries are seldom dropped, and hardly ever just now.
            if reader.generation() == generation {
                return Ok((active, reader));
            }
        }
    }

    /// What is known about metrics, by name.
    pub(crate) fn metadata(
        &self,
        metric: Option<String>,
    ) -> Result<BTreeMap<String, Vec<Metadata>>> {
        let tables = TableSet::open(&self.view, TimeRange::ALL, &self.scan)?;
        let mut texts = Texts::default();
        let mut found: BTreeMap<String, BTreeSet<Metadata>> = BTreeMap::new();
        for table in tables.tables() {
            self.check()?;
            let series = table.series()?;
            let columns = SeriesColumns::new(&series)?;
            let mut translator = Translator::new(&mut texts);
            // Series of one metric say the same, nearly always.
            let mut known = HashSet::new();
            let descriptions = columns.dict(col::DESCRIPTION);
            for row in 0..columns.len() {
                let description = descriptions.map_or(0, |dict| dict.key(row));
                let name_key = translator.name_key(&columns, row);
                if !known.insert((name_key, description, columns.metadata.value(row))) {
                    continue;
                }
                let name = translator.name(&columns, row)?;
                if metric.as_ref().is_some_and(|metric| *metric != *name) {
                    continue;
                }
                if let Some(said) = said_of(&columns, row) {
                    found.entry(family(&name, &said.metric_type)).or_default().insert(said);
                }
            }
        }
        if metric.is_none_or(|metric| metric == TARGET_INFO) {
            let is_target = Matcher::equal(crate::promql::labels::NAME, TARGET_INFO);
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
        let tables = TableSet::open(&self.view, range(from_ms, to_ms), &self.scan)?;
        let others = matchers.iter().filter(|matcher| &*matcher.name != BUCKET).cloned();
        let selection = self.index.read(&tables)?.select(&others.collect::<Vec<_>>());
        let Selection { series, picked, .. } = &selection;
        let exemplars = tables.exemplars(picked, series.len(), limit, &self.scan)?;
        let mut found: Vec<(Labels, Vec<Exemplar>)> = Vec::new();
        let mut last_number = None;
        for (number, exemplar) in exemplars {
            if last_number != Some(number) {
                last_number = Some(number);
                // Exemplars of a histogram belong to its buckets; of which one their values tell.
                let labels = series[number].parts().next().map(|part| part.labels.clone());
                found.push((labels.unwrap_or_default(), Vec::new()));
            }
            if let Some((_, list)) = found.last_mut() {
                list.push(spell_out(&exemplar)?);
            }
        }
        Ok(found)
    }
}

/// What a series says of its metric; nothing if there is nothing to tell.
fn said_of(columns: &SeriesColumns<'_>, row: usize) -> Option<Metadata> {
    let text = |name: &str| columns.dict(name).map_or("", |dict| dict.text(row)).to_owned();
    let said = |key: &str| attrs::get_str(columns.metadata.value(row), key);
    let is_untyped = columns.kinds[row] == MetricKind::Untyped as i32;
    let metric_type = match MetricKind::from_i32(columns.kinds[row]) {
        Some(MetricKind::Sum) if columns.is_counter(row) => "counter".to_owned(),
        Some(MetricKind::Gauge | MetricKind::Sum) => "gauge".to_owned(),
        Some(MetricKind::Histogram | MetricKind::ExponentialHistogram) => "histogram".to_owned(),
        Some(MetricKind::Summary) => "summary".to_owned(),
        _ => said(TYPE_KEY).unwrap_or("unknown").to_owned(),
    };
    let help = text(col::DESCRIPTION);
    let unit = match is_untyped {
        true => said(UNIT_KEY).unwrap_or_default().to_owned(),
        false => unit_name(&text(col::UNIT)),
    };
    let is_silent = is_untyped && metric_type == "unknown" && help.is_empty();
    (!is_silent).then_some(Metadata { metric_type, help, unit })
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
