//! The handlers under `/loki`.

use axum::extract::{Path, State};
use axum::routing::{any, get};
use axum::{Json, Router};
use http::HeaderMap;
use serde_json::{Value, json};
use throughline_model::time::TimeRange;
use throughline_query::logql::ast::Expr;
use throughline_query::logql::run::{
    DetectedField, LINES_MAX, Line, LinesRequest, PatternsRequest, StreamsRequest, VolumeBy,
    VolumeRequest,
};
use throughline_query::logql::{self, Grid};
use throughline_query::logs::LogOrder;

use super::error::{LokiError, Result};
use super::form::Form;
use super::params;
use super::tail::tail;
use super::wire;
use crate::edge::unknown_path;
use crate::native::params::Params;
use crate::native::time::parse_time_ns;
use crate::state::{ApiState, asker};

/// The release of Loki whose interfaces these are: clients choose by it what they ask for.
const SPOKEN_VERSION: &str = "3.5.0";
/// The header by which clients ask for labels by where they come from.
const FLAGS: &str = "x-loki-response-encoding-flags";
/// Volumes, patterns and values, if a question names no limit.
const LIMIT_DEFAULT: usize = 100;
const PATTERNS_DEFAULT: usize = 300;
const VALUES_DEFAULT: usize = 1000;
const LIMIT_MAX: usize = 10_000;

/// The routes under `/loki`.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/loki/api/v1/query", get(query).post(query))
        .route("/loki/api/v1/query_range", get(query_range).post(query_range))
        .route("/loki/api/v1/labels", get(labels).post(labels))
        .route("/loki/api/v1/label", get(labels).post(labels))
        .route("/loki/api/v1/label/{name}/values", get(values).post(values))
        .route("/loki/api/v1/series", get(series).post(series))
        .route("/loki/api/v1/index/stats", get(index_stats).post(index_stats))
        .route("/loki/api/v1/index/volume", get(volume).post(volume))
        .route("/loki/api/v1/index/volume_range", get(volume_range).post(volume_range))
        .route("/loki/api/v1/patterns", get(patterns).post(patterns))
        .route("/loki/api/v1/detected_labels", get(detected_labels).post(detected_labels))
        .route("/loki/api/v1/detected_fields", get(detected_fields).post(detected_fields))
        .route("/loki/api/v1/detected_field/{name}/values", get(field_values).post(field_values))
        .route("/loki/api/v1/format_query", get(format_query).post(format_query))
        .route("/loki/api/v1/status/buildinfo", get(build_info))
        .route("/loki/api/v1/tail", get(tail))
        .route("/loki/api/{*rest}", any(unknown_path))
}

async fn query(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let now_ns = state.clock.now_ns();
    let expr = params::query(&params)?;
    if let Expr::Log(_) = expr {
        let text = params::first(&params, "query").unwrap_or_default();
        let detail = "log queries are not supported as an instant query type, please change your \
                      query to a range query type";
        return Err(LokiError::invalid("query", text, detail));
    }
    let time = params::first(&params, "time");
    let time_ns = time.map(|text| parse_time_ns("time", text, now_ns)).transpose()?;
    numbers(&state, &expr, Grid::instant(time_ns.unwrap_or(now_ns))).await
}

async fn numbers(state: &ApiState, expr: &Expr, grid: Grid) -> Result<Json<Value>> {
    let (ctx, _guard) = asker();
    let answer = state.engine.logql_numbers(expr, grid, &ctx).await?;
    Ok(Json(wire::numbers(&answer.answer, &answer.stats)))
}

