//! What the segments are asked, with the answers checked against the generator's where it says them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::{Signal, TraceId};
use throughline_storage::Tier;
use throughline_storage::scan::{
    ScanColumn, ScanContext, ScanOrder, ScanRequest, ScanStats, read_trace, scan_tier,
};
use throughline_storage::segment::Segment;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::Load;
use crate::measure::{self, Times};

/// The searches, in the order of [`searches`].
pub const NAMES: [&str; 5] = [
    "payment + 500 + > 100 ms",
    "inventory + postgresql + > 200 ms",
    "payment + user, newest 20",
    "payment + > 50 ms, newest 20",
    "rare user",
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

fn context() -> ScanContext {
    ScanContext {
        cancel: CancellationToken::new(),
        deadline: None,
        bytes_max: u64::MAX,
        stats: Arc::new(ScanStats::default()),
        tracker: TaskTracker::new(),
    }
}

fn tier(segment: &Arc<Segment>) -> Tier {
    Tier { segments: Arc::new(vec![segment.clone()]), ..Tier::default() }
}

/// All spans of each sampled trace.
pub fn traces(segment: &Arc<Segment>, load: &Load) -> Times {
    let runtime = runtime();
    let tier = tier(segment);
    measure::time(&load.traces(), |(id, spans)| {
        let id = TraceId::parse(id).unwrap();
        let context = context();
        let read = read_trace(Signal::Traces, &tier, id, None, None, &context);
        let rows: usize = runtime.block_on(read).unwrap().iter().map(RecordBatch::num_rows).sum();
        let complete = segment.meta.rows == 2_000_000;
        assert!(rows == *spans || !complete, "{rows} of {spans} spans");
    })
}

/// All log records of each sampled trace.
pub fn logs_of_traces(segment: &Arc<Segment>, load: &Load) -> Times {
    let runtime = runtime();
    let tier = tier(segment);
    measure::time(&load.traces(), |(id, _)| {
        let id = TraceId::parse(id).unwrap();
        let context = context();
        let read = read_trace(Signal::Logs, &tier, id, None, None, &context);
        let rows: usize = runtime.block_on(read).unwrap().iter().map(RecordBatch::num_rows).sum();
        assert!(rows > 0);
    })
}

fn is(target: Target, op: Op) -> Predicate {
    Predicate { target, op }
}

fn attribute(key: &str, value: &str) -> Predicate {
    is(Target::Attribute(key.to_owned()), Op::Eq(Operand::Str(value.to_owned())))
}

fn service(name: &str) -> Predicate {
    is(Target::Column(col::SERVICE_NAME.to_owned()), Op::Eq(Operand::Str(name.to_owned())))
}

fn longer(ms: i64) -> Predicate {
    is(Target::Column(col::DURATION_NS.to_owned()), Op::Gt(Operand::Int(ms * 1_000_000)))
}

/// Median times of the five searches in milliseconds.
pub fn searches(segment: &Arc<Segment>, load: &Load) -> Vec<f64> {
    let users = load.users();
    let user = users.first().cloned().unwrap_or_default();
    let rare = users.last().cloned().unwrap_or_default();
    let status =
        is(Target::Attribute("http.response.status_code".to_owned()), Op::Eq(Operand::Int(500)));
    let newest = (ScanOrder::NewestFirst, Some(20));
    let all = (ScanOrder::Any, None);
    let asked = [
        (vec![service("payment"), status, longer(100)], all, Some(5)),
        (
            vec![service("inventory"), attribute("db.system", "postgresql"), longer(200)],
            all,
            Some(7),
        ),
        (vec![service("payment"), attribute("user.id", &user)], newest, None),
        (vec![service("payment"), longer(50)], newest, Some(20)),
        (vec![attribute("user.id", &rare)], newest, None),
    ];
    let runtime = runtime();
    asked
        .into_iter()
        .map(|(predicates, (order, limit), expected)| {
            let rows = || runtime.block_on(count(segment, &predicates, order, limit));
            let complete = segment.meta.rows == 2_000_000;
            let found = rows();
            assert!(!complete || expected.is_none_or(|expected| found == expected), "{found}");
            let times = measure::time(&[(); 15], |()| {
                rows();
            });
            times.p50_ms
        })
        .collect()
}

async fn count(
    segment: &Arc<Segment>,
    predicates: &[Predicate],
    order: ScanOrder,
    limit: Option<usize>,
) -> usize {
    let columns = [col::TRACE_ID, col::SPAN_ID, col::SERVICE_NAME, col::NAME, col::START_TIME]
        .map(|name| ScanColumn::Fixed(name.to_owned()));
    let request = ScanRequest {
        columns: columns.to_vec(),
        predicates: predicates.to_vec(),
        time: TimeRange::ALL,
        order,
        limit,
    };
    let mut stream = scan_tier(Signal::Traces, &tier(segment), request, context());
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    rows
}
