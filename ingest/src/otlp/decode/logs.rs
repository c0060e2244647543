//! `ExportLogsServiceRequest` to [`throughline_model::schema::logs`].

use throughline_model::Result;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::log_record::{LogBatchBuilder, LogFields, TimeSource};

use super::common::{AttributePusher, Part, Refusals, Verdict, check_items, put_any_value, walk};
use super::wire::{Fields, Pieces};

/// Decodes a request. A record without any time gets that of its receipt.
pub fn decode(request: &[u8], received_at_ns: i64) -> Result<Decoded> {
    let mut decoder = Decoder { received_at_ns, ..Decoder::default() };
    walk(request, |part| match part {
        Part::Resource(resource) => decoder.builder.set_resource(resource),
        Part::Scope(scope, items) => {
            decoder.builder.reserve(items);
            decoder.builder.set_scope(scope)
        }
        Part::Item(message, refused) => decoder.record(message, Verdict::new(refused)),
    })?;
    Ok(Decoded {
        batch: Batch::Logs(decoder.builder.finish()?),
        rejected: decoder.refusals.count,
        message: decoder.refusals.message(),
    })
}

#[derive(Default)]
struct Decoder {
    builder: LogBatchBuilder,
    pusher: AttributePusher,
    refusals: Refusals,
    position: u64,
    received_at_ns: i64,
    body: Vec<u8>,
}

/// A record as it stands on the wire, before ids and times are checked.
#[derive(Default)]
struct RawRecord<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    time: u64,
    observed_time: u64,
    body: Option<Pieces<'a>>,
    fields: LogFields<'a>,
}

impl Decoder {
    fn record(&mut self, message: &[u8], mut verdict: Verdict) -> Result<()> {
        let position = self.position;
        self.position += 1;
        check_items(self.position)?;
        let mut raw = self.read(message, &mut verdict)?;
        raw.fields.trace_id = verdict.optional_id("trace_id", raw.trace_id);
        raw.fields.span_id = verdict.optional_id("span_id", raw.span_id);
        let time = verdict.time("time_unix_nano", raw.time);
        let observed = verdict.time("observed_time_unix_nano", raw.observed_time);
        raw.fields.observed_time_ns = observed;
        (raw.fields.time_ns, raw.fields.time_source) = match (time, observed) {
            (0, 0) => (self.received_at_ns, TimeSource::Received),
            (0, observed) => (observed, TimeSource::Observed),
            (time, _) => (time, TimeSource::Event),
        };
        self.body.clear();
        if let Some(pieces) = &raw.body {
            put_any_value(&mut self.body, pieces.as_slice(), 0, &mut verdict)?;
        }
        if let Some(reason) = verdict.reason() {
            self.builder.abandon();
            self.refusals.add("log_records", position, &reason);
            return Ok(());
        }
        let body = raw.body.is_some().then_some(self.body.as_slice());
        self.builder.push(&LogFields { body, ..raw.fields })
    }

    fn read<'a>(&mut self, message: &'a [u8], verdict: &mut Verdict) -> Result<RawRecord<'a>> {
        let mut raw = RawRecord::default();
        let record = &mut raw.fields;
        self.pusher.open_item();
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => raw.time = field.fixed64("LogRecord.time_unix_nano")?,
                2 => record.severity_number = field.varint("LogRecord.severity_number")? as i32,
                3 => record.severity_text = field.str("LogRecord.severity_text")?,
                5 => Pieces::add(&mut raw.body, field.bytes("LogRecord.body")?),
                6 => {
                    let attribute = field.bytes("LogRecord.attributes")?;
                    self.pusher.push(&mut self.builder.attributes, attribute, verdict)?;
                }
                7 => {
                    let count = field.varint("LogRecord.dropped_attributes_count")?;
                    record.dropped_attributes_count = count as u32;
                }
                8 => record.flags = field.fixed32("LogRecord.flags")?,
                9 => raw.trace_id = field.bytes("LogRecord.trace_id")?,
                10 => raw.span_id = field.bytes("LogRecord.span_id")?,
                11 => raw.observed_time = field.fixed64("LogRecord.observed_time_unix_nano")?,
                12 => record.event_name = field.str("LogRecord.event_name")?,
                _ => {}
            }
        }
        Ok(raw)
    }
}
