//! Background work on what is stored. Each job is a pure decision over the catalog and a run.
//!
//! | name    | decides              | runs                                   |
//! |---------|----------------------|----------------------------------------|
//! | flush   | [`flush`]: size, age | sealed head → L0 segments              |
//! |         |                      | [`refused`]: requests no segment takes |
//! | compact | [`plan`]             | [`run`]: segments → one segment        |
//! | retain  | [`retain`]           | [`run`]: segments leave                |
//! |         |                      | [`classes`]: log records leave         |
//! | delete  | who asks             | [`delete`]: log records leave          |
//! | scrub   | [`scrub`]            | [`scrub`]: checksums, quarantine       |
//! | sweep   | [`sweep`]            | [`sweep`]: files that nobody refers to |
//!
//! [`background`] is the table of periods.
pub(crate) mod background;
mod classes;
pub(crate) mod delete;
mod flush;
mod plan;
mod refused;
mod retain;
mod run;
mod scrub;
mod sweep;

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use ulid::Ulid;

pub(crate) use plan::Plan;

use crate::publish::WeakSegment;

/// What the jobs remember between runs.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    /// Replaced segments whose files wait for their last reader.
    released: Mutex<Vec<Released>>,
    /// Segments being written: not in the catalog yet, not to be swept.
    in_progress: Mutex<HashSet<Ulid>>,
    /// Segments that a merge failed on although their checksums hold.
    unmergeable: Mutex<HashSet<Ulid>>,
    /// What runs now.
    running: Mutex<Option<String>>,
    /// When the scrub read a segment last.
    scrubbed_at_ns: Mutex<HashMap<Ulid, i64>>,
}

impl Maintenance {
    /// What runs now.
    pub fn running(&self) -> Option<String> {
        self.running.lock().clone()
    }

    /// Segments that are left out of plans.
    pub fn unmergeable(&self) -> HashSet<Ulid> {
        self.unmergeable.lock().clone()
    }

    /// Replaced segments whose files wait for their last reader.
    pub fn released(&self) -> usize {
        self.released.lock().len()
    }

    /// Hands files over to whoever removes them after their last reader.
    fn release(&self, id: Ulid, segment: WeakSegment, then: Afterwards) {
        self.released.lock().push(Released { id, segment, then });
    }
}

/// A segment that left the catalog.
#[derive(Debug)]
struct Released {
    id: Ulid,
    segment: WeakSegment,
    then: Afterwards,
}

/// What becomes of the files of a segment that left the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Afterwards {
    Delete,
    SetAside,
}
