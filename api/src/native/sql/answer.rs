//! Rows to bytes: a buffered JSON document, or a stream of NDJSON or Arrow IPC.
//!
//! The first batch is awaited before the head of the response is sent, so that most errors still
//! get a status of their own. A later one ends NDJSON with a line `{"error": {…}}`; an Arrow stream
//! breaks off without its end marker.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use axum::body::Body;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use throughline_query::sql::SqlResult;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use super::super::stats::Stats;
use super::wire::SqlColumn;
use crate::error::{ApiError, ErrorKind, Result};
use crate::render::ipc::IpcWriter;
use crate::render::{cell, column_type};
use crate::state::ApiLimits;

/// Batches up to this many rows are written where they are; larger ones off the async workers.
const INLINE_ROWS_MAX: usize = 64;

/// The rows of an answer on their way out.
pub struct Rows {
    result: SqlResult,
    first: Option<RecordBatch>,
    left: Option<usize>,
    truncated: bool,
    tracker: TaskTracker,
    _cancel_on_drop: DropGuard,
}

impl Rows {
    /// Waits for the first batch.
    pub async fn new(
        mut result: SqlResult,
        limit: Option<u64>,
        tracker: TaskTracker,
        cancel_on_drop: DropGuard,
    ) -> Result<Self> {
        let first = result.stream.try_next().await?;
        let left = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Self { result, first, left, truncated: false, tracker, _cancel_on_drop: cancel_on_drop })
    }

    // The next batch that has rows, cut at the limit.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let batch = match self.first.take() {
                Some(batch) => Some(batch),
                None => self.result.stream.try_next().await?,
            };
            let Some(batch) = batch else { return Ok(None) };
            let Some(left) = self.left else { return Ok(Some(batch)) };
            if batch.num_rows() > left {
                self.truncated = true;
            }
            let kept = batch.slice(0, batch.num_rows().min(left));
            self.left = Some(left - kept.num_rows());
            if kept.num_rows() > 0 {
                return Ok(Some(kept));
            }
            if self.truncated {
                return Ok(None);
            }
        }
    }

    /// One JSON document.
    pub async fn into_json(mut self, limits: ApiLimits) -> Result<Vec<u8>> {
        let mut out = b"{\"columns\":".to_vec();
        out.extend(serde_json::to_vec(&columns(&self.result.schema)).map_err(unwritable)?);
        out.extend_from_slice(b",\"rows\":[");
        let mut rows = 0;
        while let Some(batch) = self.next().await? {
            let is_first = rows == 0;
            rows += batch.num_rows();
            if rows > limits.json_rows_max {
                return Err(too_much("rows", limits.json_rows_max));
            }
            out = run(&self.tracker, batch.num_rows(), move || {
                write_rows(out, &batch, is_first, limits.json_bytes_max)
            })
            .await?;
        }
        let stats = Stats::from(self.result.stats.snapshot());
        let stats = serde_json::to_string(&stats).map_err(unwritable)?;
        out.extend(format!("],\"truncated\":{},\"stats\":{stats}}}", self.truncated).into_bytes());
        Ok(out)
    }

    /// One JSON object a row, each on a line.
    pub fn into_ndjson(self) -> Body {
        let lines = futures::stream::unfold(Some(self), |rows| async {
            let mut rows = rows?;
            match rows.next_lines().await {
                Ok(Some(lines)) => Some((Ok::<_, ApiError>(lines), Some(rows))),
                Ok(None) => None,
                Err(err) => Some((Ok(error_line(&err)), None)),
            }
        });
        Body::from_stream(lines)
    }

    async fn next_lines(&mut self) -> Result<Option<Bytes>> {
        let Some(batch) = self.next().await? else { return Ok(None) };
        let lines = run(&self.tracker, batch.num_rows(), move || write_lines(&batch)).await?;
        Ok(Some(lines.into()))
    }

    /// An Arrow IPC stream.
    pub fn into_arrow(self) -> Result<Body> {
        let mut writer = IpcWriter::new(&self.result.schema)?;
        let head = Bytes::from(writer.take());
        let rest: BoxStream<'static, Result<Bytes>> =
            futures::stream::try_unfold(Some((self, writer)), |state| async {
                let Some((mut rows, mut writer)) = state else { return Ok(None) };
                let Some(batch) = rows.next().await.inspect_err(ApiError::log)? else {
                    writer.finish()?;
                    return Ok(Some((Bytes::from(writer.take()), None)));
                };
                let (piece, writer) = run(&rows.tracker, batch.num_rows(), move || {
                    writer.write(&batch)?;
                    Ok((writer.take(), writer))
                })
                .await?;
                Ok(Some((Bytes::from(piece), Some((rows, writer)))))
            })
            .boxed();
        Ok(Body::from_stream(futures::stream::iter([Ok(head)]).chain(rest)))
    }
}

// Formatting many rows takes milliseconds: not on the workers that serve connections.
async fn run<T: Send + 'static>(
    tracker: &TaskTracker,
    rows: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if rows <= INLINE_ROWS_MAX {
        return work();
    }
    match tracker.spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(err) => Err(ApiError::internal(format!("writing an answer: {err}"))),
    }
}

fn columns(schema: &Schema) -> Vec<SqlColumn> {
    let column = |field: &arrow::datatypes::FieldRef| SqlColumn {
        name: field.name().clone(),
        kind: column_type::name(field),
    };
    schema.fields().iter().map(column).collect()
}

fn write_rows(
    mut out: Vec<u8>,
    batch: &RecordBatch,
    is_first: bool,
    bytes_max: usize,
) -> Result<Vec<u8>> {
    let schema = batch.schema();
    for row in 0..batch.num_rows() {
        if row > 0 || !is_first {
            out.push(b',');
        }
        out.push(b'[');
        for (i, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
            if i > 0 {
                out.push(b',');
            }
            cell::write(&mut out, field, column.as_ref(), row)?;
        }
        out.push(b']');
        if out.len() > bytes_max {
            return Err(too_much("bytes", bytes_max));
        }
    }
    Ok(out)
}

fn write_lines(batch: &RecordBatch) -> Result<Vec<u8>> {
    let schema = batch.schema();
    let mut out = Vec::new();
    for row in 0..batch.num_rows() {
        out.push(b'{');
        for (i, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
            if i > 0 {
                out.push(b',');
            }
            cell::write_string(&mut out, field.name());
            out.push(b':');
            cell::write(&mut out, field, column.as_ref(), row)?;
        }
        out.extend_from_slice(b"}\n");
    }
    Ok(out)
}

fn error_line(err: &ApiError) -> Bytes {
    err.log();
    let problem = serde_json::to_string(err.problem()).unwrap_or_default();
    Bytes::from(format!("{{\"error\":{problem}}}\n"))
}

fn too_much(unit: &str, max: usize) -> ApiError {
    let detail = format!(
        "the answer has more than {max} {unit}, the most of a JSON answer; ask for fewer rows with \
         'limit', or for a stream with 'accept: application/x-ndjson'"
    );
    ApiError::new(ErrorKind::Limit, detail).with_limit(format!("{max} {unit}"))
}

fn unwritable(err: serde_json::Error) -> ApiError {
    ApiError::internal(format!("an answer cannot be written: {err}"))
}
