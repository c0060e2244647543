//! Native histograms in words.

use std::fmt::{Display, Formatter, Result, Write};

use super::{Bucket, NativeHistogram};

impl Display for NativeHistogram {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{{count:{}, sum:{}", general(self.count), general(self.sum))?;
        for bucket in self.negative_buckets().rev() {
            write!(f, ", {bucket}")?;
        }
        if self.zero_count != 0.0 {
            write!(f, ", {}", self.zero_bucket())?;
        }
        for bucket in self.positive_buckets() {
            write!(f, ", {bucket}")?;
        }
        f.write_char('}')
    }
}

impl Display for Bucket {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_char(if self.has_lower { '[' } else { '(' })?;
        write!(f, "{},{}", general(self.lower), general(self.upper))?;
        f.write_char(if self.has_upper { ']' } else { ')' })?;
        write!(f, ":{}", general(self.count))
    }
}

/// A number as Go's `%g` prints it.
pub fn general(value: f64) -> String {
    match value {
        _ if value.is_nan() => return "NaN".to_owned(),
        f64::INFINITY => return "+Inf".to_owned(),
        f64::NEG_INFINITY => return "-Inf".to_owned(),
        _ => {}
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value == 0.0 || (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
