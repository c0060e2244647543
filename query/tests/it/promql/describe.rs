//! Descriptions of series: `metric{label="value"} 1+2x3 _ stale {{schema:0 count:1}}`.

use throughline_model::histogram::{CUSTOM_SCHEMA, NativeHistogram, ResetHint, STALE_NAN};
use throughline_query::promql::duration::parse_ms;
use throughline_query::promql::labels::Labels;
use throughline_query::promql::parse_labels;

/// A value of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Omitted,
    Float(f64),
    /// A histogram, and whether its hint was written.
    Histogram(Box<NativeHistogram>, bool),
}

/// Labels and values of a line.
pub fn series(line: &str) -> Result<(Labels, Vec<Item>), String> {
    let end = selector_end(line);
    let (selector, values) = line.split_at(end);
    Ok((labels(selector)?, items(values)?))
}

/// The labels of a selector.
pub fn labels(selector: &str) -> Result<Labels, String> {
    let selector = selector.trim();
    let pairs = parse_labels(selector).map_err(|err| err.to_string())?;
    Ok(Labels::of(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
}

/// Where the selector that a line begins with ends.
pub fn selector_end(line: &str) -> usize {
    let (mut quote, mut in_braces, mut escaped) = (None, false, false);
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(open), '\\') if open != '`' => escaped = true,
            (Some(open), _) => quote = (c != open).then_some(open),
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{') => in_braces = true,
            (None, '}') => in_braces = false,
            (None, ' ' | '\t') if !in_braces && line[..at].trim() != "" => {
                // A blank may stand between the name and the braces.
                let rest = line[at..].trim_start();
                if !rest.starts_with('{') || rest.starts_with("{{") || line[..at].contains('{') {
                    return at;
                }
            }
            _ => {}
        }
    }
    line.len()
}

fn items(text: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = item_end(rest);
        let (item, after) = rest.split_at(end);
        items.extend(expand(item).map_err(|err| format!("'{item}': {err}"))?);
        rest = after.trim_start();
    }
    Ok(items)
}

