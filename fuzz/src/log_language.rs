//! The log language on any text. Its files are compiled here once more, as the decoders' are.

#[path = "../../query/src/logs/language/mod.rs"]
pub mod language;

use language::{Bounds, Error, check, complete, lower, parse};

/// Reads a text: no panic, errors have a place inside the text, what is printed parses into what prints alike, what
/// means something has its SQL, and completion replaces only what there is.
pub fn check_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let chars = text.chars().count();
    let replace = complete(&text, chars / 2).replace;
    assert!(replace.start <= replace.end && replace.end <= chars, "replaces {replace:?}");
    let query = match parse(&text) {
        Ok(query) => query,
        Err(err) => return check_place(&err, &text),
    };
    let bounds = Bounds {
        start_ns: 0,
        end_ns: 1_795_176_000_000_000_000,
        now_ns: 1_795_176_000_000_000_000,
        limit: 100,
        newest_first: true,
    };
    match check(&query) {
        Err(err) => check_place(&err, &text),
        // A query that means something may still be refused for what it would need.
        Ok(()) => match lower(&query, &bounds) {
            Ok(lowered) => assert!(!lowered.sql.is_empty(), "{text}"),
            Err(err) => check_place(&err, &text),
        },
    }
    let printed = query.to_string();
    match parse(&printed) {
        Ok(again) => assert_eq!(again.to_string(), printed),
        Err(err) if is_limit(&err) => {}
        Err(err) => panic!("{printed}: {err:?}"),
    }
}

fn check_place(err: &Error, text: &str) {
    let place = err.place();
    assert!(place.start <= place.end && place.end <= text.len(), "{err:?} of {text}");
    assert!(!err.message().is_empty());
}

// Printing adds spaces and parentheses, which may be too much for what was just within the limits.
fn is_limit(err: &Error) -> bool {
    ["at most", "deeper than", "longer than", "too long"]
        .iter()
        .any(|word| err.message().contains(word))
}
