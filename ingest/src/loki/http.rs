//! Loki over HTTP: `POST /loki/api/v1/push`, and `/api/prom/push` as it was before, in protobuf and JSON.
//!
//! The answer is 204. If entries were refused it is 400 as Loki's is, with a line of text that says which and
//! why, and the others are kept; senders do not repeat a 400.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::header::{CONTENT_ENCODING, HeaderMap};
use http::{Request, StatusCode};
use throughline_model::Signal;
use throughline_storage::{Encoding, Format, Reply};

use crate::admit::Ingester;
use crate::otlp::http::{cors, encoding, header_text, take_behind};
use crate::{Error, ErrorKind, Result, post as receive};

/// The two paths, with CORS for browsers.
pub fn routes(ingester: Ingester) -> Router {
    let cors = cors(&ingester.limits().cors_origins);
    Router::new()
        .route("/loki/api/v1/push", post(push))
        .route("/api/prom/push", post(push))
        .layer(cors)
        .with_state(ingester)
}

async fn push(State(ingester): State<Ingester>, request: Request<Body>) -> Response {
    let taken = take(&ingester, request).await;
    match receive::counted(&ingester, Signal::Logs, taken) {
        Ok(reply) if reply.rejected == 0 => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Ok(reply) => {
            let told =
                format!("{} entries refused, the others kept: {}", reply.rejected, reply.message);
            receive::text(StatusCode::BAD_REQUEST, told)
        }
        Err(err) => receive::refusal(&err),
    }
}

async fn take(ingester: &Ingester, request: Request<Body>) -> Result<Reply> {
    let (format, encoding) = format(request.headers())?;
    take_behind(ingester, Signal::Logs, format, encoding, &[], request).await
}

/// Protobuf is snappy whatever the headers say, and is what senders that say nothing send.
fn format(headers: &HeaderMap) -> Result<(Format, Encoding)> {
    let said = header_text(headers, &CONTENT_ENCODING).trim().to_ascii_lowercase();
    match (receive::media_type(headers).as_str(), said.as_str()) {
        ("" | "application/x-protobuf" | "application/protobuf", "" | "snappy" | "identity") => {
            Ok((Format::LokiProtobuf, Encoding::Snappy))
        }
        ("" | "application/x-protobuf" | "application/protobuf", other) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("content-encoding '{other}' is not supported with protobuf: snappy or none"),
        )),
        ("application/json", "snappy") => Ok((Format::LokiJson, Encoding::Snappy)),
        ("application/json", _) => Ok((Format::LokiJson, encoding(headers)?)),
        _ => Err(receive::unsupported(headers, "application/x-protobuf or application/json")),
    }
}
