//! Steps of time that SQL asks for.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use throughline_model::time::{DAY_NS, HOUR_NS, MINUTE_NS};
use throughline_storage::scan::Intervals;

const SECOND_NS: i64 = 1_000_000_000;
/// The first Monday of the epoch: weeks begin there.
const MONDAY_NS: i64 = 4 * DAY_NS;

/// `date_trunc(unit, time)` or `date_bin(interval, time[, origin])`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    pub origin_ns: i64,
    pub step_ns: i64,
}

impl Steps {
    /// The steps that an expression over the column `time` makes.
    pub fn of(expr: &Expr) -> Option<Self> {
        let Expr::ScalarFunction(call) = expr else { return None };
        let is_time = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == "time");
        match (call.func.name(), call.args.as_slice()) {
            ("date_trunc", [Expr::Literal(unit, _), time]) if is_time(time) => {
                let (origin_ns, step_ns) = match unit.try_as_str()?? {
                    unit if unit.eq_ignore_ascii_case("second") => (0, SECOND_NS),
                    unit if unit.eq_ignore_ascii_case("minute") => (0, MINUTE_NS),
                    unit if unit.eq_ignore_ascii_case("hour") => (0, HOUR_NS),
                    unit if unit.eq_ignore_ascii_case("day") => (0, DAY_NS),
                    unit if unit.eq_ignore_ascii_case("week") => (MONDAY_NS, 7 * DAY_NS),
                    _ => return None,
                };
                Some(Self { origin_ns, step_ns })
            }
            ("date_bin", [Expr::Literal(step, _), time]) if is_time(time) => {
                Some(Self { origin_ns: 0, step_ns: duration_ns(step)? })
            }
            ("date_bin", [Expr::Literal(step, _), time, Expr::Literal(origin, _)])
                if is_time(time) =>
            {
                let ScalarValue::TimestampNanosecond(Some(origin_ns), _) = origin else {
                    return None;
                };
                Some(Self { origin_ns: *origin_ns, step_ns: duration_ns(step)? })
            }
            _ => None,
        }
    }

    /// The same for a tally.
    pub fn intervals(self) -> Intervals {
        Intervals::Steps { origin_ns: self.origin_ns, step_ns: self.step_ns }
    }
}

// An interval of fixed length.
fn duration_ns(interval: &ScalarValue) -> Option<i64> {
    let ns = match interval {
        ScalarValue::IntervalMonthDayNano(Some(interval)) if interval.months == 0 => {
            i64::from(interval.days).checked_mul(DAY_NS)?.checked_add(interval.nanoseconds)?
        }
        ScalarValue::IntervalDayTime(Some(interval)) => {
            let days_ns = i64::from(interval.days).checked_mul(DAY_NS)?;
            days_ns.checked_add(i64::from(interval.milliseconds) * 1_000_000)?
        }
        _ => return None,
    };
    (ns > 0).then_some(ns)
}
