//! What the page of a trace asks for: shapes and refusals.

use serde_json::json;
use throughline_model::origin::{Event, Link};

use super::*;

const ID: &str = "/api/v1/traces/01010101010101010101010101010101";
const SKELETON: &str = "application/vnd.throughline.skeleton";

/// Two traces of a root and two children; the second child of the first trace fails.
async fn shop() -> Server {
    let server = Server::start().await;
    let mut spans = Vec::new();
    for trace in 1..=2u8 {
        spans.push(Span { duration_ns: 50_000_000, ..span(trace, 1, "web", "GET /cart") });
        spans.push(span(trace, 2, "cart", "list"));
        let failed = Span {
            status_code: if trace == 1 { 2 } else { 0 },
            attributes: attributes(&[("user", text("ann")), ("big", Value::Int(i64::MAX))]),
            events: vec![Event { time_ns: NOW_NS, name: "retry".to_owned(), ..Event::default() }],
            links: vec![Link {
                trace_id: TraceId([1; 16]),
                span_id: SpanId([1; 8]),
                ..Link::default()
            }],
            ..span(trace, 3, "db", "query")
        };
        spans.push(failed);
    }
    server.append_spans(&spans).await;
    server
}

#[tokio::test]
async fn a_skeleton_in_columns() {
    let server = shop().await;
    let skeleton = server.json(&format!("{ID}/skeleton")).await;
    assert_eq!(skeleton["trace_id"], "01010101010101010101010101010101");
    assert_eq!(skeleton["start_time"], "2026-11-20T11:59:00.000000001Z");
    assert_eq!(
        (&skeleton["span_count"], &skeleton["duration_ns"]),
        (&json!(3), &json!(50_000_000))
    );
    assert_eq!(skeleton["names"], json!(["GET /cart", "list", "query"]));
    assert_eq!(skeleton["services"], json!(["web", "cart", "db"]));
    assert_eq!(skeleton["clocks"], json!(["host.name=h1"]));
    let columns = json!({
        "span_id": ["0101010101010101", "0202020202020202", "0303030303030303"],
        "parent": [-1, 0, 0],
        "start_ns": [0, 1, 2],
        "duration_ns": [50_000_000, 2_000_000, 3_000_000],
        "name": [0, 1, 2],
        "service": [0, 1, 2],
        "clock": [0, 0, 0],
        "kind": [2, 2, 2],
        "status": [0, 0, 2],
        "flags": [1, 0, 4 + 8 + 16],
    });
    assert_eq!(skeleton["columns"], columns);
    assert!(skeleton["stats"]["rows"] == 3);
    server.stop().await;
}

