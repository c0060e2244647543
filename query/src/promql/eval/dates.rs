//! Functions of dates, all in UTC.

use super::{Evaluator, Result, Value, drop_empty, merge_same};
use crate::promql::ast::Call;
use crate::promql::labels::Labels;
use crate::promql::series::{Grid, Samples, Series};

const DAY_S: i64 = 86_400;

/// A function of seconds since the epoch.
pub(super) fn function(name: &str) -> Option<fn(i64) -> f64> {
    Some(match name {
        "minute" => |seconds| (seconds.rem_euclid(3600) / 60) as f64,
        "hour" => |seconds| (seconds.rem_euclid(DAY_S) / 3600) as f64,
        // The epoch was a Thursday; Sunday is zero.
        "day_of_week" => |seconds| (seconds.div_euclid(DAY_S) + 4).rem_euclid(7) as f64,
        "day_of_month" => |seconds| date(seconds).2 as f64,
        "day_of_year" => |seconds| {
            let (year, ..) = date(seconds);
            (seconds.div_euclid(DAY_S) - days_before(year, 1) + 1) as f64
        },
        "days_in_month" => |seconds| {
            let (year, month, _) = date(seconds);
            let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            (days_before(next_year, next) - days_before(year, month)) as f64
        },
        "month" => |seconds| date(seconds).1 as f64,
        "year" => |seconds| date(seconds).0 as f64,
        _ => return None,
    })
}

/// Year, month and day (H. Hinnant, "chrono-compatible low-level date algorithms").
fn date(seconds: i64) -> (i64, i64, i64) {
    let days = seconds.div_euclid(DAY_S) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from the epoch to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl Evaluator<'_> {
    pub(super) fn date(
        &mut self,
        call: &Call,
        function: fn(i64) -> f64,
        grid: &Grid,
    ) -> Result<Value> {
        let Some(argument) = call.arguments.first() else {
            let mut samples = Samples::missing(grid.steps);
            for step in 0..grid.steps {
                samples.set_float(step, function(grid.time_ms(step) / 1000));
            }
            let labels = Labels::default();
            return Ok(Value::Vector(vec![Series { labels, drops_name: false, samples }]));
        };
        let mut series = self.vector(argument, grid)?;
        for series in &mut series {
            series.samples.map_floats(|_, value| Some(function(value as i64)));
            self.calculated(series);
        }
        drop_empty(&mut series);
        Ok(Value::Vector(merge_same(series)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_days() {
        let at = |name: &str, seconds: i64| function(name).map(|function| function(seconds));
        let leap_day = 1_709_164_800; // 2024-02-29
        assert_eq!(at("year", leap_day), Some(2024.0));
        assert_eq!(at("month", leap_day), Some(2.0));
        assert_eq!(at("day_of_month", leap_day), Some(29.0));
        assert_eq!(at("day_of_year", leap_day), Some(60.0));
        assert_eq!(at("days_in_month", leap_day), Some(29.0));
        assert_eq!(at("day_of_week", leap_day), Some(4.0));
        assert_eq!(at("day_of_week", 0), Some(4.0));
        assert_eq!(at("year", -1), Some(1969.0));
        assert_eq!(at("hour", -1), Some(23.0));
    }
}
