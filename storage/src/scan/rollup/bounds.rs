//! When the last span of a range starts.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::TimestampNanosecondType;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::{OperationsRequest, read_operations, tolerate};
use crate::Result;
use crate::scan::ScanContext;
use crate::scan::plan::Guard;
use crate::segment::spans::column;
use crate::view::View;

/// When the last of the spans that start in a range does so; none if no span does.
///
/// What a segment as a whole says of its times reaches to the last end of a span, which may be years
/// after the last start, so this asks its slabs. Where the range ends inside a slab, the answer is the
/// start of the rollup's bucket in which that span starts, or the range's own start.
pub fn last_start(view: &Arc<View>, time: TimeRange, context: &ScanContext) -> Result<Option<i64>> {
    let guard = Guard::new(context);
    let mut last: Option<i64> = None;
    let mut is_cut = false;
    for segment in view.spans.segments.iter() {
        guard.check()?;
        if !time.overlaps(segment.meta.min_time_ns, segment.meta.max_time_ns) {
            continue;
        }
        let Some(index) = tolerate(segment, &guard.stats, segment.index())? else { continue };
        for group in &index.index.summary.row_groups {
            match time.ends_after(group.max_time_ns) {
                true if group.max_time_ns >= time.start_ns => {
                    last = last.max(Some(group.max_time_ns));
                }
                true => {}
                false => is_cut |= time.overlaps(group.min_time_ns, group.max_time_ns),
            }
        }
    }
    for batch in view.spans.heads.iter() {
        let starts = column(batch, col::START_TIME)?.as_primitive::<TimestampNanosecondType>();
        let inside = starts.values().iter().copied().filter(|start| time.contains(*start));
        last = last.max(inside.max());
    }
    if !is_cut {
        return Ok(last);
    }
    let rest = TimeRange { start_ns: last.unwrap_or(time.start_ns), ..time };
    let request =
        OperationsRequest { time: rest, durations: false, cut_buckets: true, nameless_steps: None };
    read_operations(view, &request, context, |_, rows| {
        let latest = rows.starts_ns.iter().copied().max();
        last = last.max(latest.map(|start_ns| start_ns.max(rest.start_ns)));
        Ok(())
    })?;
    Ok(last)
}
