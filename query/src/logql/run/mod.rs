//! LogQL over the store: which labels a record has, and the questions of Loki's clients.
//!
//! ```text
//! query → Pushdown → predicates (where each label is stored: place) → storage::scan ─→ entries
//!       → Pipeline over entries → lines; RangeEval → numbers       storage::scan::tally → counts
//! ```
//! Labels follow Loki's mapping of OTLP: some attributes of the resource make the stream, every other
//! attribute is structured metadata, with dots as underscores. A selector may name any of them.

mod entries;
mod fields;
mod lines;
mod names;
mod numbers;
mod origins;
mod patterns;
mod place;
mod predicates;
mod slices;
mod streams;
mod tail;
mod volume;
mod workers;

use super::ast::{LogExpr, Matcher, Stage};
use super::labels::Labels;
use super::metric::Answer;
use super::pipeline::{LineMatcher, TextTest};
use super::{Error as QueryError, ErrorKind as QueryErrorKind};
use crate::logs::LogOrder;
use crate::{Error, ErrorKind, QueryStatsSnapshot, Result};
use throughline_model::time::TimeRange;

pub use fields::{DetectedField, DetectedFields, FieldKind};
pub use lines::LINES_MAX;
pub use names::{LEVEL, SERVICE, TRACE_ID};
pub(crate) use origins::Origins;
pub use patterns::{PatternsAnswer, PatternsRequest, StreamPattern};
pub use streams::{STREAMS_MAX, StreamsAnswer, StreamsRequest, TextsAnswer};
pub use tail::{LineTail, LinesChunk};
pub use volume::{StreamStats, VolumeAnswer, VolumeBy, VolumeRequest, VolumeRow};

/// A question for lines.
#[derive(Clone, Debug)]
pub struct LinesRequest {
    /// The query.
    pub query: LogExpr,
    /// The times that are looked at.
    pub time: TimeRange,
    /// Which end of it comes first.
    pub order: LogOrder,
    /// Lines at most, 1 to [`LINES_MAX`].
    pub limit: usize,
}

/// Lines in order.
#[derive(Clone, Debug, Default)]
pub struct LinesAnswer {
    /// The lines.
    pub lines: Vec<Line>,
    /// What the query did; `partial` names segments whose records it lacks.
    pub stats: QueryStatsSnapshot,
}

/// A line as the stages of a query left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, in nanoseconds since the epoch.
    pub time_ns: i64,
    /// The line.
    pub line: String,
    /// The labels of its stream, without those that a stage dropped.
    pub stream: Labels,
    /// Structured metadata, by name.
    pub structured: Vec<(String, String)>,
    /// Labels that stages made, by name; what went wrong with the line is among them.
    pub parsed: Vec<(String, String)>,
}

/// Numbers, and how they came about.
#[derive(Clone, Debug)]
pub struct NumbersAnswer {
    /// The numbers.
    pub answer: Answer,
    /// What the query did; `partial` names segments whose records it lacks.
    pub stats: QueryStatsSnapshot,
}

// The conditions of a selector, for records whose labels are known.
fn tests(log: &LogExpr) -> Result<Vec<(String, TextTest)>> {
    let test = |matcher: &Matcher| Ok((matcher.name.clone(), TextTest::new(matcher)?));
    log.matchers.iter().map(test).collect()
}

// The line filters at the front of a query.
fn front(log: &LogExpr) -> Result<Vec<LineMatcher>> {
    let filters = log.stages.iter().map_while(|stage| match stage {
        Stage::Line(filter) => Some(LineMatcher::new(filter)),
        _ => None,
    });
    Ok(filters.collect::<super::Result<_>>()?)
}

impl From<QueryError> for Error {
    fn from(err: QueryError) -> Self {
        match err.kind() {
            QueryErrorKind::Limit => Self::new(ErrorKind::Limit, err.message()),
            _ => {
                let message = match err.place() {
                    Some(place) => format!("{place}: {}", err.message()),
                    None => err.message().to_owned(),
                };
                Self::invalid("query", message)
            }
        }
    }
}

/// Runs CPU-heavy work off the async workers.
async fn blocking<T: Send + 'static>(
    tracker: &tokio_util::task::TaskTracker,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tracker.spawn_blocking(work).await;
    done.map_err(|err| Error::internal(format!("a query of logs failed: {err}")))?
}
