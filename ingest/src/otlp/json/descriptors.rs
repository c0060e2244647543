//! The messages of an Export request as tables: JSON name, field number, type. The tables hold the
//! lowerCamelCase names; snake_case names are matched against them.

use throughline_model::Signal;

/// A message type.
pub struct Message {
    /// Its fields.
    pub fields: &'static [Field],
}

/// A field of a message.
pub struct Field {
    /// The number on the wire.
    pub number: u32,
    /// The name in JSON.
    pub name: &'static str,
    /// How a value looks in JSON and on the wire.
    pub kind: Kind,
    /// Whether it is a list.
    pub repeated: bool,
}

/// The types that OTLP uses.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Text.
    String,
    /// Base64.
    Bytes,
    /// Trace and span ids, which OTLP writes in hex.
    Id,
    /// `true`, `false`.
    Bool,
    /// A number, or text where not finite.
    Double,
    /// Unsigned, 64 bits of fixed width.
    Fixed64,
    /// Signed, 64 bits of fixed width.
    Sfixed64,
    /// Unsigned, 32 bits of fixed width.
    Fixed32,
    /// Signed varint.
    Int64,
    /// Unsigned varint.
    Uint64,
    /// Unsigned varint.
    Uint32,
    /// Zigzag varint.
    Sint32,
    /// A number or a name.
    Enum(&'static [(&'static str, i32)]),
    /// An object.
    Message(&'static Message),
}

impl Message {
    /// The field of a JSON name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        let exact = self.fields.iter().find(|field| field.name == name);
        exact.or_else(|| {
            let named = |field: &&Field| is_snake_case_of(name, field.name);
            name.contains('_').then(|| self.fields.iter().find(named)).flatten()
        })
    }
}

/// Whether `snake` is what the protobuf schema calls the field that JSON calls `camel`.
fn is_snake_case_of(snake: &str, camel: &str) -> bool {
    let mut upper_next = false;
    let mut letters = snake.bytes().filter_map(|byte| {
        if byte == b'_' {
            upper_next = true;
            return None;
        }
        let letter = if upper_next { byte.to_ascii_uppercase() } else { byte };
        upper_next = false;
        Some(letter)
    });
    letters.by_ref().eq(camel.bytes())
}

/// The request of a signal.
pub fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES,
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
    }
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, repeated: false }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, repeated: true }
}

macro_rules! messages {
    ($($name:ident: [$($field:expr),* $(,)?];)*) => {
        $(static $name: Message = Message { fields: &[$($field),*] };)*
    };
}

