//! Errors of PromQL texts and of their evaluation.

use super::ast::Span;

/// A text that is not PromQL, or whose types do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: parse error: {message}")]
pub struct ParseError {
    /// `line:column`.
    pub position: String,
    /// What is wrong.
    pub message: String,
    /// Its place.
    pub start: usize,
    /// After its last byte.
    pub end: usize,
}

impl ParseError {
    /// An error at a place of a text.
    pub fn new(text: &str, span: Span, message: impl Into<String>) -> Self {
        let position = position(text, span.start);
        Self { position, message: message.into(), start: span.start, end: span.end }
    }
}

/// `line:column` of a byte, both from one; columns are bytes.
pub fn position(text: &str, byte: usize) -> String {
    let before = &text.as_bytes()[..byte.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = byte - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) + 1;
    format!("{line}:{column}")
}
