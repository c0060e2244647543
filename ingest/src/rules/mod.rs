//! Rules that log records go through before anything of them is stored: parse, set, redact, sample, drop.
//!
//! ```text
//! decoded columns → rule after rule: which rows meet its conditions → their rows anew → columns
//!                 → changed, or texts taken out of any? the log gets the columns as they are now (`columns`),
//!                   not the body as it came
//! ```
//! So what a rule takes out of a record is nowhere on disk, and a change of the rules changes nothing of what the
//! log replays.

mod cards;
mod columns;
mod grok;
mod parse;
mod redact;
mod rewrite;

use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;
use throughline_model::{Result, Signal, Value};
use throughline_storage::scan::{BatchFilter, ScanOrder, ScanRequest};
use xxhash_rust::xxh3::xxh3_64;

pub use columns::{read as read_columns, write as write_columns};
use parse::Parser;
use redact::Redactor;
use rewrite::{Edited, rewrite};

/// A rule as it is configured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSpec {
    /// What it is called.
    pub name: String,
    /// How a text becomes attributes.
    pub parse: Option<ParseSpec>,
    /// Attributes that are set, in place of those of the name.
    pub set: Vec<(String, String)>,
    /// Names of built-in patterns that are taken out of texts.
    pub redact: Vec<String>,
    /// Regular expressions that are taken out of texts.
    pub redact_patterns: Vec<String>,
    /// Where: `body`, or names of attributes; everywhere if there are none.
    pub redact_in: Vec<String>,
    /// The share of records that is kept: of those of one trace all or none.
    pub sample: Option<f64>,
    /// Whether the records are dropped.
    pub drop: bool,
}

/// How a text becomes attributes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParseSpec {
    /// `json`, `logfmt`, `regex` or `grok`.
    pub form: String,
    /// The pattern of `regex` and `grok`.
    pub pattern: String,
    /// The attribute that is parsed; the body if it is empty.
    pub from: String,
    /// What the names of the attributes begin with.
    pub prefix: String,
}

/// A rule that is ready to run.
struct Rule {
    name: String,
    filter: BatchFilter,
    parse: Option<Parser>,
    set: Vec<(String, Vec<u8>)>,
    redact: Option<Redactor>,
    sample: Option<f64>,
    drop: bool,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    matched: AtomicU64,
    dropped: AtomicU64,
    unparsed: AtomicU64,
    redacted: AtomicU64,
}

/// What a rule did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleCounts {
    /// The rule.
    pub name: String,
    /// Records that met its conditions.
    pub matched: u64,
    /// Of these, those that it dropped or did not sample.
    pub dropped: u64,
    /// Those whose text it could not parse.
    pub unparsed: u64,
    /// Those of which it took something out.
    pub redacted: u64,
}

/// Rules in order.
#[derive(Default)]
pub struct Rules(Vec<Rule>);

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|rule| &rule.name)).finish()
    }
}