messages! {
    ANY_VALUE: [
        one(1, "stringValue", Kind::String),
        one(2, "boolValue", Kind::Bool),
        one(3, "intValue", Kind::Int64),
        one(4, "doubleValue", Kind::Double),
        one(5, "arrayValue", Kind::Message(&ARRAY_VALUE)),
        one(6, "kvlistValue", Kind::Message(&KEY_VALUE_LIST)),
        one(7, "bytesValue", Kind::Bytes),
    ];
    ARRAY_VALUE: [many(1, "values", Kind::Message(&ANY_VALUE))];
    KEY_VALUE_LIST: [many(1, "values", Kind::Message(&KEY_VALUE))];
    KEY_VALUE: [one(1, "key", Kind::String), one(2, "value", Kind::Message(&ANY_VALUE))];
    SCOPE: [
        one(1, "name", Kind::String),
        one(2, "version", Kind::String),
        many(3, "attributes", Kind::Message(&KEY_VALUE)),
        one(4, "droppedAttributesCount", Kind::Uint32),
    ];
    ENTITY_REF: [
        one(1, "schemaUrl", Kind::String),
        one(2, "type", Kind::String),
        many(3, "idKeys", Kind::String),
        many(4, "descriptionKeys", Kind::String),
    ];
    RESOURCE: [
        many(1, "attributes", Kind::Message(&KEY_VALUE)),
        one(2, "droppedAttributesCount", Kind::Uint32),
        many(3, "entityRefs", Kind::Message(&ENTITY_REF)),
    ];

    TRACES: [many(1, "resourceSpans", Kind::Message(&RESOURCE_SPANS))];
    RESOURCE_SPANS: [
        one(1, "resource", Kind::Message(&RESOURCE)),
        many(2, "scopeSpans", Kind::Message(&SCOPE_SPANS)),
        one(3, "schemaUrl", Kind::String),
    ];
    SCOPE_SPANS: [
        one(1, "scope", Kind::Message(&SCOPE)),
        many(2, "spans", Kind::Message(&SPAN)),
        one(3, "schemaUrl", Kind::String),
    ];
    SPAN: [
        one(1, "traceId", Kind::Id),
        one(2, "spanId", Kind::Id),
        one(3, "traceState", Kind::String),
        one(4, "parentSpanId", Kind::Id),
        one(16, "flags", Kind::Fixed32),
        one(5, "name", Kind::String),
        one(6, "kind", Kind::Enum(SPAN_KINDS)),
        one(7, "startTimeUnixNano", Kind::Fixed64),
        one(8, "endTimeUnixNano", Kind::Fixed64),
        many(9, "attributes", Kind::Message(&KEY_VALUE)),
        one(10, "droppedAttributesCount", Kind::Uint32),
        many(11, "events", Kind::Message(&EVENT)),
        one(12, "droppedEventsCount", Kind::Uint32),
        many(13, "links", Kind::Message(&LINK)),
        one(14, "droppedLinksCount", Kind::Uint32),
        one(15, "status", Kind::Message(&STATUS)),
    ];
    EVENT: [
        one(1, "timeUnixNano", Kind::Fixed64),
        one(2, "name", Kind::String),
        many(3, "attributes", Kind::Message(&KEY_VALUE)),
        one(4, "droppedAttributesCount", Kind::Uint32),
    ];
    LINK: [
        one(1, "traceId", Kind::Id),
        one(2, "spanId", Kind::Id),
        one(3, "traceState", Kind::String),
        many(4, "attributes", Kind::Message(&KEY_VALUE)),
        one(5, "droppedAttributesCount", Kind::Uint32),
        one(6, "flags", Kind::Fixed32),
    ];
    STATUS: [one(2, "message", Kind::String), one(3, "code", Kind::Enum(STATUS_CODES))];

    LOGS: [many(1, "resourceLogs", Kind::Message(&RESOURCE_LOGS))];
    RESOURCE_LOGS: [
        one(1, "resource", Kind::Message(&RESOURCE)),
        many(2, "scopeLogs", Kind::Message(&SCOPE_LOGS)),
        one(3, "schemaUrl", Kind::String),
    ];
    SCOPE_LOGS: [
        one(1, "scope", Kind::Message(&SCOPE)),
        many(2, "logRecords", Kind::Message(&LOG_RECORD)),
        one(3, "schemaUrl", Kind::String),
    ];
    LOG_RECORD: [
        one(1, "timeUnixNano", Kind::Fixed64),
        one(11, "observedTimeUnixNano", Kind::Fixed64),
        one(2, "severityNumber", Kind::Enum(SEVERITY_NUMBERS)),
        one(3, "severityText", Kind::String),
        one(5, "body", Kind::Message(&ANY_VALUE)),
        many(6, "attributes", Kind::Message(&KEY_VALUE)),
        one(7, "droppedAttributesCount", Kind::Uint32),
        one(8, "flags", Kind::Fixed32),
        one(9, "traceId", Kind::Id),
        one(10, "spanId", Kind::Id),
        one(12, "eventName", Kind::String),
    ];

    METRICS: [many(1, "resourceMetrics", Kind::Message(&RESOURCE_METRICS))];
    RESOURCE_METRICS: [
        one(1, "resource", Kind::Message(&RESOURCE)),
        many(2, "scopeMetrics", Kind::Message(&SCOPE_METRICS)),
        one(3, "schemaUrl", Kind::String),
    ];
    SCOPE_METRICS: [
        one(1, "scope", Kind::Message(&SCOPE)),
        many(2, "metrics", Kind::Message(&METRIC)),
        one(3, "schemaUrl", Kind::String),
    ];
    METRIC: [
        one(1, "name", Kind::String),
        one(2, "description", Kind::String),
        one(3, "unit", Kind::String),
        one(5, "gauge", Kind::Message(&GAUGE)),
        one(7, "sum", Kind::Message(&SUM)),
        one(9, "histogram", Kind::Message(&HISTOGRAM)),
        one(10, "exponentialHistogram", Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        one(11, "summary", Kind::Message(&SUMMARY)),
        many(12, "metadata", Kind::Message(&KEY_VALUE)),
    ];
    GAUGE: [many(1, "dataPoints", Kind::Message(&NUMBER_POINT))];
    SUM: [
        many(1, "dataPoints", Kind::Message(&NUMBER_POINT)),
        one(2, "aggregationTemporality", Kind::Enum(TEMPORALITIES)),
        one(3, "isMonotonic", Kind::Bool),
    ];
    HISTOGRAM: [
        many(1, "dataPoints", Kind::Message(&HISTOGRAM_POINT)),
        one(2, "aggregationTemporality", Kind::Enum(TEMPORALITIES)),
    ];
    EXPONENTIAL_HISTOGRAM: [
        many(1, "dataPoints", Kind::Message(&EXPONENTIAL_POINT)),
        one(2, "aggregationTemporality", Kind::Enum(TEMPORALITIES)),
    ];
    SUMMARY: [many(1, "dataPoints", Kind::Message(&SUMMARY_POINT))];
    NUMBER_POINT: [
        many(7, "attributes", Kind::Message(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Kind::Fixed64),
        one(3, "timeUnixNano", Kind::Fixed64),
        one(4, "asDouble", Kind::Double),
        one(6, "asInt", Kind::Sfixed64),
        many(5, "exemplars", Kind::Message(&EXEMPLAR)),
        one(8, "flags", Kind::Uint32),
    ];
    HISTOGRAM_POINT: [
        many(9, "attributes", Kind::Message(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Kind::Fixed64),
        one(3, "timeUnixNano", Kind::Fixed64),
        one(4, "count", Kind::Fixed64),
        one(5, "sum", Kind::Double),
        many(6, "bucketCounts", Kind::Fixed64),
        many(7, "explicitBounds", Kind::Double),
        many(8, "exemplars", Kind::Message(&EXEMPLAR)),
        one(10, "flags", Kind::Uint32),
        one(11, "min", Kind::Double),
        one(12, "max", Kind::Double),
    ];
    EXPONENTIAL_POINT: [
        many(1, "attributes", Kind::Message(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Kind::Fixed64),
        one(3, "timeUnixNano", Kind::Fixed64),
        one(4, "count", Kind::Fixed64),
        one(5, "sum", Kind::Double),
        one(6, "scale", Kind::Sint32),
        one(7, "zeroCount", Kind::Fixed64),
        one(8, "positive", Kind::Message(&BUCKETS)),
        one(9, "negative", Kind::Message(&BUCKETS)),
        one(10, "flags", Kind::Uint32),
        many(11, "exemplars", Kind::Message(&EXEMPLAR)),
        one(12, "min", Kind::Double),
        one(13, "max", Kind::Double),
        one(14, "zeroThreshold", Kind::Double),
    ];
    BUCKETS: [one(1, "offset", Kind::Sint32), many(2, "bucketCounts", Kind::Uint64)];
    SUMMARY_POINT: [
        many(7, "attributes", Kind::Message(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Kind::Fixed64),
        one(3, "timeUnixNano", Kind::Fixed64),
        one(4, "count", Kind::Fixed64),
        one(5, "sum", Kind::Double),
        many(6, "quantileValues", Kind::Message(&QUANTILE)),
        one(8, "flags", Kind::Uint32),
    ];
    QUANTILE: [one(1, "quantile", Kind::Double), one(2, "value", Kind::Double)];
    EXEMPLAR: [
        many(7, "filteredAttributes", Kind::Message(&KEY_VALUE)),
        one(2, "timeUnixNano", Kind::Fixed64),
        one(3, "asDouble", Kind::Double),
        one(6, "asInt", Kind::Sfixed64),
        one(4, "spanId", Kind::Id),
        one(5, "traceId", Kind::Id),
    ];
}

const SPAN_KINDS: &[(&str, i32)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];

const STATUS_CODES: &[(&str, i32)] =
    &[("STATUS_CODE_UNSET", 0), ("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)];

const TEMPORALITIES: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];

const SEVERITY_NUMBERS: &[(&str, i32)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];
