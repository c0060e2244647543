//! RFC 3164: `Mmm dd hh:mm:ss HOSTNAME TAG[PID]: CONTENT`, as far as a message follows it. Many write an
//! ISO 8601 time, no host, or nothing but the content.

use throughline_model::time::{DAY_NS, format_rfc3339};

use super::message::Message;
use crate::times::iso8601;

/// How far a clock may run ahead: a time without a year that is later is of the year before.
const AHEAD_NS: i64 = 31 * DAY_NS;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Bytes of the longest host name, and of the longest tag that is taken for one.
const HOST_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// Reads what follows the priority.
pub fn parse(text: &str, arrived_at_ns: i64) -> Message<'_> {
    let Some((time_ns, rest)) = time(text, arrived_at_ns) else {
        // Without a time, only a tag with a process id is unlike the beginning of any sentence.
        return match tag(text) {
            Some((app, process, content)) if !process.is_empty() => {
                Message { app, process, text: content, ..Message::default() }
            }
            _ => Message { text, ..Message::default() },
        };
    };
    let mut message = Message { time_ns: Some(time_ns), ..Message::default() };
    let mut rest = rest.trim_start_matches(' ');
    let first = rest.split(' ').next().unwrap_or_default();
    let is_host = !first.ends_with(':') && !first.contains('[') && first.len() <= HOST_BYTES_MAX;
    if is_host && let Some((host, after)) = rest.split_once(' ') {
        message.host = host;
        rest = after;
    }
    message.text = rest;
    if let Some((app, process, content)) = tag(rest) {
        (message.app, message.process, message.text) = (app, process, content);
    }
    message
}

/// `TAG[PID]: ` or `TAG: ` with what follows.
fn tag(text: &str) -> Option<(&str, &str, &str)> {
    let end = text.find([':', '[', ' ']).filter(|end| (1..=TAG_BYTES_MAX).contains(end))?;
    let (app, rest) = text.split_at(end);
    let is_name = |c: char| c.is_alphanumeric() || "-_./@+".contains(c);
    if !app.chars().all(is_name) {
        return None;
    }
    let (process, rest) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']').filter(|(pid, _)| pid.len() <= TAG_BYTES_MAX)?,
        None => ("", rest),
    };
    let content = match rest.strip_prefix(':') {
        Some(content) => content,
        None if process.is_empty() => return None,
        None => rest,
    };
    Some((app, process, content.strip_prefix(' ').unwrap_or(content)))
}

/// The time and what follows it.
fn time(text: &str, arrived_at_ns: i64) -> Option<(i64, &str)> {
    // Devices mark a clock that is not set.
    let text = text.trim_start_matches(['*', '.']);
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    if first.len() > "2026-11-20T".len()
        && let Some(time_ns) = iso8601(first.trim_end_matches(':'))
    {
        return Some((time_ns, rest));
    }
    let month = MONTHS.iter().position(|month| *month == first)? + 1;
    let (day, rest) = rest.trim_start_matches(' ').split_once(' ')?;
    let day: u8 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let (second, after) = rest.split_once(' ').unwrap_or((rest, ""));
    let (year, clock, rest) = match second.parse::<i64>() {
        Ok(year) if second.len() == 4 => {
            let (clock, rest) = after.split_once(' ').unwrap_or((after, ""));
            (Some(year), clock, rest)
        }
        _ => (None, second, after),
    };
    let clock = clock.trim_end_matches(':');
    let at = |year: i64| {
        let date = format!("{year:04}-{month:02}-{day:02}");
        let time_ns = iso8601(&format!("{date}T{clock}"))?;
        // February 29 is not in every year.
        let same_day = format_rfc3339(time_ns - time_ns.rem_euclid(DAY_NS)).starts_with(&date);
        same_day.then_some(time_ns)
    };
    let time_ns = match year {
        Some(year) => at(year)?,
        None => {
            let now: i64 = format_rfc3339(arrived_at_ns).get(..4)?.parse().ok()?;
            let years = [now, now - 1, now + 1].into_iter().filter_map(at);
            // A message is old rather than of the future, but for a clock that runs ahead.
            let latest_ns = arrived_at_ns.saturating_add(AHEAD_NS);
            let past = years.filter(|time_ns| *time_ns <= latest_ns);
            past.min_by_key(|time_ns| time_ns.abs_diff(arrived_at_ns))?
        }
    };
    Some((time_ns, rest))
}
