//! Random queries over random traces: the engine answers as the naive evaluator does, wherever the
//! spans are.
//!
//! `PROPERTY_CASES` sets how many sets of traces are asked, `PROPERTY_SEED` the first of them; a
//! failure names the seed and the smallest query that still fails.

mod data;
mod expressions;
mod questions;
mod smaller;

use std::collections::BTreeMap;

use questions::Question;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use throughline_model::span::Span;
use throughline_query::QueryContext;
use throughline_query::traceql::ast::Root;
use throughline_query::traceql::{FoundTrace, MetricsAnswer, MetricsRequest, SearchRequest};

use super::store::{self, LAYOUTS, Layout};
use super::{oracle, text};
use crate::harness::Harness;

/// Sets of traces in an ordinary run, and questions to each.
const CASES: u64 = 4;
const QUESTIONS: usize = 2600;
/// Every so many questions one is asked in all layouts; the others in one, by turns.
const EVERYWHERE_EACH: usize = 10;
/// Steps of making a failed query smaller.
const SMALLER_MAX: usize = 200;
/// Failures that are reported.
const FAILURES_MAX: usize = 10;

fn pick<T: Copy>(rng: &mut StdRng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())]
}

/// Why two answers differ.
type Difference = Result<(), String>;

fn trace_text(found: &FoundTrace) -> String {
    let lines = text::search_lines(std::slice::from_ref(found));
    let spans = found.spansets.iter().flat_map(|set| &set.spans);
    let spans =
        spans.map(|s| format!("{} {} {} {}", s.name, s.service, s.start_time_ns, s.duration_ns));
    format!("{:?} {lines:#?} {:?}", found.summary, spans.collect::<Vec<_>>())
}

async fn pages(harness: &Harness, request: SearchRequest) -> Result<Vec<FoundTrace>, String> {
    let mut request = request;
    let mut found = Vec::new();
    loop {
        let answer = harness.engine.traceql_search(&request, &QueryContext::default()).await;
        let answer = answer.map_err(|err| format!("is refused at {:?}: {err}", err.position()))?;
        if answer.traces.len() > request.limit {
            return Err(format!("a page has {} traces", answer.traces.len()));
        }
        if answer.next.is_some() && answer.traces.len() < request.limit {
            return Err(format!("a page in the middle has {} traces", answer.traces.len()));
        }
        if !answer.stats.scan.partial.is_empty() {
            return Err("is partial".to_owned());
        }
        found.extend(answer.traces);
        request.cursor = answer.next;
        if request.cursor.is_none() {
            return Ok(found);
        }
    }
}

async fn check_search(harness: &Harness, spans: &[Span], question: &Question) -> Difference {
    let expected = oracle::search(spans, &question.query, question.time, question.details);
    let request = SearchRequest {
        query: question.query.to_string(),
        time: question.time,
        limit: question.limit,
        spans_per_spanset: question.details,
        cursor: None,
    };
    let found = pages(harness, request).await?;
    let expected = expected.iter().map(trace_text).collect::<Vec<_>>();
    let found = found.iter().map(trace_text).collect::<Vec<_>>();
    if found == expected {
        return Ok(());
    }
    let missing = expected.iter().filter(|t| !found.contains(t)).take(2).collect::<Vec<_>>();
    let wrong = found.iter().filter(|t| !expected.contains(t)).take(2).collect::<Vec<_>>();
    Err(format!(
        "{} traces instead of {}\n  missing: {}\n  wrong: {}",
        found.len(),
        expected.len(),
        missing.into_iter().cloned().collect::<Vec<_>>().join("\n    "),
        wrong.into_iter().cloned().collect::<Vec<_>>().join("\n    "),
    ))
}

type Points = BTreeMap<String, BTreeMap<i64, f64>>;

fn same_points(found: &BTreeMap<i64, f64>, expected: &BTreeMap<i64, f64>) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(a, b)| a.0 == b.0 && super::files::is_close(*a.1, *b.1))
}

