//! A search by tags: `service.name=cart http.url="a b"`, lowered to a query.
//!
//! A value is a part of the text, whatever the case of letters. One that reads as a number or a truth
//! value also means that, since attributes have types and tags have none.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::CharIndices;

use throughline_query::traceql::ast::{Field, Scope, Static};

use super::error::{Result, TempoError};

/// Tags in one search.
const TAGS_MAX: usize = 100;

/// Reads pairs of logfmt. A key alone has the empty text.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>> {
    let mut tags = BTreeMap::new();
    let mut chars = text.char_indices().peekable();
    loop {
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let Some((at, _)) = chars.peek().copied() else { return Ok(tags) };
        let key = word(&mut chars, |c| c.is_whitespace() || matches!(c, '=' | '"'));
        if key.is_empty() {
            return Err(wrong(text, at, "a key was expected"));
        }
        let value = match chars.next_if(|(_, c)| *c == '=') {
            None => String::new(),
            Some(_) => match chars.next_if(|(_, c)| *c == '"') {
                Some((at, _)) => quoted(&mut chars)
                    .ok_or_else(|| wrong(text, at, "unterminated quoted value"))?,
                None => word(&mut chars, |c| c.is_whitespace() || c == '"'),
            },
        };
        if let Some((at, c)) = chars.peek().filter(|(_, c)| !c.is_whitespace()) {
            return Err(wrong(text, *at, &format!("unexpected '{c}'")));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(wrong(text, at, &format!("tag {key} has been set twice")));
        }
        if tags.len() > TAGS_MAX {
            return Err(wrong(text, at, &format!("there are more than {TAGS_MAX} tags")));
        }
    }
}

type Chars<'t> = Peekable<CharIndices<'t>>;

fn word(chars: &mut Chars<'_>, ends: impl Fn(char) -> bool) -> String {
    let mut word = String::new();
    while let Some((_, c)) = chars.next_if(|(_, c)| !ends(*c)) {
        word.push(c);
    }
    word
}

// After the first quote; none if there is no last one.
fn quoted(chars: &mut Chars<'_>) -> Option<String> {
    let mut value = String::new();
    loop {
        value.push(match chars.next()?.1 {
            '"' => return Some(value),
            '\\' => match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            },
            other => other,
        });
    }
}

fn wrong(text: &str, at: usize, detail: &str) -> TempoError {
    let position = text[..at].chars().count() + 1;
    TempoError::invalid("tags", text, format!("invalid tags: {detail} at pos {position}"))
}

/// The query for traces with a span that has all the tags, of a trace that lasts so long.
pub fn query(tags: &BTreeMap<String, String>, min_ms: u32, max_ms: u32) -> String {
    let mut conditions: Vec<String> =
        tags.iter().map(|(key, value)| condition(key, value)).collect();
    if min_ms > 0 {
        conditions.push(format!("traceDuration >= {min_ms}ms"));
    }
    if max_ms > 0 {
        conditions.push(format!("traceDuration <= {max_ms}ms"));
    }
    format!("{{ {} }}", conditions.join(" && "))
}

fn condition(key: &str, value: &str) -> String {
    let pattern = Static::String(format!("(?is).*{}.*", regex::escape(value)));
    let field = match (key, value) {
        ("error", "true") => return "status = error".to_owned(),
        ("status.code", "ok" | "error" | "unset") => return format!("status = {value}"),
        ("name", _) => "name".to_owned(),
        ("root.name", _) => "rootName".to_owned(),
        ("root.service.name", _) => "rootServiceName".to_owned(),
        _ => {
            Field::Attribute { scope: Scope::Any, parent: false, name: key.to_owned() }.to_string()
        }
    };
    let matches = format!("{field} =~ {pattern}");
    let is_typed = !value.is_empty()
        && (value.parse::<bool>().is_ok() || value.bytes().all(|byte| byte.is_ascii_digit()));
    // More digits than a literal may have.
    let is_typed = is_typed && (value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok());
    if is_typed { format!("({field} = {value} || {matches})") } else { matches }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_a_query() {
        for (text, expected) in [
            ("", "{  }"),
            ("service.name=cart", r#"{ .service.name =~ "(?is).*cart.*" }"#),
            (r#" http.url="/a b\"c" "#, r#"{ .http.url =~ "(?is).*/a b\"c.*" }"#),
            ("name=GET root.name=x", r#"{ name =~ "(?is).*GET.*" && rootName =~ "(?is).*x.*" }"#),
            ("code=500", r#"{ (.code = 500 || .code =~ "(?is).*500.*") }"#),
            ("error=true", "{ status = error }"),
            ("status.code=ok", "{ status = ok }"),
            ("x=a.b", r#"{ .x =~ "(?is).*a\\.b.*" }"#),
        ] {
            assert_eq!(query(&parse(text).expect(text), 0, 0), expected, "{text}");
        }
        let none = BTreeMap::new();
        assert_eq!(query(&none, 600, 0), "{ traceDuration >= 600ms }");
    }

    #[test]
    fn what_is_no_logfmt_is_an_error_with_its_place() {
        for (text, word) in [
            ("=x", "a key was expected at pos 1"),
            ("a=\"b", "unterminated quoted value at pos 3"),
            ("a=1 a=2", "tag a has been set twice at pos 5"),
            ("a=b\"c", "unexpected '\"' at pos 4"),
        ] {
            let err = parse(text).expect_err(text);
            assert!(err.message().contains(word), "{}", err.message());
        }
    }
}