fn item_end(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ' ' | '\t' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

fn expand(item: &str) -> Result<Vec<Item>, String> {
    if item == "stale" {
        return Ok(vec![Item::Float(f64::from_bits(STALE_NAN))]);
    }
    if let Some(rest) = item.strip_prefix('_') {
        let count = if rest.is_empty() { 1 } else { times(rest)? };
        return Ok(vec![Item::Omitted; count]);
    }
    if item.starts_with("{{") {
        return expand_histogram(item);
    }
    let (value, rest) = number(item)?;
    if rest.is_empty() {
        return Ok(vec![Item::Float(value)]);
    }
    if rest.starts_with('x') {
        return Ok(vec![Item::Float(value); times(rest)? + 1]);
    }
    let (step, rest) = number(rest)?;
    let mut value = value;
    let values = (0..=times(rest)?).map(|_| {
        let item = Item::Float(value);
        value += step;
        item
    });
    Ok(values.collect())
}

fn times(text: &str) -> Result<usize, String> {
    let count = text.strip_prefix('x').ok_or_else(|| format!("'x' expected at '{text}'"))?;
    count.parse().map_err(|_| format!("'{count}' is no count"))
}

/// The number that a text begins with, and the rest.
pub fn number(text: &str) -> Result<(f64, &str), String> {
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    for (word, value) in [("inf", f64::INFINITY), ("nan", f64::NAN)] {
        if rest.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(word)) {
            return Ok((sign * value, &rest[3..]));
        }
    }
    let bytes = rest.as_bytes();
    let mut end = 0;
    while let Some(byte) = bytes.get(end) {
        let is_exponent = matches!(byte, b'e' | b'E')
            && bytes.get(end + 1).is_some_and(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-'));
        match byte {
            b'0'..=b'9' | b'.' | b'_' => end += 1,
            _ if is_exponent => end += 2,
            _ => break,
        }
    }
    let unit = rest[end..].find(|c: char| !"smhdwy".contains(c)).unwrap_or(rest.len() - end);
    if unit > 0 {
        let end = end + unit;
        let ms = parse_ms(&rest[..end])?;
        return Ok((sign * ms as f64 / 1e3, &rest[end..]));
    }
    let digits = rest[..end].replace('_', "");
    let value: f64 = digits.parse().map_err(|_| format!("no number at '{text}'"))?;
    Ok((sign * value, &rest[end..]))
}

fn expand_histogram(item: &str) -> Result<Vec<Item>, String> {
    let (base, is_hinted, rest) = histogram(item)?;
    let boxed = |histogram: &NativeHistogram, is_hinted| {
        Item::Histogram(Box::new(histogram.clone()), is_hinted)
    };
    if rest.is_empty() {
        return Ok(vec![boxed(&base, is_hinted)]);
    }
    if rest.starts_with('x') {
        return Ok(vec![boxed(&base, is_hinted); times(rest)? + 1]);
    }
    let (step, is_hinted, after) = histogram(&rest[1..])?;
    let mut value = base;
    let mut items = vec![boxed(&value, is_hinted)];
    for _ in 0..times(after)? {
        let outcome = match &rest[..1] {
            "+" => value.add(&step),
            "-" => value.subtract(&step),
            other => return Err(format!("'{other}' between histograms")),
        };
        outcome.map_err(|err| err.to_string())?;
        items.push(boxed(&value, is_hinted));
    }
    Ok(items)
}

/// The histogram that a text begins with, whether its hint is written, and the rest.
fn histogram(text: &str) -> Result<(NativeHistogram, bool, &str), String> {
    let inner = text.strip_prefix("{{").ok_or_else(|| format!("no histogram at '{text}'"))?;
    let end = inner.find("}}").ok_or("a histogram without an end")?;
    let (mut body, rest) = (inner[..end].trim(), &inner[end + 2..]);
    let mut histogram = NativeHistogram::default();
    let (mut buckets, mut negative) = (Vec::new(), Vec::new());
    let (mut offset, mut negative_offset, mut is_hinted) = (0, 0, false);
    while !body.is_empty() {
        let (key, after) = body.split_once(':').ok_or("a key without a value")?;
        let end = item_end(after);
        let value = &after[..end];
        body = after[end..].trim_start();
        let float = || number(value).map(|(value, _)| value);
        match key {
            "schema" => histogram.schema = float()? as i32,
            "sum" => histogram.sum = float()?,
            "count" => histogram.count = float()?,
            "z_bucket" => histogram.zero_count = float()?,
            "z_bucket_w" => histogram.zero_threshold = float()?,
            "custom_values" => histogram.custom_values = list(value)?,
            "buckets" => buckets = list(value)?,
            "n_buckets" => negative = list(value)?,
            "offset" => offset = float()? as i32,
            "n_offset" => negative_offset = float()? as i32,
            "counter_reset_hint" => {
                is_hinted = true;
                histogram.hint = match value {
                    "reset" => ResetHint::Reset,
                    "not_reset" => ResetHint::NotReset,
                    "gauge" => ResetHint::Gauge,
                    _ => ResetHint::Unknown,
                };
            }
            other => return Err(format!("key '{other}' of a histogram")),
        }
    }
    let counts = |list: Vec<f64>, offset: i32| {
        let counts = list.into_iter().enumerate().map(|(i, n)| (offset + i as i32, n));
        counts.filter(|(_, count)| *count != 0.0).collect()
    };
    histogram.positive = counts(buckets, offset);
    histogram.negative = counts(negative, negative_offset);
    debug_assert!(histogram.schema != CUSTOM_SCHEMA || histogram.negative.is_empty());
    Ok((histogram, is_hinted, rest))
}

fn list(text: &str) -> Result<Vec<f64>, String> {
    let inner = text.trim_start_matches('[').trim_end_matches(']');
    inner.split_whitespace().map(|item| number(item).map(|(value, _)| value)).collect()
}
