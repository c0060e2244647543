//! Tests of the store as a whole, and the harness they share.
//!
//! A request body is a list of numbers, each of which becomes a row of its signal: what a view holds
//! can then be compared with what was acknowledged.
mod crash;
mod deletion;
mod durability;
mod tails;
mod upkeep;
mod views;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::metric::{
    MetricBatchBuilder, MetricKind, Number, PointTime, SeriesIdentity,
};
use throughline_model::schema::col;
use throughline_model::span::{SpanBatchBuilder, SpanFields};
use throughline_model::time::{ManualClock, SECOND_NS};
use throughline_model::{Signal, origin};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::io::testing::FaultyDisk;
use crate::segment::{Segment, SegmentMeta};
use crate::{
    Claim, DecodeFn, Encoding, Format, Reply, Result, Store, StoreOptions, View, WalRecord,
};

/// 2026-11-20T12:00:00Z.
const NOW_NS: i64 = 1_795_176_000_000_000_000;
const TENANT: &str = "default";
/// A request with this number decodes to spans that the encoder refuses.
const UNWRITABLE: u64 = 99_999;

/// A data folder, its disk and its clock.
struct Machine {
    folder: tempfile::TempDir,
    disk: FaultyDisk,
    clock: ManualClock,
}

/// An open store with what it takes to end it.
struct Open {
    store: Store,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Machine {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("folder"),
            disk: FaultyDisk::default(),
            clock: ManualClock::at(NOW_NS),
        }
    }

    /// Small files, no background tasks.
    fn options(&self) -> StoreOptions {
        let mut options = StoreOptions::new(self.folder.path());
        options.disk = Arc::new(self.disk.clone());
        options.wal_file_bytes = 64 * 1024;
        options.commit_window = Duration::ZERO;
        options.append_patience = Duration::from_millis(10);
        options.disk_reserve_bytes = 0;
        options.background = false;
        options
    }

    async fn try_open(&self, options: StoreOptions) -> Result<Open> {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let clock = Arc::new(self.clock.clone());
        let store = Store::open(options, clock, decoder(), tracker.clone(), stop.clone()).await?;
        Ok(Open { store, tracker, stop })
    }

    async fn open(&self) -> Open {
        self.try_open(self.options()).await.expect("opens")
    }
}

