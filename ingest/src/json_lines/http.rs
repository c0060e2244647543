//! `POST /insert/jsonline`: what the request says of its lines stands in parameters or headers, and goes to
//! the log before the lines.
//!
//! The answer is 200. If lines were refused it is 400 with a line of text that says which and why, and the others
//! are kept.

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::post;
use http::StatusCode;
use http::header::HeaderMap;
use throughline_model::Signal;
use throughline_storage::{Format, Reply};

use super::decode::{NAMES_MAX, Said};
use crate::admit::Ingester;
use crate::otlp::http::{encoding, take_behind};
use crate::{Error, ErrorKind, Result, post as receive, preface};

/// Parameters, and the headers that say the same where the parameter is missing.
const MESSAGE: (&str, &str) = ("_msg_field", "vl-msg-field");
const TIME: (&str, &str) = ("_time_field", "vl-time-field");
const STREAM: (&str, &str) = ("_stream_fields", "vl-stream-fields");
const IGNORED: (&str, &str) = ("ignore_fields", "vl-ignore-fields");
const EXTRA: (&str, &str) = ("extra_fields", "vl-extra-fields");

/// The path.
pub fn routes(ingester: Ingester) -> Router {
    Router::new().route("/insert/jsonline", post(lines)).with_state(ingester)
}

async fn lines(
    State(ingester): State<Ingester>,
    Query(parameters): Query<Vec<(String, String)>>,
    request: http::Request<Body>,
) -> Response {
    let taken = take(&ingester, &parameters, request).await;
    match receive::counted(&ingester, Signal::Logs, taken) {
        Ok(reply) if reply.rejected == 0 => Response::new(Body::empty()),
        Ok(reply) => {
            let told =
                format!("{} lines refused, the others kept: {}", reply.rejected, reply.message);
            receive::text(StatusCode::BAD_REQUEST, told)
        }
        Err(err) => receive::refusal(&err),
    }
}

async fn take(
    ingester: &Ingester,
    parameters: &[(String, String)],
    request: http::Request<Body>,
) -> Result<Reply> {
    let encoding = encoding(request.headers())?;
    let said = said(parameters, request.headers())?;
    let line = serde_json::to_string(&said).map_err(|err| {
        Error::new(ErrorKind::Internal, format!("what a request says cannot be written: {err}"))
    })?;
    let head = preface::line(format!("{line}\n").as_bytes(), encoding)?;
    take_behind(ingester, Signal::Logs, Format::JsonLines, encoding, &head, request).await
}

fn said(parameters: &[(String, String)], headers: &HeaderMap) -> Result<Said> {
    let list = |(parameter, header): (&str, &str)| -> Result<Vec<String>> {
        let own = parameters.iter().find(|(name, text)| name == parameter && !text.is_empty());
        let text = match own {
            Some((_, text)) => text.as_str(),
            None => headers.get(header).and_then(|value| value.to_str().ok()).unwrap_or_default(),
        };
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names: Vec<_> = names.map(str::to_owned).collect();
        if names.len() > NAMES_MAX {
            let message = format!("{parameter} has {} names, at most {NAMES_MAX}", names.len());
            return Err(Error::new(ErrorKind::Malformed, message));
        }
        Ok(names)
    };
    let pair = |text: String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => {
            let message = format!("{} has '{text}', which is no name=value", EXTRA.0);
            Err(Error::new(ErrorKind::Malformed, message))
        }
    };
    Ok(Said {
        message: list(MESSAGE)?,
        time: list(TIME)?,
        stream: list(STREAM)?,
        ignored: list(IGNORED)?,
        extra: list(EXTRA)?.into_iter().map(pair).collect::<Result<_>>()?,
    })
}
