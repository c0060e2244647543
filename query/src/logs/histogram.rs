//! How many log records there were when, by severity.

use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use futures::TryStreamExt;
use throughline_model::schema::col;
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest};

use super::search::{predicates, times_of};
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
        let predicates = predicates(search)?;
        let admitted = self.admit(ctx).await?;
        let columns = [col::TIME, col::SEVERITY_NUMBER].map(|n| ScanColumn::Fixed(n.to_owned()));
        let (order, limit) = (ScanOrder::Any, None);
        let request = ScanRequest { columns: columns.to_vec(), predicates, time, order, limit };
        let budget = &admitted.budget;
        let mut batches = scan::scan_logs(admitted.view.clone(), request, budget.scan.clone());
        let mut counts = vec![[0u64; 7]; steps];
        budget
            .run(async {
                while let Some(batch) = batches.try_next().await? {
                    let severities = batch
                        .column_by_name(col::SEVERITY_NUMBER)
                        .ok_or_else(|| Error::internal("a scan answered without severity"))?
                        .as_primitive::<Int32Type>();
                    for (t, severity) in times_of(&batch)?.zip(severities.values()) {
                        let step = ((t - time.start_ns) / step_ns) as usize;
                        counts[step.min(steps - 1)][severity_class(*severity)] += 1;
                    }
                }
                Ok(())
            })
            .await?;
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
