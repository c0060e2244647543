//! What is taken from among the requests for Elasticsearch before the receiver sees them: the port and the prefix are
//! the receiver's.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::Method;
use http::header::HeaderValue;
use serde_json::{Value, json};

use super::error::{ElasticError, Result};
use super::fields;
use super::search::{Search, of_address};
use crate::edge::guarded;
use crate::error::{ApiError, ErrorKind};
use crate::state::ApiState;

/// Bytes of a request at most.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Searches of one `_msearch` at most.
const SEARCHES_MAX: usize = 100;

/// The state, and what the paths begin with.
#[derive(Clone)]
struct Before {
    state: ApiState,
    prefix: &'static str,
}

/// The receiver's routes below a prefix, and before them what is answered here.
pub fn before(receiver: Router, state: ApiState, prefix: &'static str) -> Router {
    receiver.layer(from_fn_with_state(Before { state, prefix }, answered))
}

/// What a path asks for; the index is empty where it names none.
#[derive(Debug, PartialEq, Eq)]
enum Target<'p> {
    Search(&'p str),
    Many(&'p str),
    Count(&'p str),
    Mapping(&'p str),
    FieldMapping(&'p str, &'p str),
    Capabilities,
    Resolve,
    Indices,
}

// Answers what it knows, and leaves the rest to the receiver.
async fn answered(State(before): State<Before>, request: Request, next: Next) -> Response {
    let path = request.uri().path().strip_prefix(before.prefix).unwrap_or_default().to_owned();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let Some(target) = target(request.method(), &segments) else { return next.run(request).await };
    let route = format!("/elasticsearch/{}", target.name());
    let answer = async {
        match answer(&before.state, target, request).await {
            Ok(answer) => Json(answer).into_response(),
            Err(err) => err.into_response(),
        }
    };
    let mut response = guarded(&before.state, &route, answer).await;
    let product = HeaderValue::from_static("Elasticsearch");
    response.headers_mut().insert("x-elastic-product", product);
    response
}

impl Target<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Search(_) => "_search",
            Self::Many(_) => "_msearch",
            Self::Count(_) => "_count",
            Self::Mapping(_) | Self::FieldMapping(..) => "_mapping",
            Self::Capabilities => "_field_caps",
            Self::Resolve => "_resolve",
            Self::Indices => "_cat",
        }
    }
}

fn target<'p>(method: &Method, segments: &[&'p str]) -> Option<Target<'p>> {
    let target = match segments {
        ["_cat", "indices", ..] => return (*method == Method::GET).then_some(Target::Indices),
        ["_resolve", "index", ..] => Target::Resolve,
        [index, "_mapping" | "_mappings", "field", fields] => Target::FieldMapping(index, fields),
        [index, "_mapping" | "_mappings"] => Target::Mapping(index),
        ["_mapping" | "_mappings", "field", fields] => Target::FieldMapping("", fields),
        ["_mapping" | "_mappings"] => Target::Mapping(""),
        ["_search"] => Target::Search(""),
        [index, "_search"] => Target::Search(index),
        ["_msearch"] => Target::Many(""),
        [index, "_msearch"] => Target::Many(index),
        ["_count"] => Target::Count(""),
        [index, "_count"] => Target::Count(index),
        ["_field_caps"] | [_, "_field_caps"] => Target::Capabilities,
        _ => return None,
    };
    // Mappings are put, too: that is the receiver's.
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let asks = reads || *method == Method::POST;
    match target {
        Target::Search(_) | Target::Many(_) | Target::Count(_) | Target::Capabilities => asks,
        _ => reads,
    }
    .then_some(target)
}

