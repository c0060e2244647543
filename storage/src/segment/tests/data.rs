//! Random spans and log records, and a folder to write segments into.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use throughline_model::columns::AttributesBuilder;
use throughline_model::log_record::{LogBatchBuilder, LogFields, TimeSource};
use throughline_model::origin::{Resource, Scope, put_event, put_link};
use throughline_model::schema::col;
use throughline_model::span::{SpanBatchBuilder, SpanFields, map_entries, read_spans};
use throughline_model::time::{MINUTE_NS, TimeRange};
use throughline_model::{Value, attrs};
use ulid::Ulid;

use crate::Result;
use crate::cache::Cache;
use crate::io::{LocalDisk, SegmentStore};
use crate::segment::{
    Layout, Segment, SegmentMeta, Sinks, WriteOptions, merge_with, write_logs, write_spans_with,
};

/// A folder of segments.
pub(crate) struct Fixture {
    pub store: Arc<SegmentStore>,
    pub cache: Arc<Cache>,
    pub folder: tempfile::TempDir,
    next: std::cell::Cell<u128>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Arc::new(LocalDisk);
        let paths = (folder.path().join("segments"), folder.path().join("aside"));
        let store = SegmentStore::open(disk, paths.0, paths.1).expect("a store");
        let cache = Cache::new(64 << 20);
        Self { store, cache, folder, next: std::cell::Cell::new(1) }
    }

    fn write(
        &self,
        level: u8,
        fill: impl FnOnce(&WriteOptions, &mut Sinks) -> Result<SegmentMeta>,
    ) -> Arc<Segment> {
        let id = Ulid(self.next.replace(self.next.get() + 1));
        let options = WriteOptions {
            id,
            tenant: "default".to_owned(),
            level,
            window: TimeRange { start_ns: 0, end_ns: 1 },
            created_at_ns: 7,
        };
        let create = |name: String| self.store.create(&name).expect("a file");
        let mut sinks =
            Sinks { data: create(format!("{id}.parquet")), index: create(format!("{id}.idx")) };
        let meta = fill(&options, &mut sinks).expect("writes");
        sinks.data.sync().expect("syncs");
        sinks.index.sync().expect("syncs");
        assert_eq!(meta.data_bytes, sinks.data.bytes());
        Segment::new(meta, self.store.clone(), self.cache.clone())
    }

    pub(crate) fn spans(&self, level: u8, layout: &Layout, rows: &[RecordBatch]) -> Arc<Segment> {
        self.write(level, |options, sinks| write_spans_with(rows, options, layout, sinks))
    }

    pub(crate) fn logs(&self, level: u8, rows: &[RecordBatch]) -> Arc<Segment> {
        self.write(level, |options, sinks| write_logs(rows, options, sinks))
    }

    pub(crate) fn merge(&self, layout: &Layout, inputs: &[Arc<Segment>]) -> Arc<Segment> {
        self.write(1, |options, sinks| merge_with(inputs, options, layout, sinks))
    }
}

fn value(rng: &mut SmallRng, depth: usize) -> Value {
    match rng.random_range(0..if depth > 0 { 10 } else { 8 }) {
        0 => Value::Empty,
        1 => Value::Bool(rng.random()),
        2 => Value::Int(rng.random_range(-5..5)),
        3 => Value::Int(rng.random()),
        4 => Value::Double(rng.random_range(-2.0..2.0)),
        5 => Value::Double([f64::NAN, -0.0, 0.0, f64::INFINITY][rng.random_range(0..4)]),
        6 => Value::Bytes(vec![rng.random(); rng.random_range(0..4)]),
        8 => Value::Array((0..rng.random_range(0..3)).map(|_| value(rng, depth - 1)).collect()),
        9 => Value::Kvlist(
            (0..rng.random_range(0..3)).map(|i| (format!("k{i}"), value(rng, depth - 1))).collect(),
        ),
        _ => Value::String(text(rng)),
    }
}

fn text(rng: &mut SmallRng) -> String {
    let fixed = ["", "GET", "500", "ünïcödé 🧵", "a b", "x"];
    match rng.random_range(0..4) {
        0 => format!("user-{}", rng.random_range(0..1_000_000)),
        _ => fixed[rng.random_range(0..fixed.len())].to_owned(),
    }
}

fn attributes(rng: &mut SmallRng, builder: &mut AttributesBuilder) {
    for _ in 0..rng.random_range(0..6) {
        let rare = rng.random_ratio(1, 40);
        let key = match rare {
            true => format!("rare.{}", rng.random_range(0..1000)),
            // Few keys: duplicates and conflicts of type happen.
            false => format!("key.{}", rng.random_range(0..5)),
        };
        let value = match rng.random_range(0..3) {
            0 => value(rng, 2),
            1 => Value::String(text(rng)),
            _ => Value::Int(rng.random_range(0..600)),
        };
        builder.push(&key, |out| value.encode(out)).expect("fits");
    }
}

fn origin(rng: &mut SmallRng) -> (Vec<u8>, Vec<u8>) {
    let service = format!("service-{}", rng.random_range(0..4));
    let mut resource = Resource::default();
    if rng.random_ratio(9, 10) {
        resource.attributes.push(("service.name".to_owned(), Value::String(service)));
    }
    resource.attributes.push(("key.1".to_owned(), Value::Int(rng.random_range(0..600))));
    let mut scope = Scope { name: "lib".to_owned(), ..Scope::default() };
    scope.attributes.push(("scope.key".to_owned(), Value::String(text(rng))));
    (resource.encode(), scope.encode())
}

