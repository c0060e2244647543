//! What older services send: the encoders of these tests (protobuf by prost, thrift by hand), and the tests.

mod cases;
mod fixtures;
mod http;
mod logs;
mod logs_http;
mod property;
mod thrift;
mod wire;

use throughline_model::batch::{Batch, Decoded};
use throughline_model::span::{Span, read_spans};

/// The spans of what was decoded.
fn spans(decoded: &Decoded) -> Vec<Span> {
    match &decoded.batch {
        Batch::Spans(batch) => read_spans(batch).expect("what was decoded reads back"),
        other => panic!("no spans but {}", other.signal()),
    }
}
