//! What a query reads: one snapshot of segments and heads.

use std::sync::Arc;

use arrow::array::RecordBatch;
use throughline_model::metric::MetricBatch;

use crate::head::Heads;
use crate::metric::MetricSegment;
use crate::segment::Segment;

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
}

/// The series and points in a view.
pub type MetricTier = Tier<MetricSegment, MetricBatch>;

impl<S, B> Clone for Tier<S, B> {
    fn clone(&self) -> Self {
        Self { segments: self.segments.clone(), heads: self.heads.clone() }
    }
}

impl<S, B> Default for Tier<S, B> {
    fn default() -> Self {
        Self { segments: Arc::default(), heads: Heads::default() }
    }
}
