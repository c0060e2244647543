//! Spans in columns: the builder that decoders fill, and a row view for whoever reads them back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, MapArray, RecordBatch,
    TimestampNanosecondArray, UInt32Array,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType, UInt32Type};

use crate::columns::{AttributesBuilder, BinaryColumn, IdColumn};
use crate::dict::DictBuilder;
use crate::origin::{self, Event, Link, Resource, Scope};
use crate::schema::{self, col};
use crate::value::Value;
use crate::{Error, Result, SpanId, TraceId};

/// A batch of spans under construction.
///
/// For each span: fill `attributes` (`push`), `events.bytes` and `links.bytes`
/// ([`origin::put_event`], [`origin::put_link`]), then call [`SpanBatchBuilder::push`], which closes
/// the row; or [`SpanBatchBuilder::abandon`] to refuse it.
#[derive(Debug, Default)]
pub struct SpanBatchBuilder {
    /// Attributes of the open row.
    pub attributes: AttributesBuilder,
    /// Encoded events of the open row.
    pub events: BinaryColumn,
    /// Encoded links of the open row.
    pub links: BinaryColumn,
    trace_id: IdColumn<16>,
    span_id: IdColumn<8>,
    parent_span_id: IdColumn<8>,
    trace_state: DictBuilder,
    flags: Vec<u32>,
    name: DictBuilder,
    kind: Vec<i32>,
    start_time: Vec<i64>,
    duration_ns: Vec<i64>,
    status_code: Vec<i32>,
    status_message: DictBuilder,
    service_name: DictBuilder,
    resource: DictBuilder,
    scope: DictBuilder,
    dropped: [Vec<u32>; 3],
    origin: OriginNumbers,
}

#[derive(Clone, Copy, Debug, Default)]
struct OriginNumbers {
    service_name: u32,
    resource: u32,
    scope: u32,
}

/// The scalar fields of one span.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpanFields<'a> {
    /// Trace id, not zero.
    pub trace_id: [u8; 16],
    /// Span id, not zero.
    pub span_id: [u8; 8],
    /// The parent's span id, unless this is a root.
    pub parent_span_id: Option<[u8; 8]>,
    /// W3C trace state.
    pub trace_state: &'a str,
    /// Trace flags and the is-remote bits.
    pub flags: u32,
    /// Operation name.
    pub name: &'a str,
    /// `SpanKind` as a number.
    pub kind: i32,
    /// Nanoseconds since the epoch.
    pub start_time_ns: i64,
    /// End minus start in nanoseconds.
    pub duration_ns: i64,
    /// `StatusCode` as a number.
    pub status_code: i32,
    /// Status message.
    pub status_message: &'a str,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Events the sender dropped.
    pub dropped_events_count: u32,
    /// Links the sender dropped.
    pub dropped_links_count: u32,
}

impl SpanBatchBuilder {
    /// Sets the encoded resource of the spans that follow; its `service.name` becomes their service.
    pub fn set_resource(&mut self, resource: &[u8]) -> Result<()> {
        self.origin.resource = self.resource.values.intern(resource)?;
        let service = origin::service_name(origin::resource_attrs(resource)?);
        self.origin.service_name = self.service_name.values.intern(service.as_bytes())?;
        Ok(())
    }

    /// Sets the encoded scope of the spans that follow.
    pub fn set_scope(&mut self, scope: &[u8]) -> Result<()> {
        self.origin.scope = self.scope.values.intern(scope)?;
        Ok(())
    }

    /// Makes room for so many more spans.
    pub fn reserve(&mut self, spans: usize) {
        self.attributes.reserve(spans);
        self.trace_id.reserve(spans);
        self.span_id.reserve(spans);
        self.parent_span_id.reserve(spans);
        self.flags.reserve(spans);
        self.dropped.iter_mut().for_each(|column| column.reserve(spans));
        [&mut self.kind, &mut self.status_code].into_iter().for_each(|c| c.reserve(spans));
        [&mut self.start_time, &mut self.duration_ns].into_iter().for_each(|c| c.reserve(spans));
        self.events.reserve(spans, 0);
        self.links.reserve(spans, 0);
        let texts = [
            &mut self.trace_state,
            &mut self.name,
            &mut self.status_message,
            &mut self.service_name,
            &mut self.resource,
            &mut self.scope,
        ];
        texts.into_iter().for_each(|column| column.reserve(spans));
    }