impl Open {
    /// Ends the store as a crash would: nothing is flushed.
    async fn crash(self) {
        self.stop.cancel();
        drop(self.store);
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Sends a request as a client does.
    async fn send(&self, signal: Signal, numbers: &[u64]) -> Result<Reply> {
        send(&self.store, signal, numbers).await
    }
}

async fn send(store: &Store, signal: Signal, numbers: &[u64]) -> Result<Reply> {
    let body: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let body_hash = store.body_hash(signal, TENANT, &body);
    match store.claim(signal, TENANT, body_hash).await? {
        Claim::Known(reply) => Ok(reply),
        Claim::New(ticket) => {
            let record = record(signal, body_hash, body);
            let decoded = decode(&record).expect("decodes");
            store.append(ticket, record, decoded).await
        }
    }
}

fn record(signal: Signal, body_hash: u128, body: Vec<u8>) -> WalRecord {
    WalRecord {
        signal,
        tenant: Arc::from(TENANT),
        format: Format::OtlpProtobuf,
        encoding: Encoding::Identity,
        received_at_ns: NOW_NS,
        body_hash,
        body: Bytes::from(body),
    }
}

fn decoder() -> DecodeFn {
    Arc::new(decode)
}

/// The time of a row: ten a second, ending in the open hour.
fn time_of(number: u64) -> i64 {
    NOW_NS - 2 * 3600 * SECOND_NS + (number as i64 % 100_000) * SECOND_NS / 10
}

/// Decodes a list of numbers; a request with number 13 in it had one more item that was refused.
fn decode(record: &WalRecord) -> throughline_model::Result<Decoded> {
    let numbers: Vec<u64> = record
        .body
        .chunks_exact(8)
        .map(|number| u64::from_le_bytes(std::array::from_fn(|i| number[i])))
        .collect();
    let rejected = u64::from(numbers.contains(&13));
    let message = if rejected == 1 { "one was refused".into() } else { String::new() };
    let (mut resource, mut scope) = (Vec::new(), Vec::new());
    origin::put_resource(&mut resource, 0, "", &[], &[]);
    origin::put_scope(&mut scope, "tests", "1", 0, "", &[]);
    let batch = match record.signal {
        Signal::Traces => {
            let mut batch = spans(&numbers, &resource, &scope)?;
            if numbers.contains(&UNWRITABLE) {
                // A column less than the item schema has.
                let kept: Vec<usize> = (0..batch.num_columns() - 1).collect();
                batch = batch
                    .project(&kept)
                    .map_err(|err| throughline_model::Error::invalid(err.to_string()))?;
            }
            Batch::Spans(batch)
        }
        Signal::Logs => Batch::Logs(logs(&numbers, &resource, &scope)?),
        Signal::Metrics => {
            let mut builder = MetricBatchBuilder::default();
            for number in numbers {
                let identity = SeriesIdentity {
                    resource: &resource,
                    scope: &scope,
                    name: if number % 2 == 0 { "even" } else { "odd" },
                    unit: "1",
                    kind: MetricKind::Gauge,
                    temporality: 0,
                    is_monotonic: false,
                    attributes: &[],
                };
                let series = builder.series(&identity, "", &[])?;
                let time = PointTime { time_ns: time_of(number), start_time_ns: 0, flags: 0 };
                builder.push_number(series, &time, Number::Int(number as i64));
            }
            Batch::Metrics(builder.finish()?)
        }
    };
    Ok(Decoded { batch, rejected, message })
}

fn spans(numbers: &[u64], resource: &[u8], scope: &[u8]) -> throughline_model::Result<RecordBatch> {
    let mut builder = SpanBatchBuilder::default();
    builder.set_resource(resource)?;
    builder.set_scope(scope)?;
    for number in numbers {
        let mut trace_id = [1; 16];
        trace_id[8..].copy_from_slice(&(number / 4).to_be_bytes());
        builder.push(&SpanFields {
            trace_id,
            span_id: number.to_be_bytes(),
            name: "work",
            start_time_ns: time_of(*number),
            duration_ns: 5,
            ..SpanFields::default()
        })?;
    }
    builder.finish()
}

fn logs(numbers: &[u64], resource: &[u8], scope: &[u8]) -> throughline_model::Result<RecordBatch> {
    let mut builder = LogBatchBuilder::default();
    builder.set_resource(resource)?;
    builder.set_scope(scope)?;
    for number in numbers {
        builder.push(&LogFields {
            time_ns: time_of(*number),
            span_id: Some(number.to_be_bytes()),
            ..LogFields::default()
        })?;
    }
    builder.finish()
}

/// The numbers of all spans or log records in a view, sorted.
fn numbers(view: &View, signal: Signal, machine: &Machine) -> Vec<u64> {
    let tier = if signal == Signal::Logs { &view.logs } else { &view.spans };
    let mut numbers: Vec<u64> = tier.heads.iter().flat_map(span_ids).collect();
    for segment in tier.segments.iter() {
        numbers.extend(stored(segment, machine));
    }
    numbers.sort_unstable();
    numbers
}

fn stored(segment: &Segment, machine: &Machine) -> Vec<u64> {
    let path = machine.folder.path().join("segments").join(segment.meta.data_name());
    let file = std::fs::File::open(path).expect("a segment in a view has its file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("footer").build();
    let batches = reader.expect("reader").map(|batch| batch.expect("batch"));
    batches.flat_map(|batch| span_ids(&batch)).collect()
}

fn span_ids(batch: &RecordBatch) -> Vec<u64> {
    let ids = batch.column_by_name(col::SPAN_ID).expect("span ids").as_fixed_size_binary();
    (0..ids.len())
        .map(|row| u64::from_be_bytes(std::array::from_fn(|i| ids.value(row)[i])))
        .collect()
}

/// How many points a view holds.
fn points(view: &View) -> u64 {
    let segments = view.metrics.segments.iter().map(|segment| segment.meta.rows);
    segments.sum::<u64>() + view.metrics.heads.rows()
}

fn metas(view: &View) -> Vec<SegmentMeta> {
    view.spans.segments.iter().map(|segment| segment.meta.clone()).collect()
}
