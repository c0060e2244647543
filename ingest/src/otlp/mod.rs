//! The OpenTelemetry protocol: its decoder and its two transports.

mod body;
pub mod decode;
pub mod grpc;
pub mod http;
pub mod json;
pub mod reply;

use throughline_model::batch::Decoded;
use throughline_model::{Error, Result, Signal};
use throughline_storage::{Format, WalRecord};

use crate::admit::{REPLAY_LIMITS, inflate};

/// Decodes a logged body, as it was decoded when it was acknowledged: the log's replay.
pub fn decode(record: &WalRecord) -> Result<Decoded> {
    let inflated = inflate(record.encoding, &record.body, REPLAY_LIMITS, |_| Ok(()))
        .map_err(|err| Error::invalid(err.to_string()))?;
    decode_inflated(record.signal, record.format, &inflated, record.received_at_ns)
}

/// Decodes an inflated body.
pub fn decode_inflated(
    signal: Signal,
    format: Format,
    body: &[u8],
    received_at_ns: i64,
) -> Result<Decoded> {
    match format {
        Format::OtlpProtobuf => decode::decode_request(signal, body, received_at_ns),
        Format::OtlpJson => {
            decode::decode_request(signal, &json::to_protobuf(signal, body)?, received_at_ns)
        }
    }
}
