//! The handlers of queries, series and labels under `/prometheus`.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::{Value, json};
use throughline_query::promql::discover::Found;
use throughline_query::promql::numbers::sample;
use throughline_query::promql::{Answer, Request, expression};

use super::error::{PromError, Result};
use super::form::Form;
use super::params;
use super::tree::tree;
use super::wire::{self, Metric, Success};
use crate::edge::unknown_path;
use crate::error::ApiError;
use crate::native::params::Params;
use crate::state::{ApiState, asker};

const NS_PER_MS: i64 = 1_000_000;
/// The warning of an answer that a limit cut.
const TRUNCATED: &str = "results truncated due to limit";

/// The routes of queries, series and labels.
pub fn routes() -> Router<ApiState> {
    const BASE: &str = "/prometheus/api/v1";
    let path = |rest: &str| format!("{BASE}{rest}");
    Router::new()
        .route(&path("/query"), get(query).post(query))
        .route(&path("/query_range"), get(query_range).post(query_range))
        .route(&path("/query_exemplars"), get(exemplars).post(exemplars))
        .route(&path("/format_query"), get(format_query).post(format_query))
        .route(&path("/parse_query"), get(parse_query).post(parse_query))
        .route(&path("/series"), get(series).post(series))
        .route(&path("/labels"), get(labels).post(labels))
        .route(&path("/label/{name}/values"), get(values))
        .route(&path("/metadata"), get(metadata))
        .route("/prometheus/api/{*rest}", any(unknown_path))
}

async fn query(State(state): State<ApiState>, Form(params): Form) -> Result<Response> {
    let request = params::instant(&params, state.clock.now_ns() / NS_PER_MS)?;
    answer(&state, &params, request).await
}

async fn query_range(State(state): State<ApiState>, Form(params): Form) -> Result<Response> {
    let request = params::range(&params)?;
    answer(&state, &params, request).await
}

async fn answer(state: &ApiState, params: &Params, request: Request) -> Result<Response> {
    let limit = params::limit(params)?;
    let (mut ctx, _guard) = asker();
    if let Some(timeout_ms) = params::duration_ms(params, "timeout")? {
        ctx.timeout_ms = Some(timeout_ms.max(0) as u64);
    }
    let text = request.query.clone();
    let answer = state.engine.promql(request, &ctx).await?;
    let (mut warnings, infos) = answer.notes.texts(&text);
    if !answer.stats.scan.partial.is_empty() {
        let partial = answer.stats.scan.partial.join(", ");
        warnings.push(format!("the answer is partial: these segments cannot be read: {partial}"));
    }
    if limit.is_some_and(|limit| count(&answer) > limit) {
        warnings.push(TRUNCATED.to_owned());
    }
    let stats = params::first(params, "stats").map(|_| stats(&answer));
    let limit = limit.unwrap_or(usize::MAX);
    json(&Success::with(wire::Result { answer: &answer, limit, stats }, warnings, infos))
}

fn count(answer: &Answer) -> usize {
    use throughline_query::promql::Value::{Matrix, Scalar, Text, Vector};
    match &answer.value {
        Vector(series) => series.len(),
        Matrix(series) => series.len(),
        Scalar(_) | Text(_) => 0,
    }
}

fn stats(answer: &Answer) -> Value {
    let seconds = answer.stats.elapsed_ms / 1e3;
    json!({
        "timings": {
            "evalTotalTime": seconds,
            "execTotalTime": seconds,
        },
        "samples": {
            "totalQueryableSamples": answer.stats.scan.rows_matched,
            "peakSamples": answer.stats.scan.rows_matched,
        },
        "scan": answer.stats,
    })
}

fn json<T: Serialize>(body: &T) -> Result<Response> {
    // Straight to bytes: answers may be large.
    let bytes = serde_json::to_vec(body)
        .map_err(|err| ApiError::internal(format!("an answer cannot be written: {err}")))?;
    Ok(([(CONTENT_TYPE, "application/json")], bytes).into_response())
}

fn found<T: Serialize>(found: Found<T>) -> Result<Response> {
    let warnings = if found.truncated { vec![TRUNCATED.to_owned()] } else { Vec::new() };
    json(&Success::with(found.items, warnings, Vec::new()))
}

async fn series(State(state): State<ApiState>, Form(params): Form) -> Result<Response> {
    let request = params::series(&params)?;
    if request.selectors.is_empty() {
        return Err(PromError::bad_data("no match[] parameter provided"));
    }
    let (ctx, _guard) = asker();
    let answer = state.engine.promql_series(&request, &ctx).await?;
    let items = answer.items.iter().map(Metric).collect();
    found(Found { items, truncated: answer.truncated, stats: answer.stats })
}

async fn labels(State(state): State<ApiState>, Form(params): Form) -> Result<Response> {
    let (ctx, _guard) = asker();
    found(state.engine.promql_label_names(&params::series(&params)?, &ctx).await?)
}

async fn values(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Form(params): Form,
) -> Result<Response> {
    let name = params::unescaped(&name);
    let (ctx, _guard) = asker();
    found(state.engine.promql_label_values(&name, &params::series(&params)?, &ctx).await?)
}

async fn metadata(State(state): State<ApiState>, Form(params): Form) -> Result<Response> {
    let (ctx, _guard) = asker();
    let limit = params::limit(&params)?.unwrap_or(usize::MAX);
    let per_metric = match params::first(&params, "limit_per_metric") {
        Some(text) => text.parse::<usize>().ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let found = state.engine.promql_metadata(params::first(&params, "metric"), &ctx).await?;
    let found = found.into_iter().take(limit).map(|(name, all)| {
        let all = all.into_iter().take(per_metric).map(|metadata| {
            json!({ "type": metadata.metric_type, "help": metadata.help, "unit": metadata.unit })
        });
        (name, all.collect())
    });
    json(&Success::of(found.collect::<BTreeMap<String, Vec<Value>>>()))
}

async fn exemplars(State(state): State<ApiState>, Form(params): Form) -> Result<Response> {
    let mut request = params::series(&params)?;
    request.selectors = throughline_query::promql::discover::selectors(params::query(&params)?)?;
    let (ctx, _guard) = asker();
    let found = state.engine.promql_exemplars(&request, &ctx).await?;
    let found = found.iter().map(|(labels, exemplars)| {
        let exemplars = exemplars.iter().map(|exemplar| {
            let ids = [
                ("trace_id", exemplar.trace_id.map(|id| id.to_string())),
                ("span_id", exemplar.span_id.map(|id| id.to_string())),
            ];
            let ids = ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?)));
            let labels = ids.chain(exemplar.labels.iter().cloned());
            json!({
                "labels": labels.collect::<BTreeMap<String, String>>(),
                "value": sample(exemplar.value),
                "timestamp": exemplar.time_ms as f64 / 1e3,
            })
        });
        let exemplars = exemplars.collect::<Vec<_>>();
        json!({ "seriesLabels": Metric(labels), "exemplars": exemplars })
    });
    json(&Success::of(found.collect::<Vec<_>>()))
}

async fn format_query(Form(params): Form) -> Result<Response> {
    json(&Success::of(expression(params::query(&params)?)?.to_string()))
}

async fn parse_query(Form(params): Form) -> Result<Response> {
    json(&Success::of(tree(&expression(params::query(&params)?)?)))
}