    /// Closes the row of one span.
    pub fn push(&mut self, span: &SpanFields<'_>) -> Result<()> {
        self.trace_id.push(Some(&span.trace_id));
        self.span_id.push(Some(&span.span_id));
        self.parent_span_id.push(span.parent_span_id.as_ref());
        self.trace_state.push(span.trace_state.as_bytes())?;
        self.flags.push(span.flags);
        self.name.push(span.name.as_bytes())?;
        self.kind.push(span.kind);
        self.start_time.push(span.start_time_ns);
        self.duration_ns.push(span.duration_ns);
        self.status_code.push(span.status_code);
        self.status_message.push(span.status_message.as_bytes())?;
        self.service_name.push_number(self.origin.service_name);
        self.resource.push_number(self.origin.resource);
        self.scope.push_number(self.origin.scope);
        self.attributes.end_row();
        self.dropped[0].push(span.dropped_attributes_count);
        self.events.end_row_or_null()?;
        self.dropped[1].push(span.dropped_events_count);
        self.links.end_row_or_null()?;
        self.dropped[2].push(span.dropped_links_count);
        Ok(())
    }

    /// Drops what was pushed for the open row.
    pub fn abandon(&mut self) {
        self.attributes.abandon_row();
        let rows = self.len();
        self.events.truncate(rows);
        self.links.truncate(rows);
    }

    /// Spans so far.
    pub fn len(&self) -> usize {
        self.kind.len()
    }

    /// Whether there is no span yet.
    pub fn is_empty(&self) -> bool {
        self.kind.is_empty()
    }

    /// The batch, in [`schema::spans`].
    pub fn finish(self) -> Result<RecordBatch> {
        let [dropped_attributes, dropped_events, dropped_links] = self.dropped;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.trace_id.finish_required()),
            Arc::new(self.span_id.finish_required()),
            Arc::new(self.parent_span_id.finish_optional()),
            self.trace_state.finish_strings()?,
            Arc::new(UInt32Array::from(self.flags)),
            self.name.finish_strings()?,
            Arc::new(Int32Array::from(self.kind)),
            Arc::new(TimestampNanosecondArray::from(self.start_time).with_timezone("UTC")),
            Arc::new(Int64Array::from(self.duration_ns)),
            Arc::new(Int32Array::from(self.status_code)),
            self.status_message.finish_strings()?,
            self.service_name.finish_strings()?,
            self.resource.finish_binary(),
            self.scope.finish_binary(),
            self.attributes.finish()?,
            Arc::new(UInt32Array::from(dropped_attributes)),
            Arc::new(self.events.finish_optional()),
            Arc::new(UInt32Array::from(dropped_events)),
            Arc::new(self.links.finish_optional()),
            Arc::new(UInt32Array::from(dropped_links)),
        ];
        RecordBatch::try_new(schema::spans(), columns)
            .map_err(|err| Error::invalid(err.to_string()))
    }
}

/// A span, owned and whole: what a trace by id returns.
#[derive(Clone, Debug, PartialEq, Default)]
#[allow(missing_docs)] // the fields are those of OTLP's Span
pub struct Span {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent_span_id: Option<SpanId>,
    pub trace_state: String,
    pub flags: u32,
    pub name: String,
    pub kind: i32,
    pub start_time_ns: i64,
    pub duration_ns: i64,
    pub status_code: i32,
    pub status_message: String,
    pub service_name: String,
    pub resource: Arc<Resource>,
    pub scope: Arc<Scope>,
    pub attributes: Vec<(String, Value)>,
    pub dropped_attributes_count: u32,
    pub events: Vec<Event>,
    pub dropped_events_count: u32,
    pub links: Vec<Link>,
    pub dropped_links_count: u32,
}

/// The string of a row in a `Dictionary<UInt32, Utf8>` column.
pub fn dict_str(column: &dyn Array, row: usize) -> &str {
    let dict = column.as_dictionary::<UInt32Type>();
    dict.values().as_string::<i32>().value(dict.keys().value(row) as usize)
}

/// The byte string of a row in a `Dictionary<UInt32, Binary>` column.
pub fn dict_bytes(column: &dyn Array, row: usize) -> &[u8] {
    let dict = column.as_dictionary::<UInt32Type>();
    dict.values().as_binary::<i32>().value(dict.keys().value(row) as usize)
}

