//! Any text as a request of each signal in OTLP/JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::check_json;
use throughline_model::Signal;

fuzz_target!(|request: &[u8]| {
    for signal in Signal::ALL {
        check_json(signal, request);
    }
});