async fn query_range(
    State(state): State<ApiState>,
    headers: HeaderMap,
    Form(params): Form,
) -> Result<Json<Value>> {
    let now_ns = state.clock.now_ns();
    let log = match params::query(&params)? {
        Expr::Log(log) => log,
        expr @ Expr::Metric(_) => {
            return numbers(&state, &expr, params::grid(&params, now_ns)?).await;
        }
    };
    let (mut request, interval_ns) = params::lines(&params, log, now_ns)?;
    let limit = request.limit;
    if interval_ns > 0 {
        request.limit = LINES_MAX;
    }
    let order = request.order;
    let (ctx, _guard) = asker();
    let mut answer = state.engine.logql_lines(&request, &ctx).await?;
    thin_out(&mut answer.lines, interval_ns);
    answer.lines.truncate(limit);
    Ok(Json(wire::lines(&answer.lines, order, is_categorized(&headers), &answer.stats)))
}

/// Whether a client asks for labels by where they come from.
pub fn is_categorized(headers: &HeaderMap) -> bool {
    let flags = headers.get_all(FLAGS).iter().filter_map(|value| value.to_str().ok());
    flags.flat_map(|list| list.split(',')).any(|flag| flag.trim() == wire::CATEGORIZE)
}

// Leaves out what is nearer to the line before than an interval.
fn thin_out(lines: &mut Vec<Line>, interval_ns: i64) {
    let mut last_ns: Option<i64> = None;
    lines.retain(|line| {
        let is_near = last_ns.is_some_and(|last| last.abs_diff(line.time_ns) < interval_ns as u64);
        if interval_ns <= 0 || !is_near {
            last_ns = Some(line.time_ns);
            return true;
        }
        false
    });
}

