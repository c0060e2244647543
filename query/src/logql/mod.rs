//! LogQL: log lines by where they come from and what is in them, and numbers out of them.
//!
//! Place in the flow: `api` hands over the text; [`parse`] makes a tree of it and [`check`] finds what
//! cannot mean anything. [`Pushdown`] says what a scan may leave out, [`Pipeline`] runs over the lines
//! that it finds, and [`RangeEval`] makes series of them. Nothing here reads a clock or a store but
//! [`run`], which asks the store and answers Loki's clients.

pub mod ast;
mod check;
mod error;
pub mod grammar;
mod labels;
mod lex;
mod metric;
mod parse;
mod pipeline;
mod print;
mod pushdown;
pub mod run;
mod template;

pub use ast::Expr;
pub use check::{check, compile};
pub use error::{Error, ErrorKind, Place, Result};
pub use labels::{Entry, Labels};
pub use metric::{Answer, CountShape, Grid, Leaf, LeafWorker, Limits, RangeEval, Sample, Series};
pub use parse::{parse, parse_log};
pub use pipeline::{Kept, LineMatcher, Origin, Pipeline, Row, TextTest, Wanted};
pub use pushdown::Pushdown;
