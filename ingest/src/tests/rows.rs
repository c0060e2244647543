//! Plain rows of log and metric batches, to compare with (`model` has its own for spans).

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampNanosecondType, UInt8Type, UInt32Type, UInt64Type};
use throughline_model::metric::{ComplexPoint, MetricBatch, Number};
use throughline_model::origin::{Resource, Scope};
use throughline_model::schema::col;
use throughline_model::span::{dict_bytes, dict_str, map_entries};
use throughline_model::{Value, attrs};

#[derive(Debug, PartialEq)]
#[allow(dead_code)] // read through Debug
pub struct LogRow {
    pub time_ns: i64,
    pub time_source: u32,
    pub observed_time_ns: i64,
    pub severity_number: i32,
    pub severity_text: String,
    /// The text column.
    pub text: Option<String>,
    /// The body as it was.
    pub body: Option<Value>,
    pub event_name: String,
    pub trace_id: Option<Vec<u8>>,
    pub span_id: Option<Vec<u8>>,
    pub flags: u32,
    pub service_name: String,
    pub resource: Resource,
    pub scope: Scope,
    pub attributes: Vec<(String, Value)>,
    pub dropped_attributes_count: u32,
}

pub fn log_rows(batch: &RecordBatch) -> Vec<LogRow> {
    let column = |name: &str| batch.column_by_name(name).expect("in the schema").as_ref();
    let time = |name, row| column(name).as_primitive::<TimestampNanosecondType>().value(row);
    let i32 = |name, row| column(name).as_primitive::<Int32Type>().value(row);
    let u32 = |name, row| column(name).as_primitive::<UInt32Type>().value(row);
    let bytes = |name, row: usize| {
        let ids = column(name).as_fixed_size_binary();
        ids.is_valid(row).then(|| ids.value(row).to_vec())
    };
    let (texts, values) =
        (column(col::BODY).as_string::<i32>(), column(col::BODY_VALUE).as_binary::<i32>());
    let row = |row: usize| {
        let text = texts.is_valid(row).then(|| texts.value(row).to_owned());
        let body = if values.is_valid(row) {
            Some(Value::decode(values.value(row)).expect("encoded"))
        } else {
            text.clone().map(Value::String)
        };
        LogRow {
            time_ns: time(col::TIME, row),
            time_source: u32(col::TIME_SOURCE, row),
            observed_time_ns: time(col::OBSERVED_TIME, row),
            severity_number: i32(col::SEVERITY_NUMBER, row),
            severity_text: dict_str(column(col::SEVERITY_TEXT), row).to_owned(),
            text,
            body,
            event_name: dict_str(column(col::EVENT_NAME), row).to_owned(),
            trace_id: bytes(col::TRACE_ID, row),
            span_id: bytes(col::SPAN_ID, row),
            flags: u32(col::FLAGS, row),
            service_name: dict_str(column(col::SERVICE_NAME), row).to_owned(),
            resource: Resource::decode(dict_bytes(column(col::RESOURCE), row)).expect("encoded"),
            scope: Scope::decode(dict_bytes(column(col::SCOPE), row)).expect("encoded"),
            attributes: map_entries(column(col::ATTRIBUTES).as_map(), row)
                .map(|(key, value)| (key.to_owned(), Value::decode(value).expect("encoded")))
                .collect(),
            dropped_attributes_count: u32(col::DROPPED_ATTRIBUTES_COUNT, row),
        }
    };
    (0..batch.num_rows()).map(row).collect()
}

#[derive(Clone, Debug)]
#[allow(dead_code)] // read through Debug
pub struct SeriesRow {
    pub name: String,
    pub unit: String,
    pub kind: i32,
    pub temporality: i32,
    pub is_monotonic: bool,
    pub service_name: String,
    pub resource: Resource,
    pub scope: Scope,
    pub attributes: Vec<(String, Value)>,
    pub description: String,
    pub metadata: Vec<(String, Value)>,
}

#[derive(Debug)]
#[allow(dead_code)] // read through Debug
pub struct PointRow<T> {
    pub series: u32,
    pub time_ns: i64,
    pub start_time_ns: i64,
    pub flags: u32,
    pub value: T,
}

