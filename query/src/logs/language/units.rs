//! Numbers, durations, sizes and times as queries write them, and times as SQL does.

/// Nanoseconds of a second.
pub(super) const SECOND_NS: i64 = 1_000_000_000;
const MINUTE_NS: i64 = 60 * SECOND_NS;
const HOUR_NS: i64 = 60 * MINUTE_NS;
const DAY_NS: i64 = 24 * HOUR_NS;

/// Units of durations in nanoseconds, longer spellings first.
const DURATION_UNITS: &[(&str, f64)] = &[
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 6e10),
    ("h", 3.6e12),
    ("d", 8.64e13),
    ("w", 6.048e14),
];

/// Units of sizes in bytes, lower-cased; those of one letter are written in upper case.
const SIZE_UNITS: &[(&str, f64)] = &[
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
    ("tib", 1_099_511_627_776.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("tb", 1e12),
    ("k", 1e3),
    ("m", 1e6),
    ("g", 1e9),
    ("t", 1e12),
    ("b", 1.0),
];

/// Pieces of a duration such as `1h30m` at most.
const PIECES_MAX: usize = 10;

/// A finite number: digits with a sign, a fraction, an exponent.
pub(super) fn number(text: &str) -> Option<f64> {
    let starts = text.trim_start_matches(['-', '+']);
    let is_number = starts.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    is_number.then_some(number)
}

/// Nanoseconds of a duration: `1.5s`, `1h30m`, `-200ms`.
pub(super) fn duration_ns(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let mut sum = 0.0;
    for _ in 0..PIECES_MAX {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount = number(rest.get(..digits)?)?;
        rest = rest.get(digits..)?;
        let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let unit = rest.get(..letters)?;
        let (_, factor) = DURATION_UNITS.iter().find(|(name, _)| *name == unit)?;
        sum += amount * factor;
        rest = rest.get(letters..)?;
        if rest.is_empty() {
            return Some(sign * sum);
        }
    }
    None
}

/// Whole nanoseconds of a duration that is longer than nothing.
pub(super) fn step_ns(text: &str) -> Option<i64> {
    let step = duration_ns(text).filter(|step| *step >= 1.0 && *step < i64::MAX as f64)?;
    Some(step as i64)
}

/// Bytes of a size: `1.5MiB`, `10KB`, `3K`.
pub(super) fn size_bytes(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-')?;
    let (amount, unit) = (number(text.get(..digits)?)?, text.get(digits..)?);
    if unit.len() == 1 && unit != unit.to_uppercase() {
        return None; // 5m are minutes
    }
    let lower = unit.to_lowercase();
    SIZE_UNITS.iter().find(|(name, _)| *name == lower).map(|(_, factor)| amount * factor)
}

/// The unit that ends a field's name, `request.duration_ms`, as a spelling that [`duration_ns`] knows.
pub(super) fn unit_of_name(name: &str) -> &'static str {
    let last = name.rsplit(['.', '_', '-']).next().unwrap_or_default().to_lowercase();
    match last.as_str() {
        "ns" | "nanos" | "nanoseconds" => "ns",
        "us" | "micros" | "microseconds" => "us",
        "ms" | "millis" | "milliseconds" | "msec" => "ms",
        "m" | "min" | "minutes" => "m",
        "h" | "hours" => "h",
        _ => "s",
    }
}

/// How many of a unit a duration has.
pub(super) fn in_unit(nanoseconds: f64, unit: &str) -> f64 {
    let factor = DURATION_UNITS.iter().find(|(name, _)| *name == unit);
    nanoseconds / factor.map_or(1e9, |(_, factor)| *factor)
}

/// A duration as a query writes it, exactly.
pub(super) fn duration_text(nanoseconds: i64) -> String {
    let units = [("d", DAY_NS), ("h", HOUR_NS), ("m", MINUTE_NS), ("s", SECOND_NS)];
    let units = units.into_iter().chain([("ms", 1_000_000), ("us", 1000)]);
    let whole = units.into_iter().find(|(_, size)| nanoseconds % size == 0);
    let (unit, size) = whole.unwrap_or(("ns", 1));
    format!("{}{unit}", nanoseconds / size)
}

