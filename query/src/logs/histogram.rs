//! How many log records there were when, by severity.

use throughline_storage::scan::{Intervals, TallyBy, TallyRequest, tally_logs};

use super::search::predicates;
use super::{LogBucket, LogHistogram, LogSearch};
use crate::{Engine, Error, QueryContext, Result};

/// The most steps of a histogram.
pub const BUCKETS_MAX: usize = 2000;

impl Engine {
    /// Counts the records that match a search in steps of time. The search names a range.
    pub async fn log_histogram(
        &self,
        search: &LogSearch,
        step_ns: i64,
        ctx: &QueryContext,
    ) -> Result<LogHistogram> {
        let time = search
            .time
            .filter(|time| time.start_ns < time.end_ns)
            .ok_or_else(|| Error::invalid("start", "a histogram needs a start before its end"))?;
        let span_ns = time.end_ns.saturating_sub(time.start_ns);
        let steps = match u64::try_from(step_ns) {
            Ok(step @ 1..) => (span_ns as u64).div_ceil(step) as usize,
            _ => usize::MAX,
        };
        if steps > BUCKETS_MAX {
            return Err(Error::invalid(
                "step",
                format!("a step of {step_ns} ns in {span_ns} ns: at most {BUCKETS_MAX} steps"),
            ));
        }
        let request = TallyRequest {
            predicates: predicates(search)?,
            time,
            intervals: Intervals::Steps { origin_ns: time.start_ns, step_ns },
            by: TallyBy { severity: true, ..TallyBy::default() },
            sums_bytes: false,
        };
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let tally = budget
            .run(async { Ok(tally_logs(&admitted.view, request, &budget.scan).await?) })
            .await?;
        let mut counts = vec![[0u64; 7]; steps];
        for row in &tally.rows {
            let step = usize::try_from(row.interval).unwrap_or_default().min(steps - 1);
            counts[step][severity_class(row.severity)] += row.count;
        }
        let bucket =
            |(i, counts)| LogBucket { start_ns: time.start_ns + i as i64 * step_ns, counts };
        let buckets = counts.into_iter().enumerate().map(bucket).collect();
        Ok(LogHistogram { buckets, stats: budget.stats.snapshot() })
    }
}

// OpenTelemetry's ranges: 0 unset, 1–4 trace, 5–8 debug, 9–12 info, 13–16 warn, 17–20 error, then fatal.
fn severity_class(number: i32) -> usize {
    match number {
        ..=0 => 0,
        1..=24 => (number as usize - 1) / 4 + 1,
        _ => 6,
    }
}
