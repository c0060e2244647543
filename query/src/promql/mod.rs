//! PromQL: the language, and its evaluation over the metrics of the store.
//!
//! ```text
//! text ─ lex, parse, check ─→ ast ─ prepare ─→ eval (over source) ─→ value, notes
//! ```
//! The language is that of Prometheus 3, with its experimental functions, duration expressions, fill
//! and edge modifiers. Written after its documentation and the semantics of its engine.

pub mod ast;
mod check;
pub mod discover;
pub mod duration;
mod error;
mod eval;
pub mod functions;
pub mod labels;
mod lex;
pub mod matcher;
mod notes;
pub mod numbers;
mod operators;
mod parse;
mod prepare;
mod print;
mod run;
pub mod series;
mod source;

pub use error::ParseError;
pub use eval::Value;
pub use notes::Notes;
pub use parse::{expression, labels as parse_labels, selector};
pub use run::{Answer, Request};
pub(crate) use source::SeriesIndex;
pub use source::Source;

/// How a query is evaluated.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    /// How old the newest point may be for an instant.
    pub lookback_ms: i64,
    /// The step of subqueries that name none.
    pub default_step_ms: i64,
    /// Whether names of calculated values go at the end of the evaluation, rather than at once.
    pub delays_name_removal: bool,
    /// Whether `__type__` tells counters, rather than the ends of names.
    pub has_type_labels: bool,
    /// Whether starts of counters tell resets.
    pub uses_start_times: bool,
    /// Samples that a query may hold at once.
    pub samples_max: usize,
}

/// The lookback of an instant.
pub const LOOKBACK_MS: i64 = 300_000;
/// The step of subqueries that name none.
pub const DEFAULT_STEP_MS: i64 = 60_000;
/// Samples that a query may hold at once.
pub const SAMPLES_MAX: usize = 50_000_000;

impl Default for EvalOptions {
    fn default() -> Self {
        Self {
            lookback_ms: LOOKBACK_MS,
            default_step_ms: DEFAULT_STEP_MS,
            delays_name_removal: false,
            has_type_labels: false,
            uses_start_times: false,
            samples_max: SAMPLES_MAX,
        }
    }
}
