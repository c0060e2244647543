//! Events to [`throughline_model::schema::logs`], by docs/translation.md.

use throughline_model::batch::Decoded;
use throughline_model::codec::{put_bytes, put_nested};
use throughline_model::origin::SERVICE_NAME;
use throughline_model::value::{self, tag};
use throughline_model::{Result, attrs};

use super::event::{self, Event};
use super::{EVENT_ABSENT, EVENT_BLANK, EVENTS, FIELDS_WRONG};
use crate::json_parts::put_value;
use crate::records::{Read, Record, Rows};

/// The columns of a request.
pub struct Columns {
    rows: Rows,
    resource: Vec<u8>,
    body: Vec<u8>,
    fields: Vec<u8>,
}

impl Columns {
    /// No event yet.
    pub fn new(received_at_ns: i64) -> Result<Self> {
        Ok(Self {
            rows: Rows::new(EVENTS, received_at_ns)?,
            resource: Vec::new(),
            body: Vec::new(),
            fields: Vec::new(),
        })
    }

    /// Adds an event, or counts it as refused.
    pub fn event(&mut self, read: Read<Event<'_>>) -> Result<()> {
        self.rows.begin()?;
        let values = read.and_then(|event| self.values(&event).map(|time_ns| (event, time_ns)));
        let (event, time_ns) = match values {
            Ok(values) => values,
            Err(reason) => {
                self.rows.refuse(&reason);
                return Ok(());
            }
        };
        let fields = std::mem::take(&mut self.fields);
        // An object without its tag is an attribute set.
        let set = fields.get(1..).unwrap_or_default();
        self.origin(&event, set);
        let record = Record {
            time_ns,
            body: &self.body,
            fields: set,
            in_resource: SERVICE_NAME,
            ..Record::default()
        };
        self.rows.push(&record)?;
        self.fields = fields;
        Ok(())
    }

    /// Adds a raw line.
    pub fn line(&mut self, time_ns: Option<i64>, line: &str) -> Result<()> {
        self.rows.begin()?;
        self.body.clear();
        value::put_string(&mut self.body, line);
        self.rows.push(&Record { time_ns, body: &self.body, ..Record::default() })
    }

    /// Sets the resource: where an event is from, and the service that its fields name.
    pub fn origin(&mut self, event: &Event<'_>, fields: &[u8]) {
        self.resource.clear();
        if let Some(service) = attrs::get(fields, SERVICE_NAME) {
            attrs::put_encoded(&mut self.resource, SERVICE_NAME, service);
        }
        for (key, text) in [
            ("host.name", &event.host),
            ("com.splunk.source", &event.source),
            ("com.splunk.sourcetype", &event.sourcetype),
            ("com.splunk.index", &event.index),
        ] {
            let text = text.as_ref().map(|text| &*text.0).unwrap_or_default();
            if !text.is_empty() {
                put_bytes(&mut self.resource, key.as_bytes());
                put_nested(&mut self.resource, |out| value::put_string(out, text));
            }
        }
        self.rows.set_resource(&self.resource);
    }

    /// Whether there was no event, not even one that was refused.
    pub fn is_empty(&self) -> bool {
        self.rows.begun() == 0
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        self.rows.finish()
    }

    /// Encodes body and fields, and reads the time.
    fn values(&mut self, event: &Event<'_>) -> Read<Option<i64>> {
        self.body.clear();
        self.fields.clear();
        let text = event.event.ok_or(EVENT_ABSENT)?;
        put_value(&mut self.body, text.get()).map_err(|err| format!("event: {err}"))?;
        if self.body == [tag::STRING] {
            return Err(EVENT_BLANK.to_owned());
        }
        if let Some(fields) = event.fields {
            put_value(&mut self.fields, fields.get()).map_err(|err| format!("fields: {err}"))?;
            if self.fields.first() != Some(&tag::KVLIST) {
                return Err(FIELDS_WRONG.to_owned());
            }
        }
        event::time_ns(event.time.as_ref())
    }
}
