//! Random items with the shapes that are hard to keep: types that conflict under one key, duplicate
//! and empty keys, values of every kind, times at the edges, the same id again.

use rand::Rng;
use rand::rngs::StdRng;
use throughline_model::Value;
use throughline_model::metric::{
    Buckets, ComplexPoint, ExemplarFields, MetricBatchBuilder, MetricKind, Number, PointTime,
    SeriesIdentity, Shape,
};
use throughline_model::origin::{Resource, Scope};
use throughline_model::time::{DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS};
use throughline_model::{Batch, attrs};

use super::pick;
use crate::data::{self, NAMES, SERVICES, TestLog, TestSpan, WORDS, text};
use crate::harness::NOW_NS;

/// Keys of attributes.
pub const KEYS: [&str; 7] = ["k", "n", "rare", "clé.ü", "", "o'clock", "k.k"];
/// Texts of attributes, bodies and messages besides [`WORDS`].
const TEXTS: [&str; 12] =
    ["", "5", "2.5", "-0", "true", "NaN", "null", "ünïcödé 🦀", "\u{0}\n\"\\", "[1]", "%", "_"];
/// Doubles of attributes and of points.
pub const DOUBLES: [f64; 12] = [
    0.0,
    -0.0,
    1.5,
    -3.0,
    5.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    5e-324,
    1e300,
    9_223_372_036_854_775_808.0,
    0.1,
];
const INTS: [i64; 8] = [0, 1, -1, 5, 1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN];
/// Times that are seldom right.
pub const ODD_TIMES: [i64; 9] = [
    0,
    1,
    -1,
    -5_000_000_000_000_000_000,
    i64::MAX,
    i64::MAX - 1,
    NOW_NS - 30 * DAY_NS,
    NOW_NS + 2 * DAY_NS,
    NOW_NS + 30 * MINUTE_NS,
];
pub const METRICS: [&str; 4] = ["load", "http.duration", "größe", ""];
pub const UNITS: [&str; 3] = ["s", "By", ""];

/// Mostly within two hours before now, on a grid so that many are equal; sometimes anything.
pub fn time(rng: &mut StdRng) -> i64 {
    match rng.random_range(0..20) {
        0 => ODD_TIMES[rng.random_range(0..ODD_TIMES.len())],
        1..5 => NOW_NS - rng.random_range(0..2 * HOUR_NS),
        _ => data::random_time(rng),
    }
}

fn word(rng: &mut StdRng) -> Value {
    match rng.random_range(0..6) {
        0 => text(&"long and longer ".repeat(rng.random_range(1..30))),
        1 | 2 => text(pick(rng, &TEXTS)),
        _ => text(pick(rng, &WORDS)),
    }
}

fn value(rng: &mut StdRng, depth: usize) -> Value {
    match rng.random_range(0..if depth < 3 { 12 } else { 9 }) {
        0 => Value::Empty,
        1 => Value::Bool(rng.random()),
        2 => Value::Int(rng.random_range(-3..8)),
        3 => Value::Int(INTS[rng.random_range(0..INTS.len())]),
        4 => Value::Double(f64::from(rng.random_range(-6..16)) / 2.0),
        5 => Value::Double(DOUBLES[rng.random_range(0..DOUBLES.len())]),
        6 => Value::Bytes((0..rng.random_range(0..4)).map(|_| rng.random_range(0..3)).collect()),
        9 => Value::Array((0..rng.random_range(0..3)).map(|_| value(rng, depth + 1)).collect()),
        10 => Value::Kvlist(
            (0..rng.random_range(0..3))
                .map(|_| (pick(rng, &KEYS).to_owned(), value(rng, depth + 1)))
                .collect(),
        ),
        _ => word(rng),
    }
}

fn attributes(rng: &mut StdRng) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    // The first keys are frequent, the last are rare; a key may come twice.
    for (place, key) in KEYS.iter().enumerate() {
        while rng.random_range(0..10) < 7 - place.min(5) {
            all.push(((*key).to_owned(), value(rng, 0)));
            if rng.random_range(0..12) > 0 {
                break;
            }
        }
    }
    all
}

