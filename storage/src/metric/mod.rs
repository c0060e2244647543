//! Metrics at rest: series, chunks of points, exemplars.
//!
//! Place in the flow: a flush gives the batches of a head to [`write_metrics`], `query` reads heads and segments through [`MetricSegment`].
//!
//! A segment is a bundle of two files: `<ulid>.parquet` with one row a chunk ([`layout`]), and
//! `<ulid>.idx` with the series table, the times that chunks share and the exemplars ([`index`]).
//! Why: `docs/adr/0003-metric-segments.md`.
//!
//! - [`points`]: points in memory, their order, what counts as a repeated point
//! - [`chunk`], [`complex`], [`codec`]: points as bytes
//! - [`series`]: series tables
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

use std::collections::BTreeMap;

use throughline_model::metric::MetricBatch;

pub use exemplars::Exemplar;
pub use merge::merge_metrics;
pub use segment::MetricSegment;
pub use share::SeriesShare;
pub use write::write_metrics;

use crate::Result;

/// The windows into which the points of the batches fall: multiples of `width_ns`, each with how many
/// points it gets. What [`write_metrics`] is to be called with, one after the other.
pub fn windows(batches: &[&MetricBatch], width_ns: i64) -> Result<BTreeMap<i64, u64>> {
    let mut windows = BTreeMap::new();
    for batch in batches {
        let (numbers, ..) = gather::number_columns(&batch.numbers)?;
        let (complex, _) = gather::complex_columns(&batch.complex)?;
        for times in [numbers.times, complex.times] {
            // Times of a request are mostly the same.
            for run in times.chunk_by(|a, b| a == b) {
                let start = run[0].div_euclid(width_ns).saturating_mul(width_ns);
                *windows.entry(start).or_default() += run.len() as u64;
            }
        }
    }
    Ok(windows)
}
