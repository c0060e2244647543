//! Random traces with everything that is hard about traces: orphans, no root or several, circles of
//! parents, spans that are their own parent, one id twice, the same span twice, negative durations,
//! one key with values of every kind, lists, events, links and scopes.

use std::collections::HashSet;
use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;
use throughline_model::origin::{Event, Link, Resource, SERVICE_NAME, SERVICE_UNKNOWN, Scope};
use throughline_model::span::Span;
use throughline_model::time::{HOUR_NS, SECOND_NS};
use throughline_model::{SpanId, TraceId, Value};

use super::pick;
use crate::data::text;
use crate::harness::NOW_NS;

/// The first start of a span; all are within the next [`SECONDS`].
pub const BASE_NS: i64 = NOW_NS - HOUR_NS;
pub const SECONDS: i64 = 60;
const QUARTER_NS: i64 = SECOND_NS / 4;

/// Keys of attributes; `k` has values of every kind, the others mostly of one.
pub const KEYS: [&str; 10] =
    ["k", "n", "f", "s", "b", "list", "host.name", "with space", "odd", "opaque"];
pub const SERVICES: [&str; 4] = ["cart", "payment", "shop", ""];
pub const NAMES: [&str; 4] = ["GET /", "charge", "query", ""];
pub const WORDS: [&str; 5] = ["alpha", "beta", "Alpha beta", "", "5"];

const TRACES: u8 = 8;
const SPANS_MAX: usize = 24;
/// Ids of the spans of a trace are drawn from so many, so that some come twice.
const IDS: u8 = 60;

/// The spans of some traces, in no order. One of two sets has a service without a name, which
/// rollups cannot answer for.
pub fn spans(rng: &mut StdRng) -> Vec<Span> {
    let mut all = Vec::new();
    let services = if rng.random() { &SERVICES[..] } else { &SERVICES[..3] };
    for trace in 1..=TRACES {
        let count = pick(rng, &[1, 3, 8, 16, SPANS_MAX]);
        all.extend(trace_spans(rng, trace, count, services));
    }
    for at in (1..all.len()).rev() {
        all.swap(at, rng.random_range(0..=at));
    }
    all
}

fn trace_spans(rng: &mut StdRng, trace: u8, count: usize, services: &[&str]) -> Vec<Span> {
    let mut id = [0; 16];
    id[15] = trace;
    if trace == 2 {
        id[0] = 0xab;
    }
    let trace_id = TraceId(id);
    let is_deep = rng.random();
    let has_root = rng.random_bool(0.8);
    let mut seen = HashSet::new();
    let mut spans: Vec<Span> = Vec::new();
    while spans.len() < count {
        if !spans.is_empty() && rng.random_bool(0.04) {
            let again = spans[rng.random_range(0..spans.len())].clone();
            spans.push(again);
            continue;
        }
        let span = Span { trace_id, ..span(rng, services, &spans, is_deep, has_root) };
        // One that ties with another in all that sorts would make the order of answers a guess.
        if seen.insert((span.start_time_ns, span.span_id)) {
            spans.push(span);
        }
    }
    spans
}

fn span_id(number: u8) -> SpanId {
    let mut id = [0xcd; 8];
    id[7] = number;
    SpanId(id)
}

fn parent(
    rng: &mut StdRng,
    own: SpanId,
    spans: &[Span],
    is_deep: bool,
    has_root: bool,
) -> Option<SpanId> {
    match rng.random_range(0..20) {
        0 => Some(own),
        1..3 => Some(span_id(rng.random_range(0..IDS))),
        3 if has_root => None,
        _ if spans.is_empty() => (!has_root).then(|| span_id(IDS)),
        _ if is_deep => spans.last().map(|span| span.span_id),
        _ => Some(spans[rng.random_range(0..spans.len().min(4))].span_id),
    }
}

