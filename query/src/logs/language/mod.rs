//! The native log query language: a filter bar plus pipes, lowered to SQL that can be shown and run.
//!
//! ```text
//! service:api level:(error OR fatal) "connection reset" status:>=500 | stats by (service, 1m) count()
//! ```
//! Place in the flow: `api` hands over a text with a range of time; [`parse`] makes a tree of it (over
//! the characters that [`lex`] reads), [`check`] finds what cannot mean anything, [`lower`] says it in
//! SQL over the table `logs`, which the engine runs like any other. [`complete`] tells an editor what
//! fits at a cursor. Texts are compared by the words of [`throughline_model::words`]; what SQL lacks for it is listed in
//! [`functions`] and done by [`kernels`].

pub mod ast;
mod check;
mod complete;
mod error;
pub mod functions;
pub mod grammar;
pub mod kernels;
mod level;
mod lex;
mod lower;
mod parse;
mod print;
mod units;

pub use check::check;
pub use complete::{Completion, Completions, Kind, Wanted, complete};
pub use error::{Error, Result};
pub use level::{LEVEL_NAMES, Level};
pub use lower::{Answer, Bounds, Column, ColumnKind, Lowered, lower};
pub use parse::parse;
pub use print::{written_field, written_value};
