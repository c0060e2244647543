//! A span of Zipkin's first model, and the one or two spans of the second that it is.
//!
//! The first model has no kind, endpoint, start and duration of its own: annotations say what happened
//! where. Client and server write halves of one span, and a collector may send them joined.

use std::borrow::Cow;

use super::span::{self, Endpoint};
use crate::translate::{Tag, TagValue, kind};

/// A span. Zero and the empty text mean absent.
#[derive(Clone, Debug, Default)]
pub struct Span<'a> {
    pub trace_id: [u8; 16],
    pub parent_id: [u8; 8],
    pub id: [u8; 8],
    pub name: Cow<'a, str>,
    pub timestamp_us: i64,
    pub duration_us: i64,
    pub annotations: Vec<Annotation<'a>>,
    pub binary_annotations: Vec<BinaryAnnotation<'a>>,
    pub debug: bool,
}

/// What happened, when, and who says so.
#[derive(Clone, Debug, Default)]
pub struct Annotation<'a> {
    pub timestamp_us: i64,
    pub value: Cow<'a, str>,
    pub host: Option<Endpoint<'a>>,
}

/// A tag, and who says so; or the address of the other side.
#[derive(Clone, Debug, Default)]
pub struct BinaryAnnotation<'a> {
    pub key: Cow<'a, str>,
    pub value: Cow<'a, str>,
    /// Its value is the boolean true: of `ca`, `sa` and `ma` the host is then the other side.
    pub is_true: bool,
    pub host: Option<Endpoint<'a>>,
}

/// The annotations that have a meaning, by what they are.
#[derive(Default)]
struct Core<'a> {
    client_send: Option<Annotation<'a>>,
    client_receive: Option<Annotation<'a>>,
    server_receive: Option<Annotation<'a>>,
    server_send: Option<Annotation<'a>>,
    message_send: Option<Annotation<'a>>,
    message_receive: Option<Annotation<'a>>,
    others: Vec<Annotation<'a>>,
}

impl<'a> Core<'a> {
    fn sort(annotations: Vec<Annotation<'a>>) -> Self {
        let mut core = Self::default();
        for annotation in annotations {
            let slot = match &*annotation.value {
                "cs" => &mut core.client_send,
                "cr" => &mut core.client_receive,
                "sr" => &mut core.server_receive,
                "ss" => &mut core.server_send,
                "ms" => &mut core.message_send,
                "mr" => &mut core.message_receive,
                _ => {
                    core.others.push(annotation);
                    continue;
                }
            };
            if slot.is_none() {
                *slot = Some(annotation);
            } else {
                core.others.push(annotation);
            }
        }
        core
    }
}

