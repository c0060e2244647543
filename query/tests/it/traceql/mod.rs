//! TraceQL: files that say what it answers, and random queries, whose answers a naive evaluator
//! knows.

mod files;
mod oracle;
mod property;
mod store;
mod text;
