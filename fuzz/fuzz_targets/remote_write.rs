//! Any bytes as a request of Prometheus' remote write.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::check_remote_write;

fuzz_target!(|input: &[u8]| check_remote_write(input));
