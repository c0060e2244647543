//! What a decoder makes of one request body, and what a WAL frame becomes again on replay.

use arrow::array::RecordBatch;

use crate::Signal;
use crate::metric::MetricBatch;

/// The columns of one request.
#[derive(Clone, Debug)]
pub enum Batch {
    /// In [`crate::schema::spans`].
    Spans(RecordBatch),
    /// In [`crate::schema::logs`].
    Logs(RecordBatch),
    /// Series with their points.
    Metrics(MetricBatch),
}

impl Batch {
    /// The signal the batch belongs to.
    pub fn signal(&self) -> Signal {
        match self {
            Batch::Spans(_) => Signal::Traces,
            Batch::Logs(_) => Signal::Logs,
            Batch::Metrics(_) => Signal::Metrics,
        }
    }

    /// Items: spans, log records or data points.
    pub fn len(&self) -> usize {
        match self {
            Batch::Spans(batch) | Batch::Logs(batch) => batch.num_rows(),
            Batch::Metrics(batch) => batch.numbers.num_rows() + batch.complex.num_rows(),
        }
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that the columns hold.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Batch::Spans(batch) | Batch::Logs(batch) => batch.get_array_memory_size(),
            Batch::Metrics(m) => [&m.series, &m.numbers, &m.complex, &m.exemplars]
                .iter()
                .map(|batch| batch.get_array_memory_size())
                .sum(),
        }
    }
}

/// A decoded request: what is kept, and what was refused for ever.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The items that are kept.
    pub batch: Batch,
    /// How many items were refused (OTLP `partial_success.rejected_…`).
    pub rejected: u64,
    /// Why, for the sender; empty if nothing was refused.
    pub message: String,
}
