//! A store in a folder of its own with an engine over it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use parking_lot::Mutex;
use throughline_model::Batch;
use throughline_model::batch::Decoded;
use throughline_model::time::{Clock, ManualClock};
use throughline_query::{Engine, EngineOptions, QueryContext};
use throughline_storage::{Claim, Encoding, Format, Store, StoreOptions, WalRecord};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Now, for the store and for `now()`.
pub const NOW_NS: i64 = 1_795_176_000_000_000_000; // 2026-11-20T12:00:00Z

/// A store with an engine over it. Bodies in its log are numbers of batches kept here.
pub struct Harness {
    pub engine: Engine,
    pub store: Store,
    pub clock: ManualClock,
    dir: tempfile::TempDir,
    batches: Arc<Mutex<Vec<Decoded>>>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Harness {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self::open(dir, Arc::default(), ManualClock::at(NOW_NS)).await
    }

    async fn open(
        dir: tempfile::TempDir,
        batches: Arc<Mutex<Vec<Decoded>>>,
        manual: ManualClock,
    ) -> Self {
        let mut options = StoreOptions::new(dir.path());
        options.wal_file_bytes = 1 << 20;
        options.commit_window = std::time::Duration::ZERO;
        options.background = false;
        let clock: Arc<dyn Clock> = Arc::new(manual.clone());
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let known = batches.clone();
        let decode = Arc::new(move |record: &WalRecord| {
            let number = u64::from_le_bytes(record.body[..].try_into().expect("eight bytes"));
            Ok(known.lock()[number as usize].clone())
        });
        let store = Store::open(options, clock.clone(), decode, tracker.clone(), stop.clone())
            .await
            .expect("the store opens");
        let options = EngineOptions::default();
        let engine = Engine::new(store.clone(), options, clock.clone(), tracker.clone());
        Self { engine, store, clock: manual, dir, batches, tracker, stop }
    }

    /// Appends a batch as one request.
    pub async fn append(&self, batch: Batch) {
        let decoded = Decoded { batch, rejected: 0, message: String::new() };
        let number = {
            let mut batches = self.batches.lock();
            batches.push(decoded.clone());
            batches.len() as u64 - 1
        };
        let body = Bytes::copy_from_slice(&number.to_le_bytes());
        let signal = decoded.batch.signal();
        let body_hash = self.store.body_hash(signal, "", &body);
        let Claim::New(ticket) = self.store.claim(signal, "", body_hash).await.expect("claims")
        else {
            panic!("body {number} is new");
        };
        let record = WalRecord {
            signal,
            tenant: "".into(),
            format: Format::OtlpProtobuf,
            encoding: Encoding::Identity,
            received_at_ns: self.clock.now_ns(),
            body_hash,
            body,
        };
        self.store.append(ticket, record, decoded).await.expect("is appended");
    }

    /// The same store after a restart without a flush.
    pub async fn reopen(self) -> Self {
        let Self { dir, batches, clock, tracker, stop, store, engine } = self;
        stop.cancel();
        drop((store, engine));
        tracker.close();
        tracker.wait().await;
        Self::open(dir, batches, clock).await
    }

    /// The rows of an answer as text, one string a row, in order.
    pub async fn rows(&self, query: &str) -> Vec<String> {
        self.try_rows(query).await.unwrap_or_else(|err| panic!("{query}: {err}"))
    }

    /// The same, or the error.
    pub async fn try_rows(&self, query: &str) -> throughline_query::Result<Vec<String>> {
        let batches = self.engine.sql_rows(query, &QueryContext::default()).await?;
        Ok(batches.iter().flat_map(texts).collect())
    }

    /// The rows of an answer, sorted.
    pub async fn multiset(&self, query: &str) -> Vec<String> {
        let mut rows = self.rows(query).await;
        rows.sort();
        rows
    }
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("-");
    let columns = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).expect("can be shown"))
        .collect::<Vec<_>>();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join("|"))
        .collect()
}
