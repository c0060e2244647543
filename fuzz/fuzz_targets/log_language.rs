//! Any text as a query of the log language.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::log_language::check_text;

fuzz_target!(|text: &[u8]| check_text(text));
