//! Any bytes as a request of metrics: no panic, and the verdict of prost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use throughline_fuzz::check;
use throughline_model::Signal;

fuzz_target!(|request: &[u8]| {
    check(Signal::Metrics, request, ExportMetricsServiceRequest::decode(request).map(drop));
});
