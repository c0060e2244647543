//! The commands of a script.

use throughline_query::promql::duration::parse_ms;
use throughline_query::promql::labels::Labels;

use super::describe::{self, Item};

/// A command, with the number of its line.
pub struct Command {
    pub line: usize,
    pub kind: Kind,
}

pub enum Kind {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// Series to store.
pub struct Load {
    pub step_ms: i64,
    pub with_custom: bool,
    pub series: Vec<LoadSeries>,
}

/// A series to store.
pub struct LoadSeries {
    pub labels: Labels,
    pub items: Vec<Item>,
    /// Starts of counters, relative to the time of each value.
    pub starts: Option<Vec<Option<i64>>>,
}

/// What an annotation or error must be.
pub enum Text {
    Any,
    Exact(String),
    Regex(regex::Regex),
}

impl Text {
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Text::Any => true,
            Text::Exact(wanted) => wanted == text,
            Text::Regex(regex) => regex.is_match(text),
        }
    }
}

/// A query and its answer.
pub struct Eval {
    pub query: String,
    pub start_ms: i64,
    pub end_ms: i64,
    /// None for an instant query.
    pub step_ms: Option<i64>,
    pub ordered: bool,
    pub fails: Option<Text>,
    pub warns: Vec<Text>,
    pub infos: Vec<Text>,
    pub no_warn: bool,
    pub no_info: bool,
    pub scalar: Option<f64>,
    pub text: Option<String>,
    /// The times of a range vector: start, end, step.
    pub range: Option<(i64, i64, i64)>,
    pub series: Vec<(Labels, Vec<Item>)>,
}

/// The commands of a text.
pub fn parse(text: &str) -> Result<Vec<Command>, String> {
    let lines = text.lines().map(|line| {
        let line = line.trim();
        if line.starts_with('#') { "" } else { line }
    });
    let lines = lines.collect::<Vec<_>>();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let (line, head) = (at + 1, lines[at]);
        at += 1;
        if head.is_empty() {
            continue;
        }
        let start = at;
        let word = head.split_whitespace().next().unwrap_or_default().to_lowercase();
        if word != "clear" {
            at += lines[at..].iter().take_while(|line| !line.is_empty()).count();
        }
        let body = &lines[start..at];
        let kind = match word.as_str() {
            "clear" => Ok(Kind::Clear),
            _ if word.starts_with("load") => load(head, body).map(Kind::Load),
            _ if word.starts_with("eval") => eval(head, body).map(|e| Kind::Eval(Box::new(e))),
            other => Err(format!("command '{other}'")),
        };
        commands.push(Command { line, kind: kind.map_err(|err| format!("line {line}: {err}"))? });
    }
    Ok(commands)
}

fn load(head: &str, body: &[&str]) -> Result<Load, String> {
    let mut words = head.split_whitespace();
    let with_custom = words.next().is_some_and(|word| word.ends_with("with_nhcb"));
    let step_ms = parse_ms(words.next().ok_or("a load without a step")?)?;
    let mut series = Vec::new();
    let mut starts = None;
    for line in body {
        let end = describe::selector_end(line);
        if line[..end].ends_with("@st") {
            starts = Some(start_items(&line[end..])?);
            continue;
        }
        let (labels, items) = describe::series(line)?;
        series.push(LoadSeries { labels, items, starts: starts.take() });
    }
    Ok(Load { step_ms, with_custom, series })
}

/// Starts relative to the times of samples: `-1m`, `_x2`, `-1mx3`, `-1m+30sx3`.
fn start_items(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut all = Vec::new();
    for item in text.split_whitespace() {
        if let Some(rest) = item.strip_prefix('_') {
            let count = rest.strip_prefix('x').map_or(Ok(1), str::parse);
            all.extend(vec![None; count.map_err(|_| format!("count in '{item}'"))?]);
            continue;
        }
        let (base, rest) = signed_duration(item)?;
        let (step, rest) = match rest.as_bytes().first() {
            Some(b'+' | b'-') => signed_duration(rest)?,
            _ => (0, rest),
        };
        let count = match rest.strip_prefix('x') {
            Some(count) => count.parse::<i64>().map_err(|_| format!("count in '{item}'"))?,
            None => 0,
        };
        all.extend((0..=count).map(|i| Some(base + i * step)));
    }
    Ok(all)
}

