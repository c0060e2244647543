//! Documents, which are objects of any fields, to columns: fields that OpenTelemetry has a place for go there,
//! the others are attributes. What they are called differs from sender to sender; the tables are in
//! docs/translation.md.

use std::borrow::Cow;

use serde_json::Value as Json;
use throughline_model::batch::Decoded;
use throughline_model::log_record::{LogFields, TimeSource};
use throughline_model::value::{put_int, put_string};
use throughline_model::{Result, SpanId, TraceId, attrs};

use super::document::{self, DOCUMENT_BYTES_MAX, Entry};
use super::{LogRows, severity_number};
use crate::times;

const TRACE_ID: [&str; 2] = ["trace.id", "trace_id"];
const SPAN_ID: [&str; 2] = ["span.id", "span_id"];

/// Fields of a resource that OpenTelemetry names otherwise.
const RENAMED: &[(&str, &str)] = &[
    ("host", "host.name"),
    ("host.architecture", "host.arch"),
    ("service.environment", "deployment.environment.name"),
    ("service.node.name", "service.instance.id"),
    ("kubernetes.namespace", "k8s.namespace.name"),
    ("kubernetes.namespace_name", "k8s.namespace.name"),
    ("kubernetes.pod_name", "k8s.pod.name"),
    ("kubernetes.pod_id", "k8s.pod.uid"),
    ("kubernetes.host", "k8s.node.name"),
    ("kubernetes.container_name", "k8s.container.name"),
    ("kubernetes.container_image", "container.image.name"),
    ("kubernetes.docker_id", "container.id"),
];
/// Beginnings of such fields.
const RENAMED_BELOW: &[(&str, &str)] =
    &[("kubernetes.labels.", "k8s.pod.label."), ("kubernetes.annotations.", "k8s.pod.annotation.")];
/// What `kubernetes.` becomes `k8s.` before: the objects that both schemas know by name and uid.
const K8S_OBJECTS: [&str; 10] = [
    "pod",
    "node",
    "container",
    "deployment",
    "replicaset",
    "statefulset",
    "daemonset",
    "job",
    "cronjob",
    "cluster",
];
/// Beginnings of the fields that describe a resource under the same name.
const RESOURCE: [&str; 4] = ["host.", "container.", "service.", "cloud."];

/// What a sender calls the fields that have a place of their own; the first of each that is there and fits.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The body, a text.
    pub body: &'a [&'a str],
    /// The severity, a text.
    pub severity: &'a [&'a str],
    /// The time.
    pub time: &'a [&'a str],
    /// Fields that are their resource's, under their own names.
    pub of_resource: &'a [&'a str],
    /// What a time is.
    pub read_time: fn(&Json) -> Option<i64>,
}

/// What is known of a document beside its fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// The document as it came: the body of one that has no text for it.
    pub text: &'a [u8],
    /// When it was, if no field says so.
    pub time_ns: Option<i64>,
    /// When it arrived.
    pub arrived_at_ns: i64,
    /// Number and text of its severity, if no field says one.
    pub severity: Option<(i32, &'a str)>,
    /// Attributes of the record; empty texts are none.
    pub attributes: &'a [(&'a str, &'a str)],
    /// The attribute that tells its size where it is too large to be taken apart.
    pub whole_bytes: &'a str,
}

/// The columns of a request.
pub struct Documents {
    rows: LogRows,
    what: &'static str,
    resource: Vec<u8>,
    body: Vec<u8>,
}

/// Which entries have a place of their own.
#[derive(Default)]
struct Places {
    body: Option<usize>,
    severity: Option<usize>,
    trace_id: Option<usize>,
    span_id: Option<usize>,
    time: Option<usize>,
}

impl Documents {
    /// No document yet; `what` names them in refusals.
    pub fn new(what: &'static str) -> Result<Self> {
        Ok(Self { rows: LogRows::new()?, what, resource: Vec::new(), body: Vec::new() })
    }

    /// Adds a document, or counts it as refused.
    pub fn add(
        &mut self,
        read: std::result::Result<Vec<Entry>, String>,
        names: &Names<'_>,
        given: &Given<'_>,
    ) -> Result<()> {
        self.rows.begin()?;
        match read {
            Ok(entries) => self.document(entries, names, given),
            Err(reason) => {
                self.rows.refuse(self.what, &reason);
                Ok(())
            }
        }
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        self.rows.finish()
    }

