//! Reads `*.test` files; the format stands at the top of [`super`].

use std::sync::Arc;

use throughline_model::origin::{Event, Link, Resource, SERVICE_NAME, SERVICE_UNKNOWN, Scope};
use throughline_model::span::Span;
use throughline_model::time::HOUR_NS;
use throughline_model::{SpanId, TraceId, Value};

use crate::harness::NOW_NS;
use crate::traceql::text::{duration_ns, split, value};

/// What times in the files count from.
pub const BASE_NS: i64 = NOW_NS - HOUR_NS;

/// Spans and the questions about them.
pub struct Block {
    pub spans: Vec<Span>,
    pub evals: Vec<Eval>,
}

/// A question.
pub struct Eval {
    /// Where it stands: `search.test:12`.
    pub place: String,
    pub ask: Ask,
    pub query: String,
    pub expected: Expected,
}

/// How it is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    Search { start_ns: Option<i64>, end_ns: Option<i64>, limit: usize, spans: usize },
    Metrics { start_ns: i64, end_ns: i64, step_ns: Option<i64> },
}

/// What it answers.
#[derive(Clone, Debug)]
pub enum Expected {
    Lines(Vec<String>),
    Error { position: usize, fragment: String },
}

fn time(text: &str) -> i64 {
    BASE_NS + duration_ns(text).unwrap_or_else(|| panic!("'{text}' is no time"))
}

/// The blocks of a file.
pub fn read(name: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut in_load = false;
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        let is_indented = line.starts_with(' ');
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "load" {
            blocks.push(Block { spans: Vec::new(), evals: Vec::new() });
            in_load = true;
        } else if !is_indented {
            in_load = false;
            let block = blocks.last_mut().unwrap_or_else(|| panic!("{place}: nothing is loaded"));
            block.evals.push(eval(place, line));
        } else if in_load {
            blocks.last_mut().expect("a block").spans.push(span(&place, line));
        } else {
            let evals = &mut blocks.last_mut().expect("a block").evals;
            expect(&mut evals.last_mut().expect("a question").expected, line);
        }
    }
    blocks
}

fn expect(expected: &mut Expected, line: &str) {
    match expected {
        Expected::Lines(lines) => lines.push(line.to_owned()),
        Expected::Error { position, fragment } => {
            let (at, message) = line.split_once(':').expect("position: fragment");
            *position = at.parse().expect("a position");
            *fragment = message.trim().to_owned();
        }
    }
}

fn eval(place: String, line: &str) -> Eval {
    let (word, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{place}: {line}"));
    let expected = match word {
        "eval" => Expected::Lines(Vec::new()),
        "eval_fail" => Expected::Error { position: usize::MAX, fragment: String::new() },
        _ => panic!("{place}: '{word}' is none of load, eval, eval_fail"),
    };
    let (kind, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let word = |rest: &mut &str| {
        let (word, more) = rest.split_once(' ').expect("a word");
        *rest = more;
        word.to_owned()
    };
    let ask = match kind {
        "search" => search(&mut rest),
        "range" => {
            let (start_ns, end_ns) = (time(&word(&mut rest)), time(&word(&mut rest)));
            let step_ns = duration_ns(&word(&mut rest));
            Ask::Metrics { start_ns, end_ns, step_ns }
        }
        "instant" => {
            let (start_ns, end_ns) = (time(&word(&mut rest)), time(&word(&mut rest)));
            Ask::Metrics { start_ns, end_ns, step_ns: None }
        }
        _ => panic!("{place}: '{kind}' is none of search, range, instant"),
    };
    Eval { place, ask, query: rest.to_owned(), expected }
}

fn search(rest: &mut &str) -> Ask {
    let (mut start_ns, mut end_ns, mut limit, mut spans) = (None, None, 100, 100);
    loop {
        let (word, more) = rest.split_once(' ').unwrap_or((rest, ""));
        match word.split_once('=') {
            Some(("start", text)) => start_ns = Some(time(text)),
            Some(("end", text)) => end_ns = Some(time(text)),
            Some(("limit", text)) => limit = text.parse().expect("a limit"),
            Some(("spans", text)) => spans = text.parse().expect("a number of spans"),
            _ => return Ask::Search { start_ns, end_ns, limit, spans },
        }
        *rest = more;
    }
}

fn unquoted(text: &str) -> String {
    text.trim_matches('"').to_owned()
}

fn span(place: &str, line: &str) -> Span {
    let words = split(line, ' ');
    let [trace, id, parent, service, name, start, duration, options @ ..] = &words[..] else {
        panic!("{place}: a span has at least seven words: {line}")
    };
    let mut resource = Resource::default();
    let mut span = Span {
        trace_id: TraceId::parse(trace).expect("a trace id"),
        span_id: SpanId::parse(id).expect("a span id"),
        parent_span_id: (*parent != "-").then(|| SpanId::parse(parent).expect("a span id")),
        name: unquoted(name),
        start_time_ns: time(start),
        duration_ns: duration_ns(duration).unwrap_or_else(|| panic!("{place}: {duration}")),
        service_name: SERVICE_UNKNOWN.to_owned(),
        ..Span::default()
    };
    if *service != "-" {
        resource.attributes.push((SERVICE_NAME.to_owned(), Value::String(unquoted(service))));
        span.service_name = unquoted(service);
    }
    let mut scope = Scope::default();
    for option in options {
        self::option(&mut span, &mut resource, &mut scope, option)
            .unwrap_or_else(|| panic!("{place}: '{option}' is no property of a span"));
    }
    span.resource = Arc::new(resource);
    span.scope = Arc::new(scope);
    span
}

fn option(span: &mut Span, resource: &mut Resource, scope: &mut Scope, option: &str) -> Option<()> {
    if let Some(event) = option.strip_prefix("event:") {
        let (name, at) = event.rsplit_once('@')?;
        let time_ns = span.start_time_ns + duration_ns(at)?;
        span.events.push(Event { time_ns, name: unquoted(name), ..Event::default() });
        return Some(());
    }
    if let Some(link) = option.strip_prefix("link:") {
        let (trace, id) = link.split_once('/')?;
        let (trace_id, span_id) = (TraceId::parse(trace).ok()?, SpanId::parse(id).ok()?);
        span.links.push(Link { trace_id, span_id, ..Link::default() });
        return Some(());
    }
    let (name, text) = option.split_once('=')?;
    let number = |names: &[&str]| names.iter().position(|n| *n == text).map(|at| at as i32);
    match name {
        "kind" => span.kind = number(&throughline_query::traceql::ast::KINDS)?,
        "status" => span.status_code = number(&throughline_query::traceql::ast::STATUSES)?,
        "message" => span.status_message = unquoted(text),
        "scope:name" => scope.name = unquoted(text),
        "scope:version" => scope.version = unquoted(text),
        _ => {
            let (place, key) = name.split_once('.')?;
            let attributes = match place {
                "span" => &mut span.attributes,
                "resource" => &mut resource.attributes,
                "scope" => &mut scope.attributes,
                "event" => &mut span.events.last_mut()?.attributes,
                "link" => &mut span.links.last_mut()?.attributes,
                _ => return None,
            };
            attributes.push((unquoted(key), value(text)));
        }
    }
    Some(())
}
