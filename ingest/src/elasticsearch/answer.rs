//! What senders of documents are told: one result an item, or an error.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use throughline_storage::Format;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::decode::{self, Item, Shape};
use crate::admit::Accepted;
use crate::{ErrorKind, Result};

/// Bytes of an id that is made here, before it is text; as many as Elasticsearch's own have.
const ID_BYTES: usize = 15;
const REFUSED: &str = "document_parsing_exception";

/// The answer to an accepted bulk.
pub fn bulk(format: Format, accepted: &Accepted, took: Duration) -> Result<String> {
    let shape = match format {
        Format::ElasticsearchBulkOf => Shape::BulkOf,
        _ => Shape::Bulk,
    };
    let any_refused = accepted.reply.rejected > 0;
    let took_ms = took.as_millis();
    let mut json = format!(r#"{{"took":{took_ms},"errors":{any_refused},"items":["#);
    let mut position = 0;
    decode::each(shape, &accepted.inflated, |item| {
        if position > 0 {
            json.push(',');
        }
        // Where nothing was refused, nothing needs to be read again.
        let verdict = if any_refused { verdict(&item) } else { Ok(()) };
        let result = result(&item, position, &verdict);
        // Writing to a String never fails.
        let _ = write!(json, r#"{{"{}":{result}}}"#, item.verb.name());
        position += 1;
        Ok(())
    })?;
    json.push_str("]}");
    Ok(json)
}

/// The answer to an accepted document.
pub fn document(accepted: &Accepted) -> Result<(StatusCode, String)> {
    let mut answer = (StatusCode::CREATED, String::new());
    decode::each(Shape::Document, &accepted.inflated, |item| {
        answer = match verdict(&item) {
            Ok(()) => (StatusCode::CREATED, result(&item, 0, &Ok(())).to_string()),
            Err(reason) => {
                (StatusCode::BAD_REQUEST, error(StatusCode::BAD_REQUEST, REFUSED, &reason))
            }
        };
        Ok(())
    })?;
    Ok(answer)
}

/// An error as Elasticsearch words it.
pub fn error(status: StatusCode, kind: &str, reason: &str) -> String {
    let cause = json!({ "type": kind, "reason": reason });
    json!({
        "error": { "root_cause": [cause], "type": kind, "reason": reason },
        "status": status.as_u16(),
    })
    .to_string()
}

/// The type of error that says the same as an [`ErrorKind`].
pub fn error_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Malformed => "illegal_argument_exception",
        ErrorKind::TooLarge => "content_too_long_exception",
        ErrorKind::Unsupported => "media_type_header_exception",
        ErrorKind::Overloaded | ErrorKind::Quota => "es_rejected_execution_exception",
        ErrorKind::Unavailable => "cluster_block_exception",
        ErrorKind::Timeout => "receive_timeout_transport_exception",
        ErrorKind::Internal => "exception",
    }
}

/// What the decoder said of an item.
fn verdict(item: &Item<'_>) -> std::result::Result<(), String> {
    item.document.map_err(str::to_owned).and_then(decode::check)
}

fn result(item: &Item<'_>, position: u64, verdict: &std::result::Result<(), String>) -> Value {
    let mut result = json!({ "_index": item.index });
    match verdict {
        Ok(()) => {
            result["_id"] =
                if item.id.is_empty() { made_id(item, position) } else { item.id.into() };
            result["_version"] = 1.into();
            result["result"] = "created".into();
            result["_shards"] = json!({ "total": 1, "successful": 1, "failed": 0 });
            result["_seq_no"] = position.into();
            result["_primary_term"] = 1.into();
            result["status"] = StatusCode::CREATED.as_u16().into();
        }
        Err(reason) => {
            result["_id"] = if item.id.is_empty() { Value::Null } else { item.id.into() };
            result["status"] = StatusCode::BAD_REQUEST.as_u16().into();
            result["error"] = json!({ "type": REFUSED, "reason": reason });
        }
    }
    result
}

/// An id that the same item of the same request gets again.
fn made_id(item: &Item<'_>, position: u64) -> Value {
    let hash = xxh3_128_with_seed(item.document.unwrap_or_default(), position).to_le_bytes();
    URL_SAFE_NO_PAD.encode(&hash[..ID_BYTES]).into()
}
