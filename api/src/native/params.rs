//! Query parameters, strictly: an unknown one is an error that names the nearest known one, and a
//! parameter that may stand once may stand only once.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use throughline_model::time::{HOUR_NS, TimeRange};

use super::duration::parse_duration_ns;
use super::time::parse_time_ns;
use crate::error::{ApiError, ErrorKind, Result};

/// The parameters of a request in the order given.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|err| ApiError::new(ErrorKind::Invalid, format!("query string: {err}")))?;
        Ok(Self(pairs))
    }
}

impl Params {
    /// Names with values.
    pub fn of_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The parameters of a form in a body.
    pub fn of_form(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// These, and others behind them.
    pub fn and_also(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The parameters that a JSON object gives: texts, numbers and flags.
    pub fn of_object(object: serde_json::Map<String, serde_json::Value>) -> Result<Self> {
        use serde_json::Value;
        let text = |(name, value): (String, Value)| match value {
            Value::Null => Ok((name, String::new())),
            Value::String(text) => Ok((name, text)),
            Value::Number(_) | Value::Bool(_) => {
                let text = value.to_string();
                Ok((name, text))
            }
            Value::Array(_) | Value::Object(_) => {
                let detail = format!("'{name}' is a text, a number or a flag");
                Err(ApiError::new(ErrorKind::Invalid, detail).with_field(&name))
            }
        };
        object.into_iter().map(text).collect::<Result<_>>().map(Self)
    }

    /// A flag: `true` or `false`, the latter where it is absent.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.one(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => {
                let detail = format!("{name} '{other}' is none of true, false");
                Err(ApiError::invalid(name, other, detail))
            }
        }
    }

    /// The range that `start` and `end` give; the last hour where they are absent.
    pub fn last_hour(&self, now_ns: i64) -> Result<TimeRange> {
        let end_ns = self.time_ns("end", now_ns)?.unwrap_or(now_ns);
        let start_ns = self.time_ns("start", now_ns)?.unwrap_or(end_ns.saturating_sub(HOUR_NS));
        if start_ns >= end_ns {
            let text = self.one("start")?.unwrap_or_default();
            return Err(ApiError::invalid("start", text, "start is not before end"));
        }
        Ok(TimeRange { start_ns, end_ns })
    }

    /// An error if there is a parameter that `known` does not list.
    pub fn allow(&self, known: &[&str]) -> Result<()> {
        let Some((name, _)) = self.0.iter().find(|(name, _)| !known.contains(&name.as_str()))
        else {
            return Ok(());
        };
        let hint = match nearest(name, known) {
            Some(near) => format!("; did you mean '{near}'?"),
            None if known.is_empty() => "; this address takes none".to_owned(),
            None => format!("; known are {}", known.join(", ")),
        };
        Err(ApiError::new(ErrorKind::Invalid, format!("unknown parameter '{name}'{hint}"))
            .with_field(name))
    }

    /// The value of a parameter that may stand once. An empty value counts as absent.
    pub fn one(&self, name: &str) -> Result<Option<&str>> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() {
            let detail = format!("parameter '{name}' stands more than once");
            return Err(ApiError::new(ErrorKind::Invalid, detail).with_field(name));
        }
        Ok(first)
    }

    /// The values of a parameter that may be repeated, without empty ones.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0.iter().filter(move |(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    /// The values of a repeated parameter, owned.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.all(name).map(str::to_owned).collect()
    }

    /// A whole number between `min` and `max`.
    pub fn number(&self, name: &str, min: i64, max: i64) -> Result<Option<i64>> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let wrong = |detail: String| ApiError::invalid(name, text, detail);
        let number: i64 =
            text.parse().map_err(|_| wrong(format!("{name} '{text}' is no whole number")))?;
        if number < min {
            return Err(wrong(format!("{name} {number} is below the least, {min}")).with_limit(min));
        }
        if number > max {
            return Err(wrong(format!("{name} {number} is above the most, {max}")).with_limit(max));
        }
        Ok(Some(number))
    }

    /// The number of items a page: between 1 and `max`, or else `default`.
    pub fn limit(&self, default: usize, max: usize) -> Result<usize> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        Ok(self.number("limit", 1, max)?.map_or(default, |limit| limit as usize))
    }

    /// A time; see [`parse_time_ns`] for its forms.
    pub fn time_ns(&self, name: &str, now_ns: i64) -> Result<Option<i64>> {
        self.one(name)?.map(|text| parse_time_ns(name, text, now_ns)).transpose()
    }

    /// A duration; see [`parse_duration_ns`] for its forms.
    pub fn duration_ns(&self, name: &str) -> Result<Option<i64>> {
        self.one(name)?.map(|text| parse_duration_ns(name, text)).transpose()
    }

    /// The range that `start` and `end` give, if one of them is there. An absent end is open.
    pub fn range(&self, now_ns: i64) -> Result<Option<TimeRange>> {
        let (start, end) = (self.time_ns("start", now_ns)?, self.time_ns("end", now_ns)?);
        if start.is_none() && end.is_none() {
            return Ok(None);
        }
        let range = TimeRange {
            start_ns: start.unwrap_or(TimeRange::ALL.start_ns),
            end_ns: end.unwrap_or(TimeRange::ALL.end_ns),
        };
        if range.start_ns >= range.end_ns {
            let text = self.one("start")?.unwrap_or_default();
            return Err(ApiError::invalid("start", text, "start is not before end"));
        }
        Ok(Some(range))
    }
}

/// The known name nearest to `name`, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, near) =
        known.iter().map(|candidate| (edit_distance(name, candidate), *candidate)).min()?;
    (distance <= 1 + name.chars().count() / 3).then_some(near)
}

// Levenshtein's distance, row by row. Parameter names are short.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replace = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn unknown_parameters_name_the_nearest() {
        let known = ["service", "operation", "limit"];
        for (given, hint) in [
            ("servce", "did you mean 'service'?"),
            ("Limit", "did you mean 'limit'?"),
            ("zzz", "known are service, operation, limit"),
        ] {
            let err = params(&[(given, "x")]).allow(&known).expect_err("unknown");
            assert!(err.problem().detail.contains(hint), "{}", err.problem().detail);
            assert_eq!(err.problem().field.as_deref(), Some(given));
        }
        params(&[("limit", "1")]).allow(&known).expect("known");
    }

    #[test]
    fn numbers_have_bounds() {
        let limit = |text| params(&[("limit", text)]).limit(20, 1000);
        assert_eq!(limit("1").expect("valid"), 1);
        assert_eq!(limit("").expect("absent"), 20);
        for (bad, named) in [("0", Some("1")), ("1001", Some("1000")), ("ten", None), ("1.5", None)]
        {
            let err = limit(bad).expect_err(bad);
            assert_eq!(err.problem().field.as_deref(), Some("limit"));
            assert_eq!(err.problem().value.as_deref(), Some(bad));
            assert_eq!(err.problem().limit.as_deref(), named);
        }
        assert!(params(&[("limit", "1"), ("limit", "2")]).limit(20, 1000).is_err());
    }

    #[test]
    fn ranges_may_be_open() {
        let now = 1_000_000_000_000_000_000;
        assert_eq!(params(&[]).range(now).expect("valid"), None);
        let range = params(&[("start", "-1h")]).range(now).expect("valid").expect("given");
        assert_eq!((range.start_ns, range.end_ns), (now - 3_600_000_000_000, i64::MAX));
        assert!(params(&[("start", "now"), ("end", "-1h")]).range(now).is_err());
    }
}
