//! What is known of targets, for those who ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::exposition::Family;
use super::relabel::Labels;
use super::target::Target;

/// How a target is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was not scraped yet.
    #[default]
    Unknown,
    /// The last scrape succeeded.
    Up,
    /// It failed.
    Down,
}

impl Health {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Down => "down",
        }
    }
}

/// The last scrape of a target.
#[derive(Clone, Debug, Default)]
pub struct LastScrape {
    /// How it went.
    pub health: Health,
    /// What went wrong.
    pub error: Option<String>,
    /// When it was, in nanoseconds since the epoch; zero for never.
    pub time_ns: i64,
    /// How long it took.
    pub seconds: f64,
}

/// A target that is scraped.
#[derive(Debug)]
pub struct Scraped {
    /// The target.
    pub target: Target,
    /// Its last scrape.
    pub last: Mutex<LastScrape>,
    /// What it says of its metrics.
    pub families: Mutex<Arc<[Family]>>,
}

impl Scraped {
    pub(super) fn new(target: Target) -> Self {
        let (last, families) = (Mutex::default(), Mutex::new(Arc::from([])));
        Self { target, last, families }
    }

    /// Keeps what is said of metrics, if it is news.
    pub(super) fn describe(&self, families: &[Family]) {
        let mut known = self.families.lock();
        if **known != *families {
            *known = families.into();
        }
    }
}

/// The targets of a job.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Those that are scraped, by labels.
    pub active: Vec<Arc<Scraped>>,
    /// The labels of those that the rules dropped, as many as are kept.
    pub dropped: Vec<Labels>,
    /// How many were dropped.
    pub dropped_total: usize,
}

/// The targets of all jobs, by job. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Targets(Arc<Mutex<BTreeMap<String, Pool>>>);

impl Targets {
    /// The pools as they are now.
    pub fn pools(&self) -> BTreeMap<String, Pool> {
        self.0.lock().clone()
    }

    pub(super) fn set(&self, job: &str, pool: Pool) {
        self.0.lock().insert(job.to_owned(), pool);
    }

    pub(super) fn remove(&self, job: &str) {
        self.0.lock().remove(job);
    }
}