/// A duration as an SQL interval.
pub(super) fn interval(nanoseconds: i64) -> String {
    let units = [("day", DAY_NS), ("hour", HOUR_NS), ("minute", MINUTE_NS), ("second", SECOND_NS)];
    let units = units.into_iter().chain([("millisecond", 1_000_000), ("microsecond", 1000)]);
    let whole = units.into_iter().find(|(_, size)| nanoseconds % size == 0);
    let (unit, size) = whole.unwrap_or(("nanosecond", 1));
    let amount = nanoseconds / size;
    let plural = if amount == 1 { "" } else { "s" };
    format!("INTERVAL '{amount} {unit}{plural}'")
}

/// A period: from its first nanosecond up to, without, its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// Its first nanosecond.
    pub start_ns: i64,
    /// Behind its last nanosecond.
    pub end_ns: i64,
}

/// The period that a text names: `2026-11`, `2026-11-20T12:00Z` (that minute), `now-1h`, seconds,
/// milliseconds, microseconds or nanoseconds since the epoch.
pub(super) fn period(text: &str, now_ns: i64) -> Option<Period> {
    if let Some(rest) = text.strip_prefix("now") {
        let shift = match rest.strip_prefix('+') {
            Some(rest) => duration_ns(rest)?,
            None if rest.is_empty() => 0.0,
            None => duration_ns(rest).filter(|shift| *shift <= 0.0)?,
        };
        return Some(instant(now_ns.saturating_add(shift as i64)));
    }
    if text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse::<i64>().ok()?;
        let factor = match text.len() {
            ..=11 => SECOND_NS,
            12..=14 => 1_000_000,
            15..=17 => 1000,
            _ => 1,
        };
        let start_ns = number.checked_mul(factor)?;
        return Some(Period { start_ns, end_ns: start_ns.checked_add(factor)? });
    }
    calendar(text)
}

fn instant(start_ns: i64) -> Period {
    Period { start_ns, end_ns: start_ns.saturating_add(1) }
}

// `YYYY[-MM[-DD[(T| )hh[:mm[:ss[.fraction]]][zone]]]]`
fn calendar(text: &str) -> Option<Period> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map(|part| digits(part, 2)).map_or(Some(None), |m| m.map(Some))?;
    let day = parts.next().map(|part| digits(part, 2)).map_or(Some(None), |d| d.map(Some))?;
    if parts.next().is_some() || !(1678..2262).contains(&year) {
        return None;
    }
    let first = day_number(year, month.unwrap_or(1), day.unwrap_or(1))?;
    let Some(time) = time else {
        let next = match (month, day) {
            (None, _) => day_number(year + 1, 1, 1)?,
            (Some(12), None) => day_number(year + 1, 1, 1)?,
            (Some(month), None) => day_number(year, month + 1, 1)?,
            _ => first + 1,
        };
        return Some(Period { start_ns: first * DAY_NS, end_ns: next * DAY_NS });
    };
    day?;
    let (time, zone_ns) = zone(time)?;
    let (of_day, length) = time_of_day(time)?;
    let start_ns = (first * DAY_NS).checked_add(of_day)?.checked_sub(zone_ns)?;
    Some(Period { start_ns, end_ns: start_ns.checked_add(length)? })
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

// A time of day without its zone, and how far the zone is ahead.
fn zone(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let sign = if text.get(at..)?.starts_with('-') { -1 } else { 1 };
    let zone = text.get(at + 1..)?.replace(':', "");
    let (hours, minutes) = match zone.len() {
        2 => (digits(&zone, 2)?, 0),
        _ => (digits(zone.get(..2)?, 2)?, digits(zone.get(2..)?, 2)?),
    };
    let fits = hours <= 23 && minutes <= 59;
    fits.then(|| (&text[..at], sign * (hours * HOUR_NS + minutes * MINUTE_NS)))
}

