//! Cases that the differential tests do not reach by chance.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::span::read_spans;
use throughline_model::{Signal, Value};

use crate::otlp::decode::decode_request;

fn decode(request: &[u8]) -> Decoded {
    decode_request(Signal::Traces, request, 0).expect("well-formed")
}

fn spans(decoded: &Decoded) -> Vec<throughline_model::span::Span> {
    match &decoded.batch {
        Batch::Spans(batch) => read_spans(batch).expect("reads back"),
        other => panic!("spans expected, not {other:?}"),
    }
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn text(text: &str) -> any_value::Value {
    any_value::Value::StringValue(text.into())
}

fn span(name: &str) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.into(),
        start_time_unix_nano: 10,
        end_time_unix_nano: 30,
        ..Default::default()
    }
}

fn request(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }],
    }
    .encode_to_vec()
}

/// Wraps `payload` as length-delimited field `number`.
fn field(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    throughline_model::codec::put_bytes(&mut out, payload);
    out
}

#[test]
fn bad_items_are_refused_alone() {
    type Spoil = Box<dyn Fn(&mut Span)>;
    let cases: [(&str, Spoil); 10] = [
        ("trace_id has 0 bytes, expected 16", Box::new(|s| s.trace_id.clear())),
        ("trace_id has 5 bytes, expected 16", Box::new(|s| s.trace_id = vec![1; 5])),
        ("trace_id is all zero", Box::new(|s| s.trace_id = vec![0; 16])),
        ("span_id is all zero", Box::new(|s| s.span_id = vec![0; 8])),
        ("span_id has 16 bytes, expected 8", Box::new(|s| s.span_id = vec![1; 16])),
        ("parent_span_id has 3 bytes", Box::new(|s| s.parent_span_id = vec![1; 3])),
        ("start_time_unix_nano 9223372036854775808 exceeds 9223372036854775807", {
            Box::new(|s| s.start_time_unix_nano = 1 << 63)
        }),
        ("end_time_unix_nano 18446744073709551615 exceeds", {
            Box::new(|s| s.end_time_unix_nano = u64::MAX)
        }),
        ("nests deeper than 64", Box::new(|s| s.attributes = vec![attribute("deep", nested(65))])),
        ("links.span_id has 1 bytes", {
            Box::new(|s| s.links = vec![span_link(vec![1; 16], vec![1])])
        }),
    ];
    for (expected, spoil) in cases {
        let mut bad = span("bad");
        bad.attributes = vec![attribute("kept", text("no"))];
        spoil(&mut bad);
        let decoded = decode(&request(vec![span("first"), bad, span("last")]));
        assert_eq!(decoded.rejected, 1, "{expected}");
        assert!(decoded.message.contains(expected), "{expected}: {}", decoded.message);
        assert!(decoded.message.starts_with("spans[1]: "), "{}", decoded.message);
        let kept = spans(&decoded);
        assert_eq!(kept.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["first", "last"]);
        assert!(kept.iter().all(|span| span.attributes.is_empty() && span.links.is_empty()));
    }
}

fn span_link(
    trace_id: Vec<u8>,
    span_id: Vec<u8>,
) -> opentelemetry_proto::tonic::trace::v1::span::Link {
    opentelemetry_proto::tonic::trace::v1::span::Link { trace_id, span_id, ..Default::default() }
}

fn nested(depth: usize) -> any_value::Value {
    (0..depth).fold(text("leaf"), |inner, _| {
        any_value::Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(inner) }] })
    })
}

