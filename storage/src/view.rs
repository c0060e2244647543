//! What a query reads: one snapshot of segments and heads.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::TimestampNanosecondType;
use throughline_model::metric::MetricBatch;
use throughline_model::schema::col;

use crate::head::Heads;
use crate::metric::MetricSegment;
use crate::segment::{Deletions, Segment};

/// One moment of the store: every acknowledged row is in it once. Holding it keeps the files of its
/// segments.
#[derive(Debug, Default)]
pub struct View {
    /// Spans.
    pub spans: Tier,
    /// Log records.
    pub logs: Tier,
    /// Series and points.
    pub metrics: MetricTier,
}

/// The rows of one signal in a view.
#[derive(Debug)]
pub struct Tier<S = Segment, B = RecordBatch> {
    /// What was flushed, in no order.
    pub segments: Arc<Vec<Arc<S>>>,
    /// What was not.
    pub heads: Heads<B>,
    /// Rows of segments that are deleted.
    pub deleted: Deletions,
}

/// The series and points in a view.
pub type MetricTier = Tier<MetricSegment, MetricBatch>;

impl<S, B> Clone for Tier<S, B> {
    fn clone(&self) -> Self {
        let (segments, heads) = (self.segments.clone(), self.heads.clone());
        Self { segments, heads, deleted: self.deleted.clone() }
    }
}

impl<S, B> Default for Tier<S, B> {
    fn default() -> Self {
        let (segments, heads) = (Arc::default(), Heads::default());
        Self { segments, heads, deleted: Deletions::default() }
    }
}

impl Tier {
    /// First and last time that a row may start at (spans) or have (log records); none without rows.
    pub fn start_bounds(&self) -> Option<(i64, i64)> {
        let segments = self.segments.iter().map(|s| (s.meta.min_time_ns, s.meta.max_time_ns));
        let heads = self.heads.iter().filter_map(|batch| {
            let times = batch
                .column_by_name(col::START_TIME)
                .or_else(|| batch.column_by_name(col::TIME))?
                .as_primitive_opt::<TimestampNanosecondType>()?;
            Some((min(times)?, max(times)?))
        });
        segments.chain(heads).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}
