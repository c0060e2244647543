//! What is known of targets, for those who ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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

/// The targets of all jobs, and how scraping goes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Targets(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// By job.
    pools: Mutex<BTreeMap<String, Pool>>,
    is_config_broken: AtomicBool,
    lost: AtomicU64,
}

impl Targets {
    /// The pools as they are now.
    pub fn pools(&self) -> BTreeMap<String, Pool> {
        self.0.pools.lock().clone()
    }

    /// Whether the configuration as it is now does not read, so that one before it holds.
    pub fn is_config_broken(&self) -> bool {
        self.0.is_config_broken.load(Ordering::Relaxed)
    }

    /// Scrapes that could not be stored.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, job: &str, pool: Pool) {
        self.0.pools.lock().insert(job.to_owned(), pool);
    }

    pub(super) fn remove(&self, job: &str) {
        self.0.pools.lock().remove(job);
    }

    pub(super) fn note_config(&self, is_broken: bool) {
        self.0.is_config_broken.store(is_broken, Ordering::Relaxed);
    }

    pub(super) fn note_lost(&self) {
        self.0.lost.fetch_add(1, Ordering::Relaxed);
    }
}
