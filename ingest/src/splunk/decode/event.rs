//! Events in JSON: `{"time": …, "host": …, "source": …, "sourcetype": …, "index": …, "event": …, "fields": {…}}`.

use serde::Deserialize;
use serde_json::value::RawValue;
use throughline_model::{Error, Result};

use super::EVENTS;
use super::columns::Columns;
use crate::json_parts::Loose;
use crate::records::Read;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Digits of a fraction that count.
const DECIMALS: usize = 9;

/// An event; its text and fields as they stand.
#[derive(Default, Deserialize)]
#[serde(expecting = "an event")]
pub struct Event<'a> {
    #[serde(borrow)]
    pub time: Option<Loose<'a>>,
    #[serde(borrow)]
    pub host: Option<Loose<'a>>,
    #[serde(borrow)]
    pub source: Option<Loose<'a>>,
    #[serde(borrow)]
    pub sourcetype: Option<Loose<'a>>,
    #[serde(borrow)]
    pub index: Option<Loose<'a>>,
    #[serde(borrow)]
    pub event: Option<&'a RawValue>,
    #[serde(borrow)]
    pub fields: Option<&'a RawValue>,
}

/// Reads events into `columns`.
pub fn read(body: &[u8], columns: &mut Columns) -> Result<()> {
    let texts = serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>();
    for (at, text) in texts.enumerate() {
        let text =
            text.map_err(|err| Error::invalid(format!("{EVENTS}[{at}]: malformed JSON: {err}")))?;
        columns.event(parse(text.get()))?;
    }
    Ok(())
}

/// Reads an event out of its text.
pub fn parse(text: &str) -> Read<Event<'_>> {
    serde_json::from_str(text).map_err(|err| err.to_string())
}

/// The time of an event in nanoseconds; none if it says none.
pub fn time_ns(time: Option<&Loose<'_>>) -> Read<Option<i64>> {
    let text = time.map(|Loose(text)| text.trim()).unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || format!("time '{text}' is no number of seconds");
    let exceeds = || format!("time {text} exceeds {} seconds", i64::MAX / NANOS_PER_SECOND);
    if text.starts_with('-') {
        return Err(format!("time '{text}' is below 0 or no number of seconds"));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        // With an exponent, or no number at all.
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
        let ns = seconds.ok_or_else(wrong)? * NANOS_PER_SECOND as f64;
        return if ns < i64::MAX as f64 { Ok(Some(ns as i64)) } else { Err(exceeds()) };
    }
    if whole.is_empty() {
        return Err(wrong());
    }
    let seconds = whole.parse::<i64>().map_err(|_| exceeds())?;
    let digits = &fraction[..fraction.len().min(DECIMALS)];
    let nanos = digits.bytes().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
        * 10i64.pow((DECIMALS - digits.len()) as u32);
    let ns = seconds.checked_mul(NANOS_PER_SECOND).and_then(|ns| ns.checked_add(nanos));
    ns.map(Some).ok_or_else(exceeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds() {
        for (text, expected) in [
            ("1426279439", Ok(Some(1_426_279_439_000_000_000))),
            ("1426279439.123", Ok(Some(1_426_279_439_123_000_000))),
            ("1426279439.1234567891", Ok(Some(1_426_279_439_123_456_789))),
            (" 0.5 ", Ok(Some(500_000_000))),
            ("1.5e3", Ok(Some(1_500_000_000_000))),
            ("", Ok(None)),
            ("-1", Err("time '-1' is below 0 or no number of seconds")),
            (".5", Err("time '.5' is no number of seconds")),
            ("now", Err("time 'now' is no number of seconds")),
            ("nan", Err("time 'nan' is no number of seconds")),
            ("1e300", Err("time 1e300 exceeds 9223372036 seconds")),
            ("1426279439123", Err("time 1426279439123 exceeds 9223372036 seconds")),
            ("99999999999999999999", Err("time 99999999999999999999 exceeds 9223372036 seconds")),
        ] {
            let got = time_ns(Some(&Loose(text.into())));
            assert_eq!(
                got.as_ref().map_err(String::as_str),
                expected.as_ref().map_err(|e| *e),
                "{text}"
            );
        }
    }
}