async fn labels(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let request = params::streams(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let names = state.engine.log_stream_labels(&request, &ctx).await?;
    Ok(Json(wire::success(&json!(names.texts))))
}

async fn values(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Form(params): Form,
) -> Result<Json<Value>> {
    let request = params::streams(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let values = state.engine.log_label_values(&name, &request, &ctx).await?;
    Ok(Json(wire::success(&json!(values.texts))))
}

async fn series(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let request = params::streams(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let answer = state.engine.log_streams(&request, &ctx).await?;
    let streams: Vec<_> = answer.streams.iter().map(wire::labels).collect();
    Ok(Json(wire::success(&json!(streams))))
}

async fn index_stats(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let selector = params::selector(&params, "index/stats")?;
    let time = params::range(&params, state.clock.now_ns())?;
    if time.is_empty() {
        return Ok(Json(json!({"streams": 0, "chunks": 0, "bytes": 0, "entries": 0})));
    }
    let (ctx, _guard) = asker();
    let found = state.engine.log_stream_stats(&selector, time, &ctx).await?;
    Ok(Json(json!({
        "streams": found.streams,
        "chunks": found.segments,
        "bytes": found.bytes,
        "entries": found.entries,
    })))
}

async fn volume(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let time = params::range(&params, state.clock.now_ns())?;
    volumes(&state, &params, time, None).await
}

async fn volume_range(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let time = params::range(&params, state.clock.now_ns())?;
    let step_ns = params::step_ns(&params, "step")?;
    let step_ns = step_ns.unwrap_or_else(|| params::default_step_ns(time));
    volumes(&state, &params, time, Some(step_ns)).await
}

async fn volumes(
    state: &ApiState,
    params: &Params,
    time: TimeRange,
    step_ns: Option<i64>,
) -> Result<Json<Value>> {
    let names = params::names(params, "targetLabels");
    let by = match params::first(params, "aggregateBy") {
        None | Some("series") if names.is_empty() => VolumeBy::Selected,
        None | Some("series") => VolumeBy::Labels(names),
        Some("labels") => VolumeBy::Names(names),
        Some(other) => {
            let detail = format!("aggregateBy '{other}' is neither series nor labels");
            return Err(LokiError::invalid("aggregateBy", other, detail));
        }
    };
    let request = VolumeRequest {
        selector: params::selector(params, "index/volume")?,
        time,
        step_ns,
        by,
        limit: params::limit(params, "limit", LIMIT_DEFAULT, LIMIT_MAX)?,
    };
    let (ctx, _guard) = asker();
    let answer = state.engine.log_volume(&request, &ctx).await?;
    Ok(Json(wire::volumes(&answer.rows, step_ns.is_some(), &answer.stats)))
}

async fn patterns(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let time = params::range(&params, state.clock.now_ns())?;
    let step_ns = params::step_ns(&params, "step")?;
    let request = PatternsRequest {
        selector: params::selector(&params, "patterns")?,
        time,
        step_ns: step_ns.unwrap_or_else(|| params::default_step_ns(time)),
        limit: params::limit(&params, "limit", PATTERNS_DEFAULT, LIMIT_MAX)?,
    };
    let (ctx, _guard) = asker();
    let answer = state.engine.log_stream_patterns(&request, &ctx).await?;
    let pattern = answer.patterns.iter().map(|one| {
        let seconds = |(start_ns, count): &(i64, u64)| (start_ns.div_euclid(1_000_000_000), *count);
        let samples: Vec<_> = one.samples.iter().map(seconds).collect();
        json!({"pattern": one.pattern, "level": one.level.unwrap_or("unknown"), "samples": samples})
    });
    Ok(Json(wire::success(&json!(pattern.collect::<Vec<_>>()))))
}

async fn detected_labels(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let mut selector = params::selector(&params, "detected_labels")?;
    selector.stages.clear();
    let selectors = if selector.matchers.is_empty() { Vec::new() } else { vec![selector] };
    let time = params::range(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let answer = state.engine.log_streams(&StreamsRequest { selectors, time }, &ctx).await?;
    let mut found = std::collections::BTreeMap::<_, std::collections::BTreeSet<_>>::new();
    for (name, value) in answer.streams.iter().flat_map(|stream| stream.pairs()) {
        found.entry(name).or_default().insert(value);
    }
    let label = |(label, values): (&&str, &std::collections::BTreeSet<&str>)| json!({"label": label, "cardinality": values.len()});
    Ok(Json(json!({"detectedLabels": found.iter().map(label).collect::<Vec<_>>()})))
}

async fn detected_fields(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let limit = params::limit(&params, "limit", VALUES_DEFAULT, LIMIT_MAX)?;
    let fields = fields(&state, &params).await?;
    let field = |field: &DetectedField| {
        let parsers = (!field.parsers.is_empty()).then_some(&field.parsers);
        json!({
            "label": field.name,
            "type": field.kind.name(),
            "cardinality": field.values.len(),
            "parsers": parsers,
        })
    };
    let fields: Vec<_> = fields.iter().take(limit).map(field).collect();
    Ok(Json(json!({"fields": fields, "limit": limit})))
}

async fn field_values(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Form(params): Form,
) -> Result<Json<Value>> {
    let limit = params::limit(&params, "limit", VALUES_DEFAULT, LIMIT_MAX)?;
    let fields = fields(&state, &params).await?;
    let field = fields.into_iter().find(|field| field.name == name);
    let mut values = field.map(|field| field.values).unwrap_or_default();
    values.truncate(limit);
    Ok(Json(json!({"values": values, "limit": limit})))
}

async fn fields(state: &ApiState, params: &Params) -> Result<Vec<DetectedField>> {
    let request = LinesRequest {
        query: params::log_query(params, "detected_fields")?,
        time: params::range(params, state.clock.now_ns())?,
        order: LogOrder::NewestFirst,
        limit: params::limit(params, "line_limit", VALUES_DEFAULT, LINES_MAX)?,
    };
    let (ctx, _guard) = asker();
    Ok(state.engine.logql_fields(&request, &ctx).await?.fields)
}

async fn format_query(Form(params): Form) -> Result<Json<Value>> {
    let text = params::first(&params, "query").unwrap_or_default();
    let expr = logql::parse(text).map_err(|err| LokiError::of_query(&err, text))?;
    Ok(Json(wire::success(&json!(expr.to_string()))))
}

async fn build_info(State(state): State<ApiState>) -> Json<Value> {
    Json(json!({
        "version": format!("{SPOKEN_VERSION}+throughline.{}", state.build.version),
        "revision": state.build.commit.clone().unwrap_or_default(),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}
