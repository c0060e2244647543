//! Random spans in every encoding: all encodings of a request say the same, nothing is lost, and no bytes
//! are too strange to be refused.

use std::path::Path;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use prost::Message;
use throughline_storage::Format;

use super::spans;
use super::wire::{jaeger, v1, zipkin};
use crate::decode::decode_inflated;
use crate::thrift::Protocol;

const NOW_NS: i64 = 1_700_000_000_000_000_000;
const FORMATS: [Format; 7] = [
    Format::ZipkinJson,
    Format::ZipkinProtobuf,
    Format::ZipkinV1Json,
    Format::ZipkinV1Thrift,
    Format::JaegerThrift,
    Format::JaegerThriftCompact,
    Format::JaegerProtobuf,
];

/// The rows, and what was refused, as text: NaN is NaN.
fn rows(format: Format, body: &[u8]) -> String {
    let decoded = decode_inflated(throughline_model::Signal::Traces, format, body, NOW_NS)
        .unwrap_or_else(|err| panic!("{format:?}: {err}"));
    format!("{:#?} {} refused", spans(&decoded), decoded.rejected)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z.]{0,6}", 1 => "[a-zé☃\u{10ffff}\"\\\\\n{}:]{0,4}"]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-d]{0,2}",
        1 => Just("error".to_owned()),
        1 => Just("otel.status_code".to_owned()),
        1 => Just("otel.status_description".to_owned()),
        1 => Just("otel.scope.name".to_owned()),
        1 => Just("otel.library.name".to_owned()),
        1 => Just("otel.library.version".to_owned()),
        1 => Just("w3c.tracestate".to_owned()),
        1 => Just("otel.dropped_events_count".to_owned()),
        1 => Just("span.kind".to_owned()),
        1 => Just("event".to_owned()),
    ]
}

fn tag_text() -> impl Strategy<Value = String> {
    let known = ["OK", "ERROR", "true", "false", "server", "7"].map(str::to_owned);
    prop_oneof![3 => text(), 1 => proptest::sample::select(known.to_vec())]
}

/// Mostly good; now and then past what can be kept.
fn time_us() -> impl Strategy<Value = u64> {
    prop_oneof![
        20 => 1_700_000_000_000_000u64..1_800_000_000_000_000,
        3 => Just(0),
        1 => 0u64..i64::MAX as u64,
    ]
}

fn endpoint() -> impl Strategy<Value = zipkin::Endpoint> {
    let ip = |len| prop_oneof![Just(Vec::new()), vec(1u8.., len)];
    ("[a-z]{0,3}", ip(4), ip(16), 0i32..=65535).prop_map(|(service_name, ipv4, ipv6, port)| {
        zipkin::Endpoint { service_name, ipv4, ipv6, port }
    })
}

fn zipkin_span() -> impl Strategy<Value = zipkin::Span> {
    let ids = (vec(0u8.., 16), option::of(vec(0u8.., 8)), vec(0u8..2, 8));
    let annotation =
        (time_us(), text()).prop_map(|(timestamp, value)| zipkin::Annotation { timestamp, value });
    let rest = (
        (0i32..5, text(), time_us(), prop_oneof![0u64..1_000_000, time_us()]),
        (option::of(endpoint()), option::of(endpoint())),
        (vec(annotation, 0..3), btree_map(key(), tag_text(), 0..6)),
        (any::<bool>(), any::<bool>()),
    );
    (ids, rest).prop_map(
        |((trace_id, parent_id, id), (scalars, ends, (annotations, tags), flags))| {
            let (kind, name, timestamp, duration) = scalars;
            zipkin::Span {
                trace_id,
                parent_id: parent_id.unwrap_or_default(),
                id,
                kind,
                name,
                timestamp,
                duration,
                local_endpoint: ends.0,
                remote_endpoint: ends.1,
                annotations,
                tags,
                debug: flags.0,
                shared: flags.1,
            }
        },
    )
}

