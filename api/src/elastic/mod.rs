//! What clients of Elasticsearch ask of logs, Grafana's source among them: `_search`, `_msearch`, `_count`, and the
//! names of fields. docs/elasticsearch.md says what is taken.
//!
//! ```text
//! query in JSON (`dsl`) and in Lucene's syntax (`lucene`) → conditions (`condition`) of the log language
//! hits := records of its answer (`hits`); aggregations := its groups, one question for each (`aggs`)
//! ```
//! Place in the flow: shippers' requests stand on the same paths, so [`before`] takes what it knows before the
//! receiver's router sees it.

mod aggs;
mod condition;
mod dates;
mod dsl;
mod error;
mod fields;
mod hits;
mod lucene;
mod names;
mod routes;
mod search;
mod table;

pub use routes::before;
