//! Values, times and answers as the test files write them.

use throughline_model::Value;
use throughline_query::traceql::{FoundSpanset, FoundTrace};

/// Parts between separators that stand outside of quotes and brackets.
pub fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '[' | '{' | '(' if !quoted => depth += 1,
            ']' | '}' | ')' if !quoted => depth -= 1,
            _ => {}
        }
        if c == separator && !quoted && depth == 0 {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// `"text"`, `1`, `1.5`, `true`, `nil`, `bytes(0a)`, `[1, "a"]`, `{k=1, l="a"}`, a duration as `1s`.
pub fn value(text: &str) -> Value {
    let inside = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    if let Some(text) = inside('"', '"') {
        return Value::String(text.to_owned());
    }
    if let Some(items) = inside('[', ']') {
        return Value::Array(split(items, ',').into_iter().map(value).collect());
    }
    if let Some(entries) = inside('{', '}') {
        let entry = |entry: &str| {
            let (key, of) = entry.split_once('=').expect("key=value");
            (key.to_owned(), value(of))
        };
        return Value::Kvlist(split(entries, ',').into_iter().map(entry).collect());
    }
    if let Some(hex) = text.strip_prefix("bytes(").and_then(|rest| rest.strip_suffix(')')) {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
        return Value::Bytes((0..hex.len()).step_by(2).map(byte).collect());
    }
    match text {
        "nil" => Value::Empty,
        "true" | "false" => Value::Bool(text == "true"),
        _ => number(text).unwrap_or_else(|| panic!("'{text}' is no value")),
    }
}

fn number(text: &str) -> Option<Value> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::Int(number));
    }
    text.parse::<f64>().ok().map(Value::Double).or_else(|| duration_ns(text).map(Value::Int))
}

/// `1.5s`, `-250ms`, `3us`, `7ns`, `2m`.
pub fn duration_ns(text: &str) -> Option<i64> {
    let units = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];
    units.iter().find_map(|(unit, ns)| {
        let number = text.strip_suffix(unit)?.parse::<f64>().ok()?;
        Some((number * ns).round() as i64)
    })
}

/// A value as text: whole numbers look alike, whether they are integers or doubles.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Empty => "nil".to_owned(),
        Value::String(text) => format!("\"{text}\""),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        // Nine digits: how a sum was formed is nobody's promise.
        Value::Double(number) if number.is_finite() => {
            format!("{:.8e}", number).parse::<f64>().expect("a number").to_string()
        }
        Value::Double(number) => number.to_string(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}

/// An id without leading zeros.
pub fn id(id: impl ToString) -> String {
    id.to_string().trim_start_matches('0').to_owned()
}

/// The lines of a search, one a spanset.
pub fn search_lines(found: &[FoundTrace]) -> Vec<String> {
    let of = |trace: &FoundTrace| {
        let id = id(trace.summary.trace_id);
        trace.spansets.iter().map(move |set| spanset_line(&id, set)).collect::<Vec<_>>()
    };
    found.iter().flat_map(of).collect()
}

fn entries(entries: &[(String, Value)]) -> String {
    let entry = |(name, value): &(String, Value)| format!("{name}={}", shown(value));
    entries.iter().map(entry).collect::<Vec<_>>().join("; ")
}

fn spanset_line(trace: &str, set: &FoundSpanset) -> String {
    let records = match entries(&set.attributes) {
        none if none.is_empty() => none,
        some => format!(" [{some}]"),
    };
    let more = match set.matched - set.spans.len() as u64 {
        0 => String::new(),
        more => format!(" +{more}"),
    };
    // The order of a span's fields is nobody's promise.
    let spans = set.spans.iter().map(|span| {
        let mut fields = span.attributes.clone();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        format!(" {}{{{}}}", id(span.span_id), entries(&fields))
    });
    format!("{trace}{records}:{}{more}", spans.collect::<String>())
}

/// A line of a search without the fields of its spans, unless `pattern` has them.
pub fn reduced(line: &str, pattern: &str) -> String {
    let (head, spans) = line.split_at(split_head(line));
    let (_, asked) = pattern.split_at(split_head(pattern));
    let asked = split(asked, ' ');
    let spans = split(spans, ' ').into_iter().enumerate().map(|(i, span)| {
        let has_fields = asked.get(i).is_none_or(|asked| asked.contains('{'));
        if has_fields { span } else { span.split('{').next().expect("a part") }
    });
    format!("{head} {}", spans.collect::<Vec<_>>().join(" "))
}

// Where the spans of a line begin: behind the first colon outside of brackets.
fn split_head(line: &str) -> usize {
    split(line, ':')
        .first()
        .map_or(0, |head| line.find(head).expect("a part of it") + head.len() + 1)
}

/// A line as a test file writes it, in the words of [`search_lines`].
pub fn normal_search(line: &str) -> String {
    let at = split_head(line);
    let (head, spans) = (line[..at].trim_end_matches(':'), &line[at..]);
    let head = match head.split_once(" [") {
        Some((trace, records)) => {
            format!("{trace} [{}]", normal_entries(records.trim_end().trim_end_matches(']')))
        }
        None => head.to_owned(),
    };
    let spans = split(spans, ' ').into_iter().map(|span| match span.split_once('{') {
        Some((id, fields)) => {
            let mut fields = split(fields.trim_end_matches('}'), ';');
            fields.sort_unstable();
            format!("{id}{{{}}}", normal_entries(&fields.join("; ")))
        }
        None => span.to_owned(),
    });
    format!("{}: {}", head.trim(), spans.collect::<Vec<_>>().join(" "))
}

/// `name=value; name=value` with each value in its normal form.
pub fn normal_entries(text: &str) -> String {
    let entry = |entry: &str| {
        // The value stands behind the last sign outside of brackets and quotes.
        let of = split(entry, '=').pop().expect("a value");
        let name = entry[..entry.rfind(of).expect("is there")].trim_end_matches('=');
        format!("{name}={}", shown(&value(of)))
    };
    split(text, ';').into_iter().map(entry).collect::<Vec<_>>().join("; ")
}

/// Labels of a series in the same form.
pub fn labels(all: &[(String, Value)]) -> String {
    format!("{{{}}}", entries(all))
}
