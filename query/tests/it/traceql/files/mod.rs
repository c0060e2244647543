//! Text files that say what TraceQL answers: `query/tests/data/traceql/*.test`.
//!
//! ```text
//! # A comment.
//! load
//!   TRACE ID PARENT SERVICE NAME START DURATION OPTION…
//! eval search [start=TIME] [end=TIME] [limit=N] [spans=N] QUERY
//!   TRACE [RECORD; RECORD]: SPAN SPAN{FIELD; FIELD} +N
//! eval range START END STEP QUERY
//!   {LABEL; LABEL} POINT POINT …
//! eval instant START END QUERY
//!   {LABEL; LABEL} POINT
//! eval_fail search QUERY
//!   POSITION: a part of the message
//! ```
//! `load` begins with an empty store; the questions behind it are asked of its spans, one a line:
//! ids in hex without leading zeros; `-` for no parent and for no service; times count from a whole
//! hour. Options: `kind=server`, `status=error`, `message="…"`, `span.KEY=VALUE`,
//! `resource.KEY=VALUE`, `scope:name="…"`, `scope:version="…"`, `scope.KEY=VALUE`,
//! `event:NAME@OFFSET` with `event.KEY=VALUE` behind it, `link:TRACE/SPAN` with `link.KEY=VALUE`.
//!
//! A search answers a line for each spanset, in order. Records (`by(name)="x"`) are always compared,
//! fields of a span only where the line has braces behind its id; `+2` says that the spanset has two
//! more spans than are listed; `found: 2 1` says which traces there are and nothing more. Metrics
//! answer a line a series, in any order; `_` is a missing point;
//! `eval range` has a point for each step. An answer without lines is empty.
//!
//! Each question is put to the naive evaluator and to the engine, over a store whose spans are all
//! in heads, all in segments, in both, and merged.

mod engine;
mod format;

use std::collections::BTreeMap;

use format::{Ask, Block, Eval, Expected};
use throughline_model::time::TimeRange;
use throughline_query::traceql;

use super::{oracle, text};

/// What is wrong with an answer, if anything.
type Verdict = Option<String>;

/// Points of a series by its labels.
type SeriesPoints = BTreeMap<String, Vec<Option<f64>>>;

fn range(start_ns: Option<i64>, end_ns: Option<i64>) -> Option<TimeRange> {
    (start_ns.is_some() || end_ns.is_some()).then(|| TimeRange {
        start_ns: start_ns.unwrap_or(i64::MIN),
        end_ns: end_ns.unwrap_or(i64::MAX),
    })
}

// Ends of the steps of a range, widened to whole steps.
fn ends(start_ns: i64, end_ns: i64, step_ns: Option<i64>) -> Vec<i64> {
    let Some(step) = step_ns else { return vec![end_ns] };
    let first = start_ns.div_euclid(step) * step;
    (1..).map(|nth| first + nth * step).take_while(|at| at - step < end_ns).collect()
}

fn series(
    all: impl Iterator<Item = (String, BTreeMap<i64, f64>)>,
    ends: &[i64],
) -> Result<SeriesPoints, String> {
    let mut found = SeriesPoints::new();
    for (labels, points) in all {
        if let Some(odd) = points.keys().find(|at| !ends.contains(at)) {
            return Err(format!("{labels} has a point at {odd}, which ends no step"));
        }
        let points = ends.iter().map(|at| points.get(at).copied()).collect();
        if found.insert(labels.clone(), points).is_some() {
            return Err(format!("{labels} is there twice"));
        }
    }
    Ok(found)
}

fn expected_series(lines: &[String]) -> SeriesPoints {
    lines
        .iter()
        .map(|line| {
            let (labels, points) = line.rsplit_once('}').expect("{labels} points");
            let labels = text::normal_entries(labels.strip_prefix('{').expect("labels"));
            let point = |text: &str| (text != "_").then(|| text.parse().expect("a number"));
            (format!("{{{labels}}}"), points.split_whitespace().map(point).collect())
        })
        .collect()
}

