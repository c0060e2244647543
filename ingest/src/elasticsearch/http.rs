//! Elasticsearch over HTTP: `_bulk`, `_doc` and `_create`, and what shippers ask before they send.
//!
//! Every answer carries `X-Elastic-Product`, without which newer clients refuse to talk. An accepted bulk is
//! answered 200 with one result an item, in their order; 429 and 503 ask for a repetition of the whole.

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use serde_json::json;
use throughline_model::Signal;
use throughline_storage::Format;

use super::{answer, handshake};
use crate::admit::{Accepted, Ingester, Request};
use crate::otlp::http::{Received, http_status, read};
use crate::{Error, Result, preface};

/// Bytes that the name of an index may have, as in Elasticsearch: every document of a bulk may repeat it.
const INDEX_BYTES_MAX: usize = 255;

/// The API, below each of `prefixes`.
pub fn routes(ingester: Ingester, prefixes: &[&str]) -> Router {
    let below = |State(ingester): State<Ingester>, Path(path), request: http::Request<Body>| {
        answered(ingester, path, request)
    };
    let top = |State(ingester): State<Ingester>, request: http::Request<Body>| {
        answered(ingester, String::new(), request)
    };
    let mut router = Router::new();
    for prefix in prefixes {
        if !prefix.is_empty() {
            router = router.route(prefix, any(top));
        }
        router = router
            .route(&format!("{prefix}/"), any(top))
            .route(&format!("{prefix}/{{*path}}"), any(below));
    }
    router.with_state(ingester)
}

/// What a path asks for, beside what [`handshake`] answers.
enum Target {
    Bulk { index: String },
    Document { verb: &'static str, index: String, id: String },
}

async fn answered(ingester: Ingester, path: String, request: http::Request<Body>) -> Response {
    let method = request.method().clone();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let response = match target(&method, &segments) {
        Some(Target::Bulk { index }) => bulk(&ingester, &index, request).await,
        Some(Target::Document { verb, index, id }) => {
            document(&ingester, verb, &index, &id, request).await
        }
        None => handshake::answer(&method, &segments, request.uri().query().unwrap_or_default()),
    };
    product(response, method == Method::HEAD)
}

fn target(method: &Method, segments: &[&str]) -> Option<Target> {
    if !matches!(*method, Method::POST | Method::PUT) {
        return None;
    }
    let own = |text: &str| text.to_owned();
    Some(match segments {
        ["_bulk"] => Target::Bulk { index: String::new() },
        // Before version 7 an index had types.
        [index, "_bulk"] | [index, _, "_bulk"] => Target::Bulk { index: own(index) },
        [index, "_doc"] => Target::Document { verb: "index", index: own(index), id: own("") },
        [index, "_doc", id] => Target::Document { verb: "index", index: own(index), id: own(id) },
        [index, "_create", id] => {
            Target::Document { verb: "create", index: own(index), id: own(id) }
        }
        _ => return None,
    })
}

fn product(mut response: Response, head: bool) -> Response {
    let product = HeaderValue::from_static("Elasticsearch");
    response.headers_mut().insert("x-elastic-product", product);
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn bulk(ingester: &Ingester, index: &str, request: http::Request<Body>) -> Response {
    let began = Instant::now();
    let header = (!index.is_empty()).then(|| format!("{}\n", json!(index)));
    let format = match header {
        None => Format::ElasticsearchBulk,
        Some(_) => Format::ElasticsearchBulkOf,
    };
    let taken = async {
        let accepted = take(ingester, format, index, header, request).await?;
        let (len, took) = (accepted.inflated.len(), began.elapsed());
        ingester.off_workers(len, move || answer::bulk(format, &accepted, took)).await?
    };
    match taken.await {
        Ok(json) => respond(StatusCode::OK, json.into()),
        Err(err) => refused(ingester, &err),
    }
}

async fn document(
    ingester: &Ingester,
    verb: &str,
    index: &str,
    id: &str,
    request: http::Request<Body>,
) -> Response {
    let mut target = json!({ "_index": index });
    if !id.is_empty() {
        target["_id"] = id.into();
    }
    let header = format!("{}\n", json!({ verb: target }));
    let format = Format::ElasticsearchDocument;
    match take(ingester, format, index, Some(header), request).await {
        Ok(accepted) => match answer::document(&accepted) {
            Ok((status, json)) => respond(status, json.into()),
            Err(err) => refused(ingester, &err),
        },
        Err(err) => refused(ingester, &err),
    }
}

/// Takes a body in, after the line that says what the path did.
async fn take(
    ingester: &Ingester,
    format: Format,
    index: &str,
    header: Option<String>,
    request: http::Request<Body>,
) -> Result<Accepted> {
    let Received { encoding, body, mut permit } = read(ingester, request).await?;
    if index.len() > INDEX_BYTES_MAX {
        let len = index.len();
        let message = format!("the index has {len} bytes, the limit is {INDEX_BYTES_MAX}");
        return Err(Error::malformed(message));
    }
    if body.is_empty() {
        return Err(Error::malformed("request body is required"));
    }
    let body = match header {
        None => body,
        Some(header) => {
            permit.grow_to(body.len() + header.len())?;
            preface::after(header.as_bytes(), encoding, &body)?
        }
    };
    let signal = Signal::Logs;
    ingester.accept_kept(Request { signal, format, encoding, body, permit }).await
}

fn refused(ingester: &Ingester, err: &Error) -> Response {
    ingester.stats().refused(Signal::Logs, err.kind());
    tracing::debug!(kind = err.kind().name(), %err, "documents refused");
    let status = http_status(err.kind());
    let body = answer::error(status, answer::error_type(err.kind()), &err.to_string());
    let mut response = respond(status, body.into());
    if let Some(seconds) = err.retry_after_s() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An answer in JSON.
pub(super) fn respond(status: StatusCode, json: Bytes) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
