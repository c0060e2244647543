//! Any text as a query of TraceQL.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::traceql::check_text;

fuzz_target!(|text: &[u8]| check_text(text));