/// Whether two numbers are one, but for how they were added up.
pub fn is_close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) || (a.is_nan() && b.is_nan())
}

fn compare_series(found: Result<SeriesPoints, String>, expected: &SeriesPoints) -> Verdict {
    let found = match found {
        Ok(found) => found,
        Err(message) => return Some(message),
    };
    let same = |a: &[Option<f64>], b: &[Option<f64>]| {
        a.len() == b.len()
            && a.iter().zip(b).all(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => is_close(*a, *b),
                (a, b) => a == b,
            })
    };
    let is_same = found.len() == expected.len()
        && expected
            .iter()
            .all(|(labels, points)| found.get(labels).is_some_and(|found| same(found, points)));
    (!is_same).then(|| format!("expected {expected:#?}\n  found {found:#?}"))
}

fn compare_lines(found: &[String], expected: &[String]) -> Verdict {
    if let [traces] = expected
        && let Some(traces) = traces.strip_prefix("found:")
    {
        let id = |line: &String| line.split([' ', ':']).next().expect("an id").to_owned();
        let mut ids = found.iter().map(id).collect::<Vec<_>>();
        ids.dedup();
        let is_same = ids.iter().eq(traces.split_whitespace());
        return (!is_same).then(|| format!("expected{traces}\n  found {}", ids.join(" ")));
    }
    let expected = expected.iter().map(|line| text::normal_search(line)).collect::<Vec<_>>();
    let reduced = found.iter().enumerate().map(|(i, line)| match expected.get(i) {
        Some(pattern) => text::reduced(line, pattern),
        None => line.clone(),
    });
    let found = reduced.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    (found != expected).then(|| format!("expected {expected:#?}\n  found {found:#?}"))
}

fn compare_error(position: Option<usize>, message: &str, eval: &Eval) -> Verdict {
    match &eval.expected {
        Expected::Lines(_) => Some(format!("is refused at {position:?}: {message}")),
        Expected::Error { position: at, fragment } => (position != Some(*at)
            || !message.contains(fragment.as_str()))
        .then(|| format!("expected {at}: {fragment}\n  found {position:?}: {message}")),
    }
}

fn by_oracle(block: &Block, eval: &Eval) -> Verdict {
    let Expected::Lines(expected) = &eval.expected else { return None };
    let query = match traceql::parse(&eval.query) {
        Ok(query) => query,
        Err(err) => return compare_error(err.position(), &err.to_string(), eval),
    };
    match eval.ask {
        Ask::Search { start_ns, end_ns, limit, spans } => {
            let time = range(start_ns, end_ns);
            let mut found = oracle::search(&block.spans, &query, time, spans);
            found.truncate(limit);
            compare_lines(&text::search_lines(&found), expected)
        }
        Ask::Metrics { start_ns, end_ns, step_ns } => {
            let time = TimeRange { start_ns, end_ns };
            let (all, _) = oracle::metrics(&block.spans, &query, time, step_ns);
            let all = all.into_iter().map(|series| (text::labels(&series.labels), series.points));
            let found = series(all, &ends(start_ns, end_ns, step_ns));
            compare_series(found, &expected_series(expected))
        }
    }
}

fn files() -> Vec<(String, Vec<Block>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/traceql");
    let mut paths = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "test"))
        .collect::<Vec<_>>();
    paths.sort();
    assert!(!paths.is_empty(), "no file in {folder}");
    let read = |path: &std::path::PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let blocks = format::read(&name, &std::fs::read_to_string(path).expect("text"));
        (name, blocks)
    };
    paths.iter().map(read).collect()
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_naive_evaluator_answers_as_the_files_say() {
    let mut wrong = Vec::new();
    for (_, blocks) in files() {
        for block in &blocks {
            for eval in &block.evals {
                let verdict = by_oracle(block, eval);
                wrong.extend(verdict.map(|v| format!("{}: {}\n  {v}", eval.place, eval.query)));
            }
        }
    }
    report(&wrong);
}
