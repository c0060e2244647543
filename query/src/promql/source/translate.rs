//! OTLP series as label sets of Prometheus.
//!
//! Names and labels follow the OpenTelemetry specification, "Prometheus and OpenMetrics
//! Compatibility", with units and types as suffixes: `http.server.duration` in seconds becomes
//! `http_server_duration_seconds_bucket`. `job` and `instance` come of the resource.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::metric::MetricKind;
use throughline_model::value::ValueRef;
use throughline_model::{attrs, origin};
use throughline_storage::metric::series::SeriesColumns;
use throughline_storage::{Error, Result};

use crate::promql::labels::{Label, Labels, NAME};

/// What of a point a series of Prometheus holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derived {
    /// The series of a Prometheus sender.
    AsIs,
    /// The number.
    Value,
    /// The count of a histogram or summary.
    Count,
    /// Its sum.
    Sum,
    /// Its cumulative buckets.
    Buckets,
    /// The quantiles of a summary.
    Quantiles,
    /// A native histogram.
    Native,
}

/// The labels that all series of a row have.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// Without a name; that of series as they are.
    pub labels: Labels,
    /// The name without suffixes of a part.
    pub name: Arc<str>,
    /// What the row's points hold.
    pub derives: &'static [Derived],
}

impl Base {
    /// The name of a part.
    pub fn part_name(&self, derived: Derived) -> String {
        part_name(&self.name, derived)
    }
}

fn part_name(name: &str, derived: Derived) -> String {
    match derived {
        Derived::Count => format!("{name}_count"),
        Derived::Sum => format!("{name}_sum"),
        Derived::Buckets => format!("{name}_bucket"),
        _ => name.to_owned(),
    }
}

/// Translates the rows of one table; what rows share is translated once.
#[derive(Debug, Default)]
pub(crate) struct Translator {
    texts: HashMap<Box<str>, Arc<str>>,
    names: HashMap<(usize, i32, usize, i32, bool), Arc<str>>,
    resources: HashMap<usize, Arc<[Label]>>,
    scopes: HashMap<usize, Arc<[Label]>>,
    label_names: HashMap<Box<str>, Arc<str>>,
}

impl Translator {
    fn text(&mut self, text: &str) -> Arc<str> {
        self.texts.entry_ref(text).or_insert_with(|| text.into()).clone()
    }

    /// What decides the name of a row's series.
    pub fn name_key(
        &self,
        columns: &SeriesColumns<'_>,
        row: usize,
    ) -> (usize, i32, usize, i32, bool) {
        let unit = columns.dict(throughline_model::schema::col::UNIT);
        (
            columns.names().key(row),
            columns.kinds[row],
            unit.map_or(0, |unit| unit.key(row)),
            columns.temporalities[row],
            columns.are_monotonic.value(row),
        )
    }

    /// The names that the series of a row may have; none where they are in the labels.
    pub fn names(
        &mut self,
        columns: &SeriesColumns<'_>,
        row: usize,
    ) -> Result<Vec<(Derived, String)>> {
        let derives = derives(kind_of(columns, row)?);
        if derives.contains(&Derived::AsIs) {
            return Ok(Vec::new());
        }
        let name = self.name(columns, row)?;
        Ok(derives.iter().map(|derived| (*derived, part_name(&name, *derived))).collect())
    }

    fn name(&mut self, columns: &SeriesColumns<'_>, row: usize) -> Result<Arc<str>> {
        let key = self.name_key(columns, row);
        if let Some(name) = self.names.get(&key) {
            return Ok(name.clone());
        }
        let identity = columns.identity(row)?;
        let name: Arc<str> = match identity.kind {
            MetricKind::Untyped => identity.name.into(),
            kind => {
                let is_counter = columns.is_counter(row);
                metric_name(identity.name, identity.unit, kind, is_counter).into()
            }
        };
        self.names.insert(key, name.clone());
        Ok(name)
    }

    /// The labels of a row.
    pub fn base(&mut self, columns: &SeriesColumns<'_>, row: usize) -> Result<Base> {
        let kind = kind_of(columns, row)?;
        let name = self.name(columns, row)?;
        let derives = derives(kind);
        if kind == MetricKind::Untyped {
            let mut labels = self.plain(columns.attributes.value(row))?;
            if !name.is_empty() {
                labels.push((self.text(NAME), name.clone()));
            }
            return Ok(Base { labels: Labels::new(labels), name, derives });
        }
        let mut labels = self.attributes(columns.attributes.value(row))?;
        labels.extend(self.scope(columns, row)?.iter().cloned());
        // What the resource says goes before what a point says of the same name.
        labels.extend(self.resource(columns, row)?.iter().cloned());
        Ok(Base { labels: Labels::new(labels), name, derives })
    }

