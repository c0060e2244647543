//! Documents to [`throughline_model::schema::logs`], by docs/translation.md: the fields of the Elastic Common
//! Schema that OpenTelemetry has a place for go there, the others are attributes.

use std::borrow::Cow;

use serde_json::Value as Json;
use throughline_model::batch::Decoded;
use throughline_model::log_record::{LogFields, TimeSource};
use throughline_model::value::{put_int, put_string};
use throughline_model::{Result, SpanId, TraceId, attrs};

use super::actions::Item;
use super::document::{self, DOCUMENT_BYTES_MAX, Entry};
use crate::records::{LogRows, severity_number};
use crate::times;

/// Where the body is found; the first of these that is there and is text.
const BODY: [&str; 4] = ["message", "msg", "log", "event.original"];
const SEVERITY: [&str; 3] = ["log.level", "level", "severity"];
const TRACE_ID: [&str; 2] = ["trace.id", "trace_id"];
const SPAN_ID: [&str; 2] = ["span.id", "span_id"];
const TIME: &str = "@timestamp";

/// The attributes that say where a document was meant to go.
const INDEX: &str = "elasticsearch.index";
const ID: &str = "elasticsearch.id";
/// Its size, where it was too large to be taken apart.
const WHOLE_BYTES: &str = "elasticsearch.whole_bytes";

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

/// The columns of a request.
pub struct Columns {
    rows: LogRows,
    received_at_ns: i64,
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

impl Columns {
    /// No document yet.
    pub fn new(received_at_ns: i64) -> Result<Self> {
        let rows = LogRows::new()?;
        Ok(Self { rows, received_at_ns, resource: Vec::new(), body: Vec::new() })
    }

    /// Adds a document, or counts it as refused.
    pub fn item(&mut self, item: &Item<'_>) -> Result<()> {
        self.rows.begin()?;
        let read = item
            .document
            .map_err(str::to_owned)
            .and_then(|text| document::read(text).map(|entries| (text, entries)));
        match read {
            Ok((text, entries)) => self.document(item, text, entries),
            Err(reason) => {
                self.rows.refuse("items", &reason);
                Ok(())
            }
        }
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        self.rows.finish()
    }

    fn document(&mut self, item: &Item<'_>, text: &[u8], entries: Vec<Entry>) -> Result<()> {
        let places = Places::of(&entries);
        let text_at = |at: Option<usize>| {
            at.and_then(|at| entries.get(at)).and_then(|(_, value)| value.as_str())
        };
        self.body.clear();
        match text_at(places.body) {
            Some(message) => put_string(&mut self.body, message),
            None => put_string(&mut self.body, String::from_utf8_lossy(text).trim()),
        }
        let severity_text = text_at(places.severity).unwrap_or_default().to_owned();
        let trace_id = text_at(places.trace_id).and_then(trace_id);
        let span_id = text_at(places.span_id).and_then(span_id);
        let time_ns = places.time.and_then(|at| entries.get(at)).and_then(|(_, value)| time(value));
        self.attributes(item, entries, &places)?;
        if text.len() > DOCUMENT_BYTES_MAX {
            let attributes = &mut self.rows.builder.attributes;
            attributes.push(WHOLE_BYTES, |out| put_int(out, text.len() as i64))?;
        }
        let fields = LogFields {
            time_ns: time_ns.unwrap_or(self.received_at_ns),
            time_source: if time_ns.is_some() { TimeSource::Event } else { TimeSource::Received },
            observed_time_ns: self.received_at_ns,
            severity_number: severity_number(&severity_text).unwrap_or_default(),
            severity_text: &severity_text,
            body: Some(&self.body),
            trace_id,
            span_id,
            ..LogFields::default()
        };
        self.rows.push(&self.resource, &fields)
    }

    /// Pushes what has no place of its own: to the resource, or as attributes of the record.
    fn attributes(&mut self, item: &Item<'_>, entries: Vec<Entry>, places: &Places) -> Result<()> {
        self.resource.clear();
        let attributes = &mut self.rows.builder.attributes;
        for (key, text) in [(INDEX, item.index), (ID, item.id)] {
            if !text.is_empty() {
                attributes.push(key, |out| put_string(out, text))?;
            }
        }
        for (at, (key, json)) in entries.into_iter().enumerate() {
            if places.has(at) {
                continue;
            }
            let resource = resource_name(&key, &json);
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
    fn of(entries: &[Entry]) -> Places {
        let first = |names: &[&str], fits: &dyn Fn(&Json) -> bool| {
            let at =
                |name: &&str| entries.iter().position(|(key, value)| key == *name && fits(value));
            names.iter().find_map(at)
        };
        let is = |parse: &dyn Fn(&str) -> bool, value: &Json| value.as_str().is_some_and(parse);
        Places {
            body: first(&BODY, &Json::is_string),
            severity: first(&SEVERITY, &Json::is_string),
            trace_id: first(&TRACE_ID, &|value| is(&|text| trace_id(text).is_some(), value)),
            span_id: first(&SPAN_ID, &|value| is(&|text| span_id(text).is_some(), value)),
            time: first(&[TIME], &|value| time(value).is_some()),
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
fn time(json: &Json) -> Option<i64> {
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
