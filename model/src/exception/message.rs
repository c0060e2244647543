//! Messages without what differs from one occurrence to the next.
//!
//! ```text
//! user 4711 not found in /srv/data/7  →  user <n> not found in <path>
//! ```
//! One pass over the start of the message: at the start of a word it looks for something that is
//! masked as a whole; digits are masked wherever they stand.

use super::head_of;

/// Bytes of a message that are looked at.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Bytes of a normalised message, but for the mask that crosses the line.
const NORMALISED_BYTES_MAX: usize = 512;
/// The longest quotation that is masked as one.
const QUOTED_BYTES_MAX: usize = 512;
/// Hex digits from which on a word of them is a number, not a word.
const HEX_DIGITS_MIN: usize = 8;

const NUMBER: &str = "<n>";
const HEX: &str = "<hex>";
const UUID: &str = "<uuid>";
const TEXT: &str = "<str>";
const PATH: &str = "<path>";
const URL: &str = "<url>";
const ADDRESS: &str = "<addr>";

/// The message with numbers, hex, UUIDs, quotations, paths, URLs and addresses masked, white space
/// collapsed, and lists of masks shortened to one.
pub fn normalise_message(message: &str) -> String {
    let mut rest = head_of(message, MESSAGE_BYTES_MAX).trim();
    let mut out = String::new();
    let mut starts_word = true;
    while let Some(first) = rest.chars().next() {
        if out.len() >= NORMALISED_BYTES_MAX {
            break;
        }
        if first.is_whitespace() {
            out.push(' ');
            rest = rest.trim_start();
            starts_word = true;
            continue;
        }
        let found = if starts_word { masked(rest) } else { None };
        let found = found.or_else(|| number(rest).map(|len| (NUMBER, len)));
        if let Some((mask, len)) = found {
            out.push_str(mask);
            rest = &rest[len..];
            starts_word = false;
            continue;
        }
        out.push(first);
        starts_word = !first.is_alphanumeric();
        rest = &rest[first.len_utf8()..];
    }
    shorten_lists(out)
}

/// A name of code with its numbers and hex words masked: lambdas, closures and generated classes
/// count up from one build to the next.
pub(super) fn mask_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    let mut starts_word = true;
    while let Some(first) = rest.chars().next() {
        let hex = if starts_word { hex_word(rest) } else { None };
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let len = hex.unwrap_or(digits);
        if len > 0 {
            out.push('#');
            rest = &rest[len..];
            starts_word = false;
            continue;
        }
        out.push(first);
        starts_word = !first.is_alphanumeric();
        rest = &rest[first.len_utf8()..];
    }
    out
}

// What the text starts with, if that is masked as a whole, and its length.
fn masked(text: &str) -> Option<(&'static str, usize)> {
    if let Some(len) = quoted(text) {
        return Some((TEXT, len));
    }
    let token = token(text);
    if let Some(len) = uuid(token) {
        return Some((UUID, len));
    }
    if is_url(token) {
        return Some((URL, token.len()));
    }
    if is_email(token) {
        return Some((ADDRESS, token.len()));
    }
    if is_path(token) {
        return Some((PATH, token.len()));
    }
    if let Some(len) = ip(token) {
        return Some((ADDRESS, len));
    }
    hex_word(token).map(|len| (HEX, len))
}

// Up to white space or a bracket, without what punctuates the sentence.
fn token(text: &str) -> &str {
    let ends = |c: char| c.is_whitespace() || "()[]{}<>\"'`,;|".contains(c);
    let end = text.find(ends).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ':', '!', '?'])
}

