//! The files against the engine, with the spans in each of the places where they can be.

use throughline_model::time::TimeRange;
use throughline_query::QueryContext;
use throughline_query::traceql::{MetricsRequest, SearchRequest};

use super::format::{Ask, Eval, Expected};
use super::{
    Verdict, compare_error, compare_lines, compare_series, ends, expected_series, files, range,
    report, series,
};
use crate::harness::Harness;
use crate::traceql::store::{self, LAYOUTS};
use crate::traceql::text;

async fn by_engine(harness: &Harness, eval: &Eval) -> Verdict {
    let ctx = QueryContext::default();
    let refused =
        |err: throughline_query::Error| compare_error(err.position(), &err.to_string(), eval);
    let lines = match &eval.expected {
        Expected::Lines(lines) => lines.clone(),
        Expected::Error { .. } => Vec::new(),
    };
    let verdict = match eval.ask {
        Ask::Search { start_ns, end_ns, limit, spans } => {
            let request = SearchRequest {
                query: eval.query.clone(),
                time: range(start_ns, end_ns),
                limit,
                spans_per_spanset: spans,
                cursor: None,
            };
            match harness.engine.traceql_search(&request, &ctx).await {
                Ok(answer) => compare_lines(&text::search_lines(&answer.traces), &lines),
                Err(err) => return refused(err),
            }
        }
        Ask::Metrics { start_ns, end_ns, step_ns } => {
            let request = MetricsRequest {
                query: eval.query.clone(),
                time: TimeRange { start_ns, end_ns },
                step_ns,
                exemplars_max: 0,
                series_max: 1000,
            };
            match harness.engine.traceql_metrics(&request, &ctx).await {
                Ok(answer) => {
                    let all = answer.series.into_iter().map(|series| {
                        (text::labels(&series.labels), series.points.into_iter().collect())
                    });
                    let found = series(all, &ends(start_ns, end_ns, step_ns));
                    compare_series(found, &expected_series(&lines))
                }
                Err(err) => return refused(err),
            }
        }
    };
    match &eval.expected {
        Expected::Lines(_) => verdict,
        Expected::Error { fragment, .. } => Some(format!("is answered; expected: {fragment}")),
    }
}

#[tokio::test]
async fn the_engine_answers_as_the_files_say() {
    let mut wrong = Vec::new();
    for (_, blocks) in files() {
        for block in &blocks {
            for layout in LAYOUTS {
                let harness = store::store(&block.spans, layout).await;
                for eval in &block.evals {
                    let verdict = by_engine(&harness, eval).await;
                    let name = || format!("{} ({layout:?}): {}", eval.place, eval.query);
                    wrong.extend(verdict.map(|verdict| format!("{}\n  {verdict}", name())));
                }
            }
        }
    }
    report(&wrong);
}
