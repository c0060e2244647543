//! Any bytes as a request of metrics in protobuf.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::check_protobuf;
use throughline_model::Signal;

fuzz_target!(|request: &[u8]| check_protobuf(Signal::Metrics, request));
