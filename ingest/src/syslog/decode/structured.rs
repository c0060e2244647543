//! RFC 5424: `1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`.

use super::message::{Element, Message};
use crate::times::iso8601;

/// Parameters that a message may have; with more, its structured data stays text.
const PARAMS_MAX: usize = 1024;
/// Bytes that the id of an element may have (RFC 5424 says 32): it stands before the name of each parameter.
const ID_BYTES_MAX: usize = 128;
const BOM: char = '\u{feff}';

/// Reads what follows the priority; `None` if it is not of this kind.
pub fn parse(text: &str) -> Option<Message<'_>> {
    let rest = text.strip_prefix("1 ")?;
    let (time, rest) = token(rest);
    let time_ns = match time {
        "" => None,
        stamp => Some(iso8601(stamp)?),
    };
    let (host, rest) = token(rest);
    let (app, rest) = token(rest);
    let (process, rest) = token(rest);
    let (id, rest) = token(rest);
    let (data, rest) = match rest.strip_prefix('-') {
        Some(rest) if rest.is_empty() || rest.starts_with(' ') => (Vec::new(), rest),
        _ => elements(rest).unwrap_or_else(|| (Vec::new(), rest)),
    };
    let text = rest.strip_prefix(' ').unwrap_or(rest);
    // rsyslog writes the space that stood behind the tag of RFC 3164 as the first of the text.
    let text = text.strip_prefix(BOM).or_else(|| text.strip_prefix(' ')).unwrap_or(text);
    Some(Message { priority: None, time_ns, host, app, process, id, data, text })
}

/// The text up to the next space, empty for `-`, and what follows the space.
fn token(text: &str) -> (&str, &str) {
    let (token, rest) = text.split_once(' ').unwrap_or((text, ""));
    (if token == "-" { "" } else { token }, rest)
}

/// The elements, and what follows them.
fn elements(text: &str) -> Option<(Vec<Element<'_>>, &str)> {
    let (mut elements, mut rest, mut count) = (Vec::new(), text, 0);
    while let Some(inner) = rest.strip_prefix('[') {
        let end = inner.find([' ', ']']).filter(|end| (1..=ID_BYTES_MAX).contains(end))?;
        let mut element = Element { id: &inner[..end], params: Vec::new() };
        rest = &inner[end..];
        loop {
            rest = rest.trim_start_matches(' ');
            if let Some(after) = rest.strip_prefix(']') {
                rest = after;
                break;
            }
            count += 1;
            let (name, after) = rest.split_once("=\"").filter(|_| count <= PARAMS_MAX)?;
            if name.is_empty() || name.contains([' ', ']', '"', '=']) {
                return None;
            }
            let (value, after) = quoted(after)?;
            element.params.push((name, value));
            rest = after;
        }
        elements.push(element);
    }
    (!elements.is_empty()).then_some((elements, rest))
}

/// The value up to the closing quote, and what follows that. `\"`, `\\` and `\]` are escapes.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next_if(|(_, next)| matches!(next, '"' | '\\' | ']')) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            other => value.push(other),
        }
    }
    None
}
