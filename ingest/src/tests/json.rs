//! OTLP/JSON: the same as protobuf, in every spelling that the mapping allows.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use proptest::prelude::*;
use prost::Message;
use serde_json::json;
use throughline_model::Signal;

use super::strategies;
use crate::otlp::json::to_protobuf;

fn traces(json: &serde_json::Value) -> ExportTraceServiceRequest {
    let wire = to_protobuf(Signal::Traces, json.to_string().as_bytes()).expect("well-formed");
    ExportTraceServiceRequest::decode(wire.as_slice()).expect("our own encoding")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn traces_in_json_are_traces(request in strategies::traces()) {
        let json = serde_json::to_vec(&request).expect("serializes");
        let wire = to_protobuf(Signal::Traces, &json).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(ExportTraceServiceRequest::decode(wire.as_slice()).expect("ours"), request);
    }

    #[test]
    fn logs_in_json_are_logs(request in strategies::logs()) {
        let json = serde_json::to_vec(&request).expect("serializes");
        let wire = to_protobuf(Signal::Logs, &json).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(ExportLogsServiceRequest::decode(wire.as_slice()).expect("ours"), request);
    }

    #[test]
    fn metrics_in_json_are_metrics(request in strategies::metrics()) {
        let json = serde_json::to_vec(&request).expect("serializes");
        let wire = to_protobuf(Signal::Metrics, &json).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(ExportMetricsServiceRequest::decode(wire.as_slice()).expect("ours"), request);
    }

    #[test]
    fn mutated_json_never_panics(
        request in strategies::traces(),
        changes in strategies::mutations(),
    ) {
        let mut json = serde_json::to_vec(&request).expect("serializes");
        strategies::mutate(&mut json, &changes);
        if let Ok(wire) = to_protobuf(Signal::Traces, &json) {
            ExportTraceServiceRequest::decode(wire.as_slice()).expect("what we write is well-formed");
        }
    }
}

/// The same request in the spellings that senders use.
#[test]
fn every_spelling_says_the_same() {
    let span =
        |span: serde_json::Value| json!({"resourceSpans":[{"scopeSpans":[{"spans":[span]}]}]});
    let plain = traces(&span(json!({
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
        "parentSpanId": "", "name": "GET", "kind": 2, "flags": 257,
        "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000",
        "droppedAttributesCount": 3,
        "attributes": [
            {"key": "i", "value": {"intValue": "-5"}}, {"key": "d", "value": {"doubleValue": 0.1}},
            {"key": "b", "value": {"bytesValue": "+/8="}}, {"key": "t", "value": {"boolValue": true}},
        ],
        "status": {"code": 2, "message": "no"},
    })));
    assert_eq!(plain.resource_spans[0].scope_spans[0].spans[0].attributes.len(), 4);
    let others = [
        json!({
            "trace_id": "5B8EFFF798038103D269B633813FC60C", "span_id": "EEE19B7EC3C1B174",
            "parent_span_id": null, "name": "GET", "kind": "SPAN_KIND_SERVER", "flags": "257",
            "start_time_unix_nano": 1544712660000000000u64, "end_time_unix_nano": 1.544712661e18,
            "dropped_attributes_count": "3", "links": null, "events": [], "future": [{"a": [1]}],
            "attributes": [
                {"key": "i", "value": {"int_value": -5}}, {"key": "d", "value": {"doubleValue": "0.1"}},
                {"key": "b", "value": {"bytes_value": "-_8"}},
                {"key": "t", "value": {"boolValue": true, "stringValue": null}},
            ],
            "status": {"code": "STATUS_CODE_ERROR", "message": "no", "deprecatedCode": 1},
        }),
        json!({
            "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
            "name": "GET", "kind": "2", "flags": 257.0,
            "startTimeUnixNano": "1.54471266e18", "endTimeUnixNano": 1544712661000000000i64,
            "droppedAttributesCount": 3.0,
            "attributes": [
                {"key": "i", "value": {"intValue": -5.0}}, {"key": "d", "value": {"doubleValue": 1e-1}},
                {"key": "b", "value": {"bytesValue": "+/8"}}, {"key": "t", "value": {"boolValue": true}},
            ],
            "status": {"message": "lost", "message": "no", "code": 2},
        }),
    ];
    for other in others {
        assert_eq!(traces(&span(other)), plain);
    }
}

