//! What senders are told: Export responses and `google.rpc.Status`, in protobuf and in JSON.
//!
//! ```text
//! Export…ServiceResponse := { 1: partial_success { 1: int64 rejected, 2: string error_message } }
//! Status                 := { 1: int32 code, 2: string message, 3: Any details }
//! Any { 1: string type_url, 2: bytes value }     RetryInfo { 1: Duration retry_delay { 1: int64 s } }
//! ```

use serde_json::json;
use throughline_model::Signal;
use throughline_model::codec::{put_bytes, put_nested, put_varint};
use throughline_storage::{Format, Reply};

use crate::{Error, ErrorKind};

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// The codes of `google.rpc.Code` that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum Code {
    Ok = 0,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

/// The code that says the same as an [`ErrorKind`]. OTLP senders repeat `Unavailable`, and
/// `ResourceExhausted` only where RetryInfo comes with it, which we never send for what is too large.
pub fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Malformed => Code::InvalidArgument,
        ErrorKind::TooLarge | ErrorKind::Quota => Code::ResourceExhausted,
        ErrorKind::Unsupported => Code::Unimplemented,
        ErrorKind::Overloaded | ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Timeout => Code::DeadlineExceeded,
        ErrorKind::Internal => Code::Internal,
    }
}

/// The body of a successful answer; of protocols that cannot tell of refused items it is an empty message.
pub fn export_response(format: Format, signal: Signal, reply: &Reply) -> Vec<u8> {
    let partial = reply.rejected > 0 || !reply.message.is_empty();
    match format {
        Format::OtlpProtobuf => {
            let mut out = Vec::new();
            if partial {
                out.push(key(1, 2));
                put_nested(&mut out, |out| {
                    if reply.rejected > 0 {
                        out.push(key(1, 0));
                        put_varint(out, reply.rejected);
                    }
                    put_text(out, 2, &reply.message);
                });
            }
            out
        }
        Format::OtlpJson if partial => {
            let name = match signal {
                Signal::Traces => "rejectedSpans",
                Signal::Logs => "rejectedLogRecords",
                Signal::Metrics => "rejectedDataPoints",
            };
            let partial_success =
                json!({ name: reply.rejected.to_string(), "errorMessage": reply.message });
            json!({ "partialSuccess": partial_success }).to_string().into_bytes()
        }
        Format::OtlpJson => b"{}".to_vec(),
        _ => Vec::new(),
    }
}

/// The body of a refusal over HTTP: with RetryInfo where a retry is welcome.
pub fn status(format: Format, code: Code, message: &str, retry_after_s: Option<u64>) -> Vec<u8> {
    match format {
        Format::OtlpProtobuf => status_protobuf(code, message, retry_after_s),
        _ => {
            let mut status = json!({ "code": code as i32, "message": message });
            if let Some(seconds) = retry_after_s {
                let delay = format!("{seconds}s");
                status["details"] = json!([{ "@type": RETRY_INFO, "retryDelay": delay }]);
            }
            status.to_string().into_bytes()
        }
    }
}

/// A `google.rpc.Status` for `grpc-status-details-bin`: with RetryInfo where a retry is welcome.
pub fn status_details(error: &Error) -> Vec<u8> {
    status_protobuf(code(error.kind()), &error.to_string(), error.retry_after_s())
}

fn status_protobuf(code: Code, message: &str, retry_after_s: Option<u64>) -> Vec<u8> {
    let mut out = vec![key(1, 0)];
    put_varint(&mut out, code as i32 as u64);
    put_text(&mut out, 2, message);
    if let Some(seconds) = retry_after_s {
        out.push(key(3, 2));
        put_nested(&mut out, |out| {
            put_text(out, 1, RETRY_INFO);
            out.push(key(2, 2));
            put_nested(out, |out| {
                out.push(key(1, 2));
                put_nested(out, |out| {
                    out.push(key(1, 0));
                    put_varint(out, seconds);
                });
            });
        });
    }
    out
}

/// The key of a field whose number is below 16.
fn key(number: u8, wire_type: u8) -> u8 {
    number << 3 | wire_type
}

fn put_text(out: &mut Vec<u8>, number: u8, text: &str) {
    if !text.is_empty() {
        out.push(key(number, 2));
        put_bytes(out, text.as_bytes());
    }
}
