//! Several workers on the batches of one scan.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use throughline_storage::scan::{ScanContext, ScanStream};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::blocking;
use crate::Result;

/// Feeds the batches of a scan to workers, each batch to one of them, and hands the workers back.
/// Must be called on a tokio runtime.
pub async fn feed<W: Send + 'static>(
    batches: ScanStream,
    workers: Vec<W>,
    context: &ScanContext,
    take: impl Fn(&mut W, RecordBatch) -> Result<()> + Clone + Send + 'static,
) -> Result<Vec<W>> {
    let batches = Arc::new(Mutex::new(batches));
    let handle = Handle::current();
    let tasks = workers.into_iter().map(|mut worker| {
        let (batches, handle, take) = (batches.clone(), handle.clone(), take.clone());
        blocking(&context.tracker, move || {
            let next = || handle.block_on(async { batches.lock().await.try_next().await });
            while let Some(batch) = next()? {
                take(&mut worker, batch)?;
            }
            Ok(worker)
        })
    });
    futures::future::try_join_all(tasks).await
}
