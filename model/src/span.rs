//! Spans in columns: the builder that decoders fill, and a row view for whoever reads them back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, FixedSizeBinaryArray, Int32Array, Int64Array, MapArray,
    RecordBatch, StructArray, TimestampNanosecondArray, UInt32Array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Field, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type,
};

use crate::dict::DictBuilder;
use crate::origin::{self, Event, Link, Resource, Scope};
use crate::schema::{self, col};
use crate::value::Value;
use crate::{Error, Result, SpanId, TraceId};

/// Attributes and bytes of values for which room is made before they come, at most.
const ENTRIES_AHEAD_MAX: usize = 64 * 1024;
const BYTES_AHEAD_MAX: usize = 1024 * 1024;

/// `Map<Dictionary<UInt32, Utf8>, Binary>` under construction: one entry an attribute.
///
/// Push the attributes of a row, then close it with [`AttributesBuilder::end_row`].
#[derive(Debug)]
pub struct AttributesBuilder {
    keys: DictBuilder,
    values: BinaryColumn,
    row_ends: Vec<i32>,
    /// Rows to come whose room is reserved once the first of them shows how large a row is.
    rows_awaited: usize,
}

impl Default for AttributesBuilder {
    fn default() -> Self {
        Self {
            keys: DictBuilder::default(),
            values: BinaryColumn::default(),
            row_ends: vec![0],
            rows_awaited: 0,
        }
    }
}

impl AttributesBuilder {
    /// Makes room for so many more rows, each about as large as the first of them.
    pub fn reserve(&mut self, rows: usize) {
        self.row_ends.reserve(rows);
        self.rows_awaited = rows;
    }

    /// Adds an attribute to the open row; `fill` appends the encoded value.
    pub fn push(&mut self, key: &str, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let number = self.key_number(key.as_bytes())?;
        self.push_numbered(number, fill)
    }

    /// The number of a key (which must be UTF-8), to push attributes with.
    pub fn key_number(&mut self, key: &[u8]) -> Result<u32> {
        self.keys.values.intern(key)
    }

    /// The key of a number.
    pub fn key(&self, number: u32) -> &[u8] {
        self.keys.values.get(number)
    }

    /// Adds an attribute to the open row, whose key has a number already.
    pub fn push_numbered(&mut self, key: u32, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.keys.push_number(key);
        fill(&mut self.values.bytes);
        self.values.end_row()
    }

    /// Adds an attribute whose value is already encoded.
    pub fn push_encoded(&mut self, key: &str, value: &[u8]) -> Result<()> {
        self.push(key, |out| out.extend_from_slice(value))
    }

    /// Closes the row.
    pub fn end_row(&mut self) {
        let first = *self.row_ends.last().unwrap_or(&0) as usize;
        self.row_ends.push(self.keys.len() as i32);
        let rows = std::mem::take(&mut self.rows_awaited);
        if rows > 1 {
            let entries = (self.keys.len() - first).saturating_mul(rows - 1).min(ENTRIES_AHEAD_MAX);
            let bytes = self.values.len_from(first).saturating_mul(rows - 1);
            self.keys.reserve(entries);
            self.values.reserve(entries, bytes.min(BYTES_AHEAD_MAX));
        }
    }

    /// Forgets the attributes of the open row (its item was refused).
    pub fn abandon_row(&mut self) {
        let len = *self.row_ends.last().unwrap_or(&0) as usize;
        self.keys.truncate(len);
        self.values.truncate(len);
    }

    /// The column.
    pub fn finish(self) -> Result<ArrayRef> {
        let entries = StructArray::new(
            schema::attributes_entry(),
            vec![self.keys.finish_strings()?, Arc::new(self.values.finish_required())],
            None,
        );
        let field = Field::new("entries", DataType::Struct(schema::attributes_entry()), false);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.row_ends));
        Ok(Arc::new(MapArray::new(Arc::new(field), offsets, entries, None, false)))
    }
}

/// A `Binary` (or `Utf8`) column under construction: append to [`BinaryColumn::bytes`], then
/// [`BinaryColumn::end_row`].
#[derive(Debug)]
pub struct BinaryColumn {
    /// The bytes of all rows; what was appended since the last end of a row is the open row.
    pub bytes: Vec<u8>,
    offsets: Vec<i32>,
    /// Empty until a row is null.
    valid: Vec<bool>,
}

