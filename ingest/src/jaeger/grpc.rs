//! Jaeger over gRPC: `CollectorService/PostSpans`, framed as OTLP is, and `SamplingManager` for its clients.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use throughline_model::Signal;
use throughline_storage::Format;

use super::sampling::Strategies;
use crate::Result;
use crate::admit::Ingester;
use crate::otlp::decode::wire::Fields;
use crate::otlp::grpc::{is_grpc, not_grpc, read_question, receive, refusal, success};

/// Bytes of a question for a strategy, which holds the name of a service.
const QUESTION_BYTES_MAX: usize = 16 << 10;

/// The collector's method, without its state.
pub fn routes() -> Router<Ingester> {
    let post_spans = |State(ingester): State<Ingester>, request: http::Request<Body>| {
        receive(ingester, Signal::Traces, Format::JaegerProtobuf, request)
    };
    Router::new().route("/jaeger.api_v2.CollectorService/PostSpans", post(post_spans))
}

/// `SamplingManager/GetSamplingStrategy`.
pub fn sampling_routes(ingester: Ingester, strategies: Arc<Strategies>) -> Router {
    Router::new()
        .route("/jaeger.api_v2.SamplingManager/GetSamplingStrategy", post(strategy))
        .with_state((ingester, strategies))
}

async fn strategy(
    State((ingester, strategies)): State<(Ingester, Arc<Strategies>)>,
    request: http::Request<Body>,
) -> Response {
    if !is_grpc(request.headers()) {
        return not_grpc();
    }
    let question = read_question(&ingester, request.into_body(), QUESTION_BYTES_MAX).await;
    match question.and_then(|question| Ok(strategies.protobuf(service(&question)?))) {
        Ok(answer) => success(&answer),
        Err(err) => refusal(&err),
    }
}

/// `SamplingStrategyParameters { 1: service name }`.
fn service(question: &[u8]) -> Result<&str> {
    let mut service = "";
    let mut fields = Fields::new(question);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            service = field.str("SamplingStrategyParameters.serviceName")?;
        }
    }
    Ok(service)
}
