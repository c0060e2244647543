//! Exceptions by group: what a segment, a head, or many of both hold of them.
//!
//! Place in the flow: derived from rows ([`find`]) when a segment is written and when heads are asked,
//! kept in the segment's index ([`encode`]), summed when segments merge and when a question is
//! answered. The sum is the same in whatever order and from whatever parts it is made; past the bounds
//! here occurrences are counted and nothing more (`left_out`).

mod encode;
mod find;
mod users;

use std::collections::BTreeMap;

use throughline_model::exception::{Fingerprint, head_of};
use throughline_model::time::MINUTE_NS;
use throughline_model::{SpanId, TraceId};

pub(crate) use encode::{read, write};
pub(crate) use find::{Finder, of_batches, of_rows};
pub use users::Users;

/// Pairs of a group and an origin that are counted.
pub const ORIGINS_MAX: usize = 4096;
/// Minutes that one origin of a group is counted in.
pub const MINUTES_MAX: usize = 4096;
/// Samples of a group, each of another trace.
pub const SAMPLES_MAX: usize = 8;
/// Bytes of a sample's message.
pub const MESSAGE_BYTES_MAX: usize = 1024;
/// Bytes of a sample's stack trace.
pub const STACKTRACE_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a type, a version or a user.
const NAME_BYTES_MAX: usize = 256;

/// What carried an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExceptionSource {
    /// An event of a span.
    Span = 0,
    /// A log record.
    Log = 1,
}

/// Where occurrences come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExceptionOrigin {
    /// The service.
    pub service: String,
    /// Its `service.version`; empty where the resource names none.
    pub version: String,
    /// What carried them.
    pub source: ExceptionSource,
}

/// One occurrence, as it is found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occurrence<'a> {
    pub fingerprint: Fingerprint,
    pub exception: throughline_model::exception::Exception<'a>,
    pub service: &'a str,
    pub version: &'a str,
    pub user: Option<&'a str>,
    pub source: ExceptionSource,
    pub time_ns: i64,
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
}

/// Where to look at an occurrence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExceptionSample {
    /// When it happened.
    pub time_ns: i64,
    /// The trace it belongs to.
    pub trace_id: Option<TraceId>,
    /// The span it belongs to.
    pub span_id: Option<SpanId>,
    /// Where it comes from.
    pub origin: ExceptionOrigin,
}

/// Occurrences of one group and origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionCounts {
    /// The first.
    pub first_ns: i64,
    /// The last.
    pub last_ns: i64,
    /// By minute since the epoch.
    pub minutes: BTreeMap<i64, u64>,
}

/// The texts of an occurrence, shortened.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExceptionText {
    /// `exception.type`.
    pub kind: String,
    /// `exception.message`.
    pub message: String,
    /// `exception.stacktrace`.
    pub stacktrace: String,
}

/// Occurrences with one fingerprint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExceptionGroup {
    /// The texts of the newest occurrence, whose time is that of the first sample.
    pub text: ExceptionText,
    /// How many there were, by origin.
    pub origins: BTreeMap<ExceptionOrigin, ExceptionCounts>,
    /// The newest of as many traces, newest first.
    pub samples: Vec<ExceptionSample>,
    /// Who was affected.
    pub users: Users,
}

/// Groups of exceptions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exceptions {
    /// The groups.
    pub groups: BTreeMap<Fingerprint, ExceptionGroup>,
    /// Occurrences past the bounds, which are counted here alone.
    pub left_out: u64,
    /// Pairs of group and origin.
    origins: usize,
}