async fn answer(state: &ApiState, target: Target<'_>, request: Request) -> Result<Value> {
    let now_ns = state.clock.now_ns();
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let index_of = |index: &str| percent_decoded(index);
    match target {
        Target::Search(index) => {
            let mut body = one(&read(body).await?)?;
            of_address(&pairs, &mut body)?;
            Search::read(&body, &index_of(index), now_ns)?.answer(state).await
        }
        Target::Count(index) => {
            let mut body = one(&read(body).await?)?;
            of_address(&pairs, &mut body)?;
            let count = Search::read(&body, &index_of(index), now_ns)?.count(state).await?;
            let shards = json!({ "total": 1, "successful": 1, "skipped": 0, "failed": 0 });
            Ok(json!({ "count": count, "_shards": shards }))
        }
        Target::Many(index) => many(state, &index_of(index), &read(body).await?, now_ns).await,
        Target::Mapping(index) => fields::mapping(state, &index_of(index)).await,
        Target::FieldMapping(index, names) => {
            fields::field_mapping(state, &index_of(index), &index_of(names)).await
        }
        Target::Capabilities => {
            let asked = pairs.iter().find(|(name, _)| name == "fields");
            fields::capabilities(state, asked.map_or("*", |(_, names)| names)).await
        }
        Target::Resolve => Ok(json!({
            "indices": [{ "name": "logs", "attributes": ["open"] }],
            "aliases": [],
            "data_streams": [],
        })),
        Target::Indices => {
            let all = Search::read(&json!({ "size": 0 }), "", now_ns)?;
            Ok(json!([{
                "health": "green",
                "status": "open",
                "index": "logs",
                "docs.count": all.count(state).await?.to_string(),
            }]))
        }
    }
}

fn percent_decoded(text: &str) -> String {
    // The value of a form, in which two characters mean more than in a path.
    let value = text.replace('+', "%2B").replace('&', "%26");
    let pair = form_urlencoded::parse(format!("of={value}").as_bytes()).into_owned().next();
    pair.map(|(_, value)| value).unwrap_or_default()
}

async fn read(body: Body) -> Result<Bytes> {
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|err| {
        let detail = format!("the body cannot be read, at most {BODY_BYTES_MAX} bytes: {err}");
        ElasticError::from(ApiError::new(ErrorKind::TooLarge, detail))
    })
}

fn one(body: &[u8]) -> Result<Value> {
    match body.trim_ascii() {
        [] => Ok(json!({})),
        body => json_of(body, "the body"),
    }
}

fn json_of(text: &[u8], what: &str) -> Result<Value> {
    serde_json::from_slice(text)
        .map_err(|err| ElasticError::invalid("body", "", format!("{what} is no JSON: {err}")))
}

// Lines in pairs: which indexes, and the search. Each has its own answer, or its own error.
async fn many(state: &ApiState, index: &str, body: &[u8], now_ns: i64) -> Result<Value> {
    let began = std::time::Instant::now();
    let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    let lines: Vec<_> = match lines.split_last() {
        Some((&[], others)) => others.to_vec(),
        _ => lines,
    };
    if lines.len() % 2 != 0 || lines.is_empty() {
        let detail = format!(
            "{} lines: a line of indexes and one of a search each were expected",
            lines.len()
        );
        return Err(ElasticError::invalid("body", "", detail));
    }
    if lines.len() / 2 > SEARCHES_MAX {
        let detail = format!("{} searches, at most {SEARCHES_MAX}", lines.len() / 2);
        return Err(ElasticError::invalid("body", "", detail));
    }
    let mut answers = Vec::new();
    for (at, pair) in lines.chunks_exact(2).enumerate() {
        let answered = async {
            let header = one(pair[0])?;
            let own = match header.get("index") {
                Some(Value::Array(names)) => {
                    names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
                }
                Some(Value::String(name)) => name.clone(),
                _ => index.to_owned(),
            };
            let search = json_of(pair[1], &format!("line {}", 2 * at + 2))?;
            Search::read(&search, &own, now_ns)?.answer(state).await
        };
        answers.push(answered.await.unwrap_or_else(|err: ElasticError| {
            err.log();
            err.body()
        }));
    }
    Ok(json!({ "took": began.elapsed().as_millis() as u64, "responses": answers }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_those_of_shippers() {
        let of = |method: Method, path: &str| {
            let segments: Vec<&str> = path.split('/').collect();
            format!("{:?}", target(&method, &segments))
        };
        assert_eq!(of(Method::POST, "_msearch"), "Some(Many(\"\"))");
        assert_eq!(of(Method::POST, "logs-*/_search"), "Some(Search(\"logs-*\"))");
        assert_eq!(of(Method::GET, "a/_mapping"), "Some(Mapping(\"a\"))");
        assert_eq!(of(Method::PUT, "a/_mapping"), "None");
        assert_eq!(of(Method::POST, "a/_bulk"), "None");
        assert_eq!(of(Method::GET, "_cat/health"), "None");
    }
}
