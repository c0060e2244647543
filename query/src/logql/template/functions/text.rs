//! Functions on text.

use super::super::format;
use super::super::value::Value;
use super::{Arguments, Entry, MANY, Outcome, entry, text_value, with_regex};

pub const TABLE: &[Entry] = &[
    entry("lower", (1, 1), |a| text_value(a.text(0).to_lowercase())),
    entry("ToLower", (1, 1), |a| text_value(a.text(0).to_lowercase())),
    entry("upper", (1, 1), |a| text_value(a.text(0).to_uppercase())),
    entry("ToUpper", (1, 1), |a| text_value(a.text(0).to_uppercase())),
    entry("title", (1, 1), |a| text_value(title(&a.text(0)))),
    entry("trunc", (2, 2), |a| text_value(truncate(a.int(0), &a.text(1)))),
    entry("substr", (3, 3), substr),
    entry("contains", (2, 2), |a| Ok(Value::Bool(a.text(1).contains(&*a.text(0))))),
    entry("hasPrefix", (2, 2), |a| Ok(Value::Bool(a.text(1).starts_with(&*a.text(0))))),
    entry("hasSuffix", (2, 2), |a| Ok(Value::Bool(a.text(1).ends_with(&*a.text(0))))),
    entry("replace", (3, 3), |a| text_value(a.text(2).replace(&*a.text(0), &a.text(1)))),
    entry("Replace", (4, 4), replace_some),
    entry("trim", (1, 1), |a| text_value(a.text(0).trim())),
    entry("TrimSpace", (1, 1), |a| text_value(a.text(0).trim())),
    entry("trimAll", (2, 2), |a| text_value(trim(&a.text(1), &a.text(0), true, true))),
    entry("trimPrefix", (2, 2), |a| text_value(without_prefix(&a.text(1), &a.text(0)))),
    entry("trimSuffix", (2, 2), |a| text_value(without_suffix(&a.text(1), &a.text(0)))),
    entry("Trim", (2, 2), |a| text_value(trim(&a.text(0), &a.text(1), true, true))),
    entry("TrimLeft", (2, 2), |a| text_value(trim(&a.text(0), &a.text(1), true, false))),
    entry("TrimRight", (2, 2), |a| text_value(trim(&a.text(0), &a.text(1), false, true))),
    entry("TrimPrefix", (2, 2), |a| text_value(without_prefix(&a.text(0), &a.text(1)))),
    entry("TrimSuffix", (2, 2), |a| text_value(without_suffix(&a.text(0), &a.text(1)))),
    entry("repeat", (2, 2), |a| {
        let text = a.text(1);
        text_value(text.repeat(a.times(0, &text)?))
    }),
    entry("indent", (2, 2), |a| text_value(indent(a)?)),
    entry("nindent", (2, 2), |a| text_value(format!("\n{}", indent(a)?))),
    entry("alignLeft", (2, 2), |a| text_value(align(a, true)?)),
    entry("alignRight", (2, 2), |a| text_value(align(a, false)?)),
    entry("default", (2, 2), |a| Ok(a.at(usize::from(!a.at(1).is_empty())).clone())),
    with_regex(entry("count", (2, 2), |a| {
        let text = a.text(1);
        a.with_regex(|regex| Value::Int(regex.find_iter(&text).count() as i64))
    })),
    with_regex(entry("regexReplaceAll", (3, 3), |a| {
        let (text, by) = (a.text(1), a.text(2));
        a.with_regex(|regex| Value::text(regex.replace_all(&text, &*by).into_owned()))
    })),
    with_regex(entry("regexReplaceAllLiteral", (3, 3), |a| {
        let (text, by) = (a.text(1), a.text(2));
        a.with_regex(|regex| {
            Value::text(regex.replace_all(&text, regex::NoExpand(&by)).into_owned())
        })
    })),
    entry("print", (0, MANY), |a| text_value(format::print(a.values))),
    entry("println", (0, MANY), |a| text_value(format::println(a.values))),
    entry("printf", (1, MANY), |a| text_value(format::printf(&a.text(0), &a.values[1..])?)),
    entry("__line__", (0, 0), |a| Ok(Value::Text(std::borrow::Cow::Borrowed(a.context.line)))),
];

fn title(text: &str) -> String {
    let mut starts_word = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if starts_word {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        starts_word = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    out
}

fn truncate(count: i64, text: &str) -> String {
    let chars = text.chars().count();
    let kept = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let skipped = if count < 0 { chars.saturating_sub(kept) } else { 0 };
    text.chars().skip(skipped).take(kept).collect()
}

// From the start to before the end; a negative start means the front, an end that is negative or
// too far means the end of the text.
fn substr<'v>(a: &Arguments<'_, 'v>) -> Outcome<'v> {
    let (start, end, text) = (a.int(0), a.int(1), a.text(2));
    let start = usize::try_from(start).unwrap_or(0);
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    text_value(text.chars().take(end).skip(start).collect::<String>())
}

fn replace_some<'v>(a: &Arguments<'_, 'v>) -> Outcome<'v> {
    let (text, old, new) = (a.text(0), a.text(1), a.text(2));
    match usize::try_from(a.int(3)) {
        Ok(count) => text_value(text.replacen(&*old, &new, count)),
        Err(_) => text_value(text.replace(&*old, &new)),
    }
}

fn trim(text: &str, chars: &str, at_start: bool, at_end: bool) -> String {
    let is = |c: char| chars.contains(c);
    let text = if at_start { text.trim_start_matches(is) } else { text };
    let text = if at_end { text.trim_end_matches(is) } else { text };
    text.to_owned()
}

fn without_prefix(text: &str, prefix: &str) -> String {
    text.strip_prefix(prefix).unwrap_or(text).to_owned()
}

fn without_suffix(text: &str, suffix: &str) -> String {
    text.strip_suffix(suffix).unwrap_or(text).to_owned()
}

fn indent(a: &Arguments<'_, '_>) -> Result<String, String> {
    let text = a.text(1);
    let padding = " ".repeat(a.times(0, &text)?);
    Ok(text.split('\n').map(|line| format!("{padding}{line}")).collect::<Vec<_>>().join("\n"))
}

// Cut or filled up with spaces to a number of characters.
fn align(a: &Arguments<'_, '_>, is_left: bool) -> Result<String, String> {
    let (width, text) = (a.times(0, "")?, a.text(1));
    let chars = text.chars().count();
    let padding = " ".repeat(width.saturating_sub(chars));
    Ok(match is_left {
        true => text.chars().take(width).chain(padding.chars()).collect(),
        false => {
            let skipped = chars.saturating_sub(width);
            padding.chars().chain(text.chars().skip(skipped)).collect()
        }
    })
}
