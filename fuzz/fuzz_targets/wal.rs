//! Any bytes in a file of the log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::wal::check_log;

fuzz_target!(|rest: &[u8]| check_log(rest));
