//! Any bytes as a request of traces: no panic, and the verdict of prost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use throughline_fuzz::check;
use throughline_model::Signal;

fuzz_target!(|request: &[u8]| {
    check(Signal::Traces, request, ExportTraceServiceRequest::decode(request).map(drop));
});
