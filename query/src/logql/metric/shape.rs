//! Counts that an index can answer without reading a line.

use super::super::ast::{Grouping, LabelPick, LineFilter, LogExpr, Matcher, Stage};
use super::super::grammar::{ERROR, ERROR_DETAILS, RangeOp};
use super::Leaf;

/// A leaf that counts entries of streams, or the bytes of their lines, by labels of the stream, and looks at
/// no line but for line filters: the caller may feed [`super::LeafWorker::add_count`] instead of entries.
#[derive(Clone, Debug, PartialEq)]
pub struct CountShape {
    /// On labels of the stream.
    pub matchers: Vec<Matcher>,
    /// On the lines as they are stored; none means that streams and times are enough.
    pub line_filters: Vec<LineFilter>,
    /// The labels that tell the series apart.
    pub by: Vec<String>,
    /// Whether bytes are counted, not entries.
    pub of_bytes: bool,
}

fn is_error(pick: &LabelPick) -> bool {
    let (LabelPick::Name(name) | LabelPick::Match(Matcher { name, .. })) = pick;
    name == ERROR || name == ERROR_DETAILS
}

impl Leaf {
    /// How an index could answer this leaf; none if it cannot.
    pub fn count_shape(&self, is_stream_label: impl Fn(&str) -> bool) -> Option<CountShape> {
        let Grouping { without: false, labels } = &self.grouping else { return None };
        let of_bytes = self.function.counts_bytes();
        let counts = of_bytes
            || matches!(self.function.op, RangeOp::Rate | RangeOp::Count | RangeOp::Absent);
        if !counts || self.unwrap.is_some() || !labels.iter().all(|label| is_stream_label(label)) {
            return None;
        }
        let LogExpr { matchers, stages, .. } = &self.log;
        let mut line_filters = Vec::new();
        for stage in stages {
            match stage {
                Stage::Line(filter) => line_filters.push(filter.clone()),
                // Nothing before it can go wrong with a line.
                Stage::Drop(picks) if picks.iter().all(is_error) => {}
                _ => return None,
            }
        }
        Some(CountShape { matchers: matchers.clone(), line_filters, by: labels.clone(), of_bytes })
    }
}
