//! Which keys the attributes of spans or log records have, and how often.
//!
//! The index of a segment counts its keys, so a segment that lies wholly in the range of time answers
//! without a row. What is left, heads and segments at the range's edges, is scanned.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use hashbrown::HashMap;
use throughline_model::Signal;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::value::tag;

use super::plan::Guard;
use super::run::{ScanStream, scan_tier};
use super::{ScanColumn, ScanContext, ScanOrder, ScanRequest, ScanStats};
use crate::segment::Segment;
use crate::segment::index::summary::Summary;
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
    let rest = Tier { segments: Arc::new(edge), ..tier.clone() };
    let rest = scan_tier(signal, &rest, request, context.clone());
    Ok(AttributeKeys { counts, is_complete, rest })
}

/// Keys that attributes of items may have.
#[derive(Clone, Debug, Default)]
pub struct KnownKeys {
    /// Keys, and whether values of them may be kvlists.
    pub keys: HashMap<String, bool>,
    /// Whether there are no others.
    pub is_complete: bool,
}

/// The keys of attributes that items of a range of time may have, and a few more: those of whole
/// segments and heads are not told apart by time, and no row of a segment is read.
pub async fn known_keys(
    view: &Arc<View>,
    signal: Signal,
    time: TimeRange,
    context: &ScanContext,
) -> Result<KnownKeys> {
    let tier = if signal == Signal::Logs { &view.logs } else { &view.spans };
    let mut tier = tier.clone();
    let guard = Guard::new(context);
    let task = context.tracker.spawn_blocking(move || {
        let overlaps = |s: &&Arc<Segment>| time.overlaps(s.meta.min_time_ns, s.meta.max_time_ns);
        let segments = tier.segments.iter().filter(overlaps).cloned().collect();
        tier.segments = Arc::new(segments);
        let mut known = KnownKeys { is_complete: true, ..KnownKeys::default() };
        for_each_summary(&tier.segments, &guard, |summary| {
            known.is_complete &= summary.keys_complete;
            for key in &summary.keys {
                let kvlists = key.counts.get(usize::from(tag::KVLIST));
                let is_nested = kvlists.is_none_or(|count| *count > 0);
                *known.keys.entry_ref(key.key.as_str()).or_insert(false) |= is_nested;
            }
        })?;
        for batch in tier.heads.iter() {
            guard.check()?;
            known.add_batch(batch);
        }
        Ok(known)
    });
    task.await.map_err(|err| {
        Error::new(ErrorKind::Closed, format!("collecting keys did not finish: {err}"))
    })?
}

impl KnownKeys {
    fn add_batch(&mut self, batch: &RecordBatch) {
        let Some(map) = batch.column_by_name(col::ATTRIBUTES).and_then(|c| c.as_map_opt()) else {
            return;
        };
        let keys = map.keys().as_dictionary::<UInt32Type>();
        let values = map.values().as_binary::<i32>();
        let mut nested = vec![None; keys.values().len()];
        let offsets = map.value_offsets();
        let (first, last) = match offsets {
            [first, .., last] => (*first as usize, *last as usize),
            _ => return,
        };
        for entry in first..last {
            let slot: &mut Option<bool> = &mut nested[keys.keys().value(entry) as usize];
            let is_nested = values.value(entry).first() == Some(&tag::KVLIST);
            *slot = Some(slot.unwrap_or(false) || is_nested);
        }
        let names = keys.values().as_string::<i32>();
        for (number, is_nested) in nested.into_iter().enumerate() {
            if let Some(is_nested) = is_nested {
                *self.keys.entry_ref(names.value(number)).or_insert(false) |= is_nested;
            }
        }
    }
}

fn count(segments: &[Arc<Segment>], guard: &Guard) -> Result<(HashMap<String, u64>, bool)> {
    let mut counts = HashMap::new();
    let mut is_complete = true;
    ScanStats::add(&guard.stats.segments_total, segments.len() as u64);
    for_each_summary(segments, guard, |summary| {
        is_complete &= summary.keys_complete;
        for key in &summary.keys {
            *counts.entry_ref(key.key.as_str()).or_insert(0) += key.counts.iter().sum::<u64>();
        }
    })?;
    Ok((counts, is_complete))
}

// A segment that cannot be read is left out and named.
fn for_each_summary(
    segments: &[Arc<Segment>],
    guard: &Guard,
    mut each: impl FnMut(&Summary),
) -> Result<()> {
    for segment in segments {
        guard.check()?;
        match segment.index() {
            Err(err) if err.kind() == ErrorKind::Corrupt => {
                segment.mark_corrupt(&err);
                guard.stats.partial.lock().push(segment.meta.id.to_string());
            }
            index => each(&index?.index.summary),
        }
    }
    Ok(())
}
