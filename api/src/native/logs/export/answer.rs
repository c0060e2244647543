//! Pages of records to the bytes of an answer, one page at a time.
//!
//! The first page is awaited before the head of the answer goes out, so that most errors get a status
//! of their own. What goes wrong later, and segments that could not be read, are a last line
//! `{"error": {…}}` or `{"partial": […]}` of NDJSON; CSV and Arrow have no place for either, so that
//! their answer breaks off without its end.

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use serde_json::json;
use throughline_query::logs::{LogExport, LogPage};
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use super::super::wire::log_records;
use super::csv;
use super::params::ExportForm;
use super::table::{self, unwritable};
use crate::error::{ApiError, Result};
use crate::render::ipc::IpcWriter;

/// An export on its way out.
pub struct Answer {
    export: LogExport,
    first: Option<LogPage>,
    writer: Writer,
    tracker: TaskTracker,
    _cancel_on_drop: DropGuard,
}

enum Writer {
    Ndjson,
    Csv,
    Arrow(Box<IpcWriter>),
}

impl Answer {
    /// Waits for the first page.
    pub async fn new(
        mut export: LogExport,
        form: ExportForm,
        tracker: TaskTracker,
        cancel_on_drop: DropGuard,
    ) -> Result<Self> {
        let first = export.next().await?;
        let writer = match form {
            ExportForm::Ndjson => Writer::Ndjson,
            ExportForm::Csv => Writer::Csv,
            ExportForm::Arrow => Writer::Arrow(Box::new(IpcWriter::new(&table::SCHEMA)?)),
        };
        Ok(Self { export, first, writer, tracker, _cancel_on_drop: cancel_on_drop })
    }

    /// The answer, written as it is read.
    pub fn into_body(mut self) -> Body {
        let head = self.writer.head();
        let pieces = stream::try_unfold((Some(self), Some(head)), |(answer, head)| async {
            let Some(answer) = answer else { return Ok(None) };
            if let Some(head) = head.filter(|head| !head.is_empty()) {
                return Ok(Some((Bytes::from(head), (Some(answer), None))));
            }
            let is_ndjson = matches!(answer.writer, Writer::Ndjson);
            match answer.piece().await {
                Ok((piece, answer)) => Ok(Some((piece, (answer, None)))),
                Err(err) => {
                    err.log();
                    match is_ndjson {
                        true => Ok(Some((line(&json!({"error": err.problem()})), (None, None)))),
                        false => Err(err),
                    }
                }
            }
        });
        Body::from_stream(pieces)
    }

    // The next piece, and what is left.
    async fn piece(mut self) -> Result<(Bytes, Option<Self>)> {
        let page = match self.first.take() {
            Some(page) => Some(page),
            None => self.export.next().await?,
        };
        let Some(page) = page else {
            let partial = self.export.stats().snapshot().scan.partial;
            return Ok((self.writer.end(&partial)?, None));
        };
        // Formatting many records takes milliseconds: not on the workers that serve connections.
        let mut writer = self.writer;
        let work = move || {
            let piece = writer.write(page)?;
            Ok::<_, ApiError>((piece, writer))
        };
        let written = self.tracker.spawn_blocking(work).await;
        let (piece, writer) = written
            .unwrap_or_else(|err| Err(ApiError::internal(format!("writing an export: {err}"))))?;
        Ok((piece.into(), Some(Self { writer, ..self })))
    }
}

impl Writer {
    fn head(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Ndjson => {}
            Self::Csv => csv::write_names(&mut out, &table::SCHEMA),
            Self::Arrow(ipc) => out = ipc.take(),
        }
        out
    }

    fn write(&mut self, page: LogPage) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        match self {
            Self::Ndjson => {
                for record in log_records(page.records, page.repeats) {
                    serde_json::to_writer(&mut out, &record).map_err(unwritable)?;
                    out.push(b'\n');
                }
            }
            Self::Csv => csv::write_rows(&mut out, &table::rows(&page)?)?,
            Self::Arrow(ipc) => {
                ipc.write(&table::rows(&page)?)?;
                out = ipc.take();
            }
        }
        Ok(out)
    }

    fn end(self, partial: &[String]) -> Result<Bytes> {
        match self {
            Self::Ndjson if partial.is_empty() => Ok(Bytes::new()),
            Self::Ndjson => Ok(line(&json!({"partial": partial}))),
            _ if !partial.is_empty() => {
                let segments = partial.join(", ");
                Err(ApiError::internal(format!("an export lacks the rows of {segments}")))
            }
            Self::Csv => Ok(Bytes::new()),
            Self::Arrow(mut ipc) => {
                ipc.finish()?;
                Ok(ipc.take().into())
            }
        }
    }
}

fn line(document: &serde_json::Value) -> Bytes {
    Bytes::from(format!("{document}\n"))
}
