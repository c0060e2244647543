//! `/api/metrics/{latencies,calls,errors,minstep}`: rate, errors and durations of services, for the UI's
//! "Monitor" tab; a `MetricFamily` in the JSON mapping of protobuf, without an envelope.

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use throughline_model::time::{HOUR_NS, MINUTE_NS, SECOND_NS, format_rfc3339};
use throughline_query::traces::{RatePoint, RateQuery, RateSeries};

use super::answer;
use super::error::Result;
use super::params::{back_from_end, flag, millis};
use super::routes::Query;
use super::tags::kind_number;
use super::wire::Envelope;
use crate::error::{self, ApiError, ErrorKind};
use crate::native::params::Params;
use crate::render::non_finite;
use crate::state::{ApiState, asker};

const LOOKBACK_NS: i64 = HOUR_NS;
const STEP_NS: i64 = 5 * SECOND_NS;
const RATE_PER_NS: i64 = 10 * MINUTE_NS;
/// The kind of spans where none is named: server.
const KIND: i32 = 2;
/// The least step in milliseconds, as `minstep` says it.
const STEP_MIN_MS: u64 = 1000;
/// The most services of one question.
const SERVICES_MAX: usize = 1000;

/// The routes under `/jaeger/api/metrics`.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/jaeger/api/metrics/latencies", get(latencies))
        .route("/jaeger/api/metrics/calls", get(calls))
        .route("/jaeger/api/metrics/errors", get(errors))
        .route("/jaeger/api/metrics/minstep", get(min_step))
}

#[derive(Serialize)]
struct MetricFamily {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    help: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Metric>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    labels: Vec<Label>,
    metric_points: Vec<MetricPoint>,
}

#[derive(Serialize)]
struct Label {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetricPoint {
    gauge_value: GaugeValue,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GaugeValue {
    double_value: serde_json::Value,
}

// What the three differ in: name, description, and the value of a point, if it has one.
struct Reading<'a> {
    name: &'a str,
    help: String,
    value: &'a (dyn Fn(&RatePoint) -> Option<f64> + Sync),
}

async fn calls(State(state): State<ApiState>, params: Query) -> Result<Response> {
    let params = params?;
    let query = rate_query(&params, state.clock.now_ns(), None)?;
    let seconds = query.window_ns as f64 / SECOND_NS as f64;
    let reading = Reading {
        name: "call_rate",
        help: "calls/sec, grouped by service".to_owned(),
        value: &|point| Some(point.calls as f64 / seconds),
    };
    answer_with(&state, &query, &reading).await
}

async fn errors(State(state): State<ApiState>, params: Query) -> Result<Response> {
    let params = params?;
    let query = rate_query(&params, state.clock.now_ns(), None)?;
    let help =
        "error rate, computed as a fraction of errors/sec over calls/sec, grouped by service";
    let reading = Reading {
        name: "error_rate",
        help: help.to_owned(),
        value: &|point| (point.calls > 0).then(|| point.errors as f64 / point.calls as f64),
    };
    answer_with(&state, &query, &reading).await
}

async fn latencies(State(state): State<ApiState>, params: Query) -> Result<Response> {
    let params = params?;
    let quantile = quantile(&params)?;
    let query = rate_query(&params, state.clock.now_ns(), Some(quantile))?;
    let reading = Reading {
        name: "latencies",
        help: format!("{quantile:.2}th quantile latency, grouped by service"),
        // Milliseconds, as the UI takes them.
        value: &|point| point.quantile_ns.map(|ns| ns / 1e6),
    };
    answer_with(&state, &query, &reading).await
}

async fn min_step() -> Json<Envelope<u64>> {
    Json(Envelope { data: STEP_MIN_MS, ..Envelope::default() })
}

async fn answer_with(
    state: &ApiState,
    query: &RateQuery,
    reading: &Reading<'_>,
) -> Result<Response> {
    let (ctx, _guard) = asker();
    let (series, stats) = state.engine.span_rates(query, &ctx).await?;
    let (of, by) =
        if query.by_operation { ("service_operation", " & operation") } else { ("service", "") };
    let metrics = series.into_iter().map(|series| metric(series, reading.value));
    let family = MetricFamily {
        name: format!("{of}_{}", reading.name),
        kind: "GAUGE",
        help: format!("{}{by}", reading.help),
        metrics: metrics.filter(|metric| !metric.metric_points.is_empty()).collect(),
    };
    let body = serde_json::to_vec(&family)
        .map_err(|err| ApiError::internal(format!("metrics cannot be written: {err}")))?;
    Ok(answer::json(body, &stats.scan.partial))
}

fn metric(series: RateSeries, value: &(dyn Fn(&RatePoint) -> Option<f64> + Sync)) -> Metric {
    let mut labels = vec![Label { name: "service_name", value: series.service }];
    labels.extend(series.operation.map(|value| Label { name: "operation", value }));
    let point = |point: &RatePoint| {
        let number = value(point)?;
        let number = serde_json::Number::from_f64(number)
            .map_or_else(|| non_finite(number).into(), serde_json::Value::Number);
        Some(MetricPoint {
            gauge_value: GaugeValue { double_value: number },
            timestamp: format_rfc3339(point.time_ns),
        })
    };
    Metric { labels, metric_points: series.points.iter().filter_map(point).collect() }
}

fn rate_query(params: &Params, now_ns: i64, quantile: Option<f64>) -> error::Result<RateQuery> {
    let services = params.list("service");
    if services.is_empty() || services.len() > SERVICES_MAX {
        let detail = format!(
            "unable to parse param 'service': please provide at least one service name, and at most \
             {SERVICES_MAX}; there are {}",
            services.len()
        );
        return Err(ApiError::new(ErrorKind::Invalid, detail).with_field("service"));
    }
    let kinds = params.all("spanKind").map(|text| {
        kind_number(text).ok_or_else(|| {
            let detail = format!(
                "unable to parse param 'spanKind': unsupported span kind: '{text}'; there are \
                 unspecified, internal, server, client, producer, consumer"
            );
            ApiError::invalid("spanKind", text, detail)
        })
    });
    let mut kinds = kinds.collect::<error::Result<Vec<_>>>()?;
    if kinds.is_empty() {
        kinds.push(KIND);
    }
    let (start_ns, end_ns) = back_from_end(params, now_ns, LOOKBACK_NS)?;
    Ok(RateQuery {
        services,
        kinds,
        by_operation: flag(params, "groupByOperation")?,
        start_ns,
        end_ns,
        step_ns: millis(params, "step")?.unwrap_or(STEP_NS),
        window_ns: millis(params, "ratePer")?.unwrap_or(RATE_PER_NS),
        quantile,
    })
}

fn quantile(params: &Params) -> error::Result<f64> {
    let text = params.one("quantile")?.unwrap_or_default();
    let quantile: Option<f64> = text.parse().ok();
    quantile.filter(|quantile| (0.0..=1.0).contains(quantile)).ok_or_else(|| {
        let detail = format!("unable to parse param 'quantile': '{text}' is no number from 0 to 1");
        ApiError::invalid("quantile", text, detail).with_limit(1)
    })
}
