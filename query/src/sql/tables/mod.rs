//! The tables of SQL.
//!
//! - [`items`]: `spans` and `logs`, and `span_events` and `span_links` out of [`explode`]d spans
//! - [`metric_tables`]: `series`, `samples`, `metrics`, `histograms`, `exemplars`
//! - [`rollup_tables`]: `service_edges`, `operations`
//! - [`traces`]: one row a trace, a view of `spans`
//! - [`exceptions`]: one row an exception, a view of `span_events` and `logs`
//!
//! A table is registered in [`all`], its name in [`NAMES`].

pub(crate) mod columns;
mod exceptions;
pub(crate) mod exec;
mod explode;
pub(crate) mod items;
mod metric_columns;
mod metric_rows;
mod metric_tables;
mod produce;
mod rollup_tables;
mod traces;

use std::sync::Arc;

use datafusion::catalog::TableProvider;

use super::session::Query;

/// The names of all tables.
pub(crate) const NAMES: &[&str] = &[
    "spans",
    "span_events",
    "span_links",
    "logs",
    "traces",
    "exceptions",
    "series",
    "samples",
    "metrics",
    "histograms",
    "exemplars",
    "service_edges",
    "operations",
];

/// Whether a table of ours has this name.
pub(crate) fn is_table(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The tables of one query, but those that are views of others.
pub(crate) fn all(query: &Arc<Query>) -> Vec<(&'static str, Arc<dyn TableProvider>)> {
    let mut tables = items::tables(query);
    tables.extend(metric_tables::tables(query));
    tables.extend(rollup_tables::tables(query));
    tables
}

/// Tables that are views of others: name and SQL.
pub(crate) fn views() -> Vec<(&'static str, &'static str)> {
    vec![("traces", traces::SQL), ("exceptions", exceptions::SQL)]
}
