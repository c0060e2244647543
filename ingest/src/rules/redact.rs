//! What must not be stored, taken out of texts.

use std::borrow::Cow;

use regex::{Captures, Regex, RegexBuilder};
use throughline_model::value::ValueRef;
use throughline_model::{Result, Value};

use super::rewrite::Edited;
use super::{RuleSpec, cards};

/// What stands where something was taken out.
pub const REDACTED: &str = "[redacted]";
/// Bytes of a compiled pattern at most.
const PATTERN_BYTES_MAX: usize = 4 << 20;
/// The name that stands for the body in lists of fields.
const BODY: &str = "body";
/// What a pattern may leave standing before what it takes out.
const KEPT: &str = "kept";

/// The built-in pattern that no regular expression tells.
const CARD: &str = "card";
/// The other built-in patterns by name.
const BUILT_IN: &[(&str, &[&str])] = &[
    ("email", &[r"[\w.%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"]),
    (
        "token",
        &[
            r"(?i)(?P<kept>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}",
            r"\beyJ[\w-]+\.[\w-]+\.[\w-]*",
            r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
            r#"(?i)(?P<kept>\b(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)\b["']?\s*[=:]\s*["']?)[^\s"'&,;}\]]+"#,
        ],
    ),
];

/// Patterns with where they are looked for.
pub struct Redactor {
    patterns: Vec<Pattern>,
    /// Where; everywhere if there is nothing.
    fields: Vec<String>,
}

enum Pattern {
    Card,
    Regex(Regex),
}

impl Redactor {
    /// Prepares the patterns of a rule.
    pub fn new(spec: &RuleSpec) -> std::result::Result<Self, String> {
        let mut patterns = Vec::new();
        for name in &spec.redact {
            if name == CARD {
                patterns.push(Pattern::Card);
                continue;
            }
            let Some((_, texts)) = BUILT_IN.iter().find(|(own, _)| own == name) else {
                let known = BUILT_IN.iter().map(|(name, _)| *name).chain([CARD]);
                let known = known.collect::<Vec<_>>().join(", ");
                return Err(format!("redact '{name}' is none of {known}"));
            };
            for text in *texts {
                patterns.push(Pattern::Regex(compiled(text)?));
            }
        }
        for text in &spec.redact_patterns {
            let regex = compiled(text).map_err(|wrong| format!("redact_patterns: {wrong}"))?;
            patterns.push(Pattern::Regex(regex));
        }
        Ok(Self { patterns, fields: spec.redact_in.clone() })
    }

    /// Takes out of a record what it finds; whether it found anything.
    pub fn run(&self, record: &mut Edited) -> Result<bool> {
        let is_asked = |name: &str| self.fields.is_empty() || self.fields.iter().any(|f| f == name);
        let mut found = false;
        if let Some(body) = record.body.as_mut().filter(|_| is_asked(BODY)) {
            found |= self.redact_value(body)?;
        }
        for (name, value) in &mut record.attributes {
            if is_asked(name) {
                found |= self.redact_value(value)?;
            }
        }
        Ok(found)
    }

    fn redact_value(&self, encoded: &mut Vec<u8>) -> Result<bool> {
        match ValueRef::read(encoded)? {
            ValueRef::String(text) => {
                let Cow::Owned(text) = self.text(text) else { return Ok(false) };
                *encoded = Value::String(text).to_bytes();
                Ok(true)
            }
            ValueRef::Nested(bytes) => {
                let mut value = Value::decode(bytes)?;
                let found = self.nested(&mut value);
                if found {
                    *encoded = value.to_bytes();
                }
                Ok(found)
            }
            // A card's number may be a number, and bytes may be a text.
            ValueRef::Int(number) => {
                let Cow::Owned(text) = self.text(&number.to_string()) else { return Ok(false) };
                *encoded = Value::String(text).to_bytes();
                Ok(true)
            }
            ValueRef::Bytes(bytes) => {
                let Cow::Owned(text) = self.text(&String::from_utf8_lossy(bytes)) else {
                    return Ok(false);
                };
                *encoded = Value::String(text).to_bytes();
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn nested(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.text(text) {
                Cow::Owned(new) => {
                    *text = new;
                    true
                }
                Cow::Borrowed(_) => false,
            },
            Value::Int(number) => {
                let text = number.to_string();
                self.replace(value, &text)
            }
            Value::Bytes(bytes) => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                self.replace(value, &text)
            }
            Value::Array(items) => {
                items.iter_mut().fold(false, |found, item| self.nested(item) | found)
            }
            Value::Kvlist(entries) => {
                entries.iter_mut().fold(false, |found, (_, value)| self.nested(value) | found)
            }
            _ => false,
        }
    }

    // Puts the text that is left in the place of a value that says `text`, if anything is taken out of it.
    fn replace(&self, value: &mut Value, text: &str) -> bool {
        let Cow::Owned(new) = self.text(text) else { return false };
        *value = Value::String(new);
        true
    }

    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut now = Cow::Borrowed(text);
        for pattern in &self.patterns {
            let Some(new) = pattern.replaced(&now) else { continue };
            now = Cow::Owned(new);
        }
        now
    }
}

impl Pattern {
    // The text without what is found in it; none if nothing is.
    fn replaced(&self, text: &str) -> Option<String> {
        let regex = match self {
            Self::Card => return cards::without(text, REDACTED),
            Self::Regex(regex) => regex,
        };
        let mut is_found = false;
        let new = regex.replace_all(text, |found: &Captures<'_>| {
            let whole = found.get(0).map_or("", |whole| whole.as_str());
            if whole.is_empty() {
                return String::new();
            }
            is_found = true;
            format!("{}{REDACTED}", found.name(KEPT).map_or("", |kept| kept.as_str()))
        });
        is_found.then(|| new.into_owned())
    }
}

fn compiled(text: &str) -> std::result::Result<Regex, String> {
    let regex = RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build();
    regex.map_err(|err| format!("'{text}' is no regular expression: {err}"))
}
