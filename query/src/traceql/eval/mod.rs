//! The evaluator: a pipeline over the spans of whole traces, all traces of a batch at once for
//! filters, trace by trace for how spans relate.

pub(crate) mod batch;
pub(crate) mod column;
mod expr;
mod family;
mod relate;
mod scalar;
pub(crate) mod spansets;
pub(crate) mod value;

pub(crate) use self::batch::Spans;
