//! One target's samples from scrape to scrape: the target's labels, relabelling, limits, and marks where series end.
//!
//! ```text
//! exposition ─→ labels of the target ─→ metric_relabel_configs ─→ limits ─→ requests of remote write
//! series of the scrape before that are not in it ─→ the mark of their end
//! ```
//! A scrape that fails ends all series of the target, but `up` and what else is said of the scrape itself.

use hashbrown::{HashMap, HashSet};
use throughline_model::histogram::STALE_NAN;
use xxhash_rust::xxh3::Xxh3;

use super::config::Job;
use super::exposition::{Exposition, Family, Sample, Value};
use super::relabel::{self, Labels};
use super::request::RequestBuilder;
use crate::records::Read;

/// Series of one request.
const REQUEST_SERIES_MAX: usize = 5000;
const NAME: &str = "__name__";

/// The series that a target had at its last scrape.
#[derive(Debug, Default)]
pub struct Page {
    known: HashMap<u128, Known>,
    has_report: bool,
}

#[derive(Debug)]
struct Known {
    labels: Labels,
    /// Whether its end is marked when it is gone: it came without a time of its own.
    is_tracked: bool,
}

/// What is to be stored of a scrape.
#[derive(Default)]
pub struct Stored {
    /// Bodies of requests.
    pub bodies: Vec<Vec<u8>>,
    builder: RequestBuilder,
    /// Samples that were exposed.
    pub scraped: usize,
    /// Samples that were left after relabelling.
    pub kept: usize,
    /// Series that the scrape before did not have.
    pub added: usize,
    /// Samples that stood twice.
    pub repeated: usize,
}

impl Stored {
    fn push(
        &mut self,
        labels: &Labels,
        family: Option<&Family>,
        time_ms: i64,
        sample: (&Value, &[super::exposition::Exemplar]),
    ) {
        self.builder.push(labels, family, time_ms, sample.0, sample.1);
        if self.builder.len() >= REQUEST_SERIES_MAX {
            self.end_request();
        }
    }

    fn end_request(&mut self) {
        let builder = std::mem::take(&mut self.builder);
        if builder.len() > 0 {
            self.bodies.push(builder.finish());
        }
    }
}

/// Why a scrape is refused as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub message: String,
    /// Samples that were exposed, as far as is known.
    pub scraped: usize,
    /// Samples that were left after relabelling.
    pub kept: usize,
}

impl From<String> for Refused {
    fn from(message: String) -> Self {
        Self { message, ..Self::default() }
    }
}

/// What is said of a scrape itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// How long it took.
    pub seconds: f64,
    /// Bytes of the exposition, inflated.
    pub body_bytes: usize,
}

impl Page {
    /// Takes in a scrape. An error says which limit or rule the whole was refused for.
    pub fn update(
        &mut self,
        job: &Job,
        target: &Labels,
        time_ms: i64,
        exposition: &Exposition,
    ) -> Result<Stored, Refused> {
        let mut stored = Stored { scraped: exposition.samples.len(), ..Stored::default() };
        let limit = job.limits.samples;
        let mut next: HashMap<u128, Known> = HashMap::with_capacity(self.known.len());
        let mut seen: HashSet<(u128, i64)> = HashSet::new();
        for sample in &exposition.samples {
            let Some(labels) = labels_of(sample, job, target)? else { continue };
            check_limits(&labels, job)?;
            stored.kept += 1;
            if limit > 0 && stored.kept > limit {
                continue;
            }
            let own_time = sample.time_ms.filter(|_| job.honors_timestamps);
            let hash = hash(&labels);
            let sample_ms = own_time.unwrap_or(time_ms);
            if !seen.insert((hash, sample_ms)) {
                stored.repeated += 1;
                continue;
            }
            let family = sample.family.map(|place| &exposition.families[place]);
            stored.push(&labels, family, sample_ms, (&sample.value, &sample.exemplars));
            stored.added += usize::from(!self.known.contains_key(&hash));
            let is_tracked = own_time.is_none() || job.tracks_timestamps;
            next.insert(hash, Known { labels, is_tracked });
        }
        if limit > 0 && stored.kept > limit {
            let Stored { scraped, kept, .. } = stored;
            let message = format!("{kept} samples, sample_limit is {limit}");
            return Err(Refused { message, scraped, kept });
        }
        let before = std::mem::replace(&mut self.known, next);
        let gone = before.iter().filter(|(hash, _)| !self.known.contains_key(*hash));
        end(gone.map(|(_, known)| known), time_ms, &mut stored);
        Ok(stored)
    }

    /// Ends all series: the target did not answer, or not rightly.
    pub fn fail(&mut self, time_ms: i64, refused: &Refused) -> Stored {
        let Refused { scraped, kept, .. } = *refused;
        let mut stored = Stored { scraped, kept, ..Stored::default() };
        end(std::mem::take(&mut self.known).values(), time_ms, &mut stored);
        stored
    }

