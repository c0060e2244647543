//! Questions against a real store: what they answer, and that flush, compaction and restart change
//! nothing.

mod cases;
mod data;
mod exceptions;
mod fields;
mod harness;
mod log_context;
mod log_language;
mod log_tail;
mod logql;
mod logs;
mod metrics;
mod promql;
mod property;
mod services;
mod sql;
mod tally;
mod trace_page;
mod traceql;
mod traceql_language;
mod traces;
