//! What shippers ask before they send: who answers, under which licence, and whether templates, policies and
//! pipelines are there. They are always there, since nothing here needs any.

use axum::body::Body;
use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer;
use super::http::respond;

/// The version that clients are told; they behave by it.
const VERSION: &str = "8.17.0";
const NAME: &str = "throughline";
/// An id of the form that clusters have.
const CLUSTER_UUID: &str = "dGhyb3VnaGxpbmUAAAAAAA";

/// Beginnings of the first segment of what is answered by nothing, and acknowledged when it is put.
const VOID: [&str; 11] = [
    "_ilm",
    "_index_template",
    "_component_template",
    "_template",
    "_ingest",
    "_nodes",
    "_logstash",
    "_data_stream",
    "_alias",
    "_settings",
    "_security",
];

/// The answer to a request that brings no documents.
pub fn answer(method: &Method, segments: &[&str], query: &str) -> Response {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let puts = matches!(*method, Method::PUT | Method::POST | Method::DELETE);
    match segments {
        [] if reads => ok(&hello()),
        ["_license"] if reads => ok(&license()),
        ["_xpack"] if reads => ok(&json!({ "license": licensed(), "features": {} })),
        ["_cluster", "health", ..] if reads => ok(&health()),
        ["_cat", ..] if reads => cat(query),
        [first, ..] if VOID.iter().any(|start| first.starts_with(start)) => void(reads),
        // An index: it is there, and may be made.
        [index] if !index.starts_with('_') && reads => void(true),
        [index] if !index.starts_with('_') && puts => ok(&json!({
            "acknowledged": true, "shards_acknowledged": true, "index": index,
        })),
        _ => {
            let path = segments.join("/");
            let reason = format!("no handler found for uri [/{path}] and method [{method}]");
            let kind = "illegal_argument_exception";
            respond(
                StatusCode::NOT_FOUND,
                answer::error(StatusCode::NOT_FOUND, kind, &reason).into(),
            )
        }
    }
}

fn ok(json: &Value) -> Response {
    respond(StatusCode::OK, json.to_string().into())
}

fn void(reads: bool) -> Response {
    ok(&if reads { json!({}) } else { json!({ "acknowledged": true }) })
}

fn hello() -> Value {
    json!({
        "name": NAME,
        "cluster_name": NAME,
        "cluster_uuid": CLUSTER_UUID,
        "version": {
            "number": VERSION,
            "build_flavor": "default",
            "build_type": "docker",
            "build_snapshot": false,
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    })
}

fn licensed() -> Value {
    json!({ "uid": CLUSTER_UUID, "type": "basic", "mode": "basic", "status": "active" })
}

fn license() -> Value {
    json!({ "license": licensed() })
}

fn health() -> Value {
    json!({
        "cluster_name": NAME,
        "status": "green",
        "timed_out": false,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "active_primary_shards": 1,
        "active_shards": 1,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": 0,
    })
}

/// A table without rows.
fn cat(query: &str) -> Response {
    if query.split('&').any(|pair| pair == "format=json") {
        return ok(&json!([]));
    }
    Response::new(Body::empty())
}
