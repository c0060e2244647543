//! Series of Prometheus' remote write, to columns. Like OTLP's decoder, this is compiled by `fuzz/` too.
//!
//! ```text
//! 1.0 WriteRequest: labels as text ------.
//! 2.0 Request: labels as numbers of texts --> labels, points, histograms --> columns (docs/prometheus.md)
//! ```
//! Specification: "Prometheus Remote-Write" 1.0 and 2.0. A body that does not follow its format fails as a
//! whole; a sample, histogram or exemplar that cannot be kept is refused alone, and so are those of a series
//! whose labels cannot be kept.

pub(crate) mod columns;
mod histogram;
pub(crate) mod labels;
mod points;
mod v1;
mod v2;

use throughline_model::Result;
use throughline_model::batch::{Batch, Decoded};

use columns::Columns;

/// The version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

/// What of a request was kept, as 2.0 tells its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Samples.
    pub samples: usize,
    /// Native histograms.
    pub histograms: usize,
    /// Exemplars.
    pub exemplars: usize,
}

/// Decodes a body.
pub fn decode(version: Version, body: &[u8]) -> Result<Decoded> {
    let mut columns = Columns::default();
    match version {
        Version::V1 => v1::read(body, &mut columns)?,
        Version::V2 => v2::read(body, &mut columns)?,
    }
    columns.finish()
}

/// What is kept of a body of 2.0 of which nothing is refused, or something is.
pub fn written(body: &[u8], is_whole: bool) -> Result<Written> {
    if is_whole {
        return v2::count(body);
    }
    match decode(Version::V2, body)?.batch {
        Batch::Metrics(batch) => Ok(Written {
            samples: batch.numbers.num_rows(),
            histograms: batch.complex.num_rows(),
            exemplars: batch.exemplars.num_rows(),
        }),
        _ => Ok(Written::default()),
    }
}
