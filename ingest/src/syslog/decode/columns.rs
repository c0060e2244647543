//! Messages to [`throughline_model::schema::logs`], by docs/translation.md.

use throughline_model::Result;
use throughline_model::attrs;
use throughline_model::batch::Decoded;
use throughline_model::columns::AttributesBuilder;
use throughline_model::log_record::{LogFields, TimeSource};
use throughline_model::origin::SERVICE_NAME;
use throughline_model::value::{Value, put_int, put_string};

use super::Arrived;
use super::message::{self, Element};
use crate::records::LogRows;

/// OpenTelemetry's severity numbers of syslog's eight severities, most severe first (its data model of logs,
/// "Appendix B").
const SEVERITY_NUMBERS: [i32; 8] = [21, 19, 18, 17, 13, 10, 9, 5];
const SEVERITY_TEXTS: [&str; 8] =
    ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
/// Names of facilities 0 to 15; those above are local0 to local7.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

/// The columns of a batch.
pub struct Columns {
    rows: LogRows,
    resource: Vec<u8>,
    body: Vec<u8>,
}

impl Columns {
    /// No message yet.
    pub fn new() -> Result<Self> {
        Ok(Self { rows: LogRows::new()?, resource: Vec::new(), body: Vec::new() })
    }

    /// Adds a message.
    pub fn message(&mut self, arrived: &Arrived<'_>) -> Result<()> {
        self.rows.begin()?;
        let text = String::from_utf8_lossy(arrived.bytes);
        let message = message::parse(&text, arrived.at_ns);
        self.resource.clear();
        for (key, text) in [("host.name", message.host), (SERVICE_NAME, message.app)] {
            if !text.is_empty() {
                attrs::put_attr(&mut self.resource, key, &Value::String(text.to_owned()));
            }
        }
        let attributes = &mut self.rows.builder.attributes;
        let mut severity = None;
        if let Some(priority) = message.priority {
            severity = Some(usize::from(priority % 8));
            let facility = usize::from(priority / 8);
            attributes.push("syslog.facility.code", |out| put_int(out, facility as i64))?;
            let name = FACILITIES.get(facility).copied().unwrap_or_default();
            attributes.push("syslog.facility.name", |out| put_string(out, name))?;
        }
        process(attributes, message.process)?;
        for (key, text) in [("syslog.msgid", message.id), ("network.peer.address", arrived.peer)] {
            if !text.is_empty() {
                attributes.push(key, |out| put_string(out, text))?;
            }
        }
        message.data.iter().try_for_each(|element| data(attributes, element))?;
        if arrived.bytes.len() < arrived.whole_len {
            let whole_len = arrived.whole_len as i64;
            attributes.push("syslog.cut_from_bytes", |out| put_int(out, whole_len))?;
        }
        self.body.clear();
        put_string(&mut self.body, message.text);
        let of = |table: [&'static str; 8]| severity.and_then(|at| table.get(at).copied());
        let number = severity.and_then(|at| SEVERITY_NUMBERS.get(at).copied());
        let timed = message.time_ns.is_some();
        let fields = LogFields {
            time_ns: message.time_ns.unwrap_or(arrived.at_ns),
            time_source: if timed { TimeSource::Event } else { TimeSource::Received },
            observed_time_ns: arrived.at_ns,
            severity_number: number.unwrap_or_default(),
            severity_text: of(SEVERITY_TEXTS).unwrap_or_default(),
            body: Some(&self.body),
            ..LogFields::default()
        };
        self.rows.push(&self.resource, &fields)
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        self.rows.finish()
    }
}

/// What a process is called by; a number as a rule.
fn process(attributes: &mut AttributesBuilder, text: &str) -> Result<()> {
    match text.parse::<i64>() {
        Ok(pid) => attributes.push("process.pid", |out| put_int(out, pid)),
        Err(_) if text.is_empty() => Ok(()),
        Err(_) => attributes.push("syslog.procid", |out| put_string(out, text)),
    }
}

/// One attribute a name; the values of one that is repeated are a list.
fn data(attributes: &mut AttributesBuilder, element: &Element<'_>) -> Result<()> {
    if element.params.is_empty() {
        let key = format!("syslog.sd.{}", element.id);
        return attributes.push(&key, |out| put_string(out, ""));
    }
    let mut params: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, value) in &element.params {
        match params.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value),
            None => params.push((name, vec![value])),
        }
    }
    for (name, values) in params {
        let key = format!("syslog.sd.{}.{name}", element.id);
        match values[..] {
            [value] => attributes.push(&key, |out| put_string(out, value))?,
            _ => {
                let list = values.iter().map(|value| Value::String((*value).to_owned())).collect();
                attributes.push(&key, |out| Value::Array(list).encode(out))?;
            }
        }
    }
    Ok(())
}
