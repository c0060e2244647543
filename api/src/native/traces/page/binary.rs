//! A skeleton as bytes that a browser reads without parsing: `application/vnd.throughline.skeleton`.
//!
//! ```text
//! "TLSK" | version u32 = 1 | spans u32 = n | header bytes u32 = h
//! header        h bytes of JSON: trace_id, start_time, duration_ns, names, services, clocks, partial
//! span_id       n × 8 bytes, as they are
//! start_ns      n × f64     relative to start_time
//! duration_ns   n × f64
//! parent        n × i32     place of the parent, -1 for none
//! name          n × u32     place in names
//! service       n × u32     place in services
//! clock         n × u32     place in clocks
//! flags         n × u16     bits as in the JSON form
//! kind          n × i8      -1 for what is no `SpanKind` of a byte
//! status        n × i8
//! ```
//! Little endian; the header and every column are padded with spaces or zeros to a multiple of 8 bytes,
//! so that each can be looked at where it is as a typed array. Nanoseconds are doubles because those
//! are what JavaScript has; they are exact below 2⁵³ (104 days).
//!
//! 44 bytes a span, as in an Arrow IPC stream of the same columns, which would cost the browser a
//! library. `a_large_trace_is_small` prints the sizes of both and of the JSON.

use serde::Serialize;
use throughline_query::traces::page::Skeleton;

use crate::render::value::{exact_i64, text, time};
use throughline_model::TraceId;

/// Media type of the bytes.
pub const SKELETON: &str = "application/vnd.throughline.skeleton";

const MAGIC: &[u8; 4] = b"TLSK";
const VERSION: u32 = 1;
const ALIGNMENT: usize = 8;

#[derive(Serialize)]
struct Header<'a> {
    #[serde(serialize_with = "text")]
    trace_id: TraceId,
    #[serde(serialize_with = "time")]
    start_time: i64,
    #[serde(serialize_with = "exact_i64")]
    duration_ns: i64,
    names: &'a [String],
    services: &'a [String],
    clocks: &'a [String],
    partial: &'a [String],
}

/// The bytes of a skeleton; `partial` names segments whose spans it lacks.
pub fn write(skeleton: &Skeleton, partial: &[String]) -> serde_json::Result<Vec<u8>> {
    let header = serde_json::to_vec(&Header {
        trace_id: skeleton.trace_id,
        start_time: skeleton.start_ns,
        duration_ns: skeleton.duration_ns,
        names: &skeleton.names,
        services: &skeleton.services,
        clocks: &skeleton.clocks,
        partial,
    })?;
    let spans = skeleton.len();
    let mut out = Vec::with_capacity(16 + header.len() + 44 * spans + 16 * ALIGNMENT);
    out.extend_from_slice(MAGIC);
    let header_len = header.len().next_multiple_of(ALIGNMENT);
    for number in [VERSION, spans as u32, header_len as u32] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&header);
    pad(&mut out, b' ');
    skeleton.span_id.iter().for_each(|id| out.extend_from_slice(&id.0));
    let double = |number: &i64| (*number as f64).to_le_bytes();
    let byte = |number: &i32| [i8::try_from(*number).unwrap_or(-1) as u8];
    column(&mut out, skeleton.start.iter().map(double));
    column(&mut out, skeleton.duration.iter().map(double));
    column(&mut out, skeleton.parent.iter().map(|number| number.to_le_bytes()));
    for numbers in [&skeleton.name, &skeleton.service, &skeleton.clock] {
        column(&mut out, numbers.iter().map(|number| number.to_le_bytes()));
    }
    column(&mut out, skeleton.flags.iter().map(|bits| bits.to_le_bytes()));
    column(&mut out, skeleton.kind.iter().map(byte));
    column(&mut out, skeleton.status.iter().map(byte));
    Ok(out)
}

fn column<const N: usize>(out: &mut Vec<u8>, values: impl Iterator<Item = [u8; N]>) {
    values.for_each(|value| out.extend_from_slice(&value));
    pad(out, 0);
}

fn pad(out: &mut Vec<u8>, with: u8) {
    out.resize(out.len().next_multiple_of(ALIGNMENT), with);
}
