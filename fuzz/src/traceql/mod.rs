//! TraceQL on any text. The files of its language are compiled here once more, as the decoders' are.

#[path = "../../../query/src/traceql/ast.rs"]
pub mod ast;
#[path = "../../../query/src/traceql/check.rs"]
pub mod check;
#[path = "../../../query/src/traceql/complete.rs"]
pub mod complete;
#[path = "../../../query/src/traceql/grammar.rs"]
pub mod grammar;
#[path = "../../../query/src/traceql/lex/mod.rs"]
pub mod lex;
#[path = "../../../query/src/traceql/parse/mod.rs"]
pub mod parse;
#[path = "../../../query/src/traceql/print.rs"]
pub mod print;

use check::{check, compile_text};
use parse::parse;

/// Of the crate `query`'s error what the language uses.
#[derive(Debug)]
pub struct Error {
    message: String,
    position: Option<usize>,
}

/// The result of all of it.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn invalid(_field: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), position: None }
    }

    pub fn with_position(self, position: usize) -> Self {
        Self { position: Some(position), ..self }
    }
}

/// Reads a text: no panic, errors have a place inside the text, what is printed parses into what prints
/// alike, and completion replaces only what there is.
pub fn check_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let chars = text.chars().count();
    let replace = complete::complete(&text, chars / 2).replace;
    assert!(replace.start <= replace.end && replace.end <= chars, "replaces {replace}");
    complete::lenient_filter(&text);
    let query = match parse(&text) {
        Ok(query) => query,
        Err(err) => return assert!(err.position.is_some_and(|at| at <= chars), "{err:?}"),
    };
    if let Err(err) = check(&query) {
        assert!(err.position.is_some_and(|at| at < chars), "{err:?}");
    }
    let printed = query.to_string();
    match parse(&printed) {
        Ok(again) => assert_eq!(again.to_string(), printed),
        Err(err) if is_limit(&err) => {}
        Err(err) => panic!("{printed}: {err:?}"),
    }
}

// Printing adds spaces and parentheses, which may be too much for what was just within the limits.
fn is_limit(err: &Error) -> bool {
    err.message.contains("deeper than") || err.message.contains("longer than")
}
