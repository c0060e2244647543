//! The parameters of an export.

use throughline_query::logs::LogSearch;
use utoipa::IntoParams;

use super::super::super::params::Params;
use super::super::params::{order, search_of};
use crate::error::{ApiError, Result};
use crate::render::ipc::ARROW_STREAM;

/// What an export may say: the conditions of a search, all of which hold for a record.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `log_export` reads the parameters
pub struct ExportParams {
    /// Words that all occur in the body, as in log search.
    #[param(example = "payment \"card declined\" -test")]
    query: Option<String>,
    /// A condition on an attribute or field, as in log search. Repeat it for several.
    #[param(example = json!(["user.id=x"]))]
    filter: Option<Vec<String>>,
    /// The record's service; repeat it for any of several.
    #[param(example = json!(["cart"]))]
    service: Option<Vec<String>>,
    /// The least severity: `trace`, `debug`, `info`, `warn`, `error`, `fatal`, or a number 1 to 24.
    #[param(example = "warn")]
    severity: Option<String>,
    /// The record belongs to this trace.
    trace_id: Option<String>,
    /// The record belongs to this span.
    span_id: Option<String>,
    /// At or after this time: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`.
    #[param(example = "-1h")]
    start: Option<String>,
    /// Before this time.
    #[param(example = "now")]
    end: Option<String>,
    /// `newest` or `oldest` first. Default: newest.
    #[param(example = "newest")]
    order: Option<String>,
    /// The most records; default and maximum are the setting `query.rows_max`.
    #[param(minimum = 1)]
    limit: Option<u64>,
    /// `ndjson` (default), `csv` or `arrow`.
    #[param(example = "csv")]
    format: Option<String>,
}

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportForm {
    /// A record as in a search, each on a line.
    Ndjson,
    /// A table with a line of names (RFC 4180).
    Csv,
    /// The same table as an Arrow IPC stream.
    Arrow,
}

impl ExportForm {
    /// Media type, and the name of a file of it.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Ndjson => ("application/x-ndjson", "logs.ndjson"),
            Self::Csv => ("text/csv; charset=utf-8; header=present", "logs.csv"),
            Self::Arrow => (ARROW_STREAM, "logs.arrows"),
        }
    }
}

/// The search that the parameters describe, of at most `limit_max` records, and its form.
pub fn log_export(
    params: &Params,
    limit_max: usize,
    now_ns: i64,
) -> Result<(LogSearch, ExportForm)> {
    params.allow(&[
        "query", "filter", "service", "severity", "trace_id", "span_id", "start", "end", "order",
        "limit", "format",
    ])?;
    let form = match params.one("format")? {
        None | Some("ndjson") => ExportForm::Ndjson,
        Some("csv") => ExportForm::Csv,
        Some("arrow") => ExportForm::Arrow,
        Some(other) => {
            let detail = format!("format '{other}' is none of ndjson, csv, arrow");
            return Err(ApiError::invalid("format", other, detail));
        }
    };
    let search = search_of(params, now_ns)?;
    let order = params.one("order")?.map_or(Ok(search.order), order)?;
    let limit = params.limit(limit_max, limit_max)?;
    Ok((LogSearch { order, limit, ..search }, form))
}