/// The spans of the second model: one, or the client's and the server's half.
pub fn convert(span: Span<'_>) -> Vec<span::Span<'_>> {
    let core = Core::sort(span.annotations);
    let mut base = span::Span {
        trace_id: span.trace_id,
        parent_id: span.parent_id,
        id: span.id,
        name: span.name,
        timestamp_us: span.timestamp_us,
        duration_us: span.duration_us,
        debug: span.debug,
        ..span::Span::default()
    };
    let client = (core.client_send.as_ref(), core.client_receive.as_ref());
    let server = (core.server_receive.as_ref(), core.server_send.as_ref());
    let mut spans = match (first_of(client), first_of(server)) {
        (Some(_), Some(_)) => {
            let mut half = span::Span { timestamp_us: 0, duration_us: 0, ..base.clone() };
            fill(&mut base, kind::CLIENT, client);
            fill(&mut half, kind::SERVER, server);
            half.shared = true;
            vec![base, half]
        }
        (Some(_), None) => {
            fill(&mut base, kind::CLIENT, client);
            vec![base]
        }
        (None, Some(_)) => {
            // Without a time of its own the span is the client's, who tells elsewhere.
            base.shared = base.timestamp_us == 0 && core.server_receive.is_some();
            fill(&mut base, kind::SERVER, server);
            vec![base]
        }
        (None, None) => {
            let (sent, received) = (core.message_send.as_ref(), core.message_receive.as_ref());
            if sent.is_some() {
                fill(&mut base, kind::PRODUCER, (sent, None));
            } else if received.is_some() {
                fill(&mut base, kind::CONSUMER, (received, None));
            }
            vec![base]
        }
    };
    for annotation in core.others {
        let span = owner(&mut spans, annotation.host.as_ref());
        let Annotation { timestamp_us, value, .. } = annotation;
        span.annotations.push(span::Annotation { timestamp_us, value });
    }
    span.binary_annotations.into_iter().for_each(|tag| add_tag(&mut spans, tag));
    spans
}

type Pair<'s, 'a> = (Option<&'s Annotation<'a>>, Option<&'s Annotation<'a>>);

fn first_of<'s, 'a>((begin, end): Pair<'s, 'a>) -> Option<&'s Annotation<'a>> {
    begin.or(end)
}

/// Kind, endpoint and, where the span has none, times from the annotations that begin and end it.
fn fill<'a>(span: &mut span::Span<'a>, kind: i32, (begin, end): Pair<'_, 'a>) {
    span.kind = kind;
    let hosts = [begin, end].into_iter().flatten().filter_map(|a| a.host.as_ref());
    span.local = hosts.into_iter().next().cloned().unwrap_or_default();
    if span.timestamp_us != 0 {
        return;
    }
    match (begin, end) {
        (Some(begin), Some(end)) if end.timestamp_us > begin.timestamp_us => {
            span.timestamp_us = begin.timestamp_us;
            if span.duration_us == 0 {
                // A time that is out of bounds is refused where it becomes a row.
                span.duration_us = end.timestamp_us.saturating_sub(begin.timestamp_us.max(0));
            }
        }
        (Some(begin), _) => span.timestamp_us = begin.timestamp_us,
        (None, Some(end)) => {
            span.timestamp_us = end.timestamp_us.saturating_sub(span.duration_us.max(0)).max(0);
        }
        (None, None) => {}
    }
}

/// The half that a host speaks of; the first where that is not known.
fn owner<'s, 'a>(
    spans: &'s mut [span::Span<'a>],
    host: Option<&Endpoint<'a>>,
) -> &'s mut span::Span<'a> {
    let found = host.and_then(|host| {
        let same = |span: &span::Span<'_>| span.local == *host;
        let same_service = |span: &span::Span<'_>| span.local.service == host.service;
        spans.iter().position(same).or_else(|| spans.iter().position(same_service))
    });
    let at = found.unwrap_or(0);
    let span = &mut spans[at];
    if span.local == Endpoint::default() {
        span.local = host.cloned().unwrap_or_default();
    }
    span
}

fn add_tag<'a>(spans: &mut [span::Span<'a>], tag: BinaryAnnotation<'a>) {
    let host = tag.host.as_ref();
    let remote_of = match &*tag.key {
        // The server is the other side of the client, and the other way round.
        "sa" if tag.is_true => kind::CLIENT,
        "ca" if tag.is_true => kind::SERVER,
        "ma" if tag.is_true => kind::PRODUCER,
        "lc" if tag.value.is_empty() => {
            owner(spans, host);
            return;
        }
        _ => {
            let value = TagValue::Str(tag.value);
            owner(spans, host).tags.push(Tag { key: tag.key, value });
            return;
        }
    };
    let remote = host.cloned().unwrap_or_default();
    let is_messaging = |kind: i32| matches!(kind, kind::PRODUCER | kind::CONSUMER);
    let found = spans.iter_mut().find(|span| {
        span.kind == remote_of || (remote_of == kind::PRODUCER && is_messaging(span.kind))
    });
    match found {
        Some(span) => span.remote = remote,
        // An address alone says which side the span is of.
        None => match spans.first_mut() {
            Some(span) if span.kind == 0 => {
                span.kind = remote_of;
                span.remote = remote;
            }
            _ => {}
        },
    }
}
