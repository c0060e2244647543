//! OTLP series as label sets of Prometheus.
//!
//! Names and labels follow the OpenTelemetry specification, "Prometheus and OpenMetrics
//! Compatibility", with units and types as suffixes: `http.server.duration` in seconds becomes
//! `http_server_duration_seconds_bucket`. `job` and `instance` come of the resource.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use throughline_model::metric::MetricKind;
use throughline_model::value::ValueRef;
use throughline_model::{attrs, origin};
use throughline_storage::metric::series::SeriesColumns;
use throughline_storage::{Error, Result};

use super::index::Part;
use super::target_info::TARGET_INFO;
use crate::promql::labels::{Label, Labels, NAME};

/// What `job` and `instance` already say.
const IN_TARGET_LABELS: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];

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

fn part_name(name: &str, derived: Derived) -> String {
    match derived {
        Derived::Count => format!("{name}_count"),
        Derived::Sum => format!("{name}_sum"),
        Derived::Buckets => format!("{name}_bucket"),
        _ => name.to_owned(),
    }
}

/// Texts, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    all: HashSet<Arc<str>>,
    label_names: HashMap<Box<str>, Arc<str>>,
}

impl Texts {
    fn text(&mut self, text: &str) -> Arc<str> {
        self.all.get_or_insert_with(text, |text| Arc::from(text)).clone()
    }

    fn label_name(&mut self, key: &str) -> Arc<str> {
        if let Some(name) = self.label_names.get(key) {
            return name.clone();
        }
        let name = self.text(&label_name(key));
        self.label_names.insert(key.into(), name.clone());
        name
    }
}

/// What decides the name of a row's series: numbers of one table.
type NameKey = (usize, i32, usize, i32, bool);

/// Translates the rows of one table; what rows share is translated once.
#[derive(Debug)]
pub(crate) struct Translator<'t> {
    texts: &'t mut Texts,
    names: HashMap<NameKey, Arc<str>>,
    resources: HashMap<usize, Arc<[Label]>>,
    scopes: HashMap<usize, Arc<[Label]>>,
}

impl<'t> Translator<'t> {
    /// A translator of one table.
    pub fn new(texts: &'t mut Texts) -> Self {
        let (resources, scopes) = (HashMap::new(), HashMap::new());
        Self { texts, names: HashMap::new(), resources, scopes }
    }

    /// What decides the name of a row's series.
    pub fn name_key(&self, columns: &SeriesColumns<'_>, row: usize) -> NameKey {
        let unit = columns.dict(throughline_model::schema::col::UNIT);
        (
            columns.names().key(row),
            columns.kinds[row],
            unit.map_or(0, |unit| unit.key(row)),
            columns.temporalities[row],
            columns.are_monotonic.value(row),
        )
    }

    /// The name of a row's series, without suffixes of a part.
    pub fn name(&mut self, columns: &SeriesColumns<'_>, row: usize) -> Result<Arc<str>> {
        let key = self.name_key(columns, row);
        if let Some(name) = self.names.get(&key) {
            return Ok(name.clone());
        }
        let identity = columns.identity(row)?;
        let name: Arc<str> = match identity.kind {
            MetricKind::Untyped => self.texts.text(identity.name),
            kind => {
                let is_counter = columns.is_counter(row);
                self.texts.text(&metric_name(identity.name, identity.unit, kind, is_counter))
            }
        };
        self.names.insert(key, name.clone());
        Ok(name)
    }

    /// The series that a row stands for.
    pub fn parts(&mut self, columns: &SeriesColumns<'_>, row: usize) -> Result<Box<[Part]>> {
        let kind = kind_of(columns, row)?;
        let name = self.name(columns, row)?;
        let mut labels = match kind {
            MetricKind::Untyped => self.plain(columns.attributes.value(row))?,
            _ => self.attributes(columns.attributes.value(row))?,
        };
        if kind != MetricKind::Untyped {
            labels.extend(self.scope(columns, row)?.iter().cloned());
            // What the resource says goes before what a point says of the same name.
            labels.extend(self.resource(columns, row)?.iter().cloned());
        }
        let of_name = self.texts.text(NAME);
        let mut part = |derived: &Derived| {
            let name = match derived {
                Derived::Buckets | Derived::Count | Derived::Sum => {
                    self.texts.text(&part_name(&name, *derived))
                }
                _ => name.clone(),
            };
            let labels = labels.iter().cloned().chain([(of_name.clone(), name)]);
            Part { derived: *derived, labels: Labels::new(labels) }
        };
        Ok(derives(kind).iter().map(&mut part).collect())
    }

    /// What the resource of a row says of its target, as labels of `target_info`; none where there is no target, or
    /// nothing more to say of it.
    pub fn target(&mut self, columns: &SeriesColumns<'_>, row: usize) -> Result<Option<Labels>> {
        if columns.kinds[row] == MetricKind::Untyped as i32 {
            return Ok(None);
        }
        let resource = columns.resources().at(row);
        let target = target_labels(resource)?;
        let is_said = |name: &str| IN_TARGET_LABELS.contains(&name);
        let mut labels = self.attributes_but(origin::resource_attrs(resource)?, &is_said)?;
        if target.is_empty() || labels.is_empty() {
            return Ok(None);
        }
        labels.extend(target);
        labels.push((self.texts.text(NAME), TARGET_INFO.into()));
        Ok(Some(Labels::new(labels)))
    }

    /// Attributes that are labels as they are.
    fn plain(&mut self, set: &[u8]) -> Result<Vec<Label>> {
        let mut labels = Vec::new();
        for entry in attrs::iter(set) {
            let (key, value) = entry?;
            if let ValueRef::String(text) = ValueRef::read(value)? {
                labels.push((self.texts.text(key), self.texts.text(text)));
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
    fn attributes_but(
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
            let name = self.texts.label_name(key);
            match labels.iter_mut().find(|(own, _)| *own == name) {
                Some((_, own)) => *own = self.texts.text(&format!("{own};{text}")),
                None => labels.push((name, self.texts.text(&text))),
            }
        }
        Ok(labels)
    }

    fn resource(&mut self, columns: &SeriesColumns<'_>, row: usize) -> Result<Arc<[Label]>> {
        let resources = columns.resources();
        let key = resources.key(row);
        if let Some(labels) = self.resources.get(&key) {
            return Ok(labels.clone());
        }
        let labels = self.kept(target_labels(resources.at(row))?);
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
        let parts = parts.map(|(name, value)| (name.into(), value.into())).collect();
        let labels = self.kept(parts);
        self.scopes.insert(key, labels.clone());
        Ok(labels)
    }

    fn kept(&mut self, labels: Vec<Label>) -> Arc<[Label]> {
        let labels = labels.iter();
        labels.map(|(name, value)| (self.texts.text(name), self.texts.text(value))).collect()
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
