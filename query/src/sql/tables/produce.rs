//! Tables whose rows a blocking thread makes: how it hands them over.

use arrow::array::RecordBatch;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::exec::BatchStream;
use crate::{Error, Result};

/// Rows of a batch at most.
pub(super) const BATCH_ROWS: usize = 8192;
/// Batches that wait for their reader.
const BATCHES_AHEAD: usize = 4;

/// Runs `produce` off the async workers; what it sends is the stream.
pub(super) fn stream(
    tracker: &TaskTracker,
    limit: Option<usize>,
    produce: impl FnOnce(&mut Output) -> Result<()> + Send + 'static,
) -> BatchStream {
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    tracker.spawn_blocking(move || {
        let mut output = Output { sender, left: limit.unwrap_or(usize::MAX) };
        let end = match produce(&mut output) {
            Ok(()) => Message::End,
            Err(err) => Message::Failed(err),
        };
        // Nobody listens any more: then nobody needs to know.
        let _ = output.sender.blocking_send(end);
    });
    futures::stream::unfold(Some(receiver), next).boxed()
}

/// What a producing thread says. It ends with one of the last two, unless it died.
enum Message {
    Batch(RecordBatch),
    Failed(Error),
    End,
}

type Receiver = mpsc::Receiver<Message>;

async fn next(receiver: Option<Receiver>) -> Option<(Result<RecordBatch>, Option<Receiver>)> {
    let mut receiver = receiver?;
    match receiver.recv().await {
        Some(Message::Batch(batch)) => Some((Ok(batch), Some(receiver))),
        Some(Message::Failed(err)) => Some((Err(err), None)),
        Some(Message::End) => None,
        None => Some((Err(Error::internal("a scan died")), None)),
    }
}

/// Where batches go.
pub(super) struct Output {
    sender: mpsc::Sender<Message>,
    left: usize,
}

impl Output {
    /// Whether anybody wants more rows.
    pub(super) fn wants_more(&self) -> bool {
        self.left > 0 && !self.sender.is_closed()
    }

    /// Sends rows in batches; false if no more are wanted.
    pub(super) fn send(&mut self, rows: &RecordBatch) -> bool {
        let wanted = rows.num_rows().min(self.left);
        for start in (0..wanted).step_by(BATCH_ROWS) {
            let batch = rows.slice(start, BATCH_ROWS.min(wanted - start));
            if self.sender.blocking_send(Message::Batch(batch)).is_err() {
                return false;
            }
        }
        self.left -= wanted;
        self.left > 0
    }
}
