//! `logfmt`: `key=value key="a value" flag` become labels.

use memchr::memchr2;

use super::super::ast::Extraction;
use super::json::sanitize;
use super::row::{Origin, Row};
use super::wanted::Wanted;

/// What went wrong with a line that is no logfmt, where that is asked for.
pub const LOGFMT_ERROR: &str = "LogfmtParserErr";

/// How `logfmt` runs.
pub struct Logfmt {
    /// Whether what is no logfmt is an error.
    pub strict: bool,
    /// Whether keys without a value become labels.
    pub keep_empty: bool,
    /// The keys that are asked for and the labels they become; none of them means all.
    pub extractions: Vec<Extraction>,
}

/// A pair of the line; the value may have escapes.
struct Pair<'a> {
    key: &'a str,
    value: &'a str,
    is_escaped: bool,
}

enum Piece<'a> {
    Pair(Pair<'a>),
    /// No logfmt, at this byte.
    Fault(usize),
}

impl Logfmt {
    /// Makes the labels of a line.
    pub fn run(&self, line: &str, row: &mut Row, wanted: &Wanted) {
        row.missing = wanted.missing(row.stream());
        if row.missing == 0 {
            return;
        }
        let mut name = std::mem::take(&mut row.key);
        let mut at = 0;
        while let Some(piece) = piece(line, &mut at) {
            let pair = match piece {
                Piece::Pair(pair) => pair,
                Piece::Fault(at) if self.strict => {
                    row.fail(LOGFMT_ERROR, format_args!("no key=value at byte {at}"));
                    break;
                }
                Piece::Fault(_) => continue,
            };
            if pair.value.is_empty() && !self.keep_empty {
                continue;
            }
            if self.extractions.is_empty() {
                let is_plain = pair.key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if is_plain && !wanted.wants(pair.key) {
                    continue;
                }
                name.clear();
                sanitize(pair.key, &mut name);
                offer(row, wanted, &name, &pair);
            }
            for extraction in self.extractions.iter().filter(|e| e.path.value == pair.key) {
                offer(row, wanted, &extraction.label, &pair);
            }
            if row.missing == 0 {
                break;
            }
        }
        row.key = name;
    }
}

fn offer(row: &mut Row, wanted: &Wanted, name: &str, pair: &Pair<'_>) {
    if !pair.is_escaped {
        row.offer(wanted, Origin::Parsed, name, pair.value);
    } else if wanted.wants(name) {
        row.offer(wanted, Origin::Parsed, name, &unescape(pair.value));
    }
}

// The next pair of a line; `at` moves behind it.
fn piece<'a>(line: &'a str, at: &mut usize) -> Option<Piece<'a>> {
    let bytes = line.as_bytes();
    while bytes.get(*at).is_some_and(|b| *b <= b' ') {
        *at += 1;
    }
    let start = *at;
    bytes.get(start)?;
    let ends_key = |b: &u8| *b <= b' ' || *b == b'=' || *b == b'"';
    let key_len = bytes[start..].iter().position(ends_key).unwrap_or(bytes.len() - start);
    let key_end = start + key_len;
    *at = key_end;
    let key = &line[start..key_end];
    match bytes.get(key_end) {
        Some(b'=') if key_len > 0 => {}
        Some(b'=' | b'"') => {
            skip_word(bytes, at);
            return Some(Piece::Fault(key_end));
        }
        _ => return Some(Piece::Pair(Pair { key, value: "", is_escaped: false })),
    }
    *at = key_end + 1;
    if bytes.get(*at) == Some(&b'"') {
        return Some(quoted(line, at, key));
    }
    let value_start = *at;
    let rest = &bytes[value_start..];
    let value_len = rest.iter().position(|b| *b <= b' ').unwrap_or(rest.len());
    let value = &line[value_start..value_start + value_len];
    *at = value_start + value_len;
    match memchr2(b'"', b'=', value.as_bytes()) {
        Some(wrong) => Some(Piece::Fault(value_start + wrong)),
        None => Some(Piece::Pair(Pair { key, value, is_escaped: false })),
    }
}

fn quoted<'a>(line: &'a str, at: &mut usize, key: &'a str) -> Piece<'a> {
    let bytes = line.as_bytes();
    let start = *at + 1;
    let (mut end, mut is_escaped) = (start, false);
    loop {
        let Some(found) = bytes.get(end..).and_then(|rest| memchr2(b'"', b'\\', rest)) else {
            let fault = *at;
            *at = bytes.len();
            return Piece::Fault(fault);
        };
        end += found;
        if bytes[end] == b'"' {
            break;
        }
        is_escaped = true;
        end += 2;
    }
    *at = end + 1;
    Piece::Pair(Pair { key, value: line.get(start..end).unwrap_or_default(), is_escaped })
}

fn skip_word(bytes: &[u8], at: &mut usize) {
    while bytes.get(*at).is_some_and(|b| *b > b' ') {
        *at += 1;
    }
}

// As JSON's, and escapes that are wrong stand for the character behind the backslash.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('u') => {
                let hex = chars.as_str().get(..4);
                let code = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok());
                match code.and_then(char::from_u32) {
                    Some(c) => {
                        out.push(c);
                        chars = chars.as_str()[4..].chars();
                    }
                    None => out.push('u'),
                }
            }
            Some(c) => out.push(c),
            None => out.push('\\'),
        }
    }
    out
}
