//! Any bytes as what a target of Prometheus' kind exposes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::check_exposition;

fuzz_target!(|input: &[u8]| check_exposition(input));
