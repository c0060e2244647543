//! Every column name and Arrow schema, once.
//!
//! The *item schemas* below are what decoders build, heads hold, and `storage` hands back from any
//! level, so that a reader cannot tell where a row came from. How a segment lays the same rows out on
//! disk is `storage::segment`'s own affair. What SQL shows is derived from these in `query::sql`.
//!
//! Shared conventions: times are `Timestamp(ns, "UTC")`; strings that repeat are
//! `Dictionary<UInt32, Utf8>`; a resource or scope is one encoded byte string (see [`crate::origin`])
//! in a `Dictionary<UInt32, Binary>`; attributes are `Map<Dictionary<UInt32, Utf8>, Binary>` with
//! encoded values (see [`crate::value`]); an unset OTLP string is the empty string.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// Column names of the item schemas. One name means the same in every signal.
pub mod col {
    #![allow(missing_docs)]
    pub const TRACE_ID: &str = "trace_id";
    pub const SPAN_ID: &str = "span_id";
    pub const PARENT_SPAN_ID: &str = "parent_span_id";
    pub const TRACE_STATE: &str = "trace_state";
    pub const FLAGS: &str = "flags";
    pub const NAME: &str = "name";
    pub const KIND: &str = "kind";
    pub const START_TIME: &str = "start_time";
    pub const DURATION_NS: &str = "duration_ns";
    pub const STATUS_CODE: &str = "status_code";
    pub const STATUS_MESSAGE: &str = "status_message";
    pub const SERVICE_NAME: &str = "service_name";
    pub const RESOURCE: &str = "resource";
    pub const SCOPE: &str = "scope";
    pub const ATTRIBUTES: &str = "attributes";
    pub const DROPPED_ATTRIBUTES_COUNT: &str = "dropped_attributes_count";
    pub const EVENTS: &str = "events";
    pub const DROPPED_EVENTS_COUNT: &str = "dropped_events_count";
    pub const LINKS: &str = "links";
    pub const DROPPED_LINKS_COUNT: &str = "dropped_links_count";

    pub const TIME: &str = "time";
    pub const TIME_SOURCE: &str = "time_source";
    pub const OBSERVED_TIME: &str = "observed_time";
    pub const SEVERITY_NUMBER: &str = "severity_number";
    pub const SEVERITY_TEXT: &str = "severity_text";
    pub const BODY: &str = "body";
    pub const BODY_VALUE: &str = "body_value";
    pub const EVENT_NAME: &str = "event_name";
    // Derived, in no batch: what the body looks like, and the same as 16 hexadecimal digits.
    pub const TEMPLATE: &str = "template";
    pub const TEMPLATE_ID: &str = "template_id";

    pub const SERIES_ID: &str = "series_id";
    pub const SERIES: &str = "series";
    pub const METRIC_NAME: &str = "metric_name";
    pub const METRIC_KIND: &str = "metric_kind";
    pub const TEMPORALITY: &str = "temporality";
    pub const IS_MONOTONIC: &str = "is_monotonic";
    pub const UNIT: &str = "unit";
    pub const DESCRIPTION: &str = "description";
    pub const METADATA: &str = "metadata";
    pub const VALUE_KIND: &str = "value_kind";
    pub const VALUE_BITS: &str = "value_bits";
    pub const POINT: &str = "point";
}

/// `Timestamp(ns, "UTC")`.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// `Dictionary<UInt32, Utf8>`.
pub fn dict_utf8() -> DataType {
    DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
}

/// `Dictionary<UInt32, Binary>`.
pub fn dict_binary() -> DataType {
    DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Binary))
}

/// The struct inside [`attributes_map`]: `key`, `value`.
pub fn attributes_entry() -> Fields {
    Fields::from(vec![
        Field::new("key", dict_utf8(), false),
        Field::new("value", DataType::Binary, false),
    ])
}

/// `Map<Dictionary<UInt32, Utf8>, Binary>`, unsorted.
pub fn attributes_map() -> DataType {
    let entries = Field::new("entries", DataType::Struct(attributes_entry()), false);
    DataType::Map(Arc::new(entries), false)
}

fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn ids() -> (DataType, DataType) {
    (DataType::FixedSizeBinary(16), DataType::FixedSizeBinary(8))
}

static SPANS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let (trace_id, span_id) = ids();
    Arc::new(Schema::new(vec![
        required(col::TRACE_ID, trace_id),
        required(col::SPAN_ID, span_id.clone()),
        // Null for a root span.
        optional(col::PARENT_SPAN_ID, span_id),
        required(col::TRACE_STATE, dict_utf8()),
        required(col::FLAGS, DataType::UInt32),
        required(col::NAME, dict_utf8()),
        required(col::KIND, DataType::Int32),
        required(col::START_TIME, timestamp()),
        // End minus start; negative where the sender's clock said so.
        required(col::DURATION_NS, DataType::Int64),
        required(col::STATUS_CODE, DataType::Int32),
        required(col::STATUS_MESSAGE, dict_utf8()),
        required(col::SERVICE_NAME, dict_utf8()),
        required(col::RESOURCE, dict_binary()),
        required(col::SCOPE, dict_binary()),
        required(col::ATTRIBUTES, attributes_map()),
        required(col::DROPPED_ATTRIBUTES_COUNT, DataType::UInt32),
        // Encoded events and links (see `origin`); null where there are none.
        optional(col::EVENTS, DataType::Binary),
        required(col::DROPPED_EVENTS_COUNT, DataType::UInt32),
        optional(col::LINKS, DataType::Binary),
        required(col::DROPPED_LINKS_COUNT, DataType::UInt32),
    ]))
});