// As a sender's SDK would repeat it: few different ones.
fn resource(rng: &mut StdRng) -> Vec<(String, Value)> {
    match rng.random_range(0..4) {
        0 => Vec::new(),
        1 => data::attributes(&[("k", text("alpha")), ("n", Value::Int(2))]),
        2 => data::attributes(&[("k", Value::Bool(true)), ("clé.ü", Value::Double(-0.0))]),
        _ => attributes(rng),
    }
}

/// Spans of few traces. Some were sent before: equal, or changed under the same id.
pub fn spans(rng: &mut StdRng, sent: &[TestSpan], count: usize) -> Vec<TestSpan> {
    (0..count)
        .map(|_| match rng.random_range(0..16) {
            0 if !sent.is_empty() => sent[rng.random_range(0..sent.len())].clone(),
            1 if !sent.is_empty() => {
                let old = sent[rng.random_range(0..sent.len())].clone();
                TestSpan { attributes: attributes(rng), name: pick(rng, &NAMES).to_owned(), ..old }
            }
            _ => span(rng),
        })
        .collect()
}

fn span(rng: &mut StdRng) -> TestSpan {
    let start_ns = time(rng);
    // The wire says when a span ends, so its duration never goes past the last nanosecond.
    let duration_ns = match rng.random_range(0..8) {
        0 => 0,
        1 => 1,
        2 => -rng.random_range(0..100) * SECOND_NS,
        3 => rng.random_range(0..3 * HOUR_NS),
        4 => i64::MAX.saturating_sub(start_ns.max(0)),
        _ => rng.random_range(0..20) * 30 * SECOND_NS,
    };
    TestSpan {
        service: pick(rng, &SERVICES).to_owned(),
        trace: rng.random_range(0..12),
        span: rng.random_range(0..60),
        parent: rng.random_bool(0.7).then(|| rng.random_range(0..60)),
        name: pick(rng, &NAMES).to_owned(),
        kind: rng.random_range(-1..8),
        start_ns,
        duration_ns: duration_ns.min(i64::MAX.saturating_sub(start_ns.max(0))),
        status: rng.random_range(0..4),
        message: if rng.random() { String::new() } else { pick(rng, &WORDS).to_owned() },
        attributes: attributes(rng),
        resource: resource(rng),
        events: (0..rng.random_range(0..3))
            .map(|_| (time(rng), pick(rng, &WORDS).to_owned()))
            .collect(),
        links: (0..rng.random_range(0..2)).map(|_| (rng.random_range(0..14), 7)).collect(),
    }
}

/// Log records, some of them equal.
pub fn logs(rng: &mut StdRng, count: usize) -> Vec<TestLog> {
    let mut all: Vec<TestLog> = Vec::new();
    for _ in 0..count {
        if rng.random_range(0..12) == 0 && !all.is_empty() {
            all.push(all[rng.random_range(0..all.len())].clone());
            continue;
        }
        all.push(TestLog {
            service: pick(rng, &SERVICES).to_owned(),
            time_ns: time(rng),
            severity: rng.random_range(-1..26),
            body: rng.random_bool(0.9).then(|| value(rng, 0)),
            trace: rng.random_bool(0.5).then(|| rng.random_range(0..12)),
            span: rng.random_bool(0.5).then(|| rng.random_range(0..60)),
            attributes: attributes(rng),
        });
    }
    all
}

fn number(rng: &mut StdRng) -> Number {
    match rng.random_range(0..6) {
        0 => Number::None,
        1 => Number::Int(INTS[rng.random_range(0..INTS.len())]),
        2 => Number::Int(rng.random_range(0..100)),
        3 => Number::Double(DOUBLES[rng.random_range(0..DOUBLES.len())]),
        _ => Number::Double(f64::from(rng.random_range(-40..400)) / 4.0),
    }
}

fn buckets(rng: &mut StdRng) -> Buckets {
    let counts = (0..rng.random_range(0..4)).map(|_| rng.random_range(0..9)).collect();
    Buckets { offset: rng.random_range(-5..5), counts }
}

