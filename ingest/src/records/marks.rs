//! The fields of a log record that OpenTelemetry has a place of its own for: ids and severity.

use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::value::{self, ValueRef};
use throughline_model::{Result, SpanId, TraceId};

use super::levels::severity_number;

/// The largest severity number.
const SEVERITY_MAX: i32 = 24;

/// What was found among the fields of one record; the first of each counts.
#[derive(Debug, Default)]
pub struct Marks<'a> {
    trace_id: Option<[u8; 16]>,
    span_id: Option<[u8; 8]>,
    number: Option<i32>,
    /// Key and text; of these the first that is there is the severity's text. The others are attributes, and
    /// so are levels.
    texts: [Option<(&'a str, &'a str)>; 3],
}

impl<'a> Marks<'a> {
    /// Takes a field that has a place; `false` for an attribute like any other.
    pub fn take(&mut self, key: &'a str, value: ValueRef<'a>) -> bool {
        if key.eq_ignore_ascii_case("trace_id") || key.eq_ignore_ascii_case("traceid") {
            return fill(&mut self.trace_id, trace_id(value));
        }
        if key.eq_ignore_ascii_case("span_id") || key.eq_ignore_ascii_case("spanid") {
            return fill(&mut self.span_id, span_id(value));
        }
        let text = match value {
            ValueRef::String(text) if !text.is_empty() => Some((key, text)),
            _ => None,
        };
        let level = text.filter(|(_, word)| severity_number(word).is_some());
        match key {
            "severity_number" | "otel.log.severity.number" => fill(&mut self.number, number(value)),
            "severity_text" | "otel.log.severity.text" => fill(&mut self.texts[0], text),
            "level" | "severity" => fill(&mut self.texts[1], level),
            "detected_level" => fill(&mut self.texts[2], level),
            _ => false,
        }
    }

    /// Fills a record's fields; what turns out to have no place is pushed as an attribute. `level` is the
    /// severity of a record whose fields say none.
    pub fn settle<'f>(
        &self,
        level: Option<&'f str>,
        fields: &mut LogFields<'f>,
        builder: &mut LogBatchBuilder,
    ) -> Result<()>
    where
        'a: 'f,
    {
        (fields.trace_id, fields.span_id) = (self.trace_id, self.span_id);
        let first = self.texts.iter().flatten().next();
        for (key, text) in self.texts.iter().flatten() {
            // Whoever sent a level asks for it by its name.
            if first != Some(&(*key, *text)) || matches!(*key, "level" | "severity") {
                builder.attributes.push(key, |out| value::put_string(out, text))?;
            }
        }
        let text = match (first, self.number) {
            (Some((_, text)), _) => text,
            (None, Some(_)) => "",
            (None, None) => level.unwrap_or_default(),
        };
        fields.severity_text = text;
        fields.severity_number = self.number.or_else(|| severity_number(text)).unwrap_or_default();
        Ok(())
    }
}

fn fill<T>(slot: &mut Option<T>, found: Option<T>) -> bool {
    let taken = slot.is_none() && found.is_some();
    if taken {
        *slot = found;
    }
    taken
}

/// 32 hex digits, or 16.
fn trace_id(value: ValueRef<'_>) -> Option<[u8; 16]> {
    let ValueRef::String(text) = value else { return None };
    let id = TraceId::parse(text).ok().filter(|id| matches!(text.len(), 16 | 32) && !id.is_zero());
    id.map(|id| id.0)
}

/// 16 hex digits.
fn span_id(value: ValueRef<'_>) -> Option<[u8; 8]> {
    let ValueRef::String(text) = value else { return None };
    let id = SpanId::parse(text).ok().filter(|id| text.len() == 16 && !id.is_zero());
    id.map(|id| id.0)
}

fn number(value: ValueRef<'_>) -> Option<i32> {
    let number = match value {
        ValueRef::Int(number) => i32::try_from(number).ok()?,
        ValueRef::String(digits) => digits.parse().ok()?,
        _ => return None,
    };
    (1..=SEVERITY_MAX).contains(&number).then_some(number)
}