impl Default for BinaryColumn {
    fn default() -> Self {
        Self { bytes: Vec::new(), offsets: vec![0], valid: Vec::new() }
    }
}

impl BinaryColumn {
    /// Closes the row.
    pub fn end_row(&mut self) -> Result<()> {
        let end = i32::try_from(self.bytes.len()).map_err(|_| {
            Error::invalid(format!("a column of a batch exceeds {} bytes", i32::MAX))
        })?;
        self.offsets.push(end);
        if !self.valid.is_empty() {
            self.valid.push(true);
        }
        Ok(())
    }

    /// Appends a null row.
    pub fn push_null(&mut self) {
        self.valid.resize(self.offsets.len() - 1, true);
        self.offsets.push(*self.offsets.last().unwrap_or(&0));
        self.valid.push(false);
    }

    fn reserve(&mut self, rows: usize, bytes: usize) {
        self.offsets.reserve(rows);
        self.bytes.reserve(bytes);
    }

    // Bytes of the rows from one on.
    fn len_from(&self, row: usize) -> usize {
        self.bytes.len() - self.offsets.get(row).map_or(0, |start| *start as usize)
    }

    /// Closes the row, as null if nothing was appended to it.
    pub fn end_row_or_null(&mut self) -> Result<()> {
        if self.bytes.len() == *self.offsets.last().unwrap_or(&0) as usize {
            self.push_null();
            return Ok(());
        }
        self.end_row()
    }

    /// Drops rows past `len`, and the open row.
    pub fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        self.valid.truncate(len);
        self.bytes.truncate(*self.offsets.last().unwrap_or(&0) as usize);
    }

    fn parts(self) -> (OffsetBuffer<i32>, Buffer, Vec<bool>) {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        (offsets, Buffer::from_vec(self.bytes), self.valid)
    }

    /// The column without nulls.
    pub fn finish_required(self) -> BinaryArray {
        let (offsets, values, _) = self.parts();
        BinaryArray::new(offsets, values, None)
    }

    /// The column with nulls.
    pub fn finish_optional(self) -> BinaryArray {
        let (offsets, values, valid) = self.parts();
        BinaryArray::new(offsets, values, nulls(valid))
    }

    /// The column as nullable strings; its bytes must be UTF-8.
    pub fn finish_strings(self) -> Result<arrow::array::StringArray> {
        let (offsets, values, valid) = self.parts();
        arrow::array::StringArray::try_new(offsets, values, nulls(valid))
            .map_err(|err| Error::invalid(err.to_string()))
    }
}

fn nulls(valid: Vec<bool>) -> Option<NullBuffer> {
    (!valid.is_empty()).then(|| NullBuffer::from(valid))
}

/// Fixed-size ids under construction; all-zero means null in optional columns.
#[derive(Debug, Default)]
pub struct IdColumn<const N: usize> {
    bytes: Vec<u8>,
    /// Empty until an id is absent.
    valid: Vec<bool>,
}

impl<const N: usize> IdColumn<N> {
    /// Appends an id; an absent one is `None`.
    pub fn push(&mut self, id: Option<&[u8; N]>) {
        if id.is_none() {
            self.valid.resize(self.bytes.len() / N, true);
        }
        self.bytes.extend_from_slice(id.unwrap_or(&[0; N]));
        if id.is_none() || !self.valid.is_empty() {
            self.valid.push(id.is_some());
        }
    }

    /// Makes room for so many more ids.
    pub fn reserve(&mut self, ids: usize) {
        self.bytes.reserve(ids * N);
    }

    /// The column without nulls.
    pub fn finish_required(self) -> FixedSizeBinaryArray {
        FixedSizeBinaryArray::new(N as i32, Buffer::from_vec(self.bytes), None)
    }

    /// The column with nulls.
    pub fn finish_optional(self) -> FixedSizeBinaryArray {
        FixedSizeBinaryArray::new(N as i32, Buffer::from_vec(self.bytes), nulls(self.valid))
    }
}

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
