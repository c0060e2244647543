//! Attributes out of texts: JSON, logfmt, regular expressions, grok.

use regex::{Regex, RegexBuilder};
use throughline_model::value::ValueRef;
use throughline_model::{Result, Value};

use super::rewrite::Edited;
use super::{ParseSpec, grok};
use crate::records::{document, severity_number};

/// Bytes of a compiled pattern at most.
const PATTERN_BYTES_MAX: usize = 4 << 20;
/// Attributes that one text may make.
const FIELDS_MAX: usize = 256;
/// Attributes that tell the severity of a record that tells none.
const LEVELS: [&str; 4] = ["level", "severity", "log.level", "lvl"];

/// How a text becomes attributes.
pub struct Parser {
    form: Form,
    from: String,
    prefix: String,
}

enum Form {
    Json,
    Logfmt,
    /// Groups of these names are numbers.
    Regex(Regex, Vec<String>),
}

type Fields = Vec<(String, Value)>;

impl Parser {
    /// Prepares it.
    pub fn new(spec: &ParseSpec) -> std::result::Result<Self, String> {
        let compiled = |text: &str| {
            let regex = RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build();
            regex.map_err(|err| format!("parse: '{}' is no pattern: {err}", spec.pattern))
        };
        let form = match spec.form.as_str() {
            "json" => Form::Json,
            "logfmt" => Form::Logfmt,
            "regex" => Form::Regex(compiled(&spec.pattern)?, Vec::new()),
            "grok" => {
                let expanded = grok::expanded(&spec.pattern);
                let (text, numbers) = expanded.map_err(|wrong| format!("parse: {wrong}"))?;
                Form::Regex(compiled(&text)?, numbers)
            }
            other => {
                return Err(format!("parse: '{other}' is none of json, logfmt, regex, grok"));
            }
        };
        if let Form::Regex(regex, _) = &form
            && regex.capture_names().flatten().next().is_none()
        {
            return Err(format!("parse: '{}' names no field", spec.pattern));
        }
        Ok(Self { form, from: spec.from.clone(), prefix: spec.prefix.clone() })
    }

    /// Adds the attributes that a record's text has; what the record has already stays. Whether the text
    /// could be parsed.
    pub fn run(&self, record: &mut Edited) -> Result<bool> {
        let fields = match self.from.as_str() {
            "" | "body" => record.text().and_then(|text| self.fields(text)),
            name => match record.get(name).map(ValueRef::read).transpose()? {
                Some(ValueRef::String(text)) => self.fields(text),
                _ => None,
            },
        };
        let Some(fields) = fields.filter(|fields| !fields.is_empty()) else { return Ok(false) };
        for (name, value) in fields.into_iter().take(FIELDS_MAX) {
            if record.severity_number == 0
                && record.severity_text.is_empty()
                && LEVELS.contains(&name.as_str())
                && let Value::String(word) = &value
                && let Some(number) = severity_number(word)
            {
                record.severity_number = number;
                record.severity_text = word.clone();
            }
            let name = format!("{}{name}", self.prefix);
            if record.get(&name).is_none() {
                record.set(&name, value.to_bytes());
            }
        }
        Ok(true)
    }

    fn fields(&self, text: &str) -> Option<Fields> {
        match &self.form {
            Form::Json => {
                let entries = document::read(text.trim().as_bytes()).ok()?;
                Some(entries.into_iter().map(|(key, json)| (key, document::value(json))).collect())
            }
            Form::Logfmt => Some(logfmt(text)),
            Form::Regex(regex, numbers) => {
                let found = regex.captures(text)?;
                let fields = regex.capture_names().flatten().filter_map(|name| {
                    let text = found.name(name)?.as_str();
                    let is_number = numbers.iter().any(|own| own == name);
                    Some((name.to_owned(), if is_number { number(text) } else { string(text) }))
                });
                Some(fields.collect())
            }
        }
    }
}

fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn number(text: &str) -> Value {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) => Value::Int(whole),
        (_, Ok(double)) => Value::Double(double),
        _ => string(text),
    }
}

// `key=value key="a b" key`: what has no value is no field.
fn logfmt(text: &str) -> Fields {
    let mut fields = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, behind) = rest.split_at(end);
        let Some(value) = behind.strip_prefix('=') else {
            rest = behind.trim_start();
            continue;
        };
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                (value[..end].to_owned(), &value[end..])
            }
        };
        if !key.is_empty() {
            fields.push((key.to_owned(), Value::String(value)));
        }
        rest = after.trim_start();
    }
    fields
}

// What stands up to the next quote that is not escaped, and what follows it.
fn unquoted(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (out, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, other)) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    (out, "")
}
