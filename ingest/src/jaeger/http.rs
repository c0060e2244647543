//! Jaeger over HTTP: `POST /api/traces` in thrift, and `GET /sampling?service=…` for its clients.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use throughline_storage::Format;

use super::sampling::Strategies;
use crate::admit::Ingester;
use crate::{Error, Result, post as receive};

/// `POST /api/traces` below every one of `prefixes`: 202, or OTLP/HTTP's statuses for what is refused.
pub fn thrift_routes(ingester: Ingester, prefixes: &[&str]) -> Router {
    let traces = |State(ingester): State<Ingester>, request: http::Request<Body>| {
        let format = format(request.headers());
        receive::spans(ingester, format, request)
    };
    let mut router = Router::new();
    for prefix in prefixes {
        router = router.route(&format!("{prefix}/api/traces"), post(traces));
    }
    router.with_state(ingester)
}

fn format(headers: &HeaderMap) -> Result<Format> {
    match receive::media_type(headers).as_str() {
        "application/x-thrift" | "application/vnd.apache.thrift.binary" => Ok(Format::JaegerThrift),
        "application/vnd.apache.thrift.compact" => Ok(Format::JaegerThriftCompact),
        _ => Err(receive::unsupported(
            headers,
            "application/x-thrift, application/vnd.apache.thrift.binary or \
             application/vnd.apache.thrift.compact",
        )),
    }
}

/// The strategy of a service, at every one of `paths`.
pub fn sampling_routes(strategies: Arc<Strategies>, paths: &[&str]) -> Router {
    let mut router = Router::new();
    for path in paths {
        router = router.route(path, get(strategy));
    }
    router.with_state(strategies)
}

async fn strategy(
    State(strategies): State<Arc<Strategies>>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let services: Vec<_> = parameters.iter().filter(|(name, _)| name == "service").collect();
    let [(_, service)] = services.as_slice() else {
        let times = services.len();
        let why = format!("parameter 'service' is needed once, it is there {times} times");
        return receive::refusal(&Error::malformed(why));
    };
    let mut response = Response::new(Body::from(strategies.json(service)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
