//! Any text as a request in OTLP/JSON: no panic, and what is taken is well-formed protobuf.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use throughline_fuzz::check;
use throughline_ingest::otlp::json::to_protobuf;
use throughline_model::Signal;

fuzz_target!(|json: &[u8]| {
    for signal in Signal::ALL {
        let Ok(wire) = to_protobuf(signal, json) else { continue };
        let wire = wire.as_slice();
        let prost = match signal {
            Signal::Traces => ExportTraceServiceRequest::decode(wire).map(drop),
            Signal::Logs => ExportLogsServiceRequest::decode(wire).map(drop),
            Signal::Metrics => ExportMetricsServiceRequest::decode(wire).map(drop),
        };
        if let Err(err) = &prost {
            assert!(err.to_string().contains("recursion limit"), "{err}");
        }
        check(signal, wire, prost);
    }
});