fn v1_span() -> impl Strategy<Value = v1::Span> {
    let core = ["cs", "cr", "sr", "ss", "ms", "mr"].map(str::to_owned).to_vec();
    let value = prop_oneof![2 => proptest::sample::select(core), 1 => text()];
    let annotations = vec((time_us(), value, option::of(endpoint())), 0..5);
    let tags = vec(
        (prop_oneof![5 => key(), 1 => Just("lc".to_owned())], text(), option::of(endpoint())),
        0..4,
    );
    let address = (proptest::sample::select(vec!["sa".to_owned(), "ca".to_owned()]), endpoint());
    let ids = (any::<u64>(), any::<u64>(), 0u64..3, option::of(any::<u64>()));
    let times = (any::<bool>(), option::of(time_us()), option::of(time_us()));
    (ids, text(), annotations, tags, option::of(address), times).prop_map(
        |((trace_id, trace_id_high, id, parent_id), name, annotations, tags, address, times)| {
            let (debug, timestamp, duration) = times;
            // To JSON, text and the boolean are alike where no type is said.
            let tags = tags.into_iter().filter(|(_, value, _)| value != "true").collect();
            v1::Span {
                trace_id,
                trace_id_high,
                name,
                id,
                parent_id,
                annotations,
                tags,
                address,
                debug,
                timestamp,
                duration,
            }
        },
    )
}

fn jaeger_tag() -> impl Strategy<Value = jaeger::KeyValue> {
    let numbers = (any::<i64>(), proptest::num::f64::ANY);
    (key(), 0i32..5, tag_text(), any::<bool>(), numbers, vec(0u8.., 0..4)).prop_map(
        |(key, v_type, v_str, v_bool, (v_int64, v_float64), v_binary)| jaeger::KeyValue {
            key,
            v_type,
            v_str,
            v_bool,
            v_int64,
            // Protobuf takes a negative zero for absent.
            v_float64: if v_float64 == 0.0 { 0.0 } else { v_float64 },
            v_binary,
        },
    )
}

/// A time that thrift can say: whole microseconds, and not past them.
fn jaeger_time() -> impl Strategy<Value = Option<jaeger::Time>> {
    option::weighted(
        0.9,
        (0i64..2_000_000_000, 0i32..1_000_000)
            .prop_map(|(seconds, micros)| jaeger::Time { seconds, nanos: micros * 1_000 }),
    )
}

fn jaeger_batch() -> impl Strategy<Value = jaeger::Batch> {
    let reference = (vec(0u8..2, 16), vec(0u8.., 8), 0i32..2)
        .prop_map(|(trace_id, span_id, ref_type)| jaeger::SpanRef { trace_id, span_id, ref_type });
    let log = (jaeger_time(), vec(jaeger_tag(), 0..3))
        .prop_map(|(timestamp, fields)| jaeger::Log { timestamp, fields });
    let span = (
        (vec(0u8..2, 16), vec(0u8..2, 8), text(), vec(reference, 0..3), 0u32..4),
        (jaeger_time(), jaeger_time(), vec(jaeger_tag(), 0..5), vec(log, 0..3)),
    );
    let span = span.prop_map(|((trace_id, span_id, operation_name, references, flags), rest)| {
        let (start_time, duration, tags, logs) = rest;
        jaeger::Span {
            trace_id,
            span_id,
            operation_name,
            references,
            flags,
            start_time,
            duration,
            tags,
            logs,
            process: None,
            warnings: Vec::new(),
        }
    });
    let process = ("[a-z]{0,4}", vec(jaeger_tag(), 0..3))
        .prop_map(|(service_name, tags)| jaeger::Process { service_name, tags });
    (vec(span, 0..4), process)
        .prop_map(|(spans, process)| jaeger::Batch { spans, process: Some(process) })
}