#[test]
fn doubles_of_every_kind() {
    let cases = [
        ("\"NaN\"", f64::NAN),
        ("\"Infinity\"", f64::INFINITY),
        ("\"-Infinity\"", f64::NEG_INFINITY),
        ("5", 5.0),
        ("-0", -0.0),
        ("123456789012345678", 123456789012345680.0),
        ("0.30000000000000004", 0.30000000000000004),
        ("2.2250738585072011e-308", 2.225_073_858_507_201e-308),
        ("\"1e3\"", 1000.0),
    ];
    for (text, expected) in cases {
        let json = format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[
                {{"key":"d","value":{{"doubleValue":{text}}}}}]}}}}]}}"#
        );
        let wire = to_protobuf(Signal::Traces, json.as_bytes()).expect(text);
        let request = ExportTraceServiceRequest::decode(wire.as_slice()).expect("ours");
        let resource = request.resource_spans[0].resource.clone().expect("given");
        match resource.attributes[0].value.clone().expect("given").value {
            Some(Value::DoubleValue(got)) => {
                assert_eq!(got.to_bits(), expected.to_bits(), "{text}")
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn errors_name_the_place_and_the_value() {
    let cases = [
        (
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}"#,
            vec!["$.resourceSpans[0].scopeSpans[0].spans[0].traceId", "hex digits", "'xyz'"],
        ),
        (
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{},{"flags":4294967296}]}]}]}"#,
            vec!["spans[1].flags", "0 to 4294967295", "4294967296"],
        ),
        (
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"SERVER"}]}]}]}"#,
            vec!["spans[0].kind", "SPAN_KIND_UNSPECIFIED", "'SERVER'"],
        ),
        (
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":-1}]}]}]}"#,
            vec!["startTimeUnixNano", "-1"],
        ),
        (
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":5}]}]}]}"#,
            vec!["spans[0].name", "a string expected, got 5"],
        ),
        (r#"{"resourceSpans":[{"scopeSpans":[{"spans":[null]}]}]}"#, vec!["spans[0]", "null"]),
        (r#"{"resourceSpans":{}}"#, vec!["$.resourceSpans", "an object was not expected"]),
        (r#"{"resourceSpans":[5]}"#, vec!["$.resourceSpans[0]", "an object expected, got 5"]),
        (r#"{"resourceSpans":[{"resource":[]}]}"#, vec!["$.resourceSpans[0].resource"]),
        (
            r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"doubleValue":"inf"}}]}}]}"#,
            vec!["value.doubleValue", "'inf'"],
        ),
        (
            r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"doubleValue":1e999}}]}}]}"#,
            vec!["value.doubleValue", "finite", "1e999"],
        ),
        (r#"{"resourceSpans":[]} x"#, vec!["$", "trailing"]),
        (r#"{"resourceSpans":["#, vec!["$.resourceSpans[0]", "EOF"]),
        ("[]", vec!["$"]),
        ("nonsense", vec!["$"]),
    ];
    for (json, expected) in cases {
        let err = to_protobuf(Signal::Traces, json.as_bytes()).expect_err(json).to_string();
        assert!(expected.iter().all(|part| err.contains(part)), "{json}: {err}");
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let nested = |depth: usize| {
        let inner = (0..depth)
            .fold(json!({"intValue": 1}), |inner, _| json!({"arrayValue": {"values": [inner]}}));
        json!({"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":inner}]}}]})
            .to_string()
    };
    assert!(to_protobuf(Signal::Traces, nested(30).as_bytes()).is_ok());
    let err = to_protobuf(Signal::Traces, nested(100).as_bytes()).expect_err("too deep");
    assert!(
        err.to_string().contains("nested deeper than 128 objects and lists at line 1"),
        "{err}"
    );
    let open = "[".repeat(1_000_000);
    assert!(to_protobuf(Signal::Traces, open.as_bytes()).is_err());
    let unknown = format!("{{\"unknown\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let _ = to_protobuf(Signal::Traces, unknown.as_bytes());
}

/// The examples of opentelemetry-proto, where they are on this machine.
#[test]
fn the_protocols_own_examples() {
    let Some(folder) = super::shared("data/otlp-examples/examples") else {
        eprintln!("skipped: no opentelemetry-proto examples");
        return;
    };
    let cases = [
        ("trace.json", Signal::Traces, 1),
        ("logs.json", Signal::Logs, 1),
        ("events.json", Signal::Logs, 1),
        ("metrics.json", Signal::Metrics, 4),
    ];
    for (file, signal, items_min) in cases {
        let json = std::fs::read(folder.join(file)).expect("readable");
        let wire = to_protobuf(signal, &json).expect(file);
        super::differential::check(signal, &wire).expect(file);
        let decoded = crate::otlp::decode::decode_request(signal, &wire, 0).expect(file);
        assert!(decoded.batch.len() >= items_min, "{file}: {}", decoded.batch.len());
        assert_eq!((decoded.rejected, decoded.message.as_str()), (0, ""), "{file}");
        let theirs = match signal {
            Signal::Traces => serde_json::from_slice::<ExportTraceServiceRequest>(&json)
                .map(|request| request.encode_to_vec()),
            Signal::Logs => serde_json::from_slice::<ExportLogsServiceRequest>(&json)
                .map(|request| request.encode_to_vec()),
            Signal::Metrics => serde_json::from_slice::<ExportMetricsServiceRequest>(&json)
                .map(|request| request.encode_to_vec()),
        };
        let theirs = theirs.expect(file);
        let theirs = crate::otlp::decode::decode_request(signal, &theirs, 0).expect(file);
        assert_eq!(format!("{:?}", theirs.batch), format!("{:?}", decoded.batch), "{file}");
    }
}