#[derive(Debug)]
#[allow(dead_code)] // read through Debug
pub struct ExemplarRow {
    pub series: u32,
    pub point_time_ns: i64,
    pub time_ns: i64,
    pub value: Number,
    pub trace_id: Option<Vec<u8>>,
    pub span_id: Option<Vec<u8>>,
    pub attributes: Vec<(String, Value)>,
}

#[derive(Debug, Default)]
pub struct MetricRows {
    pub series: Vec<SeriesRow>,
    pub numbers: Vec<PointRow<Number>>,
    pub complex: Vec<PointRow<ComplexPoint>>,
    pub exemplars: Vec<ExemplarRow>,
}

struct Columns<'a>(&'a RecordBatch);

impl Columns<'_> {
    fn get(&self, name: &str) -> &dyn Array {
        self.0.column_by_name(name).expect("in the schema").as_ref()
    }

    fn u32(&self, name: &str, row: usize) -> u32 {
        self.get(name).as_primitive::<UInt32Type>().value(row)
    }

    fn time(&self, name: &str, row: usize) -> i64 {
        self.get(name).as_primitive::<TimestampNanosecondType>().value(row)
    }

    fn number(&self, row: usize) -> Number {
        let kind = self.get(col::VALUE_KIND).as_primitive::<UInt8Type>().value(row);
        let bits = self.get(col::VALUE_BITS).as_primitive::<UInt64Type>().value(row);
        Number::from_parts(kind, bits)
    }

    fn set(&self, name: &str, row: usize) -> Vec<(String, Value)> {
        attrs::decode(self.get(name).as_binary::<i32>().value(row)).expect("encoded")
    }

    fn id(&self, name: &str, row: usize) -> Option<Vec<u8>> {
        let ids = self.get(name).as_fixed_size_binary();
        ids.is_valid(row).then(|| ids.value(row).to_vec())
    }

    fn point<T>(&self, row: usize, value: T) -> PointRow<T> {
        PointRow {
            series: self.u32(col::SERIES, row),
            time_ns: self.time(col::TIME, row),
            start_time_ns: self.time("start_time", row),
            flags: self.u32(col::FLAGS, row),
            value,
        }
    }
}

pub fn metric_rows(batch: &MetricBatch) -> MetricRows {
    let series = Columns(&batch.series);
    let text = |name, row| dict_str(series.get(name), row).to_owned();
    let i32 = |name, row| series.get(name).as_primitive::<Int32Type>().value(row);
    let series_row = |row| SeriesRow {
        name: text(col::METRIC_NAME, row),
        unit: text(col::UNIT, row),
        kind: i32(col::METRIC_KIND, row),
        temporality: i32(col::TEMPORALITY, row),
        is_monotonic: series.get(col::IS_MONOTONIC).as_boolean().value(row),
        service_name: text(col::SERVICE_NAME, row),
        resource: Resource::decode(dict_bytes(series.get(col::RESOURCE), row)).expect("encoded"),
        scope: Scope::decode(dict_bytes(series.get(col::SCOPE), row)).expect("encoded"),
        attributes: series.set(col::ATTRIBUTES, row),
        description: text(col::DESCRIPTION, row),
        metadata: series.set(col::METADATA, row),
    };
    let numbers = Columns(&batch.numbers);
    let complex = Columns(&batch.complex);
    let payloads = complex.get(col::POINT).as_binary::<i32>();
    let exemplars = Columns(&batch.exemplars);
    let exemplar_row = |row| ExemplarRow {
        series: exemplars.u32(col::SERIES, row),
        point_time_ns: exemplars.time("point_time", row),
        time_ns: exemplars.time(col::TIME, row),
        value: exemplars.number(row),
        trace_id: exemplars.id(col::TRACE_ID, row),
        span_id: exemplars.id(col::SPAN_ID, row),
        attributes: exemplars.set(col::ATTRIBUTES, row),
    };
    MetricRows {
        series: (0..batch.series.num_rows()).map(series_row).collect(),
        numbers: (0..batch.numbers.num_rows())
            .map(|row| numbers.point(row, numbers.number(row)))
            .collect(),
        complex: (0..batch.complex.num_rows())
            .map(|row| {
                complex.point(row, ComplexPoint::decode(payloads.value(row)).expect("encoded"))
            })
            .collect(),
        exemplars: (0..batch.exemplars.num_rows()).map(exemplar_row).collect(),
    }
}
