//! What a tag of a search means: `error`, `span.kind` and the other fields that Jaeger shows as tags are
//! looked for in their columns and among the span's attributes; every other tag wherever it can stand.

use regex::{Regex, RegexBuilder};
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_query::traces::{FieldTest, TagCondition, TagTest, TraceSearch};

use super::translate::KINDS;
use crate::error::{ApiError, Result};

/// The most tags of a search.
const TAGS_MAX: usize = 64;
/// Memory that an expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Adds the tags to a search, all of which one span must have.
pub fn add(search: &mut TraceSearch, field: &str, tags: Vec<(String, String)>) -> Result<()> {
    if tags.len() > TAGS_MAX {
        let detail = format!("{field} has {} tags, the most are {TAGS_MAX}", tags.len());
        return Err(ApiError::invalid(field, &tags.len().to_string(), detail).with_limit(TAGS_MAX));
    }
    for (key, value) in tags {
        if key.is_empty() {
            let detail = format!("{field} has a tag without a key, of value '{value}'");
            return Err(ApiError::invalid(field, &value, detail));
        }
        add_one(search, key, value);
    }
    Ok(())
}

fn add_one(search: &mut TraceSearch, key: String, value: String) {
    let column = |name: &str| Predicate {
        target: Target::Column(name.to_owned()),
        op: Op::Eq(Operand::Str(value.clone())),
    };
    let field = match key.as_str() {
        "otel.status_description" => return search.filters.push(column(col::STATUS_MESSAGE)),
        "w3c.tracestate" => return search.filters.push(column(col::TRACE_STATE)),
        "error" => match boolean(&value) {
            Some(true) => Some(is_error(false)),
            // Not "an attribute that is false": everything that is no error, as Jaeger has it.
            Some(false) => {
                let test = TagTest::Is("true".to_owned());
                let field = Some(is_error(true));
                return search.tags.push(TagCondition { key, test, field });
            }
            None => None,
        },
        "otel.status_code" | "span.status" => status(&value),
        "span.kind" => kind(&value),
        _ => None,
    };
    let test = match (&field, key.as_str()) {
        (Some(_), "error") => TagTest::Is("true".to_owned()),
        _ => test(value),
    };
    search.tags.push(TagCondition { key, test, field });
}

fn is_error(negated: bool) -> FieldTest {
    FieldTest { column: col::STATUS_CODE, number: 2, negated }
}

fn status(value: &str) -> Option<FieldTest> {
    let names = ["UNSET", "OK", "ERROR"];
    let number = names.iter().position(|name| name.eq_ignore_ascii_case(value))?;
    Some(FieldTest { column: col::STATUS_CODE, number: number as i32, negated: false })
}

fn kind(value: &str) -> Option<FieldTest> {
    let kind = kind_number(value)?;
    Some(FieldTest { column: col::KIND, number: kind, negated: false })
}

/// The number of a kind in Jaeger's words.
pub fn kind_number(text: &str) -> Option<i32> {
    if text.eq_ignore_ascii_case("unspecified") {
        return Some(0);
    }
    let named = |kind: &&str| !kind.is_empty() && kind.eq_ignore_ascii_case(text);
    KINDS.iter().position(named).map(|kind| kind as i32)
}

/// A flag in the words that Go takes.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

// Jaeger's tags are compared exactly, except over Elasticsearch, where they are expressions. Both are
// served: a value is an expression too if it says so by `.*`, `.+` or a backslash. A lone dot does not,
// since versions and addresses have dots.
fn test(value: String) -> TagTest {
    let says_so = [".*", ".+", "\\"].iter().any(|sign| value.contains(sign));
    match says_so.then(|| whole(&value)).flatten() {
        Some(pattern) => TagTest::Like(value, pattern),
        None => TagTest::Is(value),
    }
}

/// The expression, if it is one, for a match from end to end.
pub fn whole(text: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{text})$")).size_limit(REGEX_BYTES_MAX).build().ok()
}
