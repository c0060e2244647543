//! The parameters of a trace's page.

use throughline_model::time::TimeRange;
use throughline_model::{Signal, SpanId};
use throughline_query::traces::TraceSearch;
use throughline_query::traces::compare::sets::{DIFFERENCES_MAX, SpanSelection};
use throughline_query::traces::page::{DETAILS_MAX, Fact};
use utoipa::IntoParams;

use super::super::super::duration::parse_duration_ns;
use super::super::super::filter::parse_filters;
use super::super::super::params::{Params, nearest};
use super::super::super::time::parse_time_ns;
use super::super::params::{status, trace_id};
use super::compare_wire::{CompareRequest, Selection};
use crate::error::{ApiError, Result};

const DIFFERENCES_DEFAULT: usize = 50;

/// Facts that need no other traces: what is told without `include`.
const OWN_FACTS: [Fact; 7] = [
    Fact::Skew,
    Fact::CriticalPath,
    Fact::SelfTime,
    Fact::Depth,
    Fact::Orphans,
    Fact::Late,
    Fact::Operations,
];

/// Where to look for a trace.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI
pub struct LookParams {
    /// Where to look first, as for the whole trace.
    #[param(example = "-1h")]
    start: Option<String>,
    /// The end of that range.
    #[param(example = "now")]
    end: Option<String>,
}

/// Which facts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI
pub struct FactsParams {
    /// Facts by name, with commas or repeated: `skew`, `critical_path`, `self_time`, `depth`,
    /// `orphans`, `late`, `operations`, `peers`, `backlinks`. Without it all but the last two, which
    /// look at other traces.
    #[param(example = json!(["critical_path,peers"]))]
    include: Option<Vec<String>>,
}

/// Which spans.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI
pub struct SpansParams {
    /// Ids of spans, with commas or repeated; at most 1000.
    #[param(example = json!(["00f067aa0ba902b7"]))]
    span_id: Vec<String>,
    /// `json` (the default) or `otlp`: JSON, or protobuf by `Accept`.
    #[param(example = "otlp")]
    format: Option<String>,
}

/// How a single span is written.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI
pub struct SpanParams {
    /// `json` (the default) or `otlp`: JSON, or protobuf by `Accept`.
    #[param(example = "otlp")]
    format: Option<String>,
}

/// With which trace to compare.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI
pub struct CompareParams {
    /// The other trace's id.
    #[param(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    with: String,
}

/// Where to look first for a trace; `more` are the other parameters of the address.
pub fn look(params: &Params, more: &[&str], now_ns: i64) -> Result<Option<TimeRange>> {
    params.allow(&[&["start", "end"], more].concat())?;
    params.range(now_ns)
}

// The parts of a parameter that may be repeated or hold commas.
fn parts<'a>(params: &'a Params, name: &str) -> Vec<&'a str> {
    let all = params.all(name).flat_map(|value| value.split(',')).map(str::trim);
    all.filter(|part| !part.is_empty()).collect()
}

/// The facts that a request names.
pub fn facts(params: &Params) -> Result<Vec<Fact>> {
    let named = parts(params, "include");
    if named.is_empty() {
        return Ok(OWN_FACTS.to_vec());
    }
    let fact = |name: &&str| {
        let found = Fact::NAMES.iter().find(|(known, _)| known == name);
        found.map(|(_, fact)| *fact).ok_or_else(|| {
            let known = Fact::NAMES.map(|(name, _)| name);
            let hint = nearest(name, &known)
                .map(|near| format!("; did you mean '{near}'?"))
                .unwrap_or_else(|| format!("; known are {}", known.join(", ")));
            ApiError::invalid("include", name, format!("there is no fact '{name}'{hint}"))
        })
    };
    named.iter().map(fact).collect()
}

/// The spans that a request names.
pub fn span_ids(params: &Params) -> Result<Vec<SpanId>> {
    let named = parts(params, "span_id");
    if named.is_empty() {
        return Err(ApiError::invalid("span_id", "", "span_id is missing: name at least one span"));
    }
    if named.len() > DETAILS_MAX {
        let detail = format!("{} span ids, the most are {DETAILS_MAX}", named.len());
        return Err(ApiError::invalid("span_id", named[0], detail).with_limit(DETAILS_MAX));
    }
    named.into_iter().map(span_id).collect()
}

/// The id of a path.
pub fn span_id(text: &str) -> Result<SpanId> {
    SpanId::parse(text).map_err(|err| ApiError::invalid("span_id", text, err.to_string()))
}

/// What a request compares: the sets and how many differences.
pub fn comparison(
    request: &CompareRequest,
    now_ns: i64,
) -> Result<(SpanSelection, SpanSelection, usize)> {
    let a = selection(&request.a, now_ns).map_err(|err| of_set("a", err))?;
    let b = match &request.b {
        Some(b) => selection(b, now_ns).map_err(|err| of_set("b", err))?,
        None => SpanSelection {
            search: TraceSearch { time: a.search.time, ..TraceSearch::default() },
            traces: Vec::new(),
        },
    };
    let limit = match request.limit {
        None => DIFFERENCES_DEFAULT,
        Some(limit @ 1..) if limit <= DIFFERENCES_MAX as u64 => limit as usize,
        Some(limit) => {
            let detail = format!("limit {limit}, allowed are 1 to {DIFFERENCES_MAX}");
            let error = ApiError::invalid("limit", &limit.to_string(), detail);
            return Err(error.with_limit(DIFFERENCES_MAX));
        }
    };
    if request.timeout_ms == Some(0) {
        let detail = "timeout_ms is 0, the least is 1";
        return Err(ApiError::invalid("timeout_ms", "0", detail).with_limit(1));
    }
    Ok((a, b, limit))
}

fn of_set(set: &str, err: ApiError) -> ApiError {
    let field = err.problem().field.clone().unwrap_or_default();
    err.with_field(&format!("{set}.{field}"))
}

fn selection(set: &Selection, now_ns: i64) -> Result<SpanSelection> {
    let duration = |name: &str, text: &Option<String>| {
        text.as_deref().map(|text| parse_duration_ns(name, text)).transpose()
    };
    let time = |name: &str, text: &Option<String>| {
        text.as_deref().map(|text| parse_time_ns(name, text, now_ns)).transpose()
    };
    let (start, end) = (time("start", &set.start)?, time("end", &set.end)?);
    let range = (start.is_some() || end.is_some()).then(|| TimeRange {
        start_ns: start.unwrap_or(TimeRange::ALL.start_ns),
        end_ns: end.unwrap_or(TimeRange::ALL.end_ns),
    });
    if range.is_some_and(|range| range.start_ns >= range.end_ns) {
        let text = set.start.clone().unwrap_or_default();
        return Err(ApiError::invalid("start", &text, "start is not before end"));
    }
    let search = TraceSearch {
        services: set.service.clone(),
        operations: set.operation.clone(),
        filters: parse_filters(Signal::Traces, set.filter.iter().map(String::as_str))?,
        min_duration_ns: duration("min_duration", &set.min_duration)?,
        max_duration_ns: duration("max_duration", &set.max_duration)?,
        status: set.status.as_deref().map(status).transpose()?,
        time: range,
        ..TraceSearch::default()
    };
    let id = |text: &String| trace_id(text).map_err(|err| err.with_field("trace_ids"));
    let traces = set.trace_ids.iter().map(id).collect::<Result<_>>()?;
    Ok(SpanSelection { search, traces })
}