impl Rules {
    /// Prepares rules with their conditions; the error says which rule is wrong, and where.
    pub fn new(specs: Vec<(RuleSpec, Vec<Predicate>)>) -> std::result::Result<Self, String> {
        let rules = specs.into_iter().map(|(spec, predicates)| {
            let name = spec.name.clone();
            Rule::new(spec, predicates).map_err(|wrong| format!("rule '{name}': {wrong}"))
        });
        Ok(Self(rules.collect::<std::result::Result<_, _>>()?))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any takes something out of texts: then nothing is logged as it came, since what came may hold
    /// more than the records, such as those that were refused.
    pub fn redacts(&self) -> bool {
        self.0.iter().any(|rule| rule.redact.is_some())
    }

    /// What each rule did so far.
    pub fn counts(&self) -> Vec<RuleCounts> {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let of = |rule: &Rule| RuleCounts {
            name: rule.name.clone(),
            matched: get(&rule.counts.matched),
            dropped: get(&rule.counts.dropped),
            unparsed: get(&rule.counts.unparsed),
            redacted: get(&rule.counts.redacted),
        };
        self.0.iter().map(of).collect()
    }

    /// The log records as the rules leave them; none if no rule had anything to do.
    pub fn apply(&self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let mut changed: Option<RecordBatch> = None;
        for rule in &self.0 {
            let now = changed.as_ref().unwrap_or(batch);
            if now.num_rows() > 0
                && let Some(next) = rule.apply(now)?
            {
                changed = Some(next);
            }
        }
        Ok(changed)
    }
}

impl Rule {
    fn new(spec: RuleSpec, predicates: Vec<Predicate>) -> std::result::Result<Self, String> {
        let request = ScanRequest {
            columns: Vec::new(),
            predicates,
            time: TimeRange::ALL,
            order: ScanOrder::Any,
            limit: None,
        };
        let filter = BatchFilter::new(Signal::Logs, request).map_err(|err| err.to_string())?;
        if let Some(share) = spec.sample
            && !(0.0..=1.0).contains(&share)
        {
            return Err(format!("sample {share} is no share between 0 and 1"));
        }
        let redact = match spec.redact.is_empty() && spec.redact_patterns.is_empty() {
            true if !spec.redact_in.is_empty() => {
                return Err("redact_in without redact or redact_patterns".to_owned());
            }
            true => None,
            false => Some(Redactor::new(&spec)?),
        };
        let set = spec.set.into_iter();
        let rule = Self {
            name: spec.name,
            filter,
            parse: spec.parse.as_ref().map(Parser::new).transpose()?,
            set: set.map(|(name, text)| (name, Value::String(text).to_bytes())).collect(),
            redact,
            sample: spec.sample,
            drop: spec.drop,
            counts: Counts::default(),
        };
        let does_nothing = rule.parse.is_none()
            && rule.set.is_empty()
            && rule.redact.is_none()
            && rule.sample.is_none()
            && !rule.drop;
        match does_nothing {
            true => Err("it does nothing: parse, set, redact, sample or drop".to_owned()),
            false => Ok(rule),
        }
    }

    fn apply(&self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let matched = self.filter.rows(batch).map_err(|err| {
            throughline_model::Error::invalid(format!("rule '{}': {err}", self.name))
        })?;
        let count = matched.count_set_bits() as u64;
        if count == 0 {
            return Ok(None);
        }
        self.counts.matched.fetch_add(count, Ordering::Relaxed);
        let mut is_changed = false;
        let batch = rewrite(batch, |row, record| {
            if !matched.value(row) {
                return Ok(true);
            }
            let keeps = self.edit(record, &mut is_changed)?;
            if !keeps {
                is_changed = true;
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Ok(keeps)
        })?;
        Ok(is_changed.then_some(batch))
    }

    // Whether the record is kept.
    fn edit(&self, record: &mut Edited, is_changed: &mut bool) -> Result<bool> {
        if self.drop || self.sample.is_some_and(|share| !is_sampled(record, share)) {
            return Ok(false);
        }
        if let Some(parser) = &self.parse {
            match parser.run(record)? {
                true => *is_changed = true,
                false => _ = self.counts.unparsed.fetch_add(1, Ordering::Relaxed),
            }
        }
        for (name, value) in &self.set {
            record.set(name, value.clone());
            *is_changed = true;
        }
        if let Some(redactor) = &self.redact
            && redactor.run(record)?
        {
            *is_changed = true;
            self.counts.redacted.fetch_add(1, Ordering::Relaxed);
        }
        Ok(true)
    }
}

// By the trace, so that its records stay together; without one by the record itself. Nothing is random: a
// request that is sent again fares as before.
fn is_sampled(record: &Edited, share: f64) -> bool {
    let hash = match record.trace_id {
        Some(id) => xxh3_64(&id),
        None => {
            let time = record.time_ns.to_le_bytes();
            xxh3_64(&[&time[..], record.body.as_deref().unwrap_or_default()].concat())
        }
    };
    (hash as f64) < share * u64::MAX as f64
}

#[cfg(test)]
mod tests;
