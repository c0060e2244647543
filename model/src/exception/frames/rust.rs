//! Rust: `12: crate::function`, then `at path/file.rs:12:3` where symbols say so.

use super::{Frame, contains_any, without_line};

/// Crates of the runtime and of widespread libraries.
#[rustfmt::skip]
const LIBRARIES: &[&str] = &[
    "core", "std", "alloc", "backtrace", "tokio", "tokio_util", "futures", "futures_util",
    "futures_core", "hyper", "hyper_util", "tower", "tower_http", "tower_service", "axum", "axum_core",
    "actix_web", "actix_rt", "actix_server", "tonic", "reqwest", "anyhow", "eyre", "color_eyre",
    "tracing", "tracing_core", "tracing_futures", "sqlx", "sqlx_core", "diesel", "rayon", "rayon_core",
    "h2", "rustls", "serde", "serde_json", "async_std", "test", "rust_begin_unwind", "rust_panic",
    "rust_eh_personality", "main", "clone", "clone3", "start_thread",
];
const LIBRARY_FILES: [&str; 4] =
    ["/rustc/", "/.cargo/registry/", "/.cargo/git/", "/rustlib/src/rust/"];

/// The frame of one or two lines, and whether it was two.
pub(super) fn frame(line: &str, next: &str) -> Option<(Frame, bool)> {
    let (number, symbol) = line.trim().split_once(": ")?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let symbol = symbol.trim();
    let symbol = match symbol.strip_prefix("0x").and_then(|rest| rest.split_once(" - ")) {
        Some((_, symbol)) => symbol,
        None => symbol,
    };
    let place = next.trim().strip_prefix("at ").and_then(without_line);
    let place = place.filter(|place| place.ends_with(".rs") || place.ends_with(".c"));
    let is_symbol = symbol.contains("::") || place.is_some() || is_runtime(symbol);
    if symbol.is_empty() || !is_symbol || symbol.contains('"') {
        return None;
    }
    let function = without_hash(symbol).replace("::{{closure}}", "");
    let file = place.unwrap_or_default();
    let in_app = !is_runtime(&function) && !contains_any(file, &LIBRARY_FILES);
    Some((Frame::new(&function, file, in_app), place.is_some()))
}

fn is_runtime(function: &str) -> bool {
    // `<shop::Cart as core::ops::Drop>::drop` is the shop's.
    let name = function.trim_start_matches(['<', '&', '*', '(']);
    let name = name.strip_prefix("dyn ").or_else(|| name.strip_prefix("mut ")).unwrap_or(name);
    let root = name.split([':', ' ', '<', '>', '.']).next().unwrap_or_default();
    LIBRARIES.contains(&root) || root.starts_with("__") || root == "_start"
}

// Without the `::h0123456789abcdef` of mangled names.
fn without_hash(symbol: &str) -> &str {
    match symbol.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name
        }
        _ => symbol,
    }
}
