//! Rollups of spans that few senders send, and of damaged files.

use throughline_model::time::TimeRange;

use super::*;
use crate::segment::index::ROLLUP_ROWS;
use crate::segment::open::Meter;
use crate::segment::rollup::section::Part;

#[test]
fn names_beyond_the_limit_fold_into_one() {
    let fixture = Fixture::new();
    let name = |i: usize| format!("operation {i}");
    let text = |text: String| Value::String(text);
    let span = |i: usize| Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId((i as u64 + 1).to_be_bytes()),
        name: name(i),
        kind: 3,
        start_time_ns: T0,
        duration_ns: 5,
        service_name: "cart".to_owned(),
        attributes: vec![("server.address".to_owned(), text(format!("host-{i}")))],
        ..Span::default()
    };
    let total = ROLLUP_KEYS_MAX + 10;
    let spans = (0..total).map(span).collect::<Vec<_>>();
    let segment = fixture.spans(0, &Layout::default(), &[batch(&spans)]);
    let (all, coverage) = read_all(tier(std::slice::from_ref(&segment), &[]), TimeRange::ALL, true);
    assert!(!coverage.names_complete);
    assert_eq!(all.len(), ROLLUP_KEYS_MAX + 1);
    let folded = all.iter().find(|((key, _), _)| key.name.is_empty()).expect("a folded row");
    assert_eq!(folded.1.0, 10);
    let request = EdgesRequest { time: TimeRange::ALL, step_ns: None };
    // A server of one of the folded clients turns up later: the trace is then rolled up as a whole,
    // and names are no longer short.
    let mut server = span(total - 1);
    (server.kind, server.service_name) = (2, "shop".to_owned());
    (server.parent_span_id, server.span_id) = (Some(server.span_id), SpanId([9; 8]));
    for (heads, folded, direct) in [(Vec::new(), 10, 0), (vec![batch(&[server])], 0, 1)] {
        let rows =
            read_edges(&view(tier(std::slice::from_ref(&segment), &heads)), &request, &context());
        let rows = rows.expect("reads");
        let calls = |server: &str| {
            let of = rows.iter().filter(|row| &*row.edge.server == server);
            of.map(|row| row.calls).sum::<u64>()
        };
        assert_eq!((calls(""), calls("shop"), calls("host-7")), (folded, direct, 1));
    }
}

#[test]
fn damage_is_found_and_the_segment_left_out() {
    let fixture = Fixture::new();
    let spans = random_traces(5, 20);
    let segment = fixture.spans(0, &Layout::default(), &[batch(&spans)]);
    let path = fixture.folder.path().join("segments").join(segment.meta.index_name());
    let mut bytes = std::fs::read(&path).expect("reads");
    let index = segment.index().expect("opens");
    let keys = segment.rollup_keys(&Meter::unlimited()).expect("reads");
    let halves = keys.place(0, Part::Halves).expect("a slab");
    let at = index.index.piece(ROLLUP_ROWS, halves).expect("a place").end as usize - 2;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("writes");
    let context = context();
    let request = EdgesRequest { time: TimeRange::ALL, step_ns: None };
    let rows = read_edges(&view(tier(std::slice::from_ref(&segment), &[])), &request, &context);
    assert_eq!(rows.expect("goes on"), Vec::new());
    assert_eq!(context.stats.snapshot().partial, vec![segment.meta.id.to_string()]);
    assert!(segment.is_corrupt());
    assert!(segment.verify().is_err());
    // Rows can be read all the same: they do not lie in the damaged part.
    let rows = crate::segment::tests::all_rows(throughline_model::Signal::Traces, &[segment]);
    let count = rows.iter().map(|batch| read_spans(batch).expect("spans").len()).sum::<usize>();
    assert_eq!(count, spans.len());
}

#[test]
fn halves_with_one_id_are_one_call() {
    let fixture = Fixture::new();
    let text = |key: &str, text: &str| (key.to_owned(), Value::String(text.to_owned()));
    let span = |service: &str, kind, id: u8, parent: Option<u8>, duration_ns| Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([id; 8]),
        parent_span_id: parent.map(|id| SpanId([id; 8])),
        name: format!("{service} {kind}"),
        kind,
        start_time_ns: T0 + i64::from(id),
        duration_ns,
        service_name: service.to_owned(),
        ..Span::default()
    };
    let mut client = span("shop", 3, 2, Some(1), 900);
    client.attributes.push(text("server.address", "cart.example.com"));
    let mut query = span("cart", 3, 4, Some(2), 300);
    query.attributes.extend([text("db.system", "mysql"), text("db.name", "carts")]);
    let theirs = vec![span("shop", 2, 1, None, 1000), client];
    // The server's half has the client's id and parent; what it does is its own.
    let ours = vec![span("cart", 2, 2, Some(1), 700), span("cart", 1, 3, Some(2), 500), query];
    let mut all = [theirs.clone(), ours.clone()].concat();
    let in_order = fixture.spans(0, &Layout::default(), &[batch(&all)]);
    let apart = [&theirs, &ours].map(|spans| fixture.spans(0, &Layout::default(), &[batch(spans)]));
    let merged = fixture.merge(&Layout::default(), &apart);
    all.reverse();
    for (what, tier) in [
        ("a segment", tier(&[in_order], &[])),
        ("two segments", tier(&apart, &[])),
        ("merged", tier(&[merged], &[])),
        ("a head", tier(&[], &[batch(&all)])),
        ("both", tier(&apart[..1], &[batch(&ours)])),
    ] {
        let request = EdgesRequest { time: TimeRange::ALL, step_ns: None };
        let rows = read_edges(&view(tier), &request, &context()).expect("reads");
        let edge = |row: &EdgeRow| {
            let EdgeKey { client, server, connection } = &*row.edge;
            let sums = (row.client.sum_ns, row.server.sum_ns);
            format!("{client} {server} {connection:?} {} {sums:?}", row.calls)
        };
        let edges = rows.iter().map(edge).collect::<Vec<_>>();
        let expected = ["cart carts Database 1 (300.0, 0.0)", "shop cart Direct 1 (900.0, 700.0)"];
        assert_eq!(edges, expected, "{what}");
    }
}