/// The seeds of the fuzz target `older`: the first byte is the format's place among [`FORMATS`].
/// `BLESS=1 cargo test -p throughline-ingest older_seeds` writes the `random-…` ones anew.
#[test]
fn older_seeds_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/older");
    if std::env::var_os("BLESS").is_some() {
        let mut runner = TestRunner::deterministic();
        let requests = (vec(zipkin_span(), 1..3), vec(v1_span(), 1..3), jaeger_batch());
        for number in 0..5 {
            let (spans, old, batch) = requests.new_tree(&mut runner).expect("a tree").current();
            for (format, body) in bodies(spans, &old, batch).into_iter().enumerate() {
                let path = folder.join(format!("random-{number}-{format}"));
                std::fs::write(path, [&[format as u8][..], &body].concat()).expect("writes");
            }
        }
    }
    let entries = std::fs::read_dir(folder).expect("a folder of seeds");
    let paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    assert!(paths.len() >= 5 * FORMATS.len(), "{} seeds", paths.len());
    for path in paths {
        let seed = std::fs::read(&path).expect("a file");
        let (format, body) = seed.split_first().expect("a format");
        let format = FORMATS[usize::from(*format) % FORMATS.len()];
        let decoded = decode_inflated(throughline_model::Signal::Traces, format, body, NOW_NS);
        spans(&decoded.unwrap_or_else(|err| panic!("{}: {err}", path.display())));
    }
}

/// The same requests in all [`FORMATS`].
fn bodies(spans: Vec<zipkin::Span>, old: &[v1::Span], batch: jaeger::Batch) -> [Vec<u8>; 7] {
    let thrift = jaeger::thrift_batch(&batch);
    [
        zipkin::json_list(&spans),
        zipkin::ListOfSpans { spans }.encode_to_vec(),
        v1::json_list(old),
        v1::thrift_list(old).encode(Protocol::Binary),
        thrift.encode(Protocol::Binary),
        thrift.encode(Protocol::Compact),
        jaeger::PostSpansRequest { batch: Some(batch) }.encode_to_vec(),
    ]
}

proptest! {
    #[test]
    fn zipkin_says_the_same_in_json_and_protobuf(spans in vec(zipkin_span(), 0..4)) {
        let json = zipkin::json_list(&spans);
        let protobuf = zipkin::ListOfSpans { spans: spans.clone() }.encode_to_vec();
        let rows = rows(Format::ZipkinJson, &json);
        prop_assert_eq!(&rows, &self::rows(Format::ZipkinProtobuf, &protobuf));
    }

    #[test]
    fn zipkin_v1_says_the_same_in_json_and_thrift(spans in vec(v1_span(), 0..4)) {
        let json = v1::json_list(&spans);
        let thrift = v1::thrift_list(&spans).encode(Protocol::Binary);
        prop_assert_eq!(rows(Format::ZipkinV1Json, &json), rows(Format::ZipkinV1Thrift, &thrift));
    }

    #[test]
    fn jaeger_says_the_same_in_thrift_and_protobuf(batch in jaeger_batch()) {
        let thrift = jaeger::thrift_batch(&batch);
        let protobuf = jaeger::PostSpansRequest { batch: Some(batch) }.encode_to_vec();
        let rows = rows(Format::JaegerProtobuf, &protobuf);
        for (format, protocol) in [
            (Format::JaegerThrift, Protocol::Binary),
            (Format::JaegerThriftCompact, Protocol::Compact),
        ] {
            prop_assert_eq!(&self::rows(format, &thrift.encode(protocol)), &rows);
        }
    }

    #[test]
    fn damaged_bodies_are_refused_or_read(
        spans in vec(zipkin_span(), 1..3),
        old in vec(v1_span(), 1..3),
        batch in jaeger_batch(),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        keep in any::<proptest::sample::Index>(),
    ) {
        let bodies = bodies(spans, &old, batch);
        for (format, mut body) in FORMATS.into_iter().zip(bodies) {
            for (at, byte) in &damage {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            body.truncate(keep.index(2 * body.len() + 1));
            let signal = throughline_model::Signal::Traces;
            if let Ok(decoded) = decode_inflated(signal, format, &body, NOW_NS) {
                self::spans(&decoded);
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(body in vec(any::<u8>(), 0..64)) {
        for format in FORMATS {
            let signal = throughline_model::Signal::Traces;
            if let Ok(decoded) = decode_inflated(signal, format, &body, NOW_NS) {
                spans(&decoded);
            }
        }
    }
}
