//! What is logged: one request body as it was received, with what is needed to decode it again.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use throughline_model::Signal;
use throughline_model::batch::Decoded;

/// The format of a logged body. Numbers are stored; they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Format {
    /// An OTLP export request in protobuf.
    OtlpProtobuf = 1,
    /// An OTLP export request in JSON.
    OtlpJson = 2,
    /// A list of Zipkin v2 spans in JSON.
    ZipkinJson = 3,
    /// Zipkin's `ListOfSpans` in protobuf.
    ZipkinProtobuf = 4,
    /// A list of Zipkin v1 spans in JSON.
    ZipkinV1Json = 5,
    /// A list of Zipkin v1 spans in thrift's binary protocol.
    ZipkinV1Thrift = 6,
    /// A Jaeger `Batch` in thrift's binary protocol.
    JaegerThrift = 7,
    /// A Jaeger `Batch` in thrift's compact protocol.
    JaegerThriftCompact = 8,
    /// Jaeger's `PostSpansRequest` in protobuf.
    JaegerProtobuf = 9,
    /// Loki's `PushRequest` in protobuf.
    LokiProtobuf = 10,
    /// Loki's streams in JSON.
    LokiJson = 11,
    /// Splunk HEC's events: JSON objects one after the other.
    SplunkEvents = 12,
    /// Splunk HEC's raw lines, below a line with the parameters of their request.
    SplunkRaw = 13,
    /// Lines of JSON, below a line with what their request said.
    JsonLines = 14,
    /// A message of GELF.
    Gelf = 15,
    /// Elasticsearch's `_bulk`: lines of actions and documents.
    ElasticsearchBulk = 20,
    /// The same after a line with the index that the path named.
    ElasticsearchBulkOf = 21,
    /// One document for Elasticsearch, after the line of its action.
    ElasticsearchDocument = 22,
    /// A batch of syslog messages, framed by the receiver.
    Syslog = 23,
    /// A batch of GELF messages, framed like one of syslog's.
    GelfBatch = 24,
    /// A message of Fluent's forward protocol, in MessagePack.
    FluentForward = 25,
    /// Log records in columns, which rules have changed: an Arrow IPC stream.
    LogColumns = 26,
    /// Prometheus' `WriteRequest` of remote write 1.0.
    PrometheusWrite = 27,
    /// Prometheus' `Request` of remote write 2.0.
    PrometheusWriteV2 = 28,
    /// Lines of Influx' protocol, below a line with the unit of their times.
    InfluxLines = 29,
}

impl Format {
    /// All formats, in the order of their numbers.
    pub const ALL: [Format; 25] = [
        Format::OtlpProtobuf,
        Format::OtlpJson,
        Format::ZipkinJson,
        Format::ZipkinProtobuf,
        Format::ZipkinV1Json,
        Format::ZipkinV1Thrift,
        Format::JaegerThrift,
        Format::JaegerThriftCompact,
        Format::JaegerProtobuf,
        Format::LokiProtobuf,
        Format::LokiJson,
        Format::SplunkEvents,
        Format::SplunkRaw,
        Format::JsonLines,
        Format::Gelf,
        Format::ElasticsearchBulk,
        Format::ElasticsearchBulkOf,
        Format::ElasticsearchDocument,
        Format::Syslog,
        Format::GelfBatch,
        Format::FluentForward,
        Format::LogColumns,
        Format::PrometheusWrite,
        Format::PrometheusWriteV2,
        Format::InfluxLines,
    ];

    /// The format of a stored number, if it is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|f| *f as u8 == number)
    }

    /// Whether its protocol can tell the sender of an accepted request that some items were refused.
    pub fn tells_refused_items(self) -> bool {
        use Format::{ElasticsearchBulk, ElasticsearchBulkOf, ElasticsearchDocument};
        let elasticsearch =
            matches!(self, ElasticsearchBulk | ElasticsearchBulkOf | ElasticsearchDocument);
        elasticsearch || matches!(self, Format::OtlpProtobuf | Format::OtlpJson)
    }
}

/// How a logged body is compressed. Numbers are stored; they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Encoding {
    /// Not at all.
    Identity = 0,
    /// RFC 1952.
    Gzip = 1,
    /// RFC 8878.
    Zstd = 2,
    /// RFC 1950, which HTTP calls deflate.
    Deflate = 3,
    /// Snappy: a block by itself, or frames.
    Snappy = 4,
}

impl Encoding {
    /// The encoding of a stored number, if it is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        use Encoding::{Deflate, Gzip, Identity, Snappy, Zstd};
        [Identity, Gzip, Zstd, Deflate, Snappy].into_iter().find(|e| *e as u8 == number)
    }
}

/// A request body to be logged, and what comes out of the log on replay.
#[derive(Clone, Debug, PartialEq)]
pub struct WalRecord {
    /// What the body carries.
    pub signal: Signal,
    /// Whose it is.
    pub tenant: Arc<str>,
    /// The body's format.
    pub format: Format,
    /// The body's compression.
    pub encoding: Encoding,
    /// When the request arrived.
    pub received_at_ns: i64,
    /// [`crate::Store::body_hash`] of the inflated body.
    pub body_hash: u128,
    /// The body as received.
    pub body: Bytes,
}

/// Decodes a logged body again: inflates it (capped) and builds columns. Must be deterministic and
/// accept whatever was acknowledged.
pub type DecodeFn = Arc<dyn Fn(&WalRecord) -> throughline_model::Result<Decoded> + Send + Sync>;

/// What a sender was told of its request; a repeated request gets the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Items refused for ever.
    pub rejected: u64,
    /// Why; empty if none was.
    pub message: String,
}
