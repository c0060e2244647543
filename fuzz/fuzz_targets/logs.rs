//! Any bytes as a request of logs: no panic, and the verdict of prost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use throughline_fuzz::check;
use throughline_model::Signal;

fuzz_target!(|request: &[u8]| {
    check(Signal::Logs, request, ExportLogsServiceRequest::decode(request).map(drop));
});