/// Batches of random spans between `start_ns` and a second later, in traces that come back in later
/// batches of the same `world`.
pub(crate) fn random_spans(
    seed: u64,
    batches: usize,
    rows_max: usize,
    start_ns: i64,
    world: u64,
) -> Vec<RecordBatch> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let traces = (batches * rows_max / 8 + 1) as u64;
    let one = |rng: &mut SmallRng| {
        let mut builder = SpanBatchBuilder::default();
        for _ in 0..rng.random_range(1..=rows_max) {
            let (resource, scope) = origin(rng);
            builder.set_resource(&resource).expect("fits");
            builder.set_scope(&scope).expect("fits");
            attributes(rng, &mut builder.attributes);
            if rng.random_ratio(1, 10) {
                put_event(&mut builder.events.bytes, start_ns, "event", 1, &[]);
                put_link(&mut builder.links.bytes, &[1; 16], &[2; 8], "", 3, 4, &[]);
            }
            let trace = world * 1_000_000 + rng.random_range(0..traces);
            let mut trace_id = [0xAB; 16];
            trace_id[8..].copy_from_slice(&trace.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
            let span = |rng: &mut SmallRng| rng.random_range(1..60u64).to_be_bytes();
            let parent = rng.random_ratio(7, 8).then(|| span(rng));
            let fields = SpanFields {
                trace_id,
                span_id: span(rng),
                parent_span_id: parent,
                trace_state: ["", "a=b"][rng.random_range(0..2)],
                flags: rng.random_range(0..2),
                name: ["GET /", "query", "publish"][rng.random_range(0..3)],
                kind: rng.random_range(0..6),
                start_time_ns: start_ns + rng.random_range(0..1_000_000_000),
                duration_ns: rng.random_range(-10..1_000_000),
                status_code: rng.random_range(0..3),
                status_message: ["", "failed"][rng.random_range(0..2)],
                ..SpanFields::default()
            };
            builder.push(&fields).expect("fits");
        }
        builder.finish().expect("a batch")
    };
    (0..batches).map(|_| one(&mut rng)).collect()
}

// What a service might say.
fn line(rng: &mut SmallRng) -> String {
    let (text, number) = (text(rng), rng.random_range(0..100_000u32));
    match rng.random_range(0..6) {
        0 => format!("request {text}"),
        1 => format!("Request GET /cart/{number} completed in {}ms", number % 50),
        2 => format!("connection reset by peer {number:x}: retry {}", number % 3),
        3 => format!("登录失败 user=u{number} ok={}", number % 2 == 0),
        4 => format!("{number:08x}-{number:04x} timeout after {}ms; request dropped", number % 7),
        _ => format!("GRÖSSE user_{number} [conn{}]\n\tat line {}", number % 9, number % 4),
    }
}

/// Batches of random log records between `start_ns` and twenty minutes later.
pub(crate) fn random_logs(
    seed: u64,
    batches: usize,
    rows_max: usize,
    start_ns: i64,
) -> Vec<RecordBatch> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let one = |rng: &mut SmallRng| {
        let mut builder = LogBatchBuilder::default();
        for _ in 0..rng.random_range(1..=rows_max) {
            let (resource, scope) = origin(rng);
            builder.set_resource(&resource).expect("fits");
            builder.set_scope(&scope).expect("fits");
            attributes(rng, &mut builder.attributes);
            let body = match rng.random_range(0..4) {
                0 => None,
                1 => Some(value(rng, 2).to_bytes()),
                _ => Some(Value::String(line(rng)).to_bytes()),
            };
            let trace = rng.random_ratio(2, 3).then(|| [rng.random_range(1..20); 16]);
            let mut time_ns = start_ns + rng.random_range(0..20 * MINUTE_NS);
            if rng.random_ratio(1, 8) {
                time_ns -= time_ns.rem_euclid(MINUTE_NS); // intervals part here
            }
            let fields = LogFields {
                time_ns,
                time_source: [TimeSource::Event, TimeSource::Observed][rng.random_range(0..2)],
                observed_time_ns: rng.random_range(0..2),
                severity_number: rng.random_range(0..25),
                severity_text: ["", "INFO"][rng.random_range(0..2)],
                body: body.as_deref(),
                event_name: ["", "event"][rng.random_range(0..2)],
                trace_id: trace,
                span_id: trace.map(|_| rng.random_range(1..60u64).to_be_bytes()),
                flags: 1,
                dropped_attributes_count: 2,
            };
            builder.push(&fields).expect("fits");
        }
        builder.finish().expect("a batch")
    };
    (0..batches).map(|_| one(&mut rng)).collect()
}

/// Every span of the batches as one string, sorted: equal lists are equal multisets.
pub(crate) fn span_keys<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Vec<String> {
    let mut keys = Vec::new();
    for batch in batches {
        for mut span in read_spans(batch).expect("spans") {
            span.attributes.sort_by(|a, b| a.0.cmp(&b.0));
            keys.push(format!("{span:?}"));
        }
    }
    keys.sort_unstable();
    keys
}

/// The same for log records.
pub(crate) fn log_keys<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Vec<String> {
    let mut keys = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let mut key = String::new();
            for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
                if field.name() == col::ATTRIBUTES {
                    let mut entries = map_entries(array.as_map(), row).collect::<Vec<_>>();
                    entries.sort_by(|a, b| a.0.cmp(b.0));
                    let mut set = Vec::new();
                    entries.iter().for_each(|(k, v)| attrs::put_encoded(&mut set, k, v));
                    key.push_str(&format!("{set:?};"));
                } else if let Some(times) = array.as_primitive_opt::<TimestampNanosecondType>() {
                    key.push_str(&format!("{}={};", field.name(), times.value(row)));
                } else if array.is_valid(row) {
                    let text = arrow::util::display::array_value_to_string(array, row);
                    key.push_str(&format!("{}={};", field.name(), text.expect("shows")));
                }
            }
            keys.push(key);
        }
    }
    keys.sort_unstable();
    keys
}
