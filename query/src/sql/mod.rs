//! SQL, read-only, over one snapshot: DataFusion with our tables, functions and rules.
//!
//! ```text
//! text → parse (one reading statement) → plan over `tables` → analyse (`ids`) → optimise
//!        (counts of log records over `tally`)
//!      → note the attributes it takes (`attribute_use`) → scans with pushed-down conditions
//!        (`pushdown`) → run → plain types (`output`)
//! ```

mod attribute_use;
mod exception;
mod functions;
mod ids;
mod limits;
mod output;
mod pool;
mod position;
mod pushdown;
pub(crate) mod session;
mod sets;
pub(crate) mod tables;
mod tally;
mod words;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::physical_plan::execute_stream;
use futures::future::BoxFuture;
use futures::future::poll_fn;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::engine::Admitted;
use crate::{Engine, Error, ErrorKind, QueryContext, QueryStats, Result};
use attribute_use::AttributeUse;
pub use output::{KIND_ATTRIBUTES, KIND_ID, KIND_KEY};
use session::Query;

/// An answer under way.
pub struct SqlResult {
    /// Names and types: plain ones, ids as hex digits and attribute sets as JSON objects (their
    /// fields say so in their metadata, see [`KIND_KEY`]).
    pub schema: SchemaRef,
    /// The rows. Dropping the stream cancels the query.
    pub stream: BoxStream<'static, Result<RecordBatch>>,
    /// What the query does, up to date at any time.
    pub stats: Arc<QueryStats>,
}

impl fmt::Debug for SqlResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlResult").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// The longest text of a query.
pub const SQL_BYTES_MAX: usize = 1 << 20;
/// The stack on which a statement of [`session::OPERATORS_MAX`] operators is planned.
const STACK_BYTES: usize = 128 << 20;

impl Engine {
    /// Runs one SQL statement.
    ///
    /// Boxed here, because a future is compiled where it is polled: every crate above would compile
    /// the planner of DataFusion once more.
    pub fn sql<'a>(
        &'a self,
        text: &'a str,
        ctx: &'a QueryContext,
    ) -> BoxFuture<'a, Result<SqlResult>> {
        self.start_sql(text, ctx).boxed()
    }

    async fn start_sql(&self, text: &str, ctx: &QueryContext) -> Result<SqlResult> {
        if text.len() > SQL_BYTES_MAX {
            return Err(Error::invalid(
                "query",
                format!("the query has {} bytes, the limit is {SQL_BYTES_MAX}", text.len()),
            ));
        }
        let statement = session::parse(text)?;
        let admitted = self.admit(ctx).await?;
        let query = Query::new(admitted.view.clone(), admitted.budget.scan.clone());
        let now_ns = self.clock().now_ns();
        let stream = {
            let planned = async {
                let sessions = self.sessions();
                let state = sessions.open(&query, &statement, &admitted.budget, now_ns).await?;
                start(&state, &query, statement, text).await
            };
            let mut planned = std::pin::pin!(planned);
            // Planners recurse into conditions, one frame or several an operator.
            let planned = poll_fn(|cx| {
                let planned = planned.as_mut();
                stacker::grow(STACK_BYTES, || planned.poll(cx))
            });
            admitted.budget.run(planned).await?
        };
        let schema = output::plain_schema(&stream.schema());
        let stats = admitted.budget.stats.clone();
        let answer = Answer { stream: Some(stream), schema: schema.clone(), admitted };
        let stream = futures::stream::try_unfold(answer, Answer::next).boxed();
        Ok(SqlResult { schema, stream, stats })
    }

    /// Runs one SQL statement to its end.
    pub async fn sql_rows(&self, text: &str, ctx: &QueryContext) -> Result<Vec<RecordBatch>> {
        self.sql(text, ctx).await?.stream.try_collect().await
    }
}