#[tokio::test]
async fn a_skeleton_in_bytes() {
    let server = shop().await;
    let answer = server.get_as(&format!("{ID}/skeleton"), SKELETON).await;
    assert_eq!(answer.header("content-type"), SKELETON);
    let bytes = &answer.body[..];
    let number =
        |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four")) as usize;
    assert_eq!((&bytes[..4], number(4), number(8)), (&b"TLSK"[..], 1, 3));
    let (columns, padded) = (16 + number(12), |len: usize| len.next_multiple_of(8));
    assert_eq!(columns % 8, 0);
    let header: Json = serde_json::from_slice(&bytes[16..columns]).expect("JSON");
    assert_eq!(header["names"], json!(["GET /cart", "list", "query"]));
    assert_eq!((&header["partial"], &header["duration_ns"]), (&json!([]), &json!(50_000_000)));
    let mut at = columns;
    let mut column = |width: usize| {
        let here = &bytes[at..at + 3 * width];
        at += padded(3 * width);
        here.chunks(width).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    assert_eq!(column(8), [[1; 8], [2; 8], [3; 8]]);
    assert_eq!(column(8), [0.0, 1.0, 2.0].map(|ns: f64| ns.to_le_bytes()));
    assert_eq!(column(8), [5e7, 2e6, 3e6].map(|ns: f64| ns.to_le_bytes()));
    assert_eq!(column(4), [-1, 0, 0].map(i32::to_le_bytes));
    assert_eq!(column(4), [0, 1, 2].map(u32::to_le_bytes));
    assert_eq!(column(4), [0, 1, 2].map(u32::to_le_bytes));
    assert_eq!(column(4), [0, 0, 0].map(u32::to_le_bytes));
    assert_eq!(column(2), [1, 0, 28].map(u16::to_le_bytes));
    assert_eq!(column(1), [[2], [2], [2]]);
    assert_eq!(column(1), [[0], [0], [2]]);
    assert_eq!(at, bytes.len());
    server.get_as(&format!("{ID}/skeleton"), "text/csv").await.problem(406);
    server.stop().await;
}

#[tokio::test]
async fn facts_that_are_named() {
    let server = shop().await;
    let own = server.json(&format!("{ID}/facts")).await;
    assert_eq!(own["self_time_ns"], json!([46_999_999, 2_000_000, 3_000_000]));
    assert_eq!(own["depth"], json!([0, 1, 1]));
    assert_eq!((&own["orphans"], &own["late"]), (&json!([]), &json!([])));
    assert_eq!(own["skew"], json!({"span": [], "shift_ns": [], "pairs": []}));
    let path = json!({"span": [0, 2, 0], "from_ns": [0, 2, 3_000_002], "to_ns": [2, 3_000_002, 50_000_000]});
    assert_eq!(own["critical_path"], path);
    assert_eq!(own["operations"][0]["service"], "web");
    assert_eq!(
        (&own["operations"][0]["p95_ns"], &own["operations_cut"]),
        (&json!(50_000_000), &json!(0))
    );
    assert!(own.get("peers").is_none() && own.get("backlinks").is_none());

    let more = server.json(&format!("{ID}/facts?include=peers,depth&include=backlinks")).await;
    assert_eq!(more["depth"], json!([0, 1, 1]));
    assert!(more.get("self_time_ns").is_none());
    assert_eq!(more["peers"]["groups"][0]["count"], 2);
    assert_eq!(more["peers"]["percentile"].as_array().map(Vec::len), Some(3));
    let link = &more["backlinks"]["spans"][0];
    assert_eq!(link["trace_id"], "02020202020202020202020202020202");
    assert_eq!(
        (&link["linked_span_id"], &link["service"]),
        (&json!("0101010101010101"), &json!("db"))
    );
    assert_eq!(more["backlinks"]["truncated"], false);

    let problem = server.problem(&format!("{ID}/facts?include=critcal_path"), 400).await;
    assert!(problem["detail"].as_str().expect("text").contains("'critical_path'"));
    server.stop().await;
}

#[tokio::test]
async fn single_spans_in_full() {
    let server = shop().await;
    let page = server.json(&format!("{ID}/spans/0303030303030303")).await;
    let span = &page["spans"][0];
    assert_eq!(span["attributes"], json!({"user": "ann", "big": "9223372036854775807"}));
    assert_eq!((&span["status"], &span["kind"]), (&json!("ERROR"), &json!("SERVER")));
    assert_eq!(span["events"][0]["name"], "retry");
    assert_eq!(span["links"][0]["trace_id"], "01010101010101010101010101010101");
    assert_eq!(span["resource"]["attributes"]["host.name"], "h1");
    assert_eq!(
        (&span["scope"]["name"], &span["parent_span_id"]),
        (&json!("tests"), &json!("0101010101010101"))
    );
    let page = server
        .json(&format!("{ID}/spans?span_id=1&span_id=0101010101010101,0202020202020202"))
        .await;
    assert_eq!(page["spans"].as_array().map(Vec::len), Some(2));
    assert_eq!(page["missing"], json!(["0000000000000001"]));
    let otlp = server.json(&format!("{ID}/spans/0303030303030303?format=otlp")).await;
    let span = &otlp["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!((&span["spanId"], &span["name"]), (&json!("0303030303030303"), &json!("query")));
    server.problem(&format!("{ID}/spans/09"), 404).await;
    assert_eq!(server.problem(&format!("{ID}/spans"), 400).await["field"], "span_id");
    assert_eq!(server.problem(&format!("{ID}/spans?span_id=xyz"), 400).await["value"], "xyz");
    let many = vec!["1"; 1001].join(",");
    let problem = server.problem(&format!("{ID}/spans?span_id={many}"), 400).await;
    assert_eq!(problem["limit"], "1000");
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_and_what_is_wrong() {
    let server = shop().await;
    let missing = "/api/v1/traces/09090909090909090909090909090909";
    for path in ["skeleton", "facts", "compare?with=01010101010101010101010101010101"] {
        let problem = server.problem(&format!("{missing}/{path}"), 404).await;
        assert!(problem["detail"].as_str().expect("text").contains("0909"), "{path}: {problem}");
    }
    assert_eq!(server.problem(&format!("{ID}/skeleton?include=x"), 400).await["field"], "include");
    assert_eq!(server.problem(&format!("{ID}/compare?with=x"), 400).await["field"], "with");
    server.problem("/api/v1/traces/xyz/skeleton", 400).await;
    server.stop().await;
}

#[tokio::test]
async fn two_traces_are_compared() {
    let server = shop().await;
    let found = server.json(&format!("{ID}/compare?with=02020202020202020202020202020202")).await;
    assert_eq!(found["changes"], json!({"same": 2, "changed": 1, "added": 0, "removed": 0}));
    let node = &found["nodes"][2];
    assert_eq!(
        (&node["name"], &node["change"], &node["parent"]),
        (&json!("query"), &json!("changed"), &json!(0))
    );
    assert_eq!((&node["a"]["errors"], &node["b"]["errors"]), (&json!(1), &json!(0)));
    assert_eq!(found["b"]["span_count"], 3);
    server.stop().await;
}

async fn compare(server: &Server, body: &Json) -> Answer {
    let request =
        Request::post("/api/v1/traces/compare").header("content-type", "application/json");
    server.ask(request.body(Body::from(body.to_string())).expect("valid")).await
}

#[tokio::test]
async fn two_sets_are_compared() {
    let server = Server::start().await;
    let spans = (0..200u8).map(|number| Span {
        status_code: if number < 60 { 2 } else { 0 },
        attributes: attributes(&[("zone", text(if number < 60 { "east" } else { "west" }))]),
        ..span(1 + number % 3, number + 1, "shop", "pay")
    });
    server.append_spans(&spans.collect::<Vec<_>>()).await;
    let body =
        json!({"a": {"status": "error"}, "b": {"filter": ["status!=error"], "start": "-1h"}});
    let answer = compare(&server, &body).await.json();
    assert_eq!((&answer["a_spans"], &answer["b_spans"]), (&json!(60), &json!(140)));
    let zone = answer["differences"].as_array().expect("a list").iter();
    let zone = zone.filter(|found| found["key"] == "zone").collect::<Vec<_>>();
    assert_eq!(zone.len(), 2);
    assert_eq!(
        (&zone[0]["place"], &zone[0]["test"], &zone[0]["value"]),
        (&json!("span"), &json!("is"), &json!("east"))
    );
    assert_eq!((&zone[0]["a_share"], &zone[0]["b_share"]), (&json!(1.0), &json!(0.0)));
    // Without a second set: everything in the range of the first.
    let rest = compare(&server, &json!({"a": {"status": "error", "start": "-1h"}})).await.json();
    assert_eq!(rest["b_spans"], 200);
    for (body, field) in [
        (json!({"a": {"status": "bad"}}), "a.status"),
        (json!({"a": {}, "b": {"start": "now", "end": "-1h"}}), "b.start"),
        (json!({"a": {"trace_ids": ["x"]}}), "a.trace_ids"),
        (json!({"a": {}, "limit": 1001}), "limit"),
        (json!({"a": {"servce": []}}), "body"),
    ] {
        let problem = compare(&server, &body).await.problem(400);
        assert_eq!(problem["field"], field, "{body}");
    }
    server.stop().await;
}

// Sizes are printed (`--nocapture`); the module of the bytes tells them.
#[tokio::test]
async fn a_large_trace_is_small() {
    use arrow::array::{
        ArrayRef, FixedSizeBinaryArray, Int32Array, Int64Array, UInt16Array, UInt32Array,
    };
    use throughline_query::traces::page::{Skeleton, SkeletonResult};

    use crate::native::traces::page::{binary, wire::TraceSkeleton};
    use crate::render::ipc::IpcWriter;

    let spans = 0..100_000u32;
    let each = |number: &dyn Fn(u32) -> u32| spans.clone().map(number).collect::<Vec<_>>();
    let ids = spans
        .clone()
        .map(|n| SpanId((u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes()));
    let skeleton = Skeleton {
        names: (0..300).map(|n| format!("operation {n}")).collect(),
        services: (0..40).map(|n| format!("service-{n}")).collect(),
        span_id: ids.collect(),
        parent: spans.clone().map(|n| n as i32 / 16 - 1).collect(),
        start: spans.clone().map(|n| i64::from(n) * 1000).collect(),
        duration: spans.clone().map(|n| i64::from(n % 977) * 10_007).collect(),
        name: each(&|n| n % 300),
        service: each(&|n| n % 40),
        clock: each(&|_| 0),
        kind: spans.clone().map(|n| n as i32 % 3 + 1).collect(),
        status: spans.clone().map(|_| 0).collect(),
        flags: spans.clone().map(|n| (n % 4) as u16).collect(),
        ..Skeleton::default()
    };
    let bytes = binary::write(&skeleton, &[]).expect("writes").len();
    let ids = FixedSizeBinaryArray::try_from_iter(skeleton.span_id.iter().map(|id| id.0));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("span_id", Arc::new(ids.expect("ids"))),
        ("start", Arc::new(Int64Array::from(skeleton.start.clone()))),
        ("duration", Arc::new(Int64Array::from(skeleton.duration.clone()))),
        ("parent", Arc::new(Int32Array::from(skeleton.parent.clone()))),
        ("name", Arc::new(UInt32Array::from(skeleton.name.clone()))),
        ("service", Arc::new(UInt32Array::from(skeleton.service.clone()))),
        ("clock", Arc::new(UInt32Array::from(skeleton.clock.clone()))),
        ("flags", Arc::new(UInt16Array::from(skeleton.flags.clone()))),
        ("kind", Arc::new(arrow::array::Int8Array::from(vec![1; skeleton.len()]))),
        ("status", Arc::new(arrow::array::Int8Array::from(vec![1; skeleton.len()]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns");
    let mut ipc = IpcWriter::new(&batch.schema()).expect("writes");
    ipc.write(&batch).expect("writes");
    ipc.finish().expect("writes");
    let ipc = ipc.take().len();
    let result = SkeletonResult { skeleton, ..SkeletonResult::default() };
    let json = serde_json::to_vec(&TraceSkeleton::from(result)).expect("writes").len();
    println!("100 000 spans: JSON {json}, Arrow IPC {ipc}, own {bytes} bytes");
    assert!(bytes < 4_500_000 && bytes < json);
}
