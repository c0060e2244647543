//! Any text as a query of LogQL, and of a line behind its first NUL.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::logql::check_text;

fuzz_target!(|text: &[u8]| check_text(text));