fn complex(rng: &mut StdRng, kind: MetricKind) -> ComplexPoint {
    let double = |rng: &mut StdRng| DOUBLES[rng.random_range(0..DOUBLES.len())];
    let shape = match kind {
        MetricKind::Histogram if rng.random_range(0..4) == 0 => {
            Shape::Histogram { bounds: Vec::new(), counts: Vec::new() }
        }
        MetricKind::Histogram => Shape::Histogram {
            bounds: vec![0.5, f64::from(rng.random_range(1..3))],
            counts: (0..3).map(|_| rng.random_range(0..9)).collect(),
        },
        MetricKind::Summary => Shape::Summary {
            quantiles: (0..rng.random_range(0..3))
                .map(|i| (f64::from(i) / 2.0, double(rng)))
                .collect(),
        },
        _ => Shape::Exponential {
            scale: rng.random_range(-10..21),
            zero_count: rng.random_range(0..3),
            zero_threshold: 0.0,
            positive: buckets(rng),
            negative: buckets(rng),
        },
    };
    ComplexPoint {
        count: if rng.random_range(0..9) == 0 { u64::MAX } else { rng.random_range(0..50) },
        sum: rng.random_bool(0.7).then(|| double(rng)),
        min: rng.random_bool(0.3).then(|| double(rng)),
        max: rng.random_bool(0.3).then(|| double(rng)),
        shape,
    }
}

/// Points of few series of every kind; some points come again, equal or with another value.
pub fn metrics(rng: &mut StdRng, count: usize) -> Batch {
    let mut batch = MetricBatchBuilder::default();
    for _ in 0..count {
        let kind = [
            MetricKind::Gauge,
            MetricKind::Sum,
            MetricKind::Histogram,
            MetricKind::ExponentialHistogram,
            MetricKind::Summary,
        ][rng.random_range(0..5)];
        let row = series(rng, &mut batch, kind);
        let time_ns = time(rng);
        let start_time_ns = [0, time_ns.saturating_sub(MINUTE_NS)][rng.random_range(0..2)];
        let time = PointTime { time_ns, start_time_ns, flags: rng.random_range(0..2) };
        match kind {
            MetricKind::Gauge | MetricKind::Sum => batch.push_number(row, &time, number(rng)),
            _ => batch.push_complex(row, &time, &complex(rng, kind)).expect("a point"),
        }
        if rng.random_range(0..4) == 0 {
            let set = attrs::encode([("k", &value(rng, 0))]);
            let exemplar = ExemplarFields {
                time_ns: self::time(rng),
                value: number(rng),
                trace_id: rng.random_bool(0.5).then(|| data::trace_id(rng.random_range(0..12))),
                span_id: rng.random_bool(0.5).then(|| data::span_id(rng.random_range(0..60))),
                attributes: &set,
                point_time_ns: time_ns,
            };
            batch.push_exemplar(row, &exemplar).expect("an exemplar");
        }
    }
    Batch::Metrics(batch.finish().expect("a batch"))
}

fn series(rng: &mut StdRng, batch: &mut MetricBatchBuilder, kind: MetricKind) -> u32 {
    let mut of_resource = data::attributes(&[("service.name", text(pick(rng, &SERVICES[..2])))]);
    if rng.random_range(0..4) == 0 {
        of_resource.push(("k".to_owned(), text(pick(rng, &WORDS))));
    }
    let resource = Resource { attributes: of_resource, ..Resource::default() }.encode();
    let scope = Scope { name: pick(rng, &["", "meter"]).into(), ..Scope::default() }.encode();
    let set = match rng.random_range(0..4) {
        0 => attrs::encode([("k", &value(rng, 0))]),
        1 => attrs::encode([("k", &text(pick(rng, &WORDS))), ("n", &Value::Int(1))]),
        _ => Vec::new(),
    };
    let is_last = matches!(kind, MetricKind::Gauge | MetricKind::Summary);
    let identity = SeriesIdentity {
        resource: &resource,
        scope: &scope,
        name: pick(rng, &METRICS),
        unit: pick(rng, &UNITS),
        kind,
        temporality: if is_last { 0 } else { rng.random_range(1..3) },
        is_monotonic: kind == MetricKind::Sum && rng.random(),
        attributes: &set,
    };
    let description = format!("about {}", identity.name);
    batch.series(&identity, &description, &[]).expect("a series")
}