async fn check_metrics(harness: &Harness, spans: &[Span], question: &Question) -> Difference {
    let time = question.time.expect("metrics have a range");
    let (expected, samples) = oracle::metrics(spans, &question.query, time, question.step_ns);
    let expected = expected.into_iter().map(|s| (format!("{:?}", s.labels), s.points));
    let expected = expected.collect::<Points>();
    let request = MetricsRequest {
        query: question.query.to_string(),
        time,
        step_ns: question.step_ns,
        exemplars_max: question.details,
        series_max: question.limit,
    };
    let answer = harness.engine.traceql_metrics(&request, &QueryContext::default()).await;
    let answer = answer.map_err(|err| format!("is refused at {:?}: {err}", err.position()))?;
    if answer.truncated != (expected.len() > question.limit) {
        return Err(format!("truncated is {}", answer.truncated));
    }
    let found = answer
        .series
        .iter()
        .map(|s| (format!("{:?}", s.labels), s.points.iter().copied().collect::<BTreeMap<_, _>>()));
    let found = found.collect::<Points>();
    let is_same = found.len() == answer.series.len()
        && found.len() == expected.len().min(question.limit)
        && found.iter().all(|(labels, points)| {
            expected.get(labels).is_some_and(|expected| same_points(points, expected))
        });
    if !is_same {
        let wrong = |(labels, points): &(&String, &BTreeMap<i64, f64>)| {
            !expected.get(*labels).is_some_and(|expected| same_points(points, expected))
        };
        let wrong = found.iter().filter(wrong).take(3).collect::<Vec<_>>();
        let missing = expected
            .iter()
            .filter(|(labels, points)| !found.get(*labels).is_some_and(|f| same_points(f, points)))
            .take(3)
            .collect::<Vec<_>>();
        return Err(format!(
            "{} series instead of {}\n  missing: {missing:?}\n  wrong: {wrong:?}",
            answer.series.len(),
            expected.len()
        ));
    }
    check_exemplars(&answer, &samples, question)
}

// Exemplars are spans that count in their series.
fn check_exemplars(
    answer: &MetricsAnswer,
    samples: &[oracle::Sample],
    question: &Question,
) -> Difference {
    let count = answer.series.iter().map(|series| series.exemplars.len()).sum::<usize>();
    if count > question.details {
        return Err(format!("{count} exemplars, asked for at most {}", question.details));
    }
    if samples.is_empty() {
        return Ok(());
    }
    for series in &answer.series {
        for exemplar in &series.exemplars {
            let fits = |sample: &&oracle::Sample| {
                series.labels.starts_with(&sample.labels)
                    && sample.trace_id == exemplar.trace_id
                    && sample.span_id == exemplar.span_id
                    && sample.time_ns == exemplar.time_ns
                    && sample.value.is_none_or(|v| super::files::is_close(v, exemplar.value))
            };
            if !samples.iter().any(|sample| fits(&sample)) {
                return Err(format!("{exemplar:?} counts nowhere in {:?}", series.labels));
            }
        }
    }
    Ok(())
}

async fn check(harness: &Harness, spans: &[Span], question: &Question) -> Difference {
    match question.query.root {
        Root::Search(_) => check_search(harness, spans, question).await,
        Root::Metrics(_) => check_metrics(harness, spans, question).await,
    }
}

// The smallest query that still gives a wrong answer of the same kind.
async fn smallest(harness: &Harness, spans: &[Span], question: Question, why: String) -> String {
    let is_refused = why.starts_with("is refused");
    let (mut question, mut why) = (question, why);
    let mut tries = 0;
    'smaller: while tries < SMALLER_MAX {
        for query in smaller::queries(&question.query) {
            tries += 1;
            let candidate = Question { query, ..question.clone() };
            match check(harness, spans, &candidate).await {
                Err(now) if now.starts_with("is refused") == is_refused => {
                    (question, why) = (candidate, now);
                    continue 'smaller;
                }
                _ => {}
            }
        }
        break;
    }
    let Question { query, time, step_ns, limit, details } = question;
    format!("{query}\n  in {time:?}, step {step_ns:?}, limit {limit}, details {details}\n  {why}")
}

async fn case(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let spans = data::spans(&mut rng);
    let mut stores: Vec<(Layout, Harness)> = Vec::new();
    for layout in LAYOUTS {
        stores.push((layout, store::store(&spans, layout).await));
    }
    let mut failures = Vec::new();
    for nth in 0..QUESTIONS {
        let question = questions::question(&mut rng, &spans);
        let everywhere = nth % EVERYWHERE_EACH == 0;
        for (at, (layout, harness)) in stores.iter().enumerate() {
            if !everywhere && nth % LAYOUTS.len() != at {
                continue;
            }
            if let Err(why) = check(harness, &spans, &question).await {
                let text = smallest(harness, &spans, question.clone(), why).await;
                failures.push(format!("question {nth}, {layout:?}: {text}"));
                break;
            }
        }
        if failures.len() >= FAILURES_MAX {
            break;
        }
    }
    assert!(failures.is_empty(), "seed {seed}:\n{}", failures.join("\n"));
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_answers_as_the_naive_evaluator() {
    let first = setting("PROPERTY_SEED").unwrap_or(0);
    for seed in first..first + setting("PROPERTY_CASES").unwrap_or(CASES) {
        case(seed).await;
    }
}