    fn document(
        &mut self,
        entries: Vec<Entry>,
        names: &Names<'_>,
        given: &Given<'_>,
    ) -> Result<()> {
        let places = Places::of(&entries, names);
        let text_at = |at: Option<usize>| {
            at.and_then(|at| entries.get(at)).and_then(|(_, value)| value.as_str())
        };
        self.body.clear();
        match text_at(places.body) {
            Some(message) => put_string(&mut self.body, message),
            None => put_string(&mut self.body, String::from_utf8_lossy(given.text).trim()),
        }
        let own = text_at(places.severity).map(str::to_owned);
        let (number, severity_text) = match (&own, given.severity) {
            (Some(text), _) => (severity_number(text).unwrap_or_default(), text.as_str()),
            (None, Some(given)) => given,
            (None, None) => (0, ""),
        };
        let trace_id = text_at(places.trace_id).and_then(trace_id);
        let span_id = text_at(places.span_id).and_then(span_id);
        let time = places.time.and_then(|at| entries.get(at));
        let time_ns = time.and_then(|(_, value)| (names.read_time)(value)).or(given.time_ns);
        self.attributes(entries, &places, names, given)?;
        if given.text.len() > DOCUMENT_BYTES_MAX {
            let (attributes, len) = (&mut self.rows.builder.attributes, given.text.len() as i64);
            attributes.push(given.whole_bytes, |out| put_int(out, len))?;
        }
        let fields = LogFields {
            time_ns: time_ns.unwrap_or(given.arrived_at_ns),
            time_source: if time_ns.is_some() { TimeSource::Event } else { TimeSource::Received },
            observed_time_ns: given.arrived_at_ns,
            severity_number: number,
            severity_text,
            body: Some(&self.body),
            trace_id,
            span_id,
            ..LogFields::default()
        };
        self.rows.push(&self.resource, &fields)
    }

    /// Pushes what has no place of its own: to the resource, or as attributes of the record.
    fn attributes(
        &mut self,
        entries: Vec<Entry>,
        places: &Places,
        names: &Names<'_>,
        given: &Given<'_>,
    ) -> Result<()> {
        self.resource.clear();
        let attributes = &mut self.rows.builder.attributes;
        for (key, text) in given.attributes {
            if !text.is_empty() {
                attributes.push(key, |out| put_string(out, text))?;
            }
        }
        for (at, (key, json)) in entries.into_iter().enumerate() {
            if places.has(at) {
                continue;
            }
            let resource = match names.of_resource.contains(&key.as_str()) {
                true => Some(Cow::Borrowed(key.as_str())),
                false => resource_name(&key, &json),
            };
            let value = document::value(json);
            match resource {
                Some(name) => attrs::put_attr(&mut self.resource, &name, &value),
                None => attributes.push(&key, |out| value.encode(out))?,
            }
        }
        Ok(())
    }
}

impl Places {
    fn of(entries: &[Entry], names: &Names<'_>) -> Places {
        let first = |names: &[&str], fits: &dyn Fn(&Json) -> bool| {
            let at =
                |name: &&str| entries.iter().position(|(key, value)| key == *name && fits(value));
            names.iter().find_map(at)
        };
        let is = |parse: &dyn Fn(&str) -> bool, value: &Json| value.as_str().is_some_and(parse);
        Places {
            body: first(names.body, &Json::is_string),
            severity: first(names.severity, &Json::is_string),
            trace_id: first(&TRACE_ID, &|value| is(&|text| trace_id(text).is_some(), value)),
            span_id: first(&SPAN_ID, &|value| is(&|text| span_id(text).is_some(), value)),
            time: first(names.time, &|value| (names.read_time)(value).is_some()),
        }
    }

    fn has(&self, at: usize) -> bool {
        [self.body, self.severity, self.trace_id, self.span_id, self.time].contains(&Some(at))
    }
}

fn trace_id(text: &str) -> Option<[u8; 16]> {
    let id = TraceId::parse(text).ok().filter(|id| text.len() == 32 && !id.is_zero())?;
    Some(id.0)
}

fn span_id(text: &str) -> Option<[u8; 8]> {
    let id = SpanId::parse(text).ok().filter(|id| text.len() == 16 && !id.is_zero())?;
    Some(id.0)
}

/// ISO 8601, or milliseconds since the epoch as a number or its digits.
pub fn iso8601_or_millis(json: &Json) -> Option<i64> {
    match json {
        Json::String(text) => match text.parse::<i64>() {
            Ok(millis) => times::from_millis(millis),
            Err(_) => times::iso8601(text),
        },
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(millis), _) => times::from_millis(millis),
            (None, Some(millis)) => {
                // Apart, so that no digit of the fraction is lost; a cast keeps to the bounds.
                let fraction_ns = (millis.fract() * 1e6).round() as i64;
                times::from_millis(millis.trunc() as i64)?.checked_add(fraction_ns)
            }
            _ => None,
        },
        _ => None,
    }
}

/// The name as an attribute of the resource; `None` for an attribute of the record.
fn resource_name<'a>(key: &'a str, json: &Json) -> Option<Cow<'a, str>> {
    if key == "host" && !json.is_string() {
        return None;
    }
    if let Some((_, name)) = RENAMED.iter().find(|(theirs, _)| *theirs == key) {
        return Some(Cow::Borrowed(name));
    }
    for (theirs, ours) in RENAMED_BELOW {
        if let Some(rest) = key.strip_prefix(theirs) {
            return Some(Cow::Owned(format!("{ours}{rest}")));
        }
    }
    if let Some(rest) = key.strip_prefix("kubernetes.") {
        let known = matches!(rest.split_once('.'), Some((object, "name" | "uid")) if K8S_OBJECTS.contains(&object));
        return Some(if known { Cow::Owned(format!("k8s.{rest}")) } else { Cow::Borrowed(key) });
    }
    RESOURCE.iter().any(|start| key.starts_with(start)).then_some(Cow::Borrowed(key))
}
