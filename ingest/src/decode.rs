//! Which decoder a body is for, when it arrives and when the log is replayed.

use memchr::memmem;
use throughline_model::batch::Decoded;
use throughline_model::{Error, Result, Signal};
use throughline_storage::{Format, WalRecord};

use crate::admit::{REPLAY_LIMITS, inflate};
use crate::thrift::Protocol;
use crate::{
    elasticsearch, fluent, gelf, influx, jaeger, json_lines, loki, otlp, remote_write, rules,
    splunk, syslog, zipkin,
};

/// Decodes a logged body, as it was decoded when it was acknowledged: the log's replay.
pub fn decode(record: &WalRecord) -> Result<Decoded> {
    let inflated = inflate(record.encoding, &record.body, REPLAY_LIMITS, |_| Ok(()))
        .map_err(|err| Error::invalid(err.to_string()))?;
    decode_inflated(record.signal, record.format, &inflated, record.received_at_ns)
}

/// Whether the same body again is the same request again: not where it says nothing of when its items were.
pub fn is_telling(format: Format, body: &[u8]) -> bool {
    match format {
        Format::SplunkEvents => splunk::says_when(splunk::Encoding::Events, body),
        Format::SplunkRaw => splunk::says_when(splunk::Encoding::Raw, body),
        Format::ElasticsearchBulk | Format::ElasticsearchBulkOf | Format::ElasticsearchDocument => {
            elasticsearch::says_when(body)
        }
        Format::JsonLines => json_lines::says_when(body),
        Format::Gelf => memmem::find(body, b"\"timestamp\"").is_some(),
        Format::FluentForward => fluent::decode::chunk(body).is_some(),
        Format::InfluxLines => influx::says_when(body),
        _ => true,
    }
}

/// Decodes an inflated body.
pub fn decode_inflated(
    signal: Signal,
    format: Format,
    body: &[u8],
    received_at_ns: i64,
) -> Result<Decoded> {
    let zipkin = |encoding| zipkin::decode(encoding, body, received_at_ns);
    let jaeger = |encoding| jaeger::decode(encoding, body);
    let loki = |encoding| loki::decode(encoding, body, received_at_ns);
    let splunk = |encoding| splunk::decode(encoding, body, received_at_ns);
    let elasticsearch = |shape| elasticsearch::decode(shape, body, received_at_ns);
    match format {
        Format::OtlpProtobuf => otlp::decode::decode_request(signal, body, received_at_ns),
        Format::OtlpJson => {
            let wire = otlp::json::to_protobuf(signal, body)?;
            otlp::decode::decode_request(signal, &wire, received_at_ns)
        }
        Format::ZipkinJson => zipkin(zipkin::Encoding::V2Json),
        Format::ZipkinProtobuf => zipkin(zipkin::Encoding::V2Protobuf),
        Format::ZipkinV1Json => zipkin(zipkin::Encoding::V1Json),
        Format::ZipkinV1Thrift => zipkin(zipkin::Encoding::V1Thrift),
        Format::JaegerThrift => jaeger(jaeger::Encoding::Thrift(Protocol::Binary)),
        Format::JaegerThriftCompact => jaeger(jaeger::Encoding::Thrift(Protocol::Compact)),
        Format::JaegerProtobuf => jaeger(jaeger::Encoding::Protobuf),
        Format::LokiProtobuf => loki(loki::Encoding::Protobuf),
        Format::LokiJson => loki(loki::Encoding::Json),
        Format::SplunkEvents => splunk(splunk::Encoding::Events),
        Format::SplunkRaw => splunk(splunk::Encoding::Raw),
        Format::ElasticsearchBulk => elasticsearch(elasticsearch::Shape::Bulk),
        Format::ElasticsearchBulkOf => elasticsearch(elasticsearch::Shape::BulkOf),
        Format::ElasticsearchDocument => elasticsearch(elasticsearch::Shape::Document),
        Format::Syslog => syslog::decode(body),
        Format::JsonLines => json_lines::decode(body, received_at_ns),
        Format::Gelf => gelf::decode(body, received_at_ns),
        Format::GelfBatch => gelf::decode_batch(body),
        Format::FluentForward => fluent::decode(body, received_at_ns),
        Format::LogColumns => rules::read_columns(body),
        Format::PrometheusWrite => remote_write::decode(remote_write::Version::V1, body),
        Format::PrometheusWriteV2 => remote_write::decode(remote_write::Version::V2, body),
        Format::InfluxLines => influx::decode(body, received_at_ns),
    }
}
