//! Zipkin over gRPC: `zipkin.proto3.SpanService/Report`, framed as OTLP is.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use throughline_model::Signal;
use throughline_storage::Format;

use crate::admit::Ingester;
use crate::otlp::grpc::receive;

/// The method, without its state.
pub fn routes() -> Router<Ingester> {
    let report = |State(ingester): State<Ingester>, request: http::Request<Body>| {
        receive(ingester, Signal::Traces, Format::ZipkinProtobuf, request)
    };
    Router::new().route("/zipkin.proto3.SpanService/Report", post(report))
}