    /// Ends all series and what is said of the scrapes: the target is no longer scraped.
    pub fn close(&mut self, job: &Job, target: &Labels, time_ms: i64) -> Vec<Vec<u8>> {
        let mut stored = self.fail(time_ms, &Refused::default());
        if std::mem::take(&mut self.has_report) {
            let stale = Value::Number(f64::from_bits(STALE_NAN));
            for (name, _) in reported(job, &stored, false, Report::default()) {
                stored.push(&named(target, name), None, time_ms, (&stale, &[]));
            }
        }
        stored.end_request();
        stored.bodies
    }

    /// Adds what is said of the scrape itself.
    pub fn report(
        &mut self,
        job: &Job,
        target: &Labels,
        time_ms: i64,
        (is_up, report): (bool, Report),
        mut stored: Stored,
    ) -> Stored {
        self.has_report = true;
        for (name, value) in reported(job, &stored, is_up, report) {
            stored.push(&named(target, name), None, time_ms, (&Value::Number(value), &[]));
        }
        stored.end_request();
        stored
    }
}

/// The series about a scrape.
fn reported(job: &Job, stored: &Stored, is_up: bool, report: Report) -> Vec<(&'static str, f64)> {
    let mut all = vec![
        ("up", f64::from(u8::from(is_up))),
        ("scrape_duration_seconds", report.seconds),
        ("scrape_samples_scraped", stored.scraped as f64),
        ("scrape_samples_post_metric_relabeling", stored.kept as f64),
        ("scrape_series_added", stored.added as f64),
    ];
    if job.has_extra_series {
        all.extend([
            ("scrape_timeout_seconds", job.timeout.as_secs_f64()),
            ("scrape_sample_limit", job.limits.samples as f64),
            ("scrape_body_size_bytes", report.body_bytes as f64),
        ]);
    }
    all
}

fn named(target: &Labels, name: &str) -> Labels {
    let mut labels = target.clone();
    relabel::set(&mut labels, NAME, name);
    labels.sort();
    labels
}

fn end<'a>(gone: impl Iterator<Item = &'a Known>, time_ms: i64, stored: &mut Stored) {
    let stale = Value::Number(f64::from_bits(STALE_NAN));
    for known in gone.filter(|known| known.is_tracked) {
        stored.push(&known.labels, None, time_ms, (&stale, &[]));
    }
}

/// The labels of a sample, sorted; nothing if the rules drop it.
fn labels_of(sample: &Sample, job: &Job, target: &Labels) -> Read<Option<Labels>> {
    let mut labels = sample.labels.clone();
    if job.honors_labels {
        for (name, value) in target {
            if !labels.iter().any(|(own, _)| own == name) {
                labels.push((name.clone(), value.clone()));
            }
        }
    } else {
        let exported = |name: &str, labels: &Labels| {
            let mut name = format!("exported_{name}");
            while labels.iter().chain(target).any(|(own, _)| *own == name) {
                name.insert_str(0, "exported_");
            }
            name
        };
        for (name, value) in target {
            if let Some(place) = labels.iter().position(|(own, _)| own == name) {
                labels[place].0 = exported(name, &labels);
            }
            labels.push((name.clone(), value.clone()));
        }
    }
    labels.retain(|(_, value)| !value.is_empty());
    if !relabel::apply(&job.metric_relabel, &mut labels) {
        return Ok(None);
    }
    labels.retain(|(_, value)| !value.is_empty());
    labels.sort();
    match labels.iter().any(|(name, _)| name == NAME) {
        true => Ok(Some(labels)),
        false => Err(format!("a sample has no {NAME} after metric_relabel_configs: {labels:?}")),
    }
}

fn check_limits(labels: &Labels, job: &Job) -> Read<()> {
    let limits = &job.limits;
    let told = |what: &str, found: usize, limit: usize| {
        Err(format!("{what} {found}, the limit is {limit}: {}", relabel::get(labels, NAME)))
    };
    if limits.labels > 0 && labels.len() > limits.labels {
        return told("label_limit: labels", labels.len(), limits.labels);
    }
    for (name, value) in labels {
        if limits.label_name_bytes > 0 && name.len() > limits.label_name_bytes {
            return told("label_name_length_limit: bytes", name.len(), limits.label_name_bytes);
        }
        if limits.label_value_bytes > 0 && value.len() > limits.label_value_bytes {
            return told("label_value_length_limit: bytes", value.len(), limits.label_value_bytes);
        }
    }
    Ok(())
}

/// A hash of sorted labels.
fn hash(labels: &Labels) -> u128 {
    let mut hash = Xxh3::new();
    for (name, value) in labels {
        for text in [name, value] {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
    }
    hash.digest128()
}
