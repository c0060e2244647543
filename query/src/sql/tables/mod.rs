//! The tables of SQL.
//!
//! - [`items`]: `spans` and `logs`, and `span_events` and `span_links` out of [`explode`]d spans
//! - [`traces`]: one row a trace, a view of `spans`
//!
//! A table is registered in [`all`], its name in [`NAMES`].

pub(crate) mod columns;
mod exec;
mod explode;
mod items;
mod traces;

use std::sync::Arc;

use datafusion::catalog::TableProvider;

use super::session::Query;

/// The names of all tables.
pub(crate) const NAMES: &[&str] = &["spans", "span_events", "span_links", "logs", "traces"];

/// Whether a table of ours has this name.
pub(crate) fn is_table(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The tables of one query, but those that are views of others.
pub(crate) fn all(query: &Arc<Query>) -> Vec<(&'static str, Arc<dyn TableProvider>)> {
    items::tables(query)
}

/// Tables that are views of others: name and SQL.
pub(crate) fn views() -> Vec<(&'static str, &'static str)> {
    vec![("traces", traces::SQL)]
}
