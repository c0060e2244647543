//! Labels of a stream, shared by all its entries; and the entries that pipelines and metrics take.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A line as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// When, in nanoseconds since the epoch.
    pub time_ns: i64,
    /// The line.
    pub line: &'a str,
    /// Its stream. Entries of one stream should share one [`Labels`]: what belongs together is then
    /// found without comparing text.
    pub stream: &'a Labels,
    /// Structured metadata; a name stands at most once.
    pub structured: &'a [(&'a str, &'a str)],
}

/// Labels by name, each once and none of them empty. Cheap to clone.
#[derive(Clone)]
pub struct Labels(Arc<Inner>);

struct Inner {
    pairs: Box<[(Box<str>, Box<str>)]>,
    hash: u64,
    /// One bit for each fingerprint of a name: most names that are not there have no bit.
    names: u64,
}

impl Labels {
    /// Labels out of names and values in any order; of a name that stands twice, the last counts.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut sorted: Vec<(Box<str>, Box<str>)> = Vec::new();
        for (name, value) in pairs {
            sorted.push((name.as_ref().into(), value.as_ref().into()));
        }
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        sorted.reverse();
        sorted.dedup_by(|later, first| later.0 == first.0);
        sorted.reverse();
        sorted.retain(|(_, value)| !value.is_empty());
        let mut hasher = std::hash::DefaultHasher::new();
        sorted.hash(&mut hasher);
        let names = sorted.iter().fold(0, |names, (name, _)| names | name_bit(name));
        Self(Arc::new(Inner { pairs: sorted.into(), hash: hasher.finish(), names }))
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.index_of(name).map(|at| &*self.0.pairs[at].1)
    }

    /// All labels, by name.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.pairs.is_empty()
    }

    /// Whether both are clones of one.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        if self.0.names & name_bit(name) == 0 {
            return None;
        }
        self.0.pairs.binary_search_by(|(own, _)| (**own).cmp(name)).ok()
    }

    /// A number that no other labels have as long as these live.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

fn name_bit(name: &str) -> u64 {
    1 << (fingerprint(name).wrapping_mul(0x9e37_79b1) >> 26)
}

/// A few bytes of a name: names with different fingerprints differ, and most different names have
/// different ones.
pub(super) fn fingerprint(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let Some(last) = bytes.last() else { return 0 };
    let (len, middle) = (bytes.len() as u32 & 0xff, bytes[bytes.len() / 2]);
    (len << 24) | (u32::from(bytes[0]) << 16) | (u32::from(middle) << 8) | u32::from(*last)
}

impl Default for Labels {
    fn default() -> Self {
        Self::new::<&str, &str>([])
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || (self.0.hash == other.0.hash && self.0.pairs == other.0.pairs)
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.pairs.cmp(&other.0.pairs)
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (nth, (name, value)) in self.pairs().enumerate() {
            f.write_str(if nth > 0 { ", " } else { "" })?;
            write!(f, "{name}={value:?}")?;
        }
        f.write_str("}")
    }
}