    /// Attributes that are labels as they are.
    fn plain(&mut self, set: &[u8]) -> Result<Vec<Label>> {
        let mut labels = Vec::new();
        for entry in attrs::iter(set) {
            let (key, value) = entry?;
            if let ValueRef::String(text) = ValueRef::read(value)? {
                labels.push((self.text(key), self.text(text)));
            }
        }
        Ok(labels)
    }

    /// Attributes with names that clients of Prometheus accept. Those that become the same are joined
    /// by `;` in the order of their keys.
    fn attributes(&mut self, set: &[u8]) -> Result<Vec<Label>> {
        self.attributes_but(set, &|_| false)
    }

    /// The same without some of them.
    pub fn attributes_but(
        &mut self,
        set: &[u8],
        is_left_out: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Label>> {
        let mut labels: Vec<Label> = Vec::new();
        for entry in attrs::iter(set) {
            let (key, value) = entry?;
            if is_left_out(key) {
                continue;
            }
            let Some(text) = ValueRef::read(value)?.text()? else { continue };
            let name = self.label_name(key);
            match labels.iter_mut().find(|(own, _)| *own == name) {
                Some((_, own)) => *own = format!("{own};{text}").into(),
                None => labels.push((name, self.text(&text))),
            }
        }
        Ok(labels)
    }

    fn label_name(&mut self, key: &str) -> Arc<str> {
        if let Some(name) = self.label_names.get(key) {
            return name.clone();
        }
        let name: Arc<str> = label_name(key).into();
        self.label_names.insert(key.into(), name.clone());
        name
    }

    fn resource(&mut self, columns: &SeriesColumns<'_>, row: usize) -> Result<Arc<[Label]>> {
        let resources = columns.resources();
        let key = resources.key(row);
        if let Some(labels) = self.resources.get(&key) {
            return Ok(labels.clone());
        }
        let labels: Arc<[Label]> = target_labels(resources.at(row))?.into();
        self.resources.insert(key, labels.clone());
        Ok(labels)
    }

    fn scope(&mut self, columns: &SeriesColumns<'_>, row: usize) -> Result<Arc<[Label]>> {
        let scopes = columns.scopes();
        let key = scopes.key(row);
        if let Some(labels) = self.scopes.get(&key) {
            return Ok(labels.clone());
        }
        let (name, version, url, _) = origin::scope_parts(scopes.at(row))?;
        let parts = [
            ("otel_scope_name", name),
            ("otel_scope_version", version),
            ("otel_scope_schema_url", url),
        ];
        let parts = parts.into_iter().filter(|(_, value)| !value.is_empty());
        let labels: Arc<[Label]> =
            parts.map(|(name, value)| (name.into(), value.into())).collect::<Vec<_>>().into();
        self.scopes.insert(key, labels.clone());
        Ok(labels)
    }
}

fn kind_of(columns: &SeriesColumns<'_>, row: usize) -> Result<MetricKind> {
    let kind = columns.kinds[row];
    MetricKind::from_i32(kind)
        .ok_or_else(|| Error::corrupt(format!("a series of metric kind {kind}")))
}

fn derives(kind: MetricKind) -> &'static [Derived] {
    match kind {
        MetricKind::Gauge | MetricKind::Sum => &[Derived::Value],
        MetricKind::Histogram => &[Derived::Buckets, Derived::Count, Derived::Sum],
        MetricKind::ExponentialHistogram => &[Derived::Native],
        MetricKind::Summary => &[Derived::Quantiles, Derived::Count, Derived::Sum],
        MetricKind::Untyped => &[Derived::AsIs],
    }
}