static LOGS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let (trace_id, span_id) = ids();
    Arc::new(Schema::new(vec![
        // The time of the event; where the sender left it zero, the observed time, and where that
        // is zero too, the time of receipt.
        required(col::TIME, timestamp()),
        // Which of the three it is: `log_record::TimeSource` as a number.
        required(col::TIME_SOURCE, DataType::UInt32),
        // Zero where the sender set none.
        required(col::OBSERVED_TIME, timestamp()),
        required(col::SEVERITY_NUMBER, DataType::Int32),
        required(col::SEVERITY_TEXT, dict_utf8()),
        // The body as text (arrays and kvlists as JSON); null where there is no body.
        optional(col::BODY, DataType::Utf8),
        // The encoded value of a body that is no string; else null.
        optional(col::BODY_VALUE, DataType::Binary),
        required(col::EVENT_NAME, dict_utf8()),
        optional(col::TRACE_ID, trace_id),
        optional(col::SPAN_ID, span_id),
        required(col::FLAGS, DataType::UInt32),
        required(col::SERVICE_NAME, dict_utf8()),
        required(col::RESOURCE, dict_binary()),
        required(col::SCOPE, dict_binary()),
        required(col::ATTRIBUTES, attributes_map()),
        required(col::DROPPED_ATTRIBUTES_COUNT, DataType::UInt32),
    ]))
});

static SERIES: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        // xxh3-128 of the identity, see `metric::SeriesIdentity`.
        required(col::SERIES_ID, DataType::FixedSizeBinary(16)),
        required(col::METRIC_NAME, dict_utf8()),
        // `metric::MetricKind` as a number.
        required(col::METRIC_KIND, DataType::Int32),
        required(col::TEMPORALITY, DataType::Int32),
        required(col::IS_MONOTONIC, DataType::Boolean),
        required(col::UNIT, dict_utf8()),
        required(col::DESCRIPTION, dict_utf8()),
        required(col::SERVICE_NAME, dict_utf8()),
        required(col::RESOURCE, dict_binary()),
        required(col::SCOPE, dict_binary()),
        // Encoded attribute sets, sorted by key.
        required(col::ATTRIBUTES, DataType::Binary),
        required(col::METADATA, DataType::Binary),
    ]))
});

static NUMBER_POINTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        // Row in the series batch that travels with this one.
        required(col::SERIES, DataType::UInt32),
        required(col::TIME, timestamp()),
        // Zero where the sender set none.
        required("start_time", timestamp()),
        // `metric::ValueKind` as a number.
        required(col::VALUE_KIND, DataType::UInt8),
        // The bits of the double, or of the 64-bit integer.
        required(col::VALUE_BITS, DataType::UInt64),
        required(col::FLAGS, DataType::UInt32),
    ]))
});

static COMPLEX_POINTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        required(col::SERIES, DataType::UInt32),
        required(col::TIME, timestamp()),
        required("start_time", timestamp()),
        required(col::FLAGS, DataType::UInt32),
        // An encoded `metric::ComplexPoint`.
        required(col::POINT, DataType::Binary),
    ]))
});

static EXEMPLARS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let (trace_id, span_id) = ids();
    Arc::new(Schema::new(vec![
        required(col::SERIES, DataType::UInt32),
        required(col::TIME, timestamp()),
        required(col::VALUE_KIND, DataType::UInt8),
        required(col::VALUE_BITS, DataType::UInt64),
        optional(col::TRACE_ID, trace_id),
        optional(col::SPAN_ID, span_id),
        // The filtered attributes: an encoded set.
        required(col::ATTRIBUTES, DataType::Binary),
        // Time of the point that carried the exemplar, so that it can be put back.
        required("point_time", timestamp()),
    ]))
});

/// The item schema of spans.
pub fn spans() -> SchemaRef {
    SPANS.clone()
}

/// The item schema of log records.
pub fn logs() -> SchemaRef {
    LOGS.clone()
}

/// The schema of the series in a metric batch.
pub fn series() -> SchemaRef {
    SERIES.clone()
}

/// The schema of gauge and sum points.
pub fn number_points() -> SchemaRef {
    NUMBER_POINTS.clone()
}

/// The schema of histogram, exponential-histogram and summary points.
pub fn complex_points() -> SchemaRef {
    COMPLEX_POINTS.clone()
}

/// The schema of exemplars.
pub fn exemplars() -> SchemaRef {
    EXEMPLARS.clone()
}
