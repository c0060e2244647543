//! The parameters of Zipkin's v2 API. Unknown ones are let through, as Zipkin does.

use throughline_model::TraceId;
use throughline_model::schema::col;
use throughline_model::span::Span;
use throughline_model::time::{DAY_NS, TimeRange};
use throughline_query::traces::{FieldTest, SpanTest, TagCondition, TagTest, TraceSearch};

use super::translate::{has_error, remote_service};
use crate::error::{ApiError, ErrorKind, Result};
use crate::jaeger::params::{back_from_end, trace_id};
use crate::native::params::Params;

/// Traces of a search that names no limit.
pub const LIMIT_DEFAULT: usize = 10;
/// The most traces of a search.
pub const LIMIT_MAX: usize = 5000;
/// How far a search without `lookback` looks back.
pub const LOOKBACK_NS: i64 = DAY_NS;
/// The most ids of one request.
const IDS_MAX: usize = 1000;
/// The most parts of an annotation query.
const PARTS_MAX: usize = 64;
const MICROSECOND_NS: i64 = 1000;

// A condition on a whole span.
type Test = Box<dyn Fn(&Span) -> bool + Send + Sync>;

/// What `/api/v2/traces` asks.
pub fn search(params: &Params, now_ns: i64) -> Result<TraceSearch> {
    let (start_ns, end_ns) = back_from_end(params, now_ns, LOOKBACK_NS)?;
    let limit = params.number("limit", 1, LIMIT_MAX as i64)?;
    let micros = |name: &str| -> Result<Option<i64>> {
        let most = i64::MAX / MICROSECOND_NS;
        Ok(params.number(name, 1, most)?.map(|number| number * MICROSECOND_NS))
    };
    let mut search = TraceSearch {
        services: params.one("serviceName")?.map(str::to_owned).into_iter().collect(),
        // Lens sends `all` where no name is chosen.
        operations: params
            .one("spanName")?
            .filter(|name| *name != "all")
            .map(str::to_owned)
            .into_iter()
            .collect(),
        time: Some(TimeRange { start_ns, end_ns: end_ns.saturating_add(1) }),
        limit: limit.map_or(LIMIT_DEFAULT, |limit| limit as usize),
        min_duration_ns: micros("minDuration")?,
        // Durations here are microseconds: one that is shown as the bound is within it.
        max_duration_ns: micros("maxDuration")?.map(|ns| ns.saturating_add(MICROSECOND_NS - 1)),
        ..TraceSearch::default()
    };
    if let (Some(least), Some(most)) = (search.min_duration_ns, search.max_duration_ns)
        && least > most
    {
        let text = params.one("maxDuration")?.unwrap_or_default();
        let detail = format!("maxDuration '{text}' is below minDuration ({} µs)", least / 1000);
        return Err(ApiError::invalid("maxDuration", text, detail));
    }
    let mut tests: Vec<Test> = Vec::new();
    if let Some(name) = params.one("remoteServiceName")? {
        let name = name.to_owned();
        tests.push(Box::new(move |span| remote_service(span) == Some(name.as_str())));
    }
    if let Some(query) = params.one("annotationQuery")? {
        for (key, value) in annotation_query(query)? {
            match (key.as_str(), value) {
                ("error", Some(value)) => tests.push(Box::new(move |span| has_error(span, &value))),
                (_, value) => search.tags.push(tag(key, value)),
            }
        }
    }
    if !tests.is_empty() {
        search.test = Some(SpanTest::new(move |span| tests.iter().all(|test| test(span))));
    }
    Ok(search)
}

// `a and b=c`: an annotation or a tag `a`, and a tag `b` of value `c`.
fn annotation_query(query: &str) -> Result<Vec<(String, Option<String>)>> {
    let wrong = |why: &str| {
        let detail = format!(
            "annotationQuery '{query}' {why}: expected names and name=value with ' and ' between"
        );
        ApiError::invalid("annotationQuery", query, detail)
    };
    let parts: Vec<&str> = query.split(" and ").collect();
    if parts.len() > PARTS_MAX {
        return Err(wrong("has too many parts").with_limit(PARTS_MAX));
    }
    let part = |part: &str| {
        let (key, value) = match part.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim().to_owned())),
            None => (part.trim(), None),
        };
        if key.is_empty() {
            Err(wrong("has a part without a name"))
        } else {
            Ok((key.to_owned(), value))
        }
    };
    parts.into_iter().map(part).collect()
}

fn tag(key: String, value: Option<String>) -> TagCondition {
    let number = match (key.as_str(), value.as_deref()) {
        ("error", None) => Some(2),
        ("otel.status_code", Some("OK")) => Some(1),
        _ => None,
    };
    let field = number.map(|number| FieldTest { column: col::STATUS_CODE, number, negated: false });
    // A name alone, or with nothing after the sign, is as good as the other to Zipkin.
    let test = value.filter(|value| !value.is_empty()).map_or(TagTest::Exists, TagTest::Is);
    TagCondition { key, test, field }
}

/// The ids of `/api/v2/traceMany`.
pub fn ids(params: &Params) -> Result<Vec<TraceId>> {
    let missing = || {
        ApiError::new(ErrorKind::Invalid, "traceIds is required: ids with commas between")
            .with_field("traceIds")
    };
    let text = params.one("traceIds")?.ok_or_else(missing)?;
    let ids =
        text.split(',').map(|id| trace_id("traceIds", id.trim())).collect::<Result<Vec<_>>>()?;
    if ids.len() > IDS_MAX {
        let detail = format!("traceIds has {} ids, the most are {IDS_MAX}", ids.len());
        return Err(ApiError::new(ErrorKind::Invalid, detail)
            .with_field("traceIds")
            .with_limit(IDS_MAX));
    }
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    if unique.len() < ids.len() {
        return Err(ApiError::invalid(
            "traceIds",
            text,
            format!("traceIds '{text}' has an id twice"),
        ));
    }
    Ok(ids)
}

/// A parameter that must be there.
pub fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str> {
    params.one(name)?.ok_or_else(|| {
        let detail = format!("parameter '{name}' is required");
        ApiError::new(ErrorKind::Invalid, detail).with_field(name)
    })
}
