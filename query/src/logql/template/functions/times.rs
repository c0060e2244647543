//! Functions on moments.

use super::super::time;
use super::super::value::Value;
use super::{Arguments, Entry, Outcome, entry, text_value};

const SECOND_NS: i64 = 1_000_000_000;

pub const TABLE: &[Entry] = &[
    entry("__timestamp__", (0, 0), |a| Ok(Value::Time(a.context.time_ns, 0))),
    entry("now", (0, 0), |a| Ok(Value::Time(a.context.now_ns, 0))),
    entry("date", (2, 2), |a| {
        let (ns, offset) = moment(a.at(1))?;
        text_value(time::format(&a.text(0), ns, offset))
    }),
    entry("toDate", (2, 2), |a| parse(&a.text(0), &a.text(1), 0)),
    entry("toDateInZone", (3, 3), |a| {
        let zone = a.text(1);
        let offset = time::zone(&zone).ok_or_else(|| format!("unknown zone '{zone}'"))?;
        parse(&a.text(0), &a.text(2), offset)
    }),
    entry("unixEpoch", (1, 1), |a| epoch(a, SECOND_NS)),
    entry("unixEpochMillis", (1, 1), |a| epoch(a, 1_000_000)),
    entry("unixEpochNanos", (1, 1), |a| epoch(a, 1)),
    entry("unixToTime", (1, 1), unix_to_time),
];

fn moment(value: &Value<'_>) -> Result<(i64, i32), String> {
    match value {
        Value::Time(ns, offset) => Ok((*ns, *offset)),
        Value::Int(seconds) => Ok((seconds.saturating_mul(SECOND_NS), 0)),
        other => Err(format!("'{}' is no time", other.show())),
    }
}

fn parse<'v>(layout: &str, text: &str, offset: i32) -> Outcome<'v> {
    match time::parse(layout, text, offset) {
        Some((ns, offset)) => Ok(Value::Time(ns, offset)),
        None => Err(format!("'{text}' is no time as '{layout}'")),
    }
}

fn epoch<'v>(a: &Arguments<'_, 'v>, unit_ns: i64) -> Outcome<'v> {
    moment(a.at(0)).map(|(ns, _)| Value::text(ns.div_euclid(unit_ns).to_string()))
}

// The number of digits says what is counted: days, seconds, milliseconds, microseconds, nanoseconds.
fn unix_to_time<'v>(a: &Arguments<'_, 'v>) -> Outcome<'v> {
    let text = a.text(0);
    let unit_ns = match text.len() {
        5 => 86_400 * SECOND_NS,
        10 => SECOND_NS,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => return Err(format!("'{text}' is no time since 1970")),
    };
    let count = text.parse::<i64>().map_err(|_| format!("'{text}' is no time since 1970"))?;
    Ok(Value::Time(count.saturating_mul(unit_ns), 0))
}