/// `job` and `instance` of a resource.
pub(crate) fn target_labels(resource: &[u8]) -> Result<Vec<Label>> {
    let set = origin::resource_attrs(resource)?;
    let text = |key: &str| -> Result<Option<String>> {
        let value = attrs::get(set, key).map(ValueRef::read).transpose()?;
        Ok(value.map(|value| value.text()).transpose()?.flatten().map(|text| text.into_owned()))
    };
    let job = match (text("service.namespace")?, text("service.name")?) {
        (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
        (None, name) => name,
        (Some(_), None) => None,
    };
    let labels = [("job", job), ("instance", text("service.instance.id")?)];
    let labels = labels.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Ok(labels.map(|(name, value)| (name.into(), value.into())).collect())
}

/// A key as a label name.
pub(crate) fn label_name(key: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut name: String = key.chars().map(|c| if is_part(c) { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert_str(0, "key_");
    }
    name
}

/// The name of a metric, with its unit and type at the end.
pub(crate) fn metric_name(name: &str, unit: &str, kind: MetricKind, is_counter: bool) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let mut words = name.split(|c| !is_part(c)).filter(|word| !word.is_empty());
    let mut words = words.by_ref().map(str::to_owned).collect::<Vec<_>>();
    let (main, per) = unit_words(unit);
    for (word, prefix) in [(main, None), (per, Some("per"))] {
        if let Some(word) = word.filter(|word| !words.contains(word)) {
            words.extend(prefix.map(str::to_owned));
            words.push(word);
        }
    }
    let last = match kind {
        _ if is_counter => Some("total"),
        MetricKind::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        words.retain(|word| word != last);
        words.push(last.to_owned());
    }
    let mut name = words.join("_");
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

/// The words of a unit, and of what it is per.
fn unit_words(unit: &str) -> (Option<String>, Option<String>) {
    let (main, per) = unit.split_once('/').map_or((unit, None), |(main, per)| (main, Some(per)));
    (main_unit(main), per.and_then(per_unit))
}

/// A unit spelt out: `bytes_per_second`.
pub(crate) fn unit_name(unit: &str) -> String {
    match unit_words(unit) {
        (Some(main), Some(per)) => format!("{main}_per_{per}"),
        (Some(main), None) => main,
        (None, Some(per)) => format!("per_{per}"),
        (None, None) => String::new(),
    }
}

fn main_unit(unit: &str) -> Option<String> {
    const UNITS: [(&str, &str); 28] = [
        ("d", "days"),
        ("h", "hours"),
        ("min", "minutes"),
        ("s", "seconds"),
        ("ms", "milliseconds"),
        ("us", "microseconds"),
        ("ns", "nanoseconds"),
        ("By", "bytes"),
        ("KiBy", "kibibytes"),
        ("MiBy", "mebibytes"),
        ("GiBy", "gibibytes"),
        ("TiBy", "tibibytes"),
        ("KBy", "kilobytes"),
        ("MBy", "megabytes"),
        ("GBy", "gigabytes"),
        ("TBy", "terabytes"),
        ("m", "meters"),
        ("V", "volts"),
        ("A", "amperes"),
        ("J", "joules"),
        ("W", "watts"),
        ("g", "grams"),
        ("Cel", "celsius"),
        ("Hz", "hertz"),
        ("1", ""),
        ("%", "percent"),
        ("$", "dollars"),
        ("kHz", "kilohertz"),
    ];
    unit_word(unit, &UNITS)
}

fn per_unit(unit: &str) -> Option<String> {
    const UNITS: [(&str, &str); 7] = [
        ("s", "second"),
        ("m", "minute"),
        ("h", "hour"),
        ("d", "day"),
        ("w", "week"),
        ("mo", "month"),
        ("y", "year"),
    ];
    unit_word(unit, &UNITS)
}

/// The word of a unit; annotations in braces have none.
fn unit_word(unit: &str, units: &[(&str, &str)]) -> Option<String> {
    let unit = unit.trim();
    if unit.is_empty() || unit.contains(['{', '}']) {
        return None;
    }
    let word = units.iter().find(|(own, _)| *own == unit).map_or(unit, |(_, word)| word);
    let word: String =
        word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let word = word.trim_matches('_').to_owned();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_unit_and_type() {
        let cases = [
            (
                "http.server.duration",
                "s",
                MetricKind::Histogram,
                false,
                "http_server_duration_seconds",
            ),
            ("requests", "1", MetricKind::Sum, true, "requests_total"),
            ("requests_total", "{request}", MetricKind::Sum, true, "requests_total"),
            ("system.io", "By/s", MetricKind::Gauge, false, "system_io_bytes_per_second"),
            ("cpu.utilization", "1", MetricKind::Gauge, false, "cpu_utilization_ratio"),
            ("2xx", "", MetricKind::Gauge, false, "_2xx"),
            ("memory_bytes", "By", MetricKind::Gauge, false, "memory_bytes"),
            ("a:b", "", MetricKind::Gauge, false, "a:b"),
        ];
        for (name, unit, kind, is_counter, wanted) in cases {
            assert_eq!(metric_name(name, unit, kind, is_counter), wanted);
        }
        assert_eq!(label_name("http.status_code"), "http_status_code");
        assert_eq!(label_name("3d"), "key_3d");
    }
}