/// The attributes of a row in an attributes map: key and encoded value.
pub fn map_entries(map: &MapArray, row: usize) -> impl Iterator<Item = (&str, &[u8])> {
    let offsets = map.value_offsets();
    let keys = map.keys().as_dictionary::<UInt32Type>();
    let names = keys.values().as_string::<i32>();
    let values = map.values().as_binary::<i32>();
    (offsets[row] as usize..offsets[row + 1] as usize)
        .map(move |i| (names.value(keys.keys().value(i) as usize), values.value(i)))
}

/// Reads whole spans out of a batch in [`schema::spans`].
pub fn read_spans(batch: &RecordBatch) -> Result<Vec<Span>> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .ok_or_else(|| Error::corrupt(format!("a batch of spans has no column '{name}'")))
    };
    let resources = origins(column(col::RESOURCE)?, Resource::decode)?;
    let scopes = origins(column(col::SCOPE)?, Scope::decode)?;
    let (trace_id, span_id) = (
        column(col::TRACE_ID)?.as_fixed_size_binary(),
        column(col::SPAN_ID)?.as_fixed_size_binary(),
    );
    let parent = column(col::PARENT_SPAN_ID)?.as_fixed_size_binary();
    let u32s = |name| column(name).map(|c| c.as_primitive::<UInt32Type>().clone());
    let i32s = |name| column(name).map(|c| c.as_primitive::<Int32Type>().clone());
    let (flags, kind, status) = (u32s(col::FLAGS)?, i32s(col::KIND)?, i32s(col::STATUS_CODE)?);
    let dropped = [
        u32s(col::DROPPED_ATTRIBUTES_COUNT)?,
        u32s(col::DROPPED_EVENTS_COUNT)?,
        u32s(col::DROPPED_LINKS_COUNT)?,
    ];
    let start = column(col::START_TIME)?.as_primitive::<TimestampNanosecondType>();
    let duration = column(col::DURATION_NS)?.as_primitive::<Int64Type>();
    let (events, links) =
        (column(col::EVENTS)?.as_binary::<i32>(), column(col::LINKS)?.as_binary::<i32>());
    let attributes = column(col::ATTRIBUTES)?.as_map();
    let text = |name: &str, row: usize| column(name).map(|c| dict_str(c.as_ref(), row).to_owned());
    let number = |name: &str, row: usize| {
        column(name).map(|c| c.as_dictionary::<UInt32Type>().keys().value(row) as usize)
    };
    let optional =
        |bytes: &BinaryArray, row: usize| bytes.is_valid(row).then(|| bytes.value(row).to_vec());

    (0..batch.num_rows())
        .map(|row| {
            Ok(Span {
                trace_id: TraceId::from_slice(trace_id.value(row))?,
                span_id: SpanId::from_slice(span_id.value(row))?,
                parent_span_id: parent
                    .is_valid(row)
                    .then(|| SpanId::from_slice(parent.value(row)))
                    .transpose()?,
                trace_state: text(col::TRACE_STATE, row)?,
                flags: flags.value(row),
                name: text(col::NAME, row)?,
                kind: kind.value(row),
                start_time_ns: start.value(row),
                duration_ns: duration.value(row),
                status_code: status.value(row),
                status_message: text(col::STATUS_MESSAGE, row)?,
                service_name: text(col::SERVICE_NAME, row)?,
                resource: resources[number(col::RESOURCE, row)?].clone(),
                scope: scopes[number(col::SCOPE, row)?].clone(),
                attributes: map_entries(attributes, row)
                    .map(|(key, value)| Ok((key.to_owned(), Value::decode(value)?)))
                    .collect::<Result<_>>()?,
                dropped_attributes_count: dropped[0].value(row),
                events: optional(events, row)
                    .map_or(Ok(Vec::new()), |bytes| origin::decode_events(&bytes))?,
                dropped_events_count: dropped[1].value(row),
                links: optional(links, row)
                    .map_or(Ok(Vec::new()), |bytes| origin::decode_links(&bytes))?,
                dropped_links_count: dropped[2].value(row),
            })
        })
        .collect()
}

/// Decodes each distinct entry of a `Dictionary<UInt32, Binary>` column once.
pub fn origins<T>(column: &ArrayRef, decode: fn(&[u8]) -> Result<T>) -> Result<Vec<Arc<T>>> {
    let dict = column.as_dictionary::<UInt32Type>();
    dict.values()
        .as_binary::<i32>()
        .iter()
        .map(|bytes| decode(bytes.unwrap_or_default()).map(Arc::new))
        .collect()
}
