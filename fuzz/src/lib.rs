//! What the fuzz targets have in common: the decoders, and what must hold for any bytes.
//!
//! The decoders and the oracle (what prost's structs say, as rows) are the files of the crate
//! `ingest`. They are compiled here once more instead of depending on that crate, which would bring
//! the storage engine and the servers with it.

#[path = "../../ingest/src/otlp/decode/mod.rs"]
pub mod decode;
#[path = "../../ingest/src/elasticsearch/decode/mod.rs"]
pub mod elasticsearch;
#[path = "../../ingest/src/scrape/exposition/mod.rs"]
pub mod exposition;
#[path = "../../ingest/src/fluent/decode.rs"]
pub mod fluent;
#[path = "../../ingest/src/syslog/framing.rs"]
pub mod framing;
#[path = "../../ingest/src/gelf/decode.rs"]
pub mod gelf;
#[path = "../../ingest/src/jaeger/decode/mod.rs"]
pub mod jaeger;
#[path = "../../ingest/src/otlp/json/mod.rs"]
pub mod json;
#[path = "../../ingest/src/json_lines/decode.rs"]
pub mod json_lines;
#[path = "../../ingest/src/json_parts.rs"]
pub mod json_parts;
pub mod log_language;
pub mod logql;
#[path = "../../ingest/src/loki/decode/mod.rs"]
pub mod loki;
#[path = "../../ingest/src/fluent/msgpack.rs"]
pub mod msgpack;
#[path = "../../ingest/src/tests/oracle.rs"]
mod oracle;
#[path = "../../ingest/src/records/mod.rs"]
pub mod records;
#[path = "../../ingest/src/remote_write/decode/mod.rs"]
pub mod remote_write;
#[path = "../../ingest/src/tests/rows.rs"]
mod rows;
#[path = "../../ingest/src/splunk/decode/mod.rs"]
pub mod splunk;
#[path = "../../ingest/src/syslog/decode/mod.rs"]
pub mod syslog;
#[path = "../../ingest/src/thrift.rs"]
pub mod thrift;
#[path = "../../ingest/src/times.rs"]
pub mod times;
pub mod traceql;
#[path = "../../ingest/src/translate.rs"]
pub mod translate;
pub mod wal;
#[path = "../../ingest/src/zipkin/decode/mod.rs"]
pub mod zipkin;

/// Where the decoders of the older formats look for what they share with OTLP's.
pub mod otlp {
    pub use crate::decode;
}

use std::fmt::Debug;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::{DecodeError, Message};
use throughline_model::Signal;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::span::read_spans;

const RECEIVED_AT_NS: i64 = 1_750_000_000_000_000_000;

/// Rows as text, which compares NaN with NaN and tells -0 from 0, and how many items are refused.
type Rows = (String, u64);

fn shown(rows: impl Debug) -> String {
    format!("{rows:?}")
}

fn oracle_rows(signal: Signal, request: &[u8]) -> Result<Rows, DecodeError> {
    match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(request).map(|request| {
            let (rows, rejected) = oracle::traces(&request);
            (shown(rows), rejected)
        }),
        Signal::Logs => ExportLogsServiceRequest::decode(request).map(|request| {
            let (rows, rejected) = oracle::logs(&request, RECEIVED_AT_NS);
            (shown(rows), rejected)
        }),
        Signal::Metrics => ExportMetricsServiceRequest::decode(request).map(|request| {
            let (rows, rejected) = oracle::metrics(&request);
            (shown(rows), rejected)
        }),
    }
}

/// Decodes a request: no panic, the verdict of prost, and where it is well-formed, prost's rows.
pub fn check_protobuf(signal: Signal, request: &[u8]) {
    let ours = decode::decode_request(signal, request, RECEIVED_AT_NS);
    match (ours, oracle_rows(signal, request)) {
        (Ok(ours), Ok((rows, rejected))) => {
            let our_rows = match &ours.batch {
                Batch::Spans(batch) => {
                    shown(read_spans(batch).expect("what was decoded reads back"))
                }
                Batch::Logs(batch) => shown(rows::log_rows(batch)),
                Batch::Metrics(batch) => shown(rows::metric_rows(batch)),
            };
            assert_eq!(our_rows, rows);
            assert_eq!(ours.rejected, rejected);
            assert_eq!(ours.message.is_empty(), rejected == 0);
        }
        (Err(_), Err(_)) => {}
        // prost gives up on what nests deeper than it likes; we refuse the item, or keep it.
        (_, Err(prost)) if nests_too_deep(&prost) => {}
        // We refuse an item that nests past our limit without looking further inside; prost refuses
        // the request.
        (Ok(ours), Err(_)) if ours.message.contains("nests deeper") => {}
        (Ok(_), Err(prost)) => panic!("prost refuses, we do not: {prost}"),
        (Err(ours), Ok(_)) => panic!("prost does not refuse, we do: {ours}"),
    }
}

/// Reads a request in JSON: no panic, and what is taken is well-formed protobuf for which
/// [`check_protobuf`] holds.
pub fn check_json(signal: Signal, request: &[u8]) {
    let Ok(wire) = json::to_protobuf(signal, request) else { return };
    if let Err(prost) = oracle_rows(signal, &wire) {
        assert!(nests_too_deep(&prost), "JSON became malformed protobuf: {prost}");
    }
    check_protobuf(signal, &wire);
}

