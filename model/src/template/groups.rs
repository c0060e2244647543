//! Values of many parts in brackets: `Trip(id=7, from=Rome)`, `[a, b, c]`. Printed objects and lists
//! vary in length and form, so each counts as one word where rows are compared.

use std::ops::Range;

use super::mask::{CLASS, SPACE};

/// Brackets inside brackets that are followed.
const DEPTH_MAX: usize = 64;

/// Bytes of a quoted value; a quote that is open for longer is no quote.
const QUOTED_BYTES_MAX: usize = 1024;

/// Quotes without an end after which a text has no quoted values: each costs a search.
const UNCLOSED_MAX: usize = 4;

/// Quotes from the one at `start` to the one that closes it.
fn quoted(text: &[u8], start: usize) -> Option<Range<usize>> {
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate().skip(start + 1).take(QUOTED_BYTES_MAX) {
        match byte {
            b'"' if !escaped => return Some(start..at + 1),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// Whether quotes hold a value rather than a phrase: behind a key, or with a variable or path inside.
fn is_value(text: &[u8], quoted: &Range<usize>) -> bool {
    let keyed = quoted.start > 0 && matches!(text[quoted.start - 1], b'=' | b':');
    keyed || text[quoted.clone()].iter().any(|byte| matches!(byte, b'*' | b'/'))
}

/// An open bracket.
struct Open {
    at: usize,
    /// Seen directly inside: an equals sign; a comma; blanks that follow no comma.
    equals: bool,
    comma: bool,
    phrase: bool,
}

impl Open {
    /// Fields or a list are a value. A phrase in brackets is text.
    fn is_value(&self) -> bool {
        self.equals || (self.comma && !self.phrase)
    }
}

/// The outermost values in brackets and quotes, these included, in order. The object that is a whole
/// line is none: its members are words.
pub(super) fn values(text: &[u8]) -> Vec<Range<usize>> {
    let mut open: Vec<Open> = Vec::new();
    let mut values: Vec<Range<usize>> = Vec::new();
    let mut quoted_until = 0;
    let mut unclosed = 0;
    for (at, &byte) in text.iter().enumerate() {
        if at < quoted_until {
            continue;
        }
        match byte {
            b'"' => {
                if unclosed == UNCLOSED_MAX {
                    continue;
                }
                let Some(quoted) = quoted(text, at) else {
                    unclosed += 1;
                    continue;
                };
                quoted_until = quoted.end;
                if is_value(text, &quoted) {
                    values.push(quoted);
                }
            }
            b'{' if at == 0 => {}
            b'(' | b'[' | b'{' => {
                if open.len() == DEPTH_MAX {
                    break;
                }
                open.push(Open { at, equals: false, comma: false, phrase: false });
            }
            b')' | b']' | b'}' => {
                let Some(closed) = open.pop() else { continue };
                if closed.is_value() {
                    while values.last().is_some_and(|value| value.start > closed.at) {
                        values.pop();
                    }
                    values.push(closed.at..at + 1);
                }
            }
            _ => {
                let Some(inner) = open.last_mut() else { continue };
                inner.equals |= byte == b'=';
                inner.comma |= byte == b',';
                inner.phrase |= CLASS[byte as usize] & SPACE != 0 && text[at - 1] != b',';
            }
        }
    }
    values
}