// Nanoseconds since midnight, and how long a period the text names.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let mut parts = text.splitn(3, ':');
    let hours = digits(parts.next()?, 2).filter(|hours| *hours < 24)?;
    let Some(minutes) = parts.next() else { return Some((hours * HOUR_NS, HOUR_NS)) };
    let minutes = digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    let of_day = hours * HOUR_NS + minutes * MINUTE_NS;
    let Some(seconds) = parts.next() else { return Some((of_day, MINUTE_NS)) };
    let (seconds, fraction) = match seconds.split_once(['.', ',']) {
        Some((seconds, fraction)) => (seconds, Some(fraction)),
        None => (seconds, None),
    };
    let of_day = of_day + digits(seconds, 2).filter(|seconds| *seconds < 60)? * SECOND_NS;
    let Some(fraction) = fraction else { return Some((of_day, SECOND_NS)) };
    let count = fraction.len();
    if count == 0 || count > 9 {
        return None;
    }
    let length = 10i64.pow(9 - count as u32);
    Some((of_day + digits(fraction, count)? * length, length))
}

// Days since the epoch of a day of the Gregorian calendar, where years begin in March: then the day
// that leap years add is the last of the year.
fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    const DAYS: [i64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = *DAYS.get(usize::try_from(month - 1).ok()?)?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if day < 1 || day > days || (month == 2 && day == 29 && !is_leap) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468)
}

/// A time as an SQL literal.
pub(super) fn timestamp(nanoseconds: i64) -> String {
    let (days, of_day) = (nanoseconds.div_euclid(DAY_NS), nanoseconds.rem_euclid(DAY_NS));
    let (year, month, day) = date(days);
    let (hours, minutes) = (of_day / HOUR_NS, of_day / MINUTE_NS % 60);
    let (seconds, fraction) = (of_day / SECOND_NS % 60, of_day % SECOND_NS);
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:09}").trim_end_matches('0').to_owned(),
    };
    format!(
        "TIMESTAMP '{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}{fraction}Z'"
    )
}

// The inverse of `day_number`.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let of_years = of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096;
    let year = of_years / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (carry, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (year + era * 400 + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read() {
        assert_eq!(duration_ns("1.5s"), Some(1.5e9));
        assert_eq!(duration_ns("1h30m"), Some(5.4e12));
        assert_eq!(duration_ns("-200ms"), Some(-2e8));
        assert_eq!((duration_ns("5"), duration_ns("5x"), duration_ns("s")), (None, None, None));
        assert_eq!(size_bytes("1.5KiB"), Some(1536.0));
        assert_eq!((size_bytes("5M"), size_bytes("5m"), size_bytes("5")), (Some(5e6), None, None));
        assert_eq!((number("-1.5e3"), number("inf"), number("")), (Some(-1500.0), None, None));
        assert_eq!(duration_text(90 * SECOND_NS), "90s");
        assert_eq!(interval(5 * MINUTE_NS), "INTERVAL '5 minutes'");
        assert_eq!(in_unit(1.5e9, unit_of_name("http.duration_ms")), 1500.0);
    }

    #[test]
    fn periods_are_read_and_written() {
        let cases = [
            ("2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
            ("2026-11-20T12:00Z", "2026-11-20T12:00:00Z", "2026-11-20T12:01:00Z"),
            ("2026-11-20 12:00:01.5+02:00", "2026-11-20T10:00:01.5Z", "2026-11-20T10:00:01.6Z"),
            ("1700000000", "2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z"),
            ("1700000000123", "2023-11-14T22:13:20.123Z", "2023-11-14T22:13:20.124Z"),
            ("now-1h", "1969-12-31T23:00:00Z", "1969-12-31T23:00:00.000000001Z"),
        ];
        for (text, start, end) in cases {
            let period = period(text, 0).expect(text);
            assert_eq!(timestamp(period.start_ns), format!("TIMESTAMP '{start}'"), "{text}");
            assert_eq!(timestamp(period.end_ns), format!("TIMESTAMP '{end}'"), "{text}");
        }
        for text in ["", "x", "2026-13", "2026-02-29", "2026-11-20T25", "now-", "now 1h", "12-1-1"]
        {
            assert_eq!(period(text, 0), None, "{text}");
        }
    }

    #[test]
    fn days_go_there_and_back() {
        for days in (-100_000..100_000).step_by(37) {
            let (year, month, day) = date(days);
            assert_eq!(day_number(year, month, day), Some(days));
        }
    }
}
