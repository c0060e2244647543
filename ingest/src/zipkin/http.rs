//! Zipkin over HTTP: `POST /api/v2/spans` in JSON and protobuf, `POST /api/v1/spans` in JSON and thrift.
//!
//! The answer is 202. What is not taken is refused with OTLP/HTTP's statuses; 429 and 503 say when to come
//! back.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use http::header::HeaderMap;
use throughline_storage::Format;

use crate::admit::Ingester;
use crate::otlp::http::cors;
use crate::{Result, post as receive};

/// The two paths, each below every one of `prefixes`, with CORS for browsers.
pub fn routes(ingester: Ingester, prefixes: &[&str]) -> Router {
    let cors = cors(&ingester.limits().cors_origins);
    let v2 = |State(ingester): State<Ingester>, request: http::Request<Body>| {
        let format = v2_format(request.headers());
        receive::spans(ingester, format, request)
    };
    let v1 = |State(ingester): State<Ingester>, request: http::Request<Body>| {
        let format = v1_format(request.headers());
        receive::spans(ingester, format, request)
    };
    let mut router = Router::new();
    for prefix in prefixes {
        router = router
            .route(&format!("{prefix}/api/v2/spans"), post(v2))
            .route(&format!("{prefix}/api/v1/spans"), post(v1));
    }
    router.layer(cors).with_state(ingester)
}

/// Senders that say nothing send JSON.
fn v2_format(headers: &HeaderMap) -> Result<Format> {
    match receive::media_type(headers).as_str() {
        "" | "application/json" | "text/plain" => Ok(Format::ZipkinJson),
        "application/x-protobuf" | "application/protobuf" => Ok(Format::ZipkinProtobuf),
        _ => Err(receive::unsupported(headers, "application/json or application/x-protobuf")),
    }
}

fn v1_format(headers: &HeaderMap) -> Result<Format> {
    match receive::media_type(headers).as_str() {
        "" | "application/json" | "text/plain" => Ok(Format::ZipkinV1Json),
        "application/x-thrift" => Ok(Format::ZipkinV1Thrift),
        _ => Err(receive::unsupported(headers, "application/json or application/x-thrift")),
    }
}
