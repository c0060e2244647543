//! Time: nanoseconds since the Unix epoch, UTC, in an `i64` (years 1678 to 2262).
//!
//! The wall clock is read only through [`Clock`], so that tests can set it (`clippy.toml` forbids
//! the direct calls).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::{Error, Result};

/// Nanoseconds in a second.
pub const SECOND_NS: i64 = 1_000_000_000;
/// Nanoseconds in a minute.
pub const MINUTE_NS: i64 = 60 * SECOND_NS;
/// Nanoseconds in an hour.
pub const HOUR_NS: i64 = 60 * MINUTE_NS;
/// Nanoseconds in a day.
pub const DAY_NS: i64 = 24 * HOUR_NS;

/// Where the time of day comes from.
pub trait Clock: Send + Sync + 'static {
    /// Nanoseconds since the Unix epoch.
    fn now_ns(&self) -> i64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that may ask the machine
    fn now_ns(&self) -> i64 {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// A clock that a test sets.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `now_ns`.
    pub fn at(now_ns: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_ns)))
    }

    /// Moves the clock forward.
    pub fn advance_ns(&self, by_ns: i64) {
        self.0.fetch_add(by_ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A half-open range of time, `start_ns <= t < end_ns`. One whose end is [`i64::MAX`] has no end: it
/// holds the last nanosecond too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// First nanosecond inside.
    pub start_ns: i64,
    /// First nanosecond past the end.
    pub end_ns: i64,
}

impl TimeRange {
    /// Everything.
    pub const ALL: TimeRange = TimeRange { start_ns: i64::MIN, end_ns: i64::MAX };

    /// Whether the range and the closed interval `[min_ns, max_ns]` share a nanosecond.
    pub fn overlaps(&self, min_ns: i64, max_ns: i64) -> bool {
        self.ends_after(min_ns) && max_ns >= self.start_ns
    }

    /// Whether `t_ns` lies inside.
    pub fn contains(&self, t_ns: i64) -> bool {
        self.start_ns <= t_ns && self.ends_after(t_ns)
    }

    /// Whether `t_ns` lies inside or before the range.
    pub fn ends_after(&self, t_ns: i64) -> bool {
        t_ns < self.end_ns || self.end_ns == i64::MAX
    }

    /// Whether no time lies inside.
    pub fn is_empty(&self) -> bool {
        !self.ends_after(self.start_ns)
    }
}

/// RFC 3339 with nine decimals and `Z`.
pub fn format_rfc3339(t_ns: i64) -> String {
    let (days, in_day) = (t_ns.div_euclid(DAY_NS), t_ns.rem_euclid(DAY_NS));
    let (year, month, day) = civil_from_days(days);
    let (second, nanos) = (in_day / SECOND_NS, in_day % SECOND_NS);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{nanos:09}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Parses RFC 3339 (any offset, up to nine decimals, `T` or a space).
pub fn parse_rfc3339(text: &str) -> Result<i64> {
    parse_rfc3339_parts(text).ok_or_else(|| {
        Error::invalid(format!("'{text}' is no RFC 3339 time such as 2026-11-20T12:00:00Z"))
    })
}

fn parse_rfc3339_parts(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = bytes.get(range)?;
        part.iter().all(u8::is_ascii_digit).then_some(())?;
        std::str::from_utf8(part).ok()?.parse().ok()
    };
    let is = |at: usize, any_of: &[u8]| bytes.get(at).is_some_and(|b| any_of.contains(b));
    let shaped = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    shaped.then_some(())?;
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    in_range.then_some(())?;
    let mut at = 19;
    let mut nanos = 0i64;
    if is(at, b".") {
        let end =
            (at + 1..bytes.len()).find(|i| !bytes[*i].is_ascii_digit()).unwrap_or(bytes.len());
        let decimals = end - at - 1;
        (1..=9).contains(&decimals).then_some(())?;
        nanos = digits(at + 1..end)? * 10i64.pow(9 - decimals as u32);
        at = end;
    }
    let offset_s = match bytes.get(at)? {
        b'Z' | b'z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && is(at + 3, b":") => {
            let seconds = digits(at + 1..at + 3)? * 3600 + digits(at + 4..at + 6)? * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    (seconds - offset_s).checked_mul(SECOND_NS)?.checked_add(nanos)
}

// Days since 1970-01-01 to a date of the proleptic Gregorian calendar and back: years are counted
// from March in eras of 400 years, so that the leap day comes last in its year.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_round_trips() {
        for (text, t_ns) in [
            ("1970-01-01T00:00:00.000000000Z", 0),
            ("2026-11-20T12:00:00.000000000Z", 1_795_176_000_000_000_000),
            ("2024-02-29T23:59:59.123456789Z", 1_709_251_199_123_456_789),
            ("1969-12-31T23:59:59.999999999Z", -1),
        ] {
            assert_eq!(parse_rfc3339(text).expect("valid"), t_ns, "{text}");
            assert_eq!(format_rfc3339(t_ns), text);
        }
        assert_eq!(
            parse_rfc3339("2026-11-20 14:00:00+02:00").expect("valid"),
            1_795_176_000_000_000_000
        );
        for bad in [
            "",
            "2026-11-20",
            "2026-13-20T12:00:00Z",
            "2026-11-20T12:00:00",
            "2026-11-20T12:00:00.Z",
        ] {
            assert!(parse_rfc3339(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_range_to_the_last_nanosecond_holds_it() {
        let range = |start_ns, end_ns| TimeRange { start_ns, end_ns };
        for (range, holds_last, is_empty) in [
            (TimeRange::ALL, true, false),
            (range(5, i64::MAX), true, false),
            (range(i64::MAX, i64::MAX), true, false),
            (range(5, i64::MAX - 1), false, false),
            (range(5, 5), false, true),
        ] {
            assert_eq!(range.contains(i64::MAX), holds_last, "{range:?}");
            assert_eq!(range.overlaps(i64::MAX, i64::MAX), holds_last, "{range:?}");
            assert_eq!(range.is_empty(), is_empty, "{range:?}");
        }
    }
}
