//! Any bytes as what older shippers of logs send.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::check_shippers;

fuzz_target!(|input: &[u8]| check_shippers(input));
