//! Runs the commands of a script.

use throughline_query::QueryContext;
use throughline_query::promql::ast::{At, Expr};
use throughline_query::promql::functions::depends_on_time;
use throughline_query::promql::{Answer, EvalOptions, Request, Value, expression};

use super::script::{Command, Eval, Kind, Text, parse};
use super::{compare, load};
use crate::harness::Harness;

/// How a script went.
pub struct Outcome {
    pub passed: usize,
    pub total: usize,
    /// Line and what went wrong.
    pub failures: Vec<String>,
}

/// Where the series of a script are when it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// In memory.
    Heads,
    /// In segments, one a load, merged every other time.
    Segments,
}

/// Runs a script.
pub async fn script(text: &str, tier: Tier) -> Outcome {
    let mut outcome = Outcome { passed: 0, total: 0, failures: Vec::new() };
    let commands = match parse(text) {
        Ok(commands) => commands,
        Err(err) => {
            outcome.failures.push(err);
            return outcome;
        }
    };
    let mut harness = Harness::new().await;
    let mut loads = 0;
    for Command { line, kind } in commands {
        match kind {
            Kind::Clear => harness = Harness::new().await,
            Kind::Load(load) => {
                harness.append(load::batch(&load)).await;
                loads += 1;
                if tier == Tier::Segments {
                    harness.store.flush().await.expect("flushed");
                    if loads % 2 == 0 {
                        harness.store.compact().await.expect("compacted");
                    }
                }
            }
            Kind::Eval(eval) => {
                outcome.total += 1;
                match check(&harness, &eval).await {
                    Ok(()) => outcome.passed += 1,
                    Err(err) => outcome.failures.push(format!("{line}: {}: {err}", eval.query)),
                }
            }
        }
    }
    outcome
}

async fn check(harness: &Harness, eval: &Eval) -> Result<(), String> {
    if eval.step_ms.is_some() {
        let answer = ask(harness, &eval.query, eval.start_ms, eval.end_ms, eval.step_ms).await;
        return of(eval, &eval.query, answer, |value| compare::value(eval, value));
    }
    let at = eval.range.map_or(eval.start_ms, |(_, end, _)| end.max(eval.start_ms));
    instant(harness, eval, &eval.query, eval.start_ms).await?;
    for (query, time_ms) in pinned(&eval.query, at) {
        instant(harness, eval, &query, time_ms)
            .await
            .map_err(|err| format!("{query} at {time_ms} ms: {err}"))?;
    }
    Ok(())
}

async fn ask(
    harness: &Harness,
    query: &str,
    start_ms: i64,
    end_ms: i64,
    step_ms: Option<i64>,
) -> Result<Answer, String> {
    let options =
        EvalOptions { delays_name_removal: true, uses_start_times: true, ..EvalOptions::default() };
    let request = Request { query: query.to_owned(), start_ms, end_ms, step_ms, options };
    let answer = harness.engine.promql(request, &QueryContext::default()).await;
    answer.map_err(|err| err.to_string())
}

/// Compares an answer, its notes or its failure with what is expected.
fn of(
    eval: &Eval,
    query: &str,
    answer: Result<Answer, String>,
    compare: impl Fn(&Value) -> Result<(), String>,
) -> Result<(), String> {
    let answer = match (&eval.fails, answer) {
        (Some(text), Err(err)) if text.matches(&err) => return Ok(()),
        (Some(_), Err(err)) => return Err(format!("fails with another message: {err}")),
        (Some(_), Ok(_)) => return Err("does not fail".to_owned()),
        (None, Err(err)) => return Err(format!("fails: {err}")),
        (None, Ok(answer)) => answer,
    };
    let (warnings, infos) = answer.notes.texts(query);
    notes("warning", &eval.warns, eval.no_warn, &warnings)?;
    notes("info", &eval.infos, eval.no_info, &infos)?;
    compare(&answer.value)
}

fn notes(kind: &str, wanted: &[Text], none: bool, found: &[String]) -> Result<(), String> {
    if none && !found.is_empty() {
        return Err(format!("unexpected {kind}s {found:?}"));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let is_met = |text: &Text| found.iter().any(|found| text.matches(found));
    let is_known = |found: &String| wanted.iter().any(|text| text.matches(found));
    if !wanted.iter().all(is_met) || !found.iter().all(is_known) || found.is_empty() {
        return Err(format!("other {kind}s than expected: {found:?}"));
    }
    Ok(())
}

/// Asks at one time, and as the middle of a range, which must say the same.
async fn instant(harness: &Harness, eval: &Eval, query: &str, at: i64) -> Result<(), String> {
    let answer = ask(harness, query, at, at, None).await;
    of(eval, query, answer, |value| compare::value(eval, value))?;
    let depends = ["start()", "end()", "range()", "step()"];
    let is_excluded = eval.range.is_some()
        || eval.text.is_some()
        || eval.fails.is_some()
        || eval.ordered
        || depends.iter().any(|call| query.contains(call));
    if is_excluded {
        return Ok(());
    }
    let answer = ask(harness, query, at - 60_000, at + 60_000, Some(60_000)).await;
    let answer = answer.map_err(|err| format!("in range mode fails: {err}"))?;
    let Value::Matrix(series) = answer.value else { return Err("no matrix".to_owned()) };
    let found = series.iter().filter_map(|series| {
        let points = compare::points(series);
        let sample = points.into_iter().find(|(time, _)| *time == at)?.1;
        Some((&series.labels, sample))
    });
    let found = found.collect::<Vec<_>>();
    let outcome = match (eval.scalar, found.first()) {
        (Some(_), Some((_, throughline_query::promql::series::Sample::Float(value)))) => {
            compare::scalar(eval, *value)
        }
        (Some(_), _) => Err("no scalar".to_owned()),
        (None, _) => compare::samples(eval, &found),
    };
    outcome.map_err(|err| format!("in range mode: {err}"))
}

/// The query with all its selectors fixed to a time, to be asked at other times with the same answer;
/// none where the time of evaluation matters besides.
fn pinned(query: &str, at: i64) -> Vec<(String, i64)> {
    let Ok(mut expr) = expression(query) else { return Vec::new() };
    if !pin(&mut expr, at) {
        return Vec::new();
    }
    let times = match at {
        0 => vec![-1000, 0, 1000],
        at => vec![-10 * at, 0, at / 5, at, 10 * at],
    };
    let query = expr.to_string();
    times.into_iter().map(|time| (query.clone(), time)).collect()
}

/// Fixes the time of selectors; false if the expression depends on the time of evaluation.
fn pin(expr: &mut Expr, at: i64) -> bool {
    let fix = |slot: &mut Option<At>| *slot = slot.or(Some(At::Time(at)));
    match expr {
        Expr::Vector(vector) => fix(&mut vector.shift.at),
        Expr::Matrix(matrix) => fix(&mut matrix.selector.shift.at),
        Expr::Subquery(subquery) => {
            // What is inside is evaluated at the subquery's own times.
            fix(&mut subquery.shift.at);
            return true;
        }
        Expr::Call(call) if depends_on_time(call.function.name) => return false,
        _ => {}
    }
    expr.children_mut().into_iter().all(|child| pin(child, at))
}