fn span(
    rng: &mut StdRng,
    services: &[&str],
    spans: &[Span],
    is_deep: bool,
    has_root: bool,
) -> Span {
    let own = span_id(rng.random_range(0..IDS));
    let start_time_ns = BASE_NS + rng.random_range(0..SECONDS) * SECOND_NS;
    let service = pick(rng, services);
    let mut resource = attributes(rng, 0.15);
    let service_name = match service {
        "" => SERVICE_UNKNOWN.to_owned(),
        name => {
            resource.push((SERVICE_NAME.to_owned(), text(name)));
            name.to_owned()
        }
    };
    Span {
        span_id: own,
        parent_span_id: parent(rng, own, spans, is_deep, has_root),
        name: pick(rng, &NAMES).to_owned(),
        kind: rng.random_range(0..6),
        start_time_ns,
        duration_ns: match rng.random_range(0..8) {
            0 => 0,
            1 => -rng.random_range(1..20) * QUARTER_NS,
            2 => rng.random_range(1..5),
            _ => rng.random_range(1..40) * QUARTER_NS,
        },
        status_code: rng.random_range(0..3),
        status_message: pick(rng, &["", "", "refused", "alpha"]).to_owned(),
        service_name,
        resource: Arc::new(Resource { attributes: resource, ..Resource::default() }),
        scope: Arc::new(scope(rng)),
        attributes: attributes(rng, 0.4),
        events: events(rng, start_time_ns),
        links: links(rng),
        ..Span::default()
    }
}

fn scope(rng: &mut StdRng) -> Scope {
    Scope {
        name: pick(rng, &["", "library", "alpha"]).to_owned(),
        version: pick(rng, &["", "1.2"]).to_owned(),
        attributes: attributes(rng, 0.1),
        ..Scope::default()
    }
}

fn events(rng: &mut StdRng, start_ns: i64) -> Vec<Event> {
    let count = pick(rng, &[0, 0, 1, 3]);
    let event = |rng: &mut StdRng| Event {
        time_ns: start_ns + rng.random_range(-2..10) * QUARTER_NS,
        name: pick(rng, &["exception", "alpha", ""]).to_owned(),
        attributes: attributes(rng, 0.25),
        ..Event::default()
    };
    (0..count).map(|_| event(rng)).collect()
}

fn links(rng: &mut StdRng) -> Vec<Link> {
    let count = pick(rng, &[0, 0, 0, 1, 2]);
    let link = |rng: &mut StdRng| {
        let mut id = [0; 16];
        id[15] = rng.random_range(1..TRACES + 2);
        Link {
            trace_id: TraceId(id),
            span_id: span_id(rng.random_range(0..IDS)),
            attributes: attributes(rng, 0.25),
            ..Link::default()
        }
    };
    (0..count).map(|_| link(rng)).collect()
}

// Each key with this chance; now and then one twice.
fn attributes(rng: &mut StdRng, chance: f64) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for key in KEYS {
        while rng.random_bool(chance) {
            all.push((key.to_owned(), value(rng, key)));
            if rng.random_range(0..15) > 0 {
                break;
            }
        }
    }
    all
}

fn float(rng: &mut StdRng) -> Value {
    Value::Double(f64::from(rng.random_range(-4..12)) / 4.0)
}

fn value(rng: &mut StdRng, key: &str) -> Value {
    match key {
        "n" => Value::Int(rng.random_range(-2..6)),
        "f" => float(rng),
        "s" | "host.name" | "with space" => text(pick(rng, &WORDS)),
        "b" => Value::Bool(rng.random()),
        "list" => {
            let mixed = rng.random_bool(0.3);
            let item = |rng: &mut StdRng| match mixed {
                true => value(rng, "k"),
                false => value(rng, "s"),
            };
            Value::Array((0..rng.random_range(0..4)).map(|_| item(rng)).collect())
        }
        "odd" => pick(
            rng,
            &[
                Odd::Double(f64::NAN),
                Odd::Double(f64::INFINITY),
                Odd::Double(9_223_372_036_854_775_808.0),
                Odd::Double(1e300),
                Odd::Int(i64::MAX),
                Odd::Int(i64::MIN),
                Odd::Int((1 << 53) + 1),
                Odd::Double(9_007_199_254_740_992.0),
            ],
        )
        .value(),
        "opaque" => match rng.random_range(0..3) {
            0 => Value::Bytes(vec![rng.random_range(0..3)]),
            1 => Value::Kvlist(vec![("k".to_owned(), Value::Int(1))]),
            _ => Value::Array(vec![Value::Array(vec![Value::Int(1)]), Value::Int(1)]),
        },
        _ => match rng.random_range(0..8) {
            0 => Value::Empty,
            1 => Value::Bool(rng.random()),
            2 | 3 => Value::Int(rng.random_range(-1..4)),
            4 => float(rng),
            _ => text(pick(rng, &WORDS)),
        },
    }
}

#[derive(Clone, Copy)]
enum Odd {
    Double(f64),
    Int(i64),
}

impl Odd {
    fn value(self) -> Value {
        match self {
            Odd::Double(number) => Value::Double(number),
            Odd::Int(number) => Value::Int(number),
        }
    }
}
