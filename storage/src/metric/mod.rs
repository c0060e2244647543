//! Metrics at rest: series, chunks of points, exemplars.
//!
//! Place in the flow: a flush gives the batches of a head to [`write_metrics`], compaction gives
//! segments to [`merge_metrics`], and `query` reads heads and segments through [`scan`].
//!
//! A segment is a bundle of two files: `<ulid>.parquet` with one row a chunk ([`layout`]), and
//! `<ulid>.idx` with the series table, the times that chunks share and the exemplars ([`index`]).
//! Why: `docs/adr/0003-metric-segments.md`.
//!
//! - [`points`]: points in memory, their order, what counts as a repeated point
//! - [`chunk`], [`complex`], [`codec`]: points as bytes
//! - [`series`]: series tables; [`SeriesShare`]: those of heads
//! - [`scan`]: series, points and exemplars of a view
pub mod chunk;
mod chunk_rows;
pub mod codec;
pub mod complex;
mod exemplars;
mod gather;
mod index;
mod layout;
mod matching;
mod merge;
pub mod points;
pub mod scan;
#[cfg(test)]
mod scan_tests;
mod segment;
mod sequences;
pub mod series;
mod share;
#[cfg(test)]
mod tests;
mod write;

pub use exemplars::Exemplar;
pub use merge::merge_metrics;
pub use segment::MetricSegment;
pub use share::SeriesShare;
pub use write::write_metrics;
