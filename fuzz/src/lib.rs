//! What the fuzz targets have in common.

use prost::DecodeError;
use throughline_ingest::otlp::decode::decode_request;
use throughline_model::Signal;
use throughline_model::batch::Batch;
use throughline_model::span::read_spans;

/// Decodes a request, reads the rows back, and compares the verdict with prost's.
pub fn check(signal: Signal, request: &[u8], prost: Result<(), DecodeError>) {
    match (decode_request(signal, request, 1), prost) {
        (Ok(decoded), Ok(())) => {
            assert_eq!(decoded.message.is_empty(), decoded.rejected == 0);
            if let Batch::Spans(batch) = &decoded.batch {
                read_spans(batch).expect("what was decoded reads back");
            }
        }
        (Err(_), Err(_)) => {}
        // We refuse an item that nests past our limit without looking further inside; prost refuses
        // the request.
        (Ok(decoded), Err(_)) if decoded.message.contains("nests deeper") => {}
        (_, Err(prost)) if prost.to_string().contains("recursion limit") => {}
        (Ok(_), Err(prost)) => panic!("prost refuses, we do not: {prost}"),
        (Err(ours), Ok(())) => panic!("prost does not refuse, we do: {ours}"),
    }
}
