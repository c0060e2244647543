//! Counts that an index can answer without reading a line.

use super::super::ast::{Grouping, LineFilter, LogExpr, Matcher, Stage};
use super::super::grammar::RangeOp;
use super::Leaf;

/// A leaf that counts entries of streams by labels of the stream, and looks at no line but for line
/// filters: the caller may feed [`super::LeafWorker::add_count`] instead of entries.
#[derive(Clone, Debug, PartialEq)]
pub struct CountShape {
    /// On labels of the stream.
    pub matchers: Vec<Matcher>,
    /// On the lines as they are stored; none means that streams and times are enough.
    pub line_filters: Vec<LineFilter>,
    /// The labels that tell the series apart.
    pub by: Vec<String>,
    /// Whether the function is `rate`, not `count_over_time`.
    pub is_rate: bool,
}

impl Leaf {
    /// How an index could answer this leaf; none if it cannot.
    pub fn count_shape(&self, is_stream_label: impl Fn(&str) -> bool) -> Option<CountShape> {
        let Grouping { without: false, labels } = &self.grouping else { return None };
        let counts = matches!(self.function.op, RangeOp::Rate | RangeOp::Count | RangeOp::Absent);
        if !counts || self.unwrap.is_some() || !labels.iter().all(|label| is_stream_label(label)) {
            return None;
        }
        let LogExpr { matchers, stages, .. } = &self.log;
        let mut line_filters = Vec::new();
        for stage in stages {
            let Stage::Line(filter) = stage else { return None };
            line_filters.push(filter.clone());
        }
        Some(CountShape {
            matchers: matchers.clone(),
            line_filters,
            by: labels.clone(),
            is_rate: self.function.op == RangeOp::Rate,
        })
    }
}
