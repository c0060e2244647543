//! A trace of 100 000 spans, more than a slab of a segment has rows: what its page takes is printed
//! (`--nocapture`).

use std::time::Instant;

use throughline_model::origin::{Resource, Scope};
use throughline_model::span::{SpanBatchBuilder, SpanFields};
use throughline_model::{Batch, TraceId, Value};
use throughline_query::QueryContext;
use throughline_query::traces::page::{Fact, NO_PARENT};

use super::{MS, START_NS};
use crate::data::{attributes, text};
use crate::harness::Harness;

const SPANS: u64 = 100_000;
const SERVICES: u64 = 40;
const NAMES: u64 = 300;

/// Sixteen children each; attributes and an event as an instrumented service sends them.
fn batch(first: u64, last: u64) -> Batch {
    let mut builder = SpanBatchBuilder::default();
    let scope = Scope { name: "test".into(), ..Scope::default() }.encode();
    builder.set_scope(&scope).expect("a scope");
    for number in first..last {
        let service = text(&format!("service-{}", number % SERVICES));
        let all = attributes(&[
            ("service.name", service),
            ("host.name", text(&format!("h{}", number % 7))),
        ]);
        let resource = Resource { attributes: all, ..Resource::default() };
        builder.set_resource(&resource.encode()).expect("a resource");
        let url = Value::String(format!("https://shop.example/cart/{number}?page=1"));
        builder.attributes.push("url.full", |out| url.encode(out)).expect("an attribute");
        let code = Value::Int(200 + (number % 5) as i64);
        builder.attributes.push("http.status_code", |out| code.encode(out)).expect("an attribute");
        let depth = (number + 1).ilog(16) as i64;
        builder
            .push(&SpanFields {
                trace_id: [0xee; 16],
                span_id: (number + 1).to_be_bytes(),
                parent_span_id: number.checked_sub(1).map(|n| (n / 16 + 1).to_be_bytes()),
                name: &format!("operation {}", number % NAMES),
                kind: 1 + (number % 3) as i32,
                start_time_ns: START_NS + depth * MS + number as i64 * 1000,
                duration_ns: 200 * MS - depth * 2 * MS,
                status_code: if number % 50 == 0 { 2 } else { 0 },
                ..SpanFields::default()
            })
            .expect("a span");
    }
    Batch::Spans(builder.finish().expect("a batch"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_trace() {
    let harness = Harness::new().await;
    for first in (0..SPANS).step_by(10_000) {
        harness.append(batch(first, first + 10_000)).await;
    }
    let (id, ctx) = (TraceId([0xee; 16]), QueryContext::default());
    let mut heads = None;
    for stage in ["head", "segment"] {
        if stage == "segment" {
            harness.store.flush().await.expect("flushes");
        }
        let started = Instant::now();
        let found = harness.engine.trace_skeleton(id, None, &ctx).await.expect("reads");
        let found = found.expect("is there");
        println!("{stage}: skeleton in {:?}, {:?}", started.elapsed(), found.stats);
        let skeleton = found.skeleton;
        assert_eq!(skeleton.len() as u64, SPANS);
        assert_eq!(skeleton.services.len() as u64, SERVICES);
        assert_eq!(skeleton.names.len() as u64, NAMES);
        assert_eq!(skeleton.parent.iter().filter(|parent| **parent == NO_PARENT).count(), 1);
        let started = Instant::now();
        let all = Fact::NAMES.map(|(_, fact)| fact);
        let facts = harness.engine.trace_facts(id, None, &all, &ctx).await.expect("reads");
        let facts = facts.expect("is there");
        println!("{stage}: facts in {:?}", started.elapsed());
        assert_eq!(facts.self_ns.map(|own| own.len()), Some(skeleton.len()));
        assert!(found.stats.memory_peak_bytes < 32 << 20, "{:?}", found.stats);
        assert_eq!(*heads.get_or_insert(skeleton.clone()), skeleton, "{stage}");
    }
}
