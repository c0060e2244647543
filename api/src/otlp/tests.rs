use std::sync::Arc;

use opentelemetry_proto::tonic::trace::v1::TracesData;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use throughline_model::origin::{Event, Link, Resource, Scope};
use throughline_model::span::Span;
use throughline_model::{SpanId, TraceId, Value};

use super::{group_spans, json, proto};

type Attributes = Vec<(String, Value)>;

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Empty),
        "[a-zé\"\\n]{0,6}".prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        // Doubles that serde_json's approximate reader, the oracle's, takes exactly.
        any::<i32>().prop_map(|number| Value::Double(f64::from(number) / 8.0)),
        vec(any::<u8>(), 0..8).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::Array),
            vec(("[a-z.]{1,4}", inner), 0..3).prop_map(Value::Kvlist),
        ]
    })
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    vec(("[a-z.]{1,6}", any_value()), 0..4)
}

fn any_entity_refs() -> impl Strategy<Value = Value> {
    let one =
        ("[a-z]{0,3}", "[a-z]{1,3}", vec("[a-z]{1,3}", 0..3)).prop_map(|(url, kind, keys)| {
            let keys = Value::Array(keys.into_iter().map(Value::String).collect());
            Value::Kvlist(vec![
                ("schema_url".to_owned(), Value::String(url)),
                ("type".to_owned(), Value::String(kind)),
                ("id_keys".to_owned(), keys.clone()),
                ("description_keys".to_owned(), keys),
            ])
        });
    prop_oneof![Just(Value::Empty), vec(one, 1..3).prop_map(Value::Array)]
}

fn any_resource() -> impl Strategy<Value = Resource> {
    (any_attributes(), any::<u32>(), "[a-z]{0,3}", any_entity_refs()).prop_map(
        |(attributes, dropped_attributes_count, schema_url, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            schema_url,
            entity_refs,
        },
    )
}

fn any_scope() -> impl Strategy<Value = Scope> {
    ("[a-z]{0,3}", "[0-9]{0,2}", any_attributes(), any::<u32>(), "[a-z]{0,3}").prop_map(
        |(name, version, attributes, dropped_attributes_count, schema_url)| Scope {
            name,
            version,
            attributes,
            dropped_attributes_count,
            schema_url,
        },
    )
}