fn quoted(text: &str) -> Option<usize> {
    let open = text.chars().next()?;
    let close: &[char] = match open {
        '\'' => &['\''],
        '"' => &['"'],
        '`' => &['`', '\''],
        '“' => &['”'],
        '«' => &['»'],
        '‘' => &['’'],
        _ => return None,
    };
    let inside = head_of(&text[open.len_utf8()..], QUOTED_BYTES_MAX);
    // An apostrophe has a letter behind it, the end of a quotation has not.
    let end = inside.char_indices().find(|(at, c)| {
        let behind = inside[at + c.len_utf8()..].chars().next();
        close.contains(c) && !behind.is_some_and(char::is_alphanumeric)
    });
    end.map(|(at, c)| open.len_utf8() + at + c.len_utf8())
}

fn uuid(token: &str) -> Option<usize> {
    const LEN: usize = 36;
    let bytes = token.as_bytes().get(..LEN)?;
    let is_uuid = bytes.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    let goes_on = token.as_bytes().get(LEN).is_some_and(u8::is_ascii_alphanumeric);
    (is_uuid && !goes_on).then_some(LEN)
}

fn is_url(token: &str) -> bool {
    let Some((scheme, rest)) = token.split_once("://") else { return false };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(is_scheme)
        && !rest.is_empty()
}

fn is_email(token: &str) -> bool {
    let Some((user, domain)) = token.split_once('@') else { return false };
    let is_word = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    !user.is_empty()
        && user.chars().all(is_word)
        && domain.contains('.')
        && !domain.starts_with('.')
        && domain.chars().all(|c| c.is_alphanumeric() || ".-".contains(c))
}

fn is_path(token: &str) -> bool {
    let unix = ["/", "./", "../", "~/"].iter().find_map(|start| token.strip_prefix(start));
    let windows = match token.as_bytes() {
        [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic() => token.get(3..),
        [b'\\', b'\\', ..] => token.get(2..),
        _ => None,
    };
    let begins = |c: char| c.is_alphanumeric() || "._-@~%".contains(c);
    unix.or(windows).is_some_and(|rest| rest.starts_with(begins))
}

fn ip(token: &str) -> Option<usize> {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
    let end = token.find(|c| !is_part(c)).unwrap_or(token.len());
    let text = token[..end].trim_end_matches([':', '.']);
    if text.parse::<std::net::IpAddr>().is_ok() || text.parse::<std::net::SocketAddr>().is_ok() {
        let goes_on = token[text.len()..].starts_with(char::is_alphanumeric);
        return (!goes_on).then_some(text.len());
    }
    None
}

// `0x…`, or many hex digits of both kinds.
fn hex_word(text: &str) -> Option<usize> {
    let digits =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_hexdigit()).len();
    let goes_on = |len: usize| text[len..].starts_with(char::is_alphanumeric);
    if let Some(rest) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let len = digits(rest);
        return (len > 0 && !goes_on(len + 2)).then_some(len + 2);
    }
    let len = digits(text);
    let word = &text.as_bytes()[..len];
    let mixed = word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_alphabetic);
    (len >= HEX_DIGITS_MIN && mixed && !goes_on(len)).then_some(len)
}

// Digits with decimals, groups of thousands, an exponent, and a sign before the first.
fn number(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let digits = |from: usize| (from..).take_while(|at| is_digit(*at)).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let mut len = sign + digits(sign);
    if len == sign {
        return None;
    }
    while let Some(b'.' | b',') = bytes.get(len) {
        let more = digits(len + 1);
        if more == 0 || (bytes[len] == b',' && more != 3) {
            break;
        }
        len += 1 + more;
    }
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(bytes.get(len + 1), Some(b'-' | b'+')));
        let more = digits(len + 1 + signed);
        if more > 0 {
            len += 1 + signed + more;
        }
    }
    Some(len)
}

// `<n>, <n>, <n>` says no more than `<n>`.
fn shorten_lists(mut text: String) -> String {
    for mask in [NUMBER, HEX, UUID, TEXT, PATH, ADDRESS] {
        for between in [", ", ","] {
            let pair = format!("{mask}{between}{mask}");
            while text.contains(&pair) {
                text = text.replace(&pair, mask);
            }
        }
    }
    text
}