async fn start(
    state: &SessionState,
    query: &Arc<Query>,
    statement: datafusion::sql::parser::Statement,
    text: &str,
) -> Result<SendableRecordBatchStream> {
    let plan = state.statement_to_plan(statement).await;
    let plan = plan.map_err(|err| position::located(err, text))?;
    session::read_only().verify_plan(&plan)?;
    let plan = state.optimize(&plan)?;
    query.set_attributes(AttributeUse::of(&plan)?);
    let physical = state.query_planner().create_physical_plan(&plan, state).await?;
    Ok(execute_stream(physical, state.task_ctx())?)
}

// The rest of an answer: what runs, and the permits and budget it holds.
struct Answer {
    stream: Option<SendableRecordBatchStream>,
    schema: SchemaRef,
    admitted: Admitted,
}

impl Answer {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        let budget = &self.admitted.budget;
        let next = budget.run(async { Ok(stream.try_next().await?) }).await?;
        let Some(batch) = next else { return Ok(None) };
        let rows = budget.stats.add_rows(batch.num_rows());
        if rows > budget.rows_max as u64 {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("the answer has more than rows_max = {} rows", budget.rows_max),
            ));
        }
        let batch = output::plain_batch(&batch, &self.schema)?;
        Ok(Some((batch, self)))
    }
}

impl From<DataFusionError> for Error {
    fn from(err: DataFusionError) -> Self {
        match err {
            DataFusionError::External(inner) => match inner.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => Self::internal(other.to_string()),
            },
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                (*inner).into()
            }
            DataFusionError::Shared(inner) => shared(&inner),
            DataFusionError::Collection(mut all) if !all.is_empty() => all.swap_remove(0).into(),
            DataFusionError::SQL(inner, _) => Self::invalid("query", inner.to_string()),
            DataFusionError::Plan(message)
            | DataFusionError::Configuration(message)
            | DataFusionError::Execution(message) => Self::invalid("query", message),
            DataFusionError::SchemaError(inner, _) => Self::invalid("query", inner.to_string()),
            DataFusionError::ArrowError(inner, _) => arrow_error(&inner),
            DataFusionError::NotImplemented(message) => Self::unsupported(message),
            DataFusionError::ResourcesExhausted(message) => Self::new(ErrorKind::Limit, message),
            other => Self::internal(other.strip_backtrace()),
        }
    }
}

// An error that several waited for.
fn shared(err: &DataFusionError) -> Error {
    match err.find_root() {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(ours) => ours.clone(),
            None => Error::internal(inner.to_string()),
        },
        DataFusionError::ResourcesExhausted(message) => {
            Error::new(ErrorKind::Limit, message.clone())
        }
        DataFusionError::NotImplemented(message) => Error::unsupported(message.clone()),
        DataFusionError::Plan(message) | DataFusionError::Execution(message) => {
            Error::invalid("query", message.clone())
        }
        DataFusionError::ArrowError(inner, _) => arrow_error(inner),
        other => Error::internal(other.strip_backtrace()),
    }
}

// Values that a cast or a division cannot take come from the query.
fn arrow_error(err: &arrow::error::ArrowError) -> Error {
    use arrow::error::ArrowError;
    match err {
        ArrowError::ExternalError(inner) => match inner.downcast_ref::<Error>() {
            Some(ours) => ours.clone(),
            None => Error::internal(inner.to_string()),
        },
        ArrowError::CastError(_)
        | ArrowError::ParseError(_)
        | ArrowError::ComputeError(_)
        | ArrowError::DivideByZero
        | ArrowError::ArithmeticOverflow(_)
        | ArrowError::InvalidArgumentError(_) => Error::invalid("query", err.to_string()),
        other => Error::internal(other.to_string()),
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(err: arrow::error::ArrowError) -> Self {
        arrow_error(&err)
    }
}

impl From<Error> for DataFusionError {
    fn from(err: Error) -> Self {
        DataFusionError::External(Box::new(err))
    }
}
