//! `POST /gelf`: one message a body, answered by 202 as Graylog does.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::StatusCode;
use throughline_storage::Format;

use crate::admit::Ingester;
use crate::post as receive;

/// The path.
pub fn routes(ingester: Ingester) -> Router {
    Router::new().route("/gelf", post(message)).with_state(ingester)
}

async fn message(State(ingester): State<Ingester>, request: http::Request<Body>) -> Response {
    match receive::logs(&ingester, Format::Gelf, request).await {
        Ok(reply) if reply.rejected == 0 => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        }
        Ok(reply) => receive::text(StatusCode::BAD_REQUEST, reply.message),
        Err(err) => receive::refusal(&err),
    }
}
