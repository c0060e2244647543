//! LogQL: its files (`tests/data/logql`), its trees at random, and metrics against a naive evaluator.

mod files;
mod oracle;
mod parsing;
mod pushdown;
mod queries;
mod random;
mod stored;

use throughline_query::logql as language;