impl Exceptions {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.left_out == 0
    }

    /// Counts an occurrence.
    pub(crate) fn add(&mut self, found: &Occurrence<'_>) {
        let cut = |text: &str, bytes_max| head_of(text, bytes_max).to_owned();
        let origin = ExceptionOrigin {
            service: cut(found.service, NAME_BYTES_MAX),
            version: cut(found.version, NAME_BYTES_MAX),
            source: found.source,
        };
        let sample = ExceptionSample {
            time_ns: found.time_ns,
            trace_id: found.trace_id,
            span_id: found.span_id,
            origin: origin.clone(),
        };
        let text = ExceptionText {
            kind: cut(found.exception.kind, NAME_BYTES_MAX),
            message: cut(found.exception.message, MESSAGE_BYTES_MAX),
            stacktrace: cut(found.exception.stacktrace, STACKTRACE_BYTES_MAX),
        };
        let minutes = BTreeMap::from([(found.time_ns.div_euclid(MINUTE_NS), 1)]);
        let counts = ExceptionCounts { first_ns: found.time_ns, last_ns: found.time_ns, minutes };
        if !self.count(found.fingerprint, &origin, &counts) {
            return;
        }
        if let Some(group) = self.groups.get_mut(&found.fingerprint) {
            group.put_newest(&text, std::slice::from_ref(&sample));
            if let Some(user) = found.user {
                group.users.add(head_of(user, NAME_BYTES_MAX));
            }
        }
    }

    /// Adds what another holds.
    pub fn add_all(&mut self, other: &Exceptions) {
        self.left_out += other.left_out;
        for (fingerprint, theirs) in &other.groups {
            for (origin, counts) in &theirs.origins {
                self.count(*fingerprint, origin, counts);
            }
            if let Some(ours) = self.groups.get_mut(fingerprint) {
                ours.show(theirs);
            }
        }
    }

    // False if nothing of it fits.
    fn count(
        &mut self,
        fingerprint: Fingerprint,
        origin: &ExceptionOrigin,
        counts: &ExceptionCounts,
    ) -> bool {
        let known = self.groups.get(&fingerprint).is_some_and(|g| g.origins.contains_key(origin));
        if !known && self.origins == ORIGINS_MAX {
            self.left_out += counts.count();
            return false;
        }
        self.origins += usize::from(!known);
        let group = self.groups.entry(fingerprint).or_default();
        let ours = group
            .origins
            .entry(origin.clone())
            .or_insert_with(|| ExceptionCounts { minutes: BTreeMap::new(), ..counts.clone() });
        self.left_out += ours.add(counts);
        true
    }

    /// Bytes of memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        let of_group = |group: &ExceptionGroup| {
            let text = &group.text;
            let minutes = group.origins.values().map(|counts| counts.minutes.len() * 32);
            text.kind.len()
                + text.message.len()
                + text.stacktrace.len()
                + minutes.sum::<usize>()
                + group.origins.len() * size_of::<(ExceptionOrigin, ExceptionCounts)>()
                + group.samples.len() * size_of::<ExceptionSample>()
                + group.users.memory_bytes()
                + size_of::<ExceptionGroup>()
        };
        self.groups.values().map(of_group).sum()
    }
}

impl ExceptionCounts {
    /// All of them.
    pub fn count(&self) -> u64 {
        self.minutes.values().sum()
    }

    // Returns how many did not fit.
    fn add(&mut self, other: &ExceptionCounts) -> u64 {
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        let mut left_out = 0;
        for (minute, count) in &other.minutes {
            let is_full = self.minutes.len() == MINUTES_MAX;
            match self.minutes.get_mut(minute) {
                Some(ours) => *ours += count,
                None if is_full => left_out += count,
                None => _ = self.minutes.insert(*minute, *count),
            }
        }
        left_out
    }
}

impl ExceptionGroup {
    /// All occurrences.
    pub fn count(&self) -> u64 {
        self.origins.values().map(ExceptionCounts::count).sum()
    }

    /// Takes over what another shows, but not what it counts: text, samples and users.
    pub fn show(&mut self, other: &ExceptionGroup) {
        self.put_newest(&other.text, &other.samples);
        self.users.add_all(&other.users);
    }

    // Takes over the samples of others, and the text with them if they are newer.
    fn put_newest(&mut self, text: &ExceptionText, samples: &[ExceptionSample]) {
        let newest = (samples.first(), text);
        if (self.samples.first(), &self.text) < newest {
            self.text = text.clone();
        }
        if let (Some(newest), Some(oldest)) = (samples.first(), self.samples.last())
            && self.samples.len() == SAMPLES_MAX
            && newest < oldest
        {
            return;
        }
        self.samples.extend_from_slice(samples);
        self.samples.sort_unstable_by(|a, b| b.cmp(a));
        // Of one trace the newest says enough; records without a trace stand for themselves.
        let mut kept: Vec<ExceptionSample> = Vec::with_capacity(SAMPLES_MAX);
        for sample in self.samples.drain(..) {
            let shown = kept.iter().any(|other| match sample.trace_id {
                Some(_) => other.trace_id == sample.trace_id,
                None => *other == sample,
            });
            if !shown && kept.len() < SAMPLES_MAX {
                kept.push(sample);
            }
        }
        self.samples = kept;
    }
}
