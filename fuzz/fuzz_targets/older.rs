//! Any bytes as what the clients of Zipkin, Jaeger, Loki and Splunk send.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::check_older;

fuzz_target!(|input: &[u8]| check_older(input));
