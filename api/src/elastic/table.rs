//! Questions in the log language, and the rows of their answers.

use futures::TryStreamExt;
use serde_json::Value;
use throughline_model::time::TimeRange;
use throughline_query::logs::language::Bounds;

use super::error::{ElasticError, Result};
use crate::error::ApiError;
use crate::render::cell;
use crate::state::{ApiState, asker};

/// Rows of an answer at most, which is buckets for aggregations.
pub const ROWS_MAX: usize = 65_536;
/// The end of the times that SQL writes.
const END_NS: i64 = 9_214_646_400_000_000_000; // 2262-01-01

/// The rows of an answer.
#[derive(Debug)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// One cell a column.
    pub rows: Vec<Vec<Value>>,
}

/// Asks a question of the records of a range.
pub async fn ask(
    state: &ApiState,
    query: &str,
    time: TimeRange,
    limit: usize,
    newest_first: bool,
) -> Result<Table> {
    let (ctx, _guard) = asker();
    let bounds = Bounds {
        start_ns: time.start_ns.max(0),
        end_ns: time.end_ns.min(END_NS),
        now_ns: state.clock.now_ns(),
        limit: limit as u64,
        newest_first,
    };
    let mut result = state.engine.log_query(query, &bounds, &ctx).await?.result;
    let columns = result.schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut rows = Vec::new();
    let mut json = Vec::new();
    while let Some(batch) = result.stream.try_next().await? {
        if rows.len() + batch.num_rows() > ROWS_MAX {
            return Err(ElasticError::too_many_buckets(ROWS_MAX));
        }
        for row in 0..batch.num_rows() {
            let mut cells = Vec::with_capacity(batch.num_columns());
            for (field, column) in result.schema.fields().iter().zip(batch.columns()) {
                json.clear();
                cell::write(&mut json, field, column, row)?;
                cells.push(serde_json::from_slice(&json).map_err(|err| {
                    ApiError::internal(format!("a cell of {} is no JSON: {err}", field.name()))
                })?);
            }
            rows.push(cells);
        }
    }
    Ok(Table { columns, rows })
}
