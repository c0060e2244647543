//! Exceptions and versions of a whole view: what indexes say, and what heads hold.
//!
//! A segment is asked for one section of its index, which is small and stays in the cache; rows of
//! segments are not read. Heads are looked through.

use std::sync::Arc;

use throughline_model::Signal;

use super::plan::Guard;
use super::{ScanContext, ScanStats};
use crate::segment::Segment;
use crate::segment::exceptions::{Exceptions, Finder};
use crate::segment::versions::{Versions, add_batch};
use crate::view::{Tier, View};
use crate::{Error, ErrorKind, Result};

/// Hands the exceptions of each part of a view to `add`, those of spans and those of log records.
pub async fn fold_exceptions<A: Send + 'static>(
    view: &Arc<View>,
    context: &ScanContext,
    sum: A,
    add: fn(&mut A, &Exceptions),
) -> Result<A> {
    fold(view, context, sum, move |sum, signal, tier, guard| {
        for_segments(tier, guard, Segment::exceptions, |found| add(sum, found))?;
        let mut finder = Finder::default();
        for batch in tier.heads.iter() {
            guard.check()?;
            finder.batch(signal, batch)?;
        }
        add(sum, &finder.found);
        Ok(())
    })
    .await
}

/// Hands the versions of each part of a view to `add`, those of spans and those of log records.
pub async fn fold_versions<A: Send + 'static>(
    view: &Arc<View>,
    context: &ScanContext,
    sum: A,
    add: fn(&mut A, &Versions),
) -> Result<A> {
    fold(view, context, sum, move |sum, signal, tier, guard| {
        for_segments(tier, guard, Segment::versions, |found| add(sum, found))?;
        let mut found = Versions::default();
        for batch in tier.heads.iter() {
            guard.check()?;
            add_batch(&mut found, signal, batch)?;
        }
        add(sum, &found);
        Ok(())
    })
    .await
}

async fn fold<A: Send + 'static>(
    view: &Arc<View>,
    context: &ScanContext,
    mut sum: A,
    mut each: impl FnMut(&mut A, Signal, &Tier, &Guard) -> Result<()> + Send + 'static,
) -> Result<A> {
    let (view, guard) = (view.clone(), Guard::new(context));
    let task = context.tracker.spawn_blocking(move || {
        each(&mut sum, Signal::Traces, &view.spans, &guard)?;
        each(&mut sum, Signal::Logs, &view.logs, &guard)?;
        Ok(sum)
    });
    task.await
        .map_err(|err| Error::new(ErrorKind::Closed, format!("a scan did not finish: {err}")))?
}

// A segment that does not read back is left out and named.
fn for_segments<T>(
    tier: &Tier,
    guard: &Guard,
    read: fn(&Segment) -> Result<Arc<T>>,
    mut add: impl FnMut(&T),
) -> Result<()> {
    ScanStats::add(&guard.stats.segments_total, tier.segments.len() as u64);
    for segment in tier.segments.iter() {
        guard.check()?;
        match read(segment) {
            Err(err) if err.kind() == ErrorKind::Corrupt => {
                segment.mark_corrupt(&err);
                guard.stats.partial.lock().push(segment.meta.id.to_string());
            }
            found => add(&*found?),
        }
    }
    Ok(())
}
