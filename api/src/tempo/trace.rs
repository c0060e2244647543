//! A trace by its id.

use std::collections::HashSet;

use axum::response::Response;
use http::HeaderMap;
use throughline_model::time::TimeRange;
use throughline_model::{SpanId, TraceId};
use throughline_query::QueryContext;
use throughline_query::traceql;
use throughline_query::traceql::ast::{Root, SpansetExpr, Stage};
use throughline_query::traces::TraceResult;

use super::error::{Result, TempoError};
use super::form::form;
use super::messages::{PartialStatus, TraceByIdMetrics, TraceByIdResponse};
use super::params::first;
use super::prune::{self, Around};
use super::wire;
use crate::error::{ApiError, ErrorKind};
use crate::native::form::{OtlpAnswer, OtlpForm, bytes, respond, write_as};
use crate::native::params::Params;
use crate::native::traces::params::trace_id;
use crate::otlp;
use crate::state::ApiState;

/// What is asked of a trace.
#[derive(Debug)]
pub struct Asked {
    id: TraceId,
    hint: Option<TimeRange>,
    // A query that is a single filter, and what is kept around what it finds.
    filter: Option<(String, Around)>,
}

impl Asked {
    /// A whole trace.
    pub fn whole(id: &str, params: &Params, now_ns: i64) -> Result<Self> {
        let time = |name| params.time_ns(name, now_ns);
        // Only both together are a range to begin with.
        let hint = match (time("start")?.filter(|ns| *ns > 0), time("end")?.filter(|ns| *ns > 0)) {
            (Some(start_ns), Some(end_ns)) if start_ns < end_ns => {
                Some(TimeRange { start_ns, end_ns })
            }
            (Some(start_ns), Some(_)) => {
                let detail = "http parameter start must be before end";
                return Err(TempoError::invalid("start", &start_ns.to_string(), detail));
            }
            _ => None,
        };
        Ok(Self { id: trace_id(id)?, hint, filter: None })
    }

    /// A trace, or the part of it that the parameters ask for.
    pub fn part(id: &str, params: &Params, now_ns: i64) -> Result<Self> {
        let mut asked = Self::whole(id, params, now_ns)?;
        if let Some(query) = first(params, "q") {
            check_filter(query)?;
            asked.filter = Some((query.to_owned(), around(params)?));
        }
        Ok(asked)
    }

    async fn find(&self, state: &ApiState, ctx: &QueryContext) -> Result<TraceResult> {
        let found = state.engine.trace(self.id, self.hint, ctx).await?;
        let found = found.ok_or_else(|| {
            TempoError::from(ApiError::not_found(
                "traceID",
                &self.id.to_string(),
                "trace not found",
            ))
        })?;
        match wire::missing(&found.stats.scan.partial).filter(|_| found.spans.is_empty()) {
            // Nobody may take this for a trace that does not exist.
            Some(missing) => {
                let detail = format!("the trace was not found, and {missing}");
                Err(ApiError::new(ErrorKind::Internal, detail).into())
            }
            None => Ok(found),
        }
    }
}

fn around(params: &Params) -> Result<Around> {
    // -1 for all.
    let depth = |name: &str, default: i64| -> Result<Option<usize>> {
        let Some(text) = first(params, name) else { return Ok(usize::try_from(default).ok()) };
        match text.parse::<i64>() {
            Ok(depth) if depth >= -1 => Ok(usize::try_from(depth).ok()),
            _ => {
                let detail = format!("{name} '{text}' must be a whole number of -1 or more");
                Err(TempoError::invalid(name, text, detail))
            }
        }
    };
    let descendants = depth("match_depth", 0)?;
    let hierarchy = first(params, "keep_hierarchy").unwrap_or("false");
    let ancestors = match hierarchy {
        "true" | "1" => depth("ancestor_depth", -1)?,
        "false" | "0" => Some(0),
        other => {
            let detail = format!("keep_hierarchy '{other}' is neither true nor false");
            return Err(TempoError::invalid("keep_hierarchy", other, detail));
        }
    };
    Ok(Around { descendants, ancestors })
}

// Spans of one trace are picked one by one.
fn check_filter(text: &str) -> Result<()> {
    let query = traceql::parse(text).map_err(|err| TempoError::of_query(err, text))?;
    if let Root::Search(pipeline) = &query.root
        && let [Stage::Spans(SpansetExpr::Filter(_))] = pipeline.stages.as_slice()
    {
        return Ok(());
    }
    let detail = "q must be a single filter '{ … }', without pipelines and structural operators";
    Err(TempoError::invalid("q", text, detail))
}

/// Answers as the first version of the API: the trace and nothing beside it.
pub async fn answer_v1(
    asked: &Asked,
    headers: &HeaderMap,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<Response> {
    let found = asked.find(state, ctx).await?;
    let answer = answer(&found);
    let write = move |form| {
        let groups = otlp::group_spans(&found.spans);
        write_as(
            form,
            || otlp::json::write_batches(&groups),
            || bytes(&otlp::proto::traces_data(&groups)),
        )
    };
    Ok(respond(&state.tracker, form(headers), answer, write).await?)
}

/// Answers as the second version: the trace, and whether it is whole.
pub async fn answer_v2(
    asked: &Asked,
    headers: &HeaderMap,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<Response> {
    let mut found = asked.find(state, ctx).await?;
    let mut reasons: Vec<String> = wire::missing(&found.stats.scan.partial).into_iter().collect();
    if let Some((filter, around)) = &asked.filter {
        let matched = state.engine.traceql_matches(asked.id, filter, ctx).await;
        let matched = matched.map_err(|err| TempoError::of_query(err, filter))?;
        let matched: HashSet<SpanId> = matched.into_iter().collect();
        let before = found.spans.len();
        found.spans = prune::keep(found.spans, &matched, *around);
        if found.spans.len() < before {
            let text = "Trace filtered, only a subset of spans matching the filter is returned";
            reasons.push(text.to_owned());
        }
    }
    let answer = answer(&found);
    let write = move |form| write_v2(form, &found, reasons.join("; "));
    Ok(respond(&state.tracker, form(headers), answer, write).await?)
}

fn answer(found: &TraceResult) -> OtlpAnswer {
    let partial = found.stats.scan.partial.clone();
    OtlpAnswer { items: found.spans.len(), partial, next_cursor: None }
}

fn write_v2(form: OtlpForm, found: &TraceResult, message: String) -> serde_json::Result<Vec<u8>> {
    let groups = otlp::group_spans(&found.spans);
    let metrics = TraceByIdMetrics { inspected_bytes: found.stats.scan.bytes_read };
    let status = match message.is_empty() {
        true => PartialStatus::Complete,
        false => PartialStatus::Partial,
    };
    match form {
        OtlpForm::Protobuf(_) => Ok(bytes(&TraceByIdResponse {
            trace: Some(otlp::proto::traces_data(&groups)),
            metrics: Some(metrics),
            status: status as i32,
            message,
        })),
        OtlpForm::Json => {
            let mut out = b"{\"trace\":".to_vec();
            out.extend(otlp::json::write_resource_spans(&groups)?);
            out.extend_from_slice(b",\"metrics\":");
            serde_json::to_writer(&mut out, &metrics)?;
            if status == PartialStatus::Partial {
                out.extend_from_slice(b",\"status\":\"PARTIAL\",\"message\":");
                serde_json::to_writer(&mut out, &message)?;
            }
            out.push(b'}');
            Ok(out)
        }
    }
}
