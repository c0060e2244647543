//! The times of points.

use throughline_model::time::TimeRange;
use throughline_storage::scan::rollup::Steps;

use crate::{Error, Result};

/// The most points of a series.
pub const POINTS_MAX: i64 = 11_000;

/// Steps of equal length; a point stands at the end of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// The spans that count start in this range.
    pub time: TimeRange,
    pub step_ns: i64,
    pub points: usize,
}

impl Grid {
    /// The grid of a range: widened to whole steps, or one point over the range as it is.
    pub fn new(time: TimeRange, step_ns: Option<i64>) -> Result<Self> {
        if time.end_ns <= time.start_ns {
            return Err(Error::invalid(
                "end",
                format!("the range ends at {} and starts at {}", time.end_ns, time.start_ns),
            ));
        }
        let Some(step_ns) = step_ns else {
            let step_ns = time.end_ns.saturating_sub(time.start_ns);
            return Ok(Self { time, step_ns, points: 1 });
        };
        if step_ns <= 0 {
            return Err(Error::invalid("step", format!("step is {step_ns} ns, it must be over 0")));
        }
        let floor = |t: i64| t.div_euclid(step_ns).saturating_mul(step_ns);
        let start_ns = floor(time.start_ns);
        let last = floor(time.end_ns.saturating_sub(1));
        let points = (i128::from(last) - i128::from(start_ns)) / i128::from(step_ns) + 1;
        if points > i128::from(POINTS_MAX) {
            return Err(Error::invalid(
                "step",
                format!(
                    "a step of {step_ns} ns makes {points} points of the range, allowed are \
                     {POINTS_MAX}: take a longer step or a shorter range"
                ),
            ));
        }
        let time = TimeRange { start_ns, end_ns: last.saturating_add(step_ns) };
        Ok(Self { time, step_ns, points: points as usize })
    }

    /// The step in which a span that starts in the range falls.
    pub fn step(&self, start_ns: i64) -> usize {
        if self.points == 1 {
            return 0;
        }
        ((start_ns - self.time.start_ns) / self.step_ns) as usize
    }

    /// The steps for which rollups may be summed.
    pub fn steps(&self) -> Steps {
        if self.points == 1 {
            return Steps::ONE;
        }
        Steps { origin_ns: self.time.start_ns, step_ns: self.step_ns }
    }

    /// The time of a point.
    pub fn time_of(&self, point: usize) -> i64 {
        if self.points == 1 {
            return self.time.end_ns;
        }
        self.time.start_ns + (point as i64 + 1) * self.step_ns
    }

    /// The length of a step in seconds.
    pub fn step_seconds(&self) -> f64 {
        self.step_ns as f64 / 1e9
    }
}
