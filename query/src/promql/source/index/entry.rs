//! What a stored series is to clients of Prometheus.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::promql::labels::{BUCKET, Label, Labels, QUANTILE};
use crate::promql::source::translate::Derived;

/// A stored series.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its id.
    pub id: [u8; 16],
    /// What its points are.
    pub parts: Box<[Part]>,
    /// The number of the label set of its resource's `target_info`.
    pub target: Option<u32>,
}

/// A series that a stored one stands for; of buckets and quantiles all of them.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What of a point it holds.
    pub derived: Derived,
    /// Its labels; those of buckets and quantiles without their bound.
    pub labels: Labels,
}

impl Entry {
    /// The labels of all parts; some of them more than once.
    pub fn pairs(&self) -> impl Iterator<Item = &Label> {
        self.parts.iter().flat_map(|part| part.labels.iter())
    }
}

impl Part {
    /// Whether it is the series of a sender of Prometheus.
    pub fn is_untyped(&self) -> bool {
        self.derived == Derived::AsIs
    }

    /// Whether points tell the rest of the labels.
    pub fn is_bounded(&self) -> bool {
        matches!(self.derived, Derived::Buckets | Derived::Quantiles)
    }

    /// A hash of the labels.
    pub fn hash(&self) -> u64 {
        hash(self.labels.iter())
    }

    /// A hash of the labels without a bound, where there is one or will be, and whether it will be.
    pub fn bounded_hash(&self) -> Option<(u64, bool)> {
        if self.is_bounded() {
            return Some((self.hash(), true));
        }
        let is_bound = |(name, _): &&Label| matches!(&**name, BUCKET | QUANTILE);
        self.labels.iter().any(|label| is_bound(&label)).then(|| {
            let others = self.labels.iter().filter(|label| !is_bound(label));
            (hash(others), false)
        })
    }
}

fn hash<'a>(labels: impl Iterator<Item = &'a (Arc<str>, Arc<str>)>) -> u64 {
    let mut hasher = Xxh3::new();
    labels.for_each(|label| label.hash(&mut hasher));
    hasher.finish()
}