#[test]
fn the_deepest_allowed_value_reads_back() {
    let mut deep = span("deep");
    deep.attributes = vec![attribute("deep", nested(64))];
    let decoded = decode(&request(vec![deep]));
    assert_eq!((decoded.rejected, decoded.message.as_str()), (0, ""));
    let spans = spans(&decoded);
    let mut value = &spans[0].attributes[0].1;
    for _ in 0..64 {
        match value {
            Value::Array(items) => value = &items[0],
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(*value, Value::String("leaf".into()));
}

#[test]
fn messages_describe_a_few_and_count_the_rest() {
    let bad = || Span { trace_id: vec![], ..span("bad") };
    let decoded = decode(&request((0..10).map(|_| bad()).collect()));
    assert_eq!(decoded.rejected, 10);
    assert_eq!(decoded.message.matches("trace_id").count(), 3);
    assert!(decoded.message.ends_with("; and 7 more"), "{}", decoded.message);
}

#[test]
fn fields_may_stand_in_any_order_and_repeat() {
    let resource = Resource {
        attributes: vec![attribute("service.name", text("shop"))],
        ..Default::default()
    };
    let scope = InstrumentationScope { name: "library".into(), ..Default::default() };
    // The scope's spans, its schema URL and the resource all come before what they belong to.
    let scope_spans = [
        field(2, &span("one").encode_to_vec()),
        field(3, b"scope-url-lost"),
        field(1, &scope.encode_to_vec()),
        field(3, b"scope-url"),
        field(1, &field(2, b"1.0")), // merged into the scope
    ]
    .concat();
    let second = Resource { dropped_attributes_count: 7, ..Default::default() };
    let message = [
        field(2, &scope_spans),
        field(1, &resource.encode_to_vec()),
        field(3, b"resource-url"),
        field(1, &second.encode_to_vec()), // merged into the resource
        vec![0xf8, 0x3e, 5],               // field 1007, unknown
    ]
    .concat();
    let spans = spans(&decode(&field(1, &message)));
    assert_eq!(spans.len(), 1);
    let span = &spans[0];
    assert_eq!(span.service_name, "shop");
    assert_eq!(span.resource.dropped_attributes_count, 7);
    assert_eq!(span.resource.schema_url, "resource-url");
    assert_eq!((span.scope.name.as_str(), span.scope.version.as_str()), ("library", "1.0"));
    assert_eq!(span.scope.schema_url, "scope-url");
}

#[test]
fn values_merge_as_protobuf_says() {
    let array = |item: &str| field(5, &field(1, &field(1, item.as_bytes())));
    let cases: [(Vec<u8>, Value); 4] = [
        ([field(1, b"lost"), field(1, b"last")].concat(), Value::String("last".into())),
        ([field(1, b"lost"), vec![0x18, 5]].concat(), Value::Int(5)),
        (
            [array("a"), array("b")].concat(),
            Value::Array(vec![Value::String("a".into()), Value::String("b".into())]),
        ),
        (
            [array("a"), vec![0x10, 1], array("b")].concat(),
            Value::Array(vec![Value::String("b".into())]),
        ),
    ];
    for (encoded, expected) in cases {
        // Once as one value, once as two occurrences of KeyValue.value.
        let whole = [field(1, b"key"), field(2, &encoded)].concat();
        let message = [span("s").encode_to_vec(), field(9, &whole)].concat();
        let request = field(1, &field(2, &field(2, &message)));
        assert_eq!(spans(&decode(&request))[0].attributes, [("key".to_owned(), expected)]);
    }
    // What a later value replaces must be well-formed all the same.
    let broken = [field(5, &[0x0a, 0x7f]), vec![0x18, 5]].concat();
    let whole = [field(1, b"key"), field(2, &broken)].concat();
    let message = [span("s").encode_to_vec(), field(9, &whole)].concat();
    let request = field(1, &field(2, &field(2, &message)));
    assert!(decode_request(Signal::Traces, &request, 0).is_err());
}

#[test]
fn an_origin_that_nests_too_deep_takes_its_items_with_it() {
    let resource =
        Resource { attributes: vec![attribute("deep", nested(70))], ..Default::default() };
    let mut request =
        ExportTraceServiceRequest::decode(request(vec![span("a"), span("b")]).as_slice())
            .expect("own encoding");
    request.resource_spans[0].resource = Some(resource);
    request.resource_spans.push(request.resource_spans[0].clone());
    request.resource_spans[1].resource = None;
    let decoded = decode(&request.encode_to_vec());
    assert_eq!((decoded.rejected, decoded.batch.len()), (2, 2));
}
