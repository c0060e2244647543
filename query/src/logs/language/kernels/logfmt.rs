//! `logfmt_field` and `logfmt_fields`: fields out of `level=info msg="two words" done`.
//!
//! A key goes up to `=` or white space; a value up to white space, or in quotes with `\"`, `\\`, `\n`,
//! `\t`, `\r` and `\uXXXX`. A key without a value has the empty text. Where a key comes twice, the first
//! counts.

use serde_json::{Map, Value};

/// Pairs of one text at most.
const PAIRS_MAX: usize = 1000;

/// The pairs of a text.
struct Pairs<'t> {
    rest: &'t str,
}

impl Iterator for Pairs<'_> {
    type Item = (String, String);

    fn next(&mut self) -> Option<(String, String)> {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| c == '=' || c.is_whitespace());
        let (key, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let key = key.to_owned();
        self.rest = rest;
        let Some(value) = self.rest.strip_prefix('=') else {
            return (!key.is_empty()).then(|| (key, String::new()));
        };
        if let Some(quoted) = value.strip_prefix('"')
            && let Some((text, rest)) = unquoted(quoted)
        {
            self.rest = rest;
            return Some((key, text));
        }
        let (value, rest) = value.split_at(value.find(char::is_whitespace).unwrap_or(value.len()));
        self.rest = rest;
        Some((key, value.to_owned()))
    }
}

// A text behind its opening quote, and what follows the closing one; none where that is missing.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((text, &quoted[at + 1..])),
            '\\' => match chars.next()? {
                (_, 'n') => text.push('\n'),
                (_, 't') => text.push('\t'),
                (_, 'r') => text.push('\r'),
                (at, 'u') => {
                    let code = quoted.get(at + 1..at + 5)?;
                    let code = u32::from_str_radix(code, 16).ok()?;
                    text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    chars.nth(3)?;
                }
                (_, other) => text.push(other),
            },
            other => text.push(other),
        }
    }
    None
}

fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    Pairs { rest: text }.take(PAIRS_MAX).filter(|(key, _)| !key.is_empty())
}

/// A field of a text in logfmt; none where it has no such key.
pub fn logfmt_field(text: &str, name: &str) -> Option<String> {
    pairs(text).find(|(key, _)| key == name).map(|(_, value)| value)
}

/// All fields that have a value, as a JSON object of texts; none where there is none.
pub fn logfmt_fields(text: &str) -> Option<String> {
    if !text.contains('=') {
        return None;
    }
    let mut fields = Map::new();
    for (key, value) in pairs(text).filter(|(_, value)| !value.is_empty()) {
        fields.entry(key).or_insert(Value::String(value));
    }
    (!fields.is_empty()).then(|| Value::Object(fields).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let text =
            r#"level=info msg="two \"words\"\n\u00e4" done a= b==x =y dur=1.5s level=warn open="x"#;
        for (name, expected) in [
            ("level", Some("info")),
            ("msg", Some("two \"words\"\nä")),
            ("done", Some("")),
            ("a", Some("")),
            ("b", Some("=x")),
            ("dur", Some("1.5s")),
            ("open", Some("\"x")),
            ("missing", None),
        ] {
            assert_eq!(logfmt_field(text, name).as_deref(), expected, "{name}");
        }
        assert_eq!(logfmt_fields("a=1 b a=2").as_deref(), Some(r#"{"a":"1"}"#));
        assert_eq!((logfmt_fields("no pairs"), logfmt_fields("")), (None, None));
    }
}