fn any_event() -> impl Strategy<Value = Event> {
    (0..i64::MAX, ".{0,4}", any_attributes(), any::<u32>()).prop_map(
        |(time_ns, name, attributes, dropped_attributes_count)| Event {
            time_ns,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn any_link() -> impl Strategy<Value = Link> {
    (any::<[u8; 16]>(), any::<[u8; 8]>(), "[a-z=]{0,4}", any::<u32>(), any_attributes()).prop_map(
        |(trace_id, span_id, trace_state, flags, attributes)| Link {
            trace_id: TraceId(trace_id),
            span_id: SpanId(span_id),
            trace_state,
            flags,
            attributes,
            dropped_attributes_count: flags / 2,
        },
    )
}

pub(crate) fn any_span() -> impl Strategy<Value = Span> {
    let ids = (any::<[u8; 16]>(), any::<[u8; 8]>(), proptest::option::of(any::<[u8; 8]>()));
    let scalars = (any::<u32>(), 0..6i32, 0..i64::MAX / 4, -5..i64::MAX / 4, 0..3i32);
    let texts = (".{0,8}", ".{0,8}", "[a-z=,]{0,6}");
    let lists = (any_attributes(), vec(any_event(), 0..3), vec(any_link(), 0..3));
    let origin = (any_resource(), any_scope());
    (ids, scalars, texts, lists, origin).prop_map(
        |(ids, (flags, kind, start, duration, status), texts, lists, (resource, scope))| Span {
            trace_id: TraceId(ids.0),
            span_id: SpanId(ids.1),
            parent_span_id: ids.2.map(SpanId),
            trace_state: texts.2,
            flags,
            name: texts.0,
            kind,
            start_time_ns: start + 5,
            duration_ns: duration,
            status_code: status,
            status_message: texts.1,
            service_name: String::new(),
            resource: Arc::new(resource),
            scope: Arc::new(scope),
            attributes: lists.0,
            dropped_attributes_count: flags / 3,
            events: lists.1,
            dropped_events_count: flags / 5,
            links: lists.2,
            dropped_links_count: flags / 7,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn protobuf_reads_back(spans in vec(any_span(), 0..4)) {
        let groups = group_spans(&spans);
        let read = TracesData::decode(proto::traces_data(&groups).encode_to_vec().as_slice()).expect("decodes");
        prop_assert_eq!(&read, &proto::traces_data(&groups));
        let count: usize = read
            .resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans)
            .map(|scope| scope.spans.len())
            .sum();
        prop_assert_eq!(count, spans.len());
    }

    // The protobuf output and the JSON output, read by the reference types, say the same.
    #[test]
    fn json_says_what_protobuf_says(spans in vec(any_span(), 0..4)) {
        let groups = group_spans(&spans);
        let text = json::write_spans(&groups).expect("serialises");
        let read: TracesData = serde_json::from_slice(&text).expect("the reference types read it");
        prop_assert_eq!(read, proto::traces_data(&groups));
    }
}

fn span(name: &str, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Span {
    Span {
        name: name.to_owned(),
        resource: resource.clone(),
        scope: scope.clone(),
        ..Span::default()
    }
}

#[test]
fn spans_are_grouped_by_equal_resource_and_scope() {
    let resource = |name: &str| {
        let attributes = vec![("service.name".to_owned(), Value::String(name.to_owned()))];
        Arc::new(Resource { attributes, ..Resource::default() })
    };
    let scope = |name: &str| Arc::new(Scope { name: name.to_owned(), ..Scope::default() });
    let (a, b, one, two) = (resource("a"), resource("b"), scope("one"), scope("two"));
    let spans = [
        span("1", &a, &one),
        span("2", &b, &one),
        span("3", &resource("a"), &scope("one")), // equal, but not the same
        span("4", &a, &two),
        span("5", &a, &one),
    ];
    let shape: Vec<Vec<Vec<&str>>> = group_spans(&spans)
        .iter()
        .map(|resource| {
            resource
                .scopes
                .iter()
                .map(|scope| scope.items.iter().map(|span| span.name.as_str()).collect())
                .collect()
        })
        .collect();
    assert_eq!(shape, vec![vec![vec!["1", "3", "5"], vec!["4"]], vec![vec!["2"]]]);
}

#[test]
fn json_follows_the_mapping_of_the_specification() {
    let mut root = span("GET /", &Arc::default(), &Arc::default());
    root.trace_id = TraceId([0xab; 16]);
    root.span_id = SpanId([0x01; 8]);
    root.kind = 2;
    root.start_time_ns = 1_544_712_660_000_000_001;
    root.duration_ns = 9;
    root.attributes = vec![
        ("i".to_owned(), Value::Int(i64::MAX)),
        ("d".to_owned(), Value::Double(f64::NAN)),
        ("b".to_owned(), Value::Bytes(vec![1, 2, 3])),
        ("e".to_owned(), Value::Empty),
    ];
    let text = json::write_spans(&group_spans(&[root])).expect("serialises");
    let expected = concat!(
        r#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"#,
        r#""traceId":"abababababababababababababababab","spanId":"0101010101010101","#,
        r#""name":"GET /","kind":2,"startTimeUnixNano":"1544712660000000001","#,
        r#""endTimeUnixNano":"1544712660000000010","attributes":["#,
        r#"{"key":"i","value":{"intValue":"9223372036854775807"}},"#,
        r#"{"key":"d","value":{"doubleValue":"NaN"}},"#,
        r#"{"key":"b","value":{"bytesValue":"AQID"}},"#,
        r#"{"key":"e","value":{}}],"status":{}}]}]}]}"#
    );
    assert_eq!(String::from_utf8(text).expect("UTF-8"), expected);
}
