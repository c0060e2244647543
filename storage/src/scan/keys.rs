//! Which keys the attributes of spans or log records have, and how often.
//!
//! The index of a segment counts its keys, so a segment that lies wholly in the range of time answers
//! without a row. What is left, heads and segments at the range's edges, is scanned.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::Signal;
use throughline_model::time::TimeRange;

use super::plan::Guard;
use super::run::{ScanStream, scan_tier};
use super::{ScanColumn, ScanContext, ScanOrder, ScanRequest, ScanStats};
use crate::segment::Segment;
use crate::view::{Tier, View};
use crate::{Error, ErrorKind, Result};

/// The keys of attributes.
pub struct AttributeKeys {
    /// Values by key, of the segments that the index answers for.
    pub counts: HashMap<String, u64>,
    /// Whether those are all keys of these segments.
    pub is_complete: bool,
    /// The attributes of all other rows.
    pub rest: ScanStream,
}

/// Finds the keys of spans or log records in a range of time. At most `rows_max` rows are scanned.
pub async fn attribute_keys(
    view: &Arc<View>,
    signal: Signal,
    time: TimeRange,
    rows_max: usize,
    context: &ScanContext,
) -> Result<AttributeKeys> {
    let tier = if signal == Signal::Logs { &view.logs } else { &view.spans };
    let inside =
        |s: &Arc<Segment>| time.contains(s.meta.min_time_ns) && time.contains(s.meta.max_time_ns);
    let (whole, edge): (Vec<_>, Vec<_>) = tier.segments.iter().cloned().partition(inside);
    let guard = Guard::new(context);
    let task = context.tracker.spawn_blocking(move || count(&whole, &guard));
    let (counts, is_complete) = task.await.map_err(|err| {
        Error::new(ErrorKind::Closed, format!("counting keys did not finish: {err}"))
    })??;
    let request = ScanRequest {
        columns: vec![ScanColumn::Attributes],
        predicates: Vec::new(),
        time,
        order: ScanOrder::Any,
        limit: Some(rows_max),
    };
    let rest = Tier { segments: Arc::new(edge), heads: tier.heads.clone() };
    let rest = scan_tier(signal, &rest, request, context.clone());
    Ok(AttributeKeys { counts, is_complete, rest })
}

fn count(segments: &[Arc<Segment>], guard: &Guard) -> Result<(HashMap<String, u64>, bool)> {
    let mut counts = HashMap::new();
    let mut is_complete = true;
    ScanStats::add(&guard.stats.segments_total, segments.len() as u64);
    for segment in segments {
        guard.check()?;
        let index = match segment.index() {
            Err(err) if err.kind() == ErrorKind::Corrupt => {
                segment.mark_corrupt(&err);
                guard.stats.partial.lock().push(segment.meta.id.to_string());
                continue;
            }
            index => index?,
        };
        let summary = &index.index.summary;
        is_complete &= summary.keys_complete;
        for key in &summary.keys {
            *counts.entry_ref(key.key.as_str()).or_insert(0) += key.counts.iter().sum::<u64>();
        }
    }
    Ok((counts, is_complete))
}
