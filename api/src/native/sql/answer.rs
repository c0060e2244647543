//! Rows to bytes: a buffered JSON document, or a stream of NDJSON, CSV or Arrow IPC.
//!
//! The first batch is awaited before the head of the response is sent, so that most errors still
//! get a status of their own. A later one ends NDJSON with a line `{"error": {…}}`; CSV and
//! Arrow streams break off.

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

/// How rows stand in a JSON document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowForm {
    /// `"rows"`: a list of cells each.
    Lists,
    /// `"records"`: an object each, by column.
    Objects,
}

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

    /// The names and types of its columns.
    pub fn schema(&self) -> &Schema {
        &self.result.schema
    }

    /// One JSON document.
    pub async fn into_json(self, limits: ApiLimits) -> Result<Vec<u8>> {
        let columns = serde_json::to_string(&columns(&self.result.schema)).map_err(unwritable)?;
        self.into_json_with(&format!("\"columns\":{columns}"), RowForm::Lists, limits).await
    }

    /// One JSON document that begins with these members.
    pub async fn into_json_with(
        mut self,
        members: &str,
        form: RowForm,
        limits: ApiLimits,
    ) -> Result<Vec<u8>> {
        let name = if form == RowForm::Lists { "rows" } else { "records" };
        let mut out = format!("{{{members},\"{name}\":[").into_bytes();
        let mut rows = 0;
        while let Some(batch) = self.next().await? {
            let is_first = rows == 0;
            rows += batch.num_rows();
            if rows > limits.json_rows_max {
                return Err(too_much("rows", limits.json_rows_max));
            }
            out = run(&self.tracker, batch.num_rows(), move || {
                write_rows(out, &batch, form, is_first, limits.json_bytes_max)
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

    /// Lines of CSV (RFC 4180), the names of columns first. What is no text stands as in JSON, null as
    /// nothing.
    pub fn into_csv(self) -> Body {
        let names = self.result.schema.fields().iter().map(|field| csv_text(field.name()));
        let head = Bytes::from(names.collect::<Vec<_>>().join(",") + "\r\n");
        let rest = futures::stream::try_unfold(self, |mut rows| async {
            let Some(batch) = rows.next().await.inspect_err(ApiError::log)? else {
                return Ok(None);
            };
            let lines = run(&rows.tracker, batch.num_rows(), move || write_csv(&batch)).await?;
            Ok(Some((Bytes::from(lines), rows)))
        });
        Body::from_stream(futures::stream::iter([Ok::<_, ApiError>(head)]).chain(rest))
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
    form: RowForm,
    is_first: bool,
    bytes_max: usize,
) -> Result<Vec<u8>> {
    let schema = batch.schema();
    for row in 0..batch.num_rows() {
        if row > 0 || !is_first {
            out.push(b',');
        }
        if form == RowForm::Objects {
            write_object(&mut out, &schema, batch, row)?;
        } else {
            out.push(b'[');
            for (i, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                cell::write(&mut out, field, column.as_ref(), row)?;
            }
            out.push(b']');
        }
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
        write_object(&mut out, &schema, batch, row)?;
        out.push(b'\n');
    }
    Ok(out)
}

fn write_object(out: &mut Vec<u8>, schema: &Schema, batch: &RecordBatch, row: usize) -> Result<()> {
    out.push(b'{');
    for (i, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        cell::write_string(out, field.name());
        out.push(b':');
        cell::write(out, field, column.as_ref(), row)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_csv(batch: &RecordBatch) -> Result<String> {
    let schema = batch.schema();
    let mut out = String::new();
    let mut cell = Vec::new();
    for row in 0..batch.num_rows() {
        for (i, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
            if i > 0 {
                out.push(',');
            }
            cell.clear();
            cell::write(&mut cell, field, column.as_ref(), row)?;
            match cell.as_slice() {
                b"null" => {}
                [b'"', ..] => {
                    let text: String = serde_json::from_slice(&cell).map_err(unwritable)?;
                    out.push_str(&csv_text(&text));
                }
                other => out.push_str(&csv_text(&String::from_utf8_lossy(other))),
            }
        }
        out.push_str("\r\n");
    }
    Ok(out)
}

// Text in quotes where it needs them. Empty text is quoted, so that it is not null.
fn csv_text(text: &str) -> String {
    if text.is_empty() || text.contains(['"', ',', '\r', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
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
