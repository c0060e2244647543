//! Questions in the log language: parsed, checked, lowered to SQL, and run as such.
//!
//! ```text
//! text → parse → lower (within Bounds) → SQL over `logs` → rows
//! ```
//! What is wrong with the text is said with its place in the text. Deadline, budget and limits are those
//! of SQL.

use futures::FutureExt;
use futures::future::BoxFuture;

use super::language::{self, Bounds, Lowered, lower, parse};
use crate::sql::SqlResult;
use crate::{Engine, Error, ErrorKind, QueryContext, Result};

/// The answer to a question in the log language, under way.
#[derive(Debug)]
pub struct LogAnswer {
    /// What the question was lowered to: the SQL, what its rows are, and the columns that pipes made.
    pub lowered: Lowered,
    /// The rows, of which whole records have all columns of the table `logs`.
    pub result: SqlResult,
}

impl Engine {
    /// Runs a query of the log language.
    ///
    /// Boxed for the same reason as [`Engine::sql`].
    pub fn log_query<'a>(
        &'a self,
        text: &'a str,
        bounds: &'a Bounds,
        ctx: &'a QueryContext,
    ) -> BoxFuture<'a, Result<LogAnswer>> {
        async {
            let lowered = lowered(text, bounds)?;
            let result = self.sql(&lowered.sql, ctx).await.map_err(of_lowered)?;
            Ok(LogAnswer { lowered, result })
        }
        .boxed()
    }
}

/// The SQL that a query of the log language means. Nothing is run.
pub fn lowered(text: &str, bounds: &Bounds) -> Result<Lowered> {
    let placed = |err: language::Error| placed(&err, text);
    let query = parse(text).map_err(placed)?;
    lower(&query, bounds).map_err(placed)
}

/// A query of the log language as it is usually written.
pub fn formatted(text: &str) -> Result<String> {
    parse(text).map(|query| query.to_string()).map_err(|err| placed(&err, text))
}

/// The error of a text, with its place in characters.
pub(super) fn placed(err: &language::Error, text: &str) -> Error {
    Error::invalid("query", err.message()).with_position(err.char_offset(text))
}

/// What SQL says of a lowered query has a place in the SQL, which the asker did not write.
pub(super) fn of_lowered(err: Error) -> Error {
    match err.kind() {
        ErrorKind::Invalid => Error::invalid("query", err.to_string()),
        kind => Error::new(kind, err.to_string()),
    }
}
