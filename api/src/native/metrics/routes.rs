//! The handlers of metrics.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use throughline_model::attrs;
use throughline_query::metrics::{self as query, MetricQuery, POINTS_MAX, SERIES_MAX};

use super::super::form::{Form, OtlpAnswer, OtlpForm, bytes, form, respond, write_as};
use super::super::params::Params;
use super::params::{
    FormatParam, MetricParams, check_params, check_params_with_format, metric_query,
};
use super::wire::{ExemplarList, MetricList, PointList, SeriesList};
use crate::error::{ApiError, ErrorKind, Problem, Result};
use crate::otlp;
use crate::state::{ApiState, asker};

const SERIES_DEFAULT: usize = 1_000;
const POINTS_DEFAULT: usize = 10_000;
/// The most points of one answer, which is built in memory; SQL streams more.
const ANSWER_POINTS_MAX: usize = if POINTS_MAX < 100_000 { POINTS_MAX } else { 100_000 };
/// The most bytes of attributes that an answer of OTLP repeats with its points.
const OTLP_ATTRIBUTES_BYTES_MAX: usize = 32 << 20;

/// The routes of metrics.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/metrics", get(list))
        .route("/api/v1/metrics/{name}/series", get(series))
        .route("/api/v1/metrics/{name}/points", get(points))
        .route("/api/v1/metrics/{name}/exemplars", get(exemplars))
}

/// Which metrics there are.
#[utoipa::path(
    get,
    path = "/api/v1/metrics",
    operation_id = "list_metrics",
    tag = "metrics",
    params(MetricParams),
    responses(
        (status = 200, description = "The metrics", body = MetricList),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(state): State<ApiState>, params: Params) -> Result<Json<MetricList>> {
    check_params(&params)?;
    let now_ns = state.clock.now_ns();
    let query = metric_query(&params, None, now_ns, SERIES_DEFAULT, SERIES_MAX)?;
    let (ctx, _guard) = asker();
    Ok(Json(state.engine.metrics(&query, &ctx).await?.into()))
}

/// The series of a metric.
#[utoipa::path(
    get,
    path = "/api/v1/metrics/{name}/series",
    operation_id = "list_metric_series",
    tag = "metrics",
    params(
        ("name" = String, Path, description = "The metric's name", example = "http.server.request.duration"),
        MetricParams,
    ),
    responses(
        (status = 200, description = "The series; none of an unknown metric", body = SeriesList),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn series(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<SeriesList>> {
    check_params(&params)?;
    let now_ns = state.clock.now_ns();
    let query = metric_query(&params, Some(&name), now_ns, SERIES_DEFAULT, SERIES_MAX)?;
    let (ctx, _guard) = asker();
    Ok(Json(state.engine.metric_series(&query, &ctx).await?.into()))
}

/// The raw points of a metric by series.
///
/// With `format=otlp`, or protobuf by `Accept`, as OTLP (`{"resourceMetrics": […]}`, `MetricsData`) with
/// the exemplars that came with the points: what was sent comes back, field by field. The header
/// `throughline-partial` then names the segments that could not be read.
#[utoipa::path(
    get,
    path = "/api/v1/metrics/{name}/points",
    operation_id = "get_metric_points",
    tag = "metrics",
    params(
        ("name" = String, Path, description = "The metric's name", example = "http.server.request.duration"),
        MetricParams,
        FormatParam,
    ),
    responses(
        (status = 200, description = "The points", content(
            (PointList = "application/json"),
            (Vec<u8> = "application/x-protobuf"),
        )),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No accepted form is offered", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There are more points than the limit", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn points(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    check_params_with_format(&params)?;
    let form = form(&headers, &params)?;
    let query = points_query(&state, &name, &params)?;
    let (ctx, _guard) = asker();
    if let Form::Otlp(form) = form {
        let found = state.engine.metric_points_with_exemplars(&query, &ctx).await?;
        return points_as_otlp(&state, form, found).await;
    }
    let found = state.engine.metric_points(&query, &ctx).await?;
    write(&state, move || PointList::from(found)).await
}

async fn points_as_otlp(
    state: &ApiState,
    form: OtlpForm,
    found: query::PointList,
) -> Result<Response> {
    check_size(&found.series)?;
    let items = found.series.iter().map(points_of).sum();
    let answer = OtlpAnswer { items, partial: found.stats.scan.partial, next_cursor: None };
    let series = found.series;
    let write = move |form| {
        let groups = otlp::group_series(&series);
        write_as(
            form,
            || otlp::json::write_metrics(&groups),
            || bytes(&otlp::proto::metrics_data(&groups)),
        )
    };
    respond(&state.tracker, form, answer, write).await
}

fn points_of(series: &query::SeriesPoints) -> usize {
    series.numbers.len() + series.histograms.len()
}

// OTLP repeats the attributes of a series with each of its points.
fn check_size(series: &[query::SeriesPoints]) -> Result<()> {
    let attributes = |one: &query::SeriesPoints| {
        attrs::encode(one.series.attributes.iter().map(|(key, value)| (key.as_str(), value))).len()
    };
    let bytes: usize = series.iter().map(|one| points_of(one) * attributes(one)).sum();
    if bytes <= OTLP_ATTRIBUTES_BYTES_MAX {
        return Ok(());
    }
    let detail = format!(
        "as OTLP the points would carry {bytes} bytes of attributes, the most are \
         {OTLP_ATTRIBUTES_BYTES_MAX}: narrow the range or the series, or ask for json"
    );
    Err(ApiError::new(ErrorKind::Limit, detail)
        .with_field("format")
        .with_value("otlp")
        .with_limit(format!("{OTLP_ATTRIBUTES_BYTES_MAX} bytes")))
}

/// The exemplars of a metric by series.
#[utoipa::path(
    get,
    path = "/api/v1/metrics/{name}/exemplars",
    operation_id = "get_metric_exemplars",
    tag = "metrics",
    params(
        ("name" = String, Path, description = "The metric's name", example = "http.server.request.duration"),
        MetricParams,
    ),
    responses(
        (status = 200, description = "The exemplars", body = ExemplarList),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There are more exemplars than the limit", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn exemplars(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response> {
    check_params(&params)?;
    let query = points_query(&state, &name, &params)?;
    let (ctx, _guard) = asker();
    let found = state.engine.metric_exemplars(&query, &ctx).await?;
    write(&state, move || ExemplarList::from(found)).await
}

fn points_query(state: &ApiState, name: &str, params: &Params) -> Result<MetricQuery> {
    let now_ns = state.clock.now_ns();
    metric_query(params, Some(name), now_ns, POINTS_DEFAULT, ANSWER_POINTS_MAX)
}

// Many points take milliseconds to write: not on the workers that serve connections.
async fn write<T: Serialize>(
    state: &ApiState,
    answer: impl FnOnce() -> T + Send + 'static,
) -> Result<Response> {
    let text = state.tracker.spawn_blocking(move || serde_json::to_vec(&answer()));
    let text = text.await.map_err(|err| ApiError::internal(format!("writing points: {err}")))?;
    let text = text.map_err(|err| ApiError::internal(format!("writing points: {err}")))?;
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}
