//! Remote write over HTTP: `POST /prometheus/api/v1/write` and `/api/v1/write`.
//!
//! The answer is 204. If something was refused it is 400 as the specification says, with a line of text that
//! says what and why, and the rest is kept; senders do not repeat a 400. 2.0 is told in headers how much was
//! written, whatever the answer is.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use throughline_model::Signal;
use throughline_storage::{Encoding, Format, Reply};

use super::decode::{Version, Written, written};
use crate::admit::{self, Ingester};
use crate::otlp::http::{Received, header_text, read_as};
use crate::{Error, ErrorKind, Result, post as receive};

const SUPPORTED: &str = "application/x-protobuf, with proto=prometheus.WriteRequest or \
                         proto=io.prometheus.write.v2.Request";

/// The path, below Prometheus' prefix and without one.
pub fn routes(ingester: Ingester) -> Router {
    Router::new()
        .route("/prometheus/api/v1/write", post(push))
        .route("/api/v1/write", post(push))
        .with_state(ingester)
}

async fn push(State(ingester): State<Ingester>, request: Request<Body>) -> Response {
    let version = version(request.headers());
    let is_v2 = matches!(version, Ok(Version::V2));
    let (taken, written) = match version {
        Ok(version) => match take(&ingester, version, request).await {
            Ok((reply, written)) => (Ok(reply), written),
            Err(err) => (Err(err), Written::default()),
        },
        Err(err) => (Err(err), Written::default()),
    };
    let mut response = match receive::counted(&ingester, Signal::Metrics, taken) {
        Ok(reply) if reply.rejected == 0 => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Ok(reply) => {
            let told = format!("{} refused, the others kept: {}", reply.rejected, reply.message);
            receive::text(StatusCode::BAD_REQUEST, told)
        }
        Err(err) => receive::refusal(&err),
    };
    if is_v2 {
        tell(response.headers_mut(), written);
    }
    response
}

async fn take(
    ingester: &Ingester,
    version: Version,
    request: Request<Body>,
) -> Result<(Reply, Written)> {
    let said = header_text(request.headers(), &CONTENT_ENCODING).trim().to_ascii_lowercase();
    if !matches!(said.as_str(), "" | "snappy") {
        let message = format!("content-encoding '{said}' is not supported: snappy");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let format = match version {
        Version::V1 => Format::PrometheusWrite,
        Version::V2 => Format::PrometheusWriteV2,
    };
    let Received { encoding, body, permit } = read_as(ingester, Encoding::Snappy, request).await?;
    let request = admit::Request { signal: Signal::Metrics, format, encoding, body, permit };
    let accepted = ingester.accept_kept(request).await?;
    let written = match version {
        Version::V1 => Written::default(),
        Version::V2 => {
            let (body, is_whole) = (accepted.inflated, accepted.reply.rejected == 0);
            let count = move || written(&body, is_whole);
            ingester.off_workers(if is_whole { 0 } else { usize::MAX }, count).await??
        }
    };
    Ok((accepted.reply, written))
}

/// The version that the content type names; without one it is the first.
fn version(headers: &HeaderMap) -> Result<Version> {
    let wrong = || receive::unsupported(headers, SUPPORTED);
    if !matches!(receive::media_type(headers).as_str(), "" | "application/x-protobuf") {
        return Err(wrong());
    }
    let content_type = header_text(headers, &CONTENT_TYPE);
    let parameters = content_type.split(';').skip(1).filter_map(|text| text.split_once('='));
    let mut protos = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("proto"));
    match protos.next().map(|(_, value)| value.trim().trim_matches('"')) {
        None | Some("prometheus.WriteRequest") => Ok(Version::V1),
        Some("io.prometheus.write.v2.Request") => Ok(Version::V2),
        Some(_) => Err(wrong()),
    }
}

fn tell(headers: &mut HeaderMap, written: Written) {
    let counts = [
        ("x-prometheus-remote-write-samples-written", written.samples),
        ("x-prometheus-remote-write-histograms-written", written.histograms),
        ("x-prometheus-remote-write-exemplars-written", written.exemplars),
    ];
    for (name, count) in counts {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(count));
    }
}
