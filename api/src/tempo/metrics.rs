//! Numbers over time, and one number a series.

use throughline_model::time::TimeRange;
use throughline_query::QueryContext;
use throughline_query::traceql::ast::{MetricsExpr, MetricsFunction, Root};
use throughline_query::traceql::{self, MetricsAnswer, MetricsRequest};

use super::error::{Result, TempoError};
use super::messages::{
    QueryInstantRequest, QueryInstantResponse, QueryRangeRequest, QueryRangeResponse,
};
use super::{params, wire};
use crate::state::ApiState;

/// Exemplars in an answer at most.
pub const EXEMPLARS_MAX: usize = 100;
/// Series in an answer at most.
const SERIES_MAX: usize = 1000;

/// Numbers over time.
pub async fn range(
    request: &QueryRangeRequest,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<QueryRangeResponse> {
    let time = params::range_of_nanos(request.start, request.end, state.clock.now_ns())?;
    let step_ns = match i64::try_from(request.step) {
        Ok(0) => params::default_step_ns(time),
        Ok(step_ns) => step_ns,
        Err(_) => {
            let text = request.step.to_string();
            return Err(TempoError::invalid("step", &text, format!("step {text} ns is too long")));
        }
    };
    let series_max = match request.max_series as usize {
        0 => SERIES_MAX,
        asked => asked.min(SERIES_MAX),
    };
    let asked = MetricsRequest {
        query: request.query.clone(),
        time,
        step_ns: Some(step_ns),
        exemplars_max: params::exemplars(request.exemplars),
        series_max,
    };
    let answer = ask(&asked, state, ctx).await?;
    Ok(wire::range(answer, series_max, name(&request.query)))
}

/// One number a series.
pub async fn instant(
    request: &QueryInstantRequest,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<QueryInstantResponse> {
    let time: TimeRange = params::range_of_nanos(request.start, request.end, state.clock.now_ns())?;
    let asked = MetricsRequest {
        query: request.query.clone(),
        time,
        step_ns: None,
        exemplars_max: 0,
        series_max: SERIES_MAX,
    };
    let answer = ask(&asked, state, ctx).await?;
    Ok(wire::instant(answer, SERIES_MAX, name(&request.query)))
}

async fn ask(
    request: &MetricsRequest,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<MetricsAnswer> {
    let answer = state.engine.traceql_metrics(request, ctx).await;
    answer.map_err(|err| TempoError::of_query(err, &request.query))
}

// The function of a query that has one, else nothing.
fn name(query: &str) -> &'static str {
    let Ok(query) = traceql::parse(query) else { return "" };
    let Root::Metrics(mut expr) = query.root else { return "" };
    loop {
        match expr {
            MetricsExpr::Query(query) => return function(&query.function),
            MetricsExpr::Staged { input, .. } => expr = *input,
            _ => return "",
        }
    }
}

fn function(function: &MetricsFunction) -> &'static str {
    match function {
        MetricsFunction::Rate => "rate",
        MetricsFunction::CountOverTime => "count_over_time",
        MetricsFunction::MinOverTime(_) => "min_over_time",
        MetricsFunction::MaxOverTime(_) => "max_over_time",
        MetricsFunction::AvgOverTime(_) => "avg_over_time",
        MetricsFunction::SumOverTime(_) => "sum_over_time",
        MetricsFunction::QuantileOverTime(..) => "quantile_over_time",
        MetricsFunction::HistogramOverTime(_) => "histogram_over_time",
        MetricsFunction::Compare { .. } => "compare",
    }
}