/// Reads a body as Zipkin's, Jaeger's, Loki's or Splunk's, as the first byte picks: no panic, and what is taken
/// reads back.
pub fn check_older(input: &[u8]) {
    use jaeger::Encoding::{Protobuf, Thrift};
    use thrift::Protocol::{Binary, Compact};
    use zipkin::Encoding::{V1Json, V1Thrift, V2Json, V2Protobuf};
    let Some((format, body)) = input.split_first() else { return };
    let zipkin = |encoding| zipkin::decode(encoding, body, RECEIVED_AT_NS);
    let loki = |encoding| loki::decode(encoding, body, RECEIVED_AT_NS);
    let splunk = |encoding| splunk::decode(encoding, body, RECEIVED_AT_NS);
    let decoded = match format % 11 {
        0 => zipkin(V2Json),
        1 => zipkin(V2Protobuf),
        2 => zipkin(V1Json),
        3 => zipkin(V1Thrift),
        4 => jaeger::decode(Thrift(Binary), body),
        5 => jaeger::decode(Thrift(Compact), body),
        6 => jaeger::decode(Protobuf, body),
        7 => loki(loki::Encoding::Protobuf),
        8 => loki(loki::Encoding::Json),
        9 => splunk(splunk::Encoding::Events),
        _ => splunk(splunk::Encoding::Raw),
    };
    let Ok(Decoded { batch, rejected, message }) = decoded else { return };
    match &batch {
        Batch::Spans(batch) => drop(read_spans(batch).expect("what was decoded reads back")),
        Batch::Logs(batch) => drop(rows::log_rows(batch)),
        Batch::Metrics(_) => panic!("none of these formats brings metrics"),
    }
    assert_eq!(message.is_empty(), rejected == 0);
}

/// Reads a body as a request of remote write, of the version that the first byte picks: no panic, what is taken reads
/// back, and what 2.0 is told was written is what is there.
pub fn check_remote_write(input: &[u8]) {
    use remote_write::Version::{V1, V2};
    let Some((version, body)) = input.split_first() else { return };
    let version = if version % 2 == 0 { V1 } else { V2 };
    let Ok(Decoded { batch, rejected, message }) = remote_write::decode(version, body) else {
        return;
    };
    assert_eq!(message.is_empty(), rejected == 0);
    let Batch::Metrics(batch) = batch else { panic!("remote write brings metrics") };
    drop(rows::metric_rows(&batch));
    if version == V2 {
        let written = remote_write::written(body, rejected == 0).expect("it was read before");
        assert_eq!(written.samples, batch.numbers.num_rows());
        assert_eq!(written.histograms, batch.complex.num_rows());
        assert_eq!(written.exemplars, batch.exemplars.num_rows());
    }
}

/// Reads bytes as what a target exposes, in the form that the first byte picks: no panic, and every sample has a name
/// and a family that is there.
pub fn check_exposition(input: &[u8]) {
    use exposition::Form::{OpenMetrics1, Protobuf, Text};
    let Some((first, body)) = input.split_first() else { return };
    let form = [Text, OpenMetrics1, Protobuf][usize::from(first % 3)];
    let options =
        exposition::Options { wants_native: first & 8 == 0, keeps_classic: first & 16 == 0 };
    let Ok(found) = exposition::read(body, form, options) else { return };
    for sample in &found.samples {
        assert!(sample.labels.iter().any(|(name, _)| name == "__name__"), "{sample:?}");
        assert!(sample.family.is_none_or(|family| family < found.families.len()), "{sample:?}");
    }
}

/// Reads bytes as documents for Elasticsearch, as a batch of syslog, and as a stream of messages that arrives in
/// pieces, as the first byte picks: no panic, what is taken reads back, and every message is stored.
pub fn check_shippers(input: &[u8]) {
    use elasticsearch::Shape::{Bulk, BulkOf, Document};
    let Some((format, body)) = input.split_first() else { return };
    let documents = |shape| elasticsearch::decode(shape, body, RECEIVED_AT_NS);
    let decoded = match format % 9 {
        0 => documents(Bulk),
        1 => documents(BulkOf),
        2 => documents(Document),
        3 => syslog::decode(body),
        4 => json_lines::decode(&[&b"{}\n"[..], body].concat(), RECEIVED_AT_NS),
        5 => json_lines::decode(body, RECEIVED_AT_NS),
        6 => gelf::decode(body, RECEIVED_AT_NS),
        7 => fluent::decode(body, RECEIVED_AT_NS),
        _ => return check_stream(usize::from(format / 9) + 1, body),
    };
    if let Ok(Decoded { batch: Batch::Logs(batch), rejected, message }) = decoded {
        rows::log_rows(&batch);
        assert_eq!(message.is_empty(), rejected == 0);
    }
}

fn check_stream(step: usize, stream: &[u8]) {
    const BYTES_MAX: usize = 64;
    let mut framer = framing::Framer::new(BYTES_MAX);
    let mut batch = Vec::new();
    let mut messages = 0;
    syslog::put_header(&mut batch, RECEIVED_AT_NS, 1);
    let mut put = |frame: framing::Frame| {
        assert!(frame.bytes.len() <= BYTES_MAX && frame.bytes.len() <= frame.whole_len);
        syslog::put_frame(&mut batch, RECEIVED_AT_NS, None, frame.whole_len, &frame.bytes);
        messages += 1;
    };
    for piece in stream.chunks(step) {
        framer.buffer.extend_from_slice(piece);
        std::iter::from_fn(|| framer.next_frame()).for_each(&mut put);
    }
    framer.last_frame().into_iter().for_each(&mut put);
    let decoded = syslog::decode(&batch).expect("any message is stored");
    assert_eq!((decoded.batch.len(), decoded.rejected), (messages, 0));
}

fn nests_too_deep(prost: &DecodeError) -> bool {
    prost.to_string().contains("recursion limit")
}
