//! Lines of Influx' protocol, to series of Prometheus' kind.
//!
//! ```text
//! body := precision '\n' line*        the first line is ours: the unit of times
//! line := measurement (',' tag '=' value)* ' ' field '=' value (',' field '=' value)* (' ' time)?
//! ```
//! A field is a series: `measurement_field`, or `measurement` where the field is called `value`, as Telegraf names it
//! for Prometheus; tags are labels. Texts are no numbers and are passed over; truths are 1 and 0.

mod line;

use std::borrow::Cow;

use throughline_model::batch::Decoded;
use throughline_model::{Error, Result};

use crate::remote_write::decode::columns::{Columns, Metadata, Moment};
use crate::remote_write::decode::labels::{Labels, NAME};
use line::{Field, Line, Lines};

const NS_PER_MS: i64 = 1_000_000;

/// The unit of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision(i64);

impl Precision {
    /// Nanoseconds.
    pub const NANOSECONDS: Precision = Precision(1);

    /// The unit of that name, as both versions of the API have them.
    pub fn named(name: &str) -> Option<Self> {
        Some(Precision(match name {
            "n" | "ns" => 1,
            "u" | "us" | "µ" | "µs" => 1000,
            "ms" => NS_PER_MS,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        }))
    }

    /// The line that stands before a body.
    pub fn line(self) -> String {
        format!("{}\n", self.0)
    }

    fn read(body: &[u8]) -> Option<(Self, &[u8])> {
        let end = body.iter().position(|byte| *byte == b'\n')?;
        let unit_ns = std::str::from_utf8(&body[..end]).ok()?.parse().ok()?;
        Some((Precision(unit_ns), &body[end + 1..]))
    }
}

/// Whether every line says when it was, so that the same body again is the same request again.
pub fn says_when(body: &[u8]) -> bool {
    let Some((_, lines)) = Precision::read(body) else { return true };
    let Ok(text) = std::str::from_utf8(lines) else { return true };
    Lines::new(text).all(|(_, line)| line.map_or(true, |line| line.time.is_some()))
}

/// Decodes a body.
pub fn decode(body: &[u8], received_at_ns: i64) -> Result<Decoded> {
    let (precision, lines) = Precision::read(body)
        .ok_or_else(|| Error::invalid("lines without the unit of their times before them"))?;
    let text = std::str::from_utf8(lines).map_err(|err| {
        let line = lines[..err.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::invalid(format!("line {line} is not UTF-8"))
    })?;
    let mut columns = Columns::default();
    for (number, line) in Lines::new(text) {
        let outcome = line.and_then(|line| {
            let time_ns = match line.time {
                None => received_at_ns,
                Some(time) => time
                    .checked_mul(precision.0)
                    .ok_or_else(|| format!("time {time} is out of range"))?,
            };
            Ok((line, time_ns))
        });
        match outcome {
            Ok((line, time_ns)) => put(&line, time_ns, &mut columns)?,
            Err(reason) => columns.refused(&format!("line {number}: {reason}"))?,
        }
    }
    columns.finish()
}

fn put(line: &Line<'_>, time_ns: i64, columns: &mut Columns) -> Result<()> {
    let moment = Moment { time_ms: time_ns.div_euclid(NS_PER_MS), start_ms: 0 };
    let tags = line.tags.iter();
    let tags = tags.map(|(name, value)| (label_name(name), value)).collect::<Vec<_>>();
    for (field, value) in &line.fields {
        let Field::Number(value) = value else { continue };
        let name = match field.as_ref() {
            "value" => metric_name(&line.measurement).into_owned(),
            field => metric_name(&format!("{}_{field}", line.measurement)).into_owned(),
        };
        let mut labels = Labels::default();
        labels.push(NAME.as_bytes(), name.as_bytes());
        for (name, value) in &tags {
            labels.push(name.as_bytes(), value.as_bytes());
        }
        columns.series(Ok(&mut labels), Metadata::default());
        columns.sample(moment, *value)?;
    }
    Ok(())
}

/// A name that clients of Prometheus take without quotes.
fn metric_name(text: &str) -> Cow<'_, str> {
    sanitized(text, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

fn label_name(text: &str) -> Cow<'_, str> {
    sanitized(text, |c| c.is_ascii_alphanumeric() || c == '_')
}

fn sanitized(text: &str, is_part: impl Fn(char) -> bool) -> Cow<'_, str> {
    let starts_right = !text.starts_with(|c: char| c.is_ascii_digit());
    if starts_right && text.chars().all(&is_part) {
        return text.into();
    }
    let mut name = String::with_capacity(text.len() + 1);
    if !starts_right {
        name.push('_');
    }
    name.extend(text.chars().map(|c| if is_part(c) { c } else { '_' }));
    name.into()
}