fn signed_duration(text: &str) -> Result<(i64, &str), String> {
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let unit = rest[digits..].find(|c: char| !"smhdwy".contains(c));
    let end = unit.map_or(rest.len(), |unit| digits + unit);
    Ok((sign * parse_ms(&rest[..end])?, &rest[end..]))
}

fn eval(head: &str, body: &[&str]) -> Result<Eval, String> {
    let pattern = r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+))?\s+(.+)$";
    let instant = regex::Regex::new(pattern).expect("a pattern");
    let pattern =
        r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+?)\s+(.+)$";
    let range = regex::Regex::new(pattern).expect("a pattern");
    let time = |text: &str| parse_ms(text);
    let (mode, start_ms, end_ms, step_ms, query) = if let Some(found) = instant.captures(head) {
        let at = found.get(2).map_or(Ok(0), |at| time(at.as_str()))?;
        (found.get(1), at, at, None, found[3].to_owned())
    } else if let Some(found) = range.captures(head) {
        let step = Some(time(&found[4])?);
        (found.get(1), time(&found[2])?, time(&found[3])?, step, found[5].to_owned())
    } else {
        return Err(format!("evaluation '{head}'"));
    };
    let mode = mode.map_or("", |mode| mode.as_str());
    let mut eval = Eval {
        query,
        start_ms,
        end_ms,
        step_ms,
        ordered: mode == "ordered",
        fails: (mode == "fail").then_some(Text::Any),
        warns: Vec::new(),
        infos: Vec::new(),
        no_warn: false,
        no_info: false,
        scalar: None,
        text: None,
        range: None,
        series: Vec::new(),
    };
    if mode == "warn" {
        eval.warns.push(Text::Any);
    }
    if mode == "info" {
        eval.infos.push(Text::Any);
    }
    for line in body {
        expectation(&mut eval, line)?;
    }
    Ok(eval)
}

fn expectation(eval: &mut Eval, line: &str) -> Result<(), String> {
    if let Some(message) = line.strip_prefix("expected_fail_message") {
        eval.fails = Some(Text::Exact(message.trim().to_owned()));
    } else if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
        eval.fails = Some(Text::Regex(regex(pattern)?));
    } else if let Some(times) = line.strip_prefix("expect range vector") {
        let words = times.split_whitespace().collect::<Vec<_>>();
        let [_, from, _, to, _, step] = words[..] else { return Err(format!("range '{times}'")) };
        eval.range = Some((parse_ms(from)?, parse_ms(to)?, parse_ms(step)?));
    } else if let Some(text) = line.strip_prefix("expect string") {
        eval.text = Some(unquoted(text.trim())?);
    } else if line.split(' ').next() == Some("expect") {
        annotation(eval, line)?;
    } else if let Some(value) = whole_number(line) {
        eval.scalar = Some(value);
    } else {
        eval.series.push(describe::series(line)?);
    }
    Ok(())
}

fn whole_number(line: &str) -> Option<f64> {
    let (value, rest) = describe::number(line).ok()?;
    rest.is_empty().then_some(value)
}

fn unquoted(text: &str) -> Result<String, String> {
    match throughline_query::promql::expression(text) {
        Ok(throughline_query::promql::ast::Expr::Text(text)) => Ok(text.value),
        _ => Err(format!("text {text}")),
    }
}

fn regex(pattern: &str) -> Result<regex::Regex, String> {
    regex::Regex::new(pattern.trim()).map_err(|err| err.to_string())
}

fn annotation(eval: &mut Eval, line: &str) -> Result<(), String> {
    let rest = line["expect".len()..].trim();
    let end = rest.find(' ').unwrap_or(rest.len());
    let (kind, rest) = (&rest[..end], rest[end..].trim());
    let text = match rest.split_once(':') {
        Some(("msg", message)) => Text::Exact(message.trim().trim_matches('"').to_owned()),
        Some(("regex", pattern)) => Text::Regex(regex(pattern)?),
        _ => Text::Any,
    };
    match kind {
        "ordered" => eval.ordered = true,
        "fail" => eval.fails = Some(text),
        "warn" => eval.warns.push(text),
        "info" => eval.infos.push(text),
        "no_warn" => eval.no_warn = true,
        "no_info" => eval.no_info = true,
        other => return Err(format!("expectation '{other}'")),
    }
    Ok(())
}
