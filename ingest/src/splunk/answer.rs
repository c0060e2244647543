//! What senders to Splunk's collector are answered: `{"text": …, "code": …}`, and of a refused event its number.
//!
//! The texts and codes are those that Splunk documents; `detail` says more in our words.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde_json::json;
use throughline_storage::Reply;

use super::decode::{EVENT_ABSENT, EVENT_BLANK, EVENTS, FIELDS_WRONG, NO_DATA};
use crate::otlp::http::http_status;
use crate::{Error, ErrorKind};

/// A text of Splunk's, with its number.
type Code = (u32, &'static str);

pub const SUCCESS: Code = (0, "Success");
pub const NO_DATA_CODE: Code = (5, "No data");
const INVALID_FORMAT: Code = (6, "Invalid data format");
const INTERNAL: Code = (8, "Internal server error");
const BUSY: Code = (9, "Server is busy");
const EVENT_REQUIRED: Code = (12, "Event field is required");
const EVENT_NOT_BLANK: Code = (13, "Event field cannot be blank");
pub const ACK_DISABLED: Code = (14, "ACK is disabled");
const FIELDS_FAULTY: Code = (15, "Error in handling indexed fields");
pub const HEALTHY: Code = (17, "HEC is healthy");
const SHUTTING_DOWN: Code = (23, "Server is shutting down");
const ENTITY_TOO_LARGE: Code = (27, "Request entity too large");

/// The answer to a body that was taken, of which events may have been refused: the others are kept.
pub fn of_reply(reply: &Reply) -> Response {
    if reply.rejected == 0 {
        return plain(StatusCode::OK, SUCCESS);
    }
    let detail = format!("{} events refused, the others kept: {}", reply.rejected, reply.message);
    malformed(&reply.message, &detail)
}

/// A refusal, with the time to come back.
pub fn of_error(err: &Error) -> Response {
    let detail = err.to_string();
    let code = match err.kind() {
        ErrorKind::Malformed => return malformed(&detail, &detail),
        ErrorKind::Unsupported => INVALID_FORMAT,
        ErrorKind::TooLarge => ENTITY_TOO_LARGE,
        ErrorKind::Overloaded | ErrorKind::Quota | ErrorKind::Timeout => BUSY,
        ErrorKind::Unavailable => SHUTTING_DOWN,
        ErrorKind::Internal => INTERNAL,
    };
    let mut response = answer(http_status(err.kind()), code, None, Some(&detail));
    if let Some(seconds) = err.retry_after_s() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An answer that has nothing to add.
pub fn plain(status: StatusCode, code: Code) -> Response {
    answer(status, code, None, None)
}

/// A refusal by what the decoder said of the first event that it refused.
fn malformed(message: &str, detail: &str) -> Response {
    let (number, reason) = first_refused(message);
    let code = match reason {
        NO_DATA => NO_DATA_CODE,
        reason if reason.starts_with(EVENT_ABSENT) => EVENT_REQUIRED,
        reason if reason.starts_with(EVENT_BLANK) => EVENT_NOT_BLANK,
        reason if reason.starts_with(FIELDS_WRONG) => FIELDS_FAULTY,
        _ => INVALID_FORMAT,
    };
    answer(StatusCode::BAD_REQUEST, code, number, Some(detail))
}

/// The number and the reason out of `events[number]: reason`.
fn first_refused(message: &str) -> (Option<u64>, &str) {
    let found = message.strip_prefix(EVENTS).and_then(|rest| {
        let (number, reason) = rest.strip_prefix('[')?.split_once("]: ")?;
        Some((number.parse().ok()?, reason))
    });
    found.map_or((None, message), |(number, reason)| (Some(number), reason))
}

fn answer(
    status: StatusCode,
    (code, text): Code,
    number: Option<u64>,
    detail: Option<&str>,
) -> Response {
    let mut body = json!({ "text": text, "code": code });
    if let Some(number) = number {
        body["invalid-event-number"] = number.into();
    }
    if let Some(detail) = detail {
        body["detail"] = detail.into();
    }
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
