//! Targets: from what discovery says of them to what is asked, and with which labels.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::config::{Job, units};
use super::relabel::{self, Labels};
use crate::records::Read;

/// A target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The labels that its samples get, sorted.
    pub labels: Labels,
    /// The labels before relabelling.
    pub discovered: Labels,
    /// What is asked.
    pub url: String,
    /// Between two scrapes.
    pub interval: Duration,
    /// How long a scrape may take.
    pub timeout: Duration,
}

/// What became of something discovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// A target.
    Target(Box<Target>),
    /// Dropped by the rules; its labels before them.
    Dropped(Labels),
}

impl Target {
    /// Names the target as long as nothing of it changes.
    pub fn key(&self) -> u64 {
        let Target { labels, url, interval, timeout, .. } = self;
        xxh3_64(format!("{labels:?} {url} {interval:?} {timeout:?}").as_bytes())
    }

    /// When the first scrape is due after a time, so that the scrapes of all targets are spread over the interval.
    pub fn first_due_ns(&self, now_ns: i64) -> i64 {
        let interval_ns = self.interval.as_nanos() as i64;
        let offset_ns = (self.key() % interval_ns as u64) as i64;
        let since_ns = (now_ns - offset_ns).rem_euclid(interval_ns);
        now_ns + (interval_ns - since_ns) % interval_ns
    }
}

/// Makes a target of what was discovered.
pub fn resolve(job: &Job, discovered: &Labels) -> Read<Resolved> {
    let mut labels = Labels::new();
    for (name, value) in discovered {
        relabel::set(&mut labels, name, value);
    }
    let seconds = |duration: Duration| format!("{}ms", duration.as_millis());
    let mut defaults = vec![
        ("job".to_owned(), job.name.clone()),
        ("__scrape_interval__".to_owned(), seconds(job.interval)),
        ("__scrape_timeout__".to_owned(), seconds(job.timeout)),
        ("__metrics_path__".to_owned(), job.path.clone()),
        ("__scheme__".to_owned(), job.scheme.clone()),
    ];
    for (name, values) in &job.params {
        if let Some(first) = values.first() {
            defaults.push((format!("__param_{name}"), first.clone()));
        }
    }
    for (name, value) in defaults {
        if relabel::get(&labels, &name).is_empty() {
            relabel::set(&mut labels, &name, &value);
        }
    }
    let mut before = labels.clone();
    before.sort();
    if !relabel::apply(&job.relabel, &mut labels) {
        return Ok(Resolved::Dropped(before));
    }
    let get = |name: &str| relabel::get(&labels, name).to_owned();
    let address = get("__address__");
    if address.is_empty() {
        return Err(format!("a target without __address__: {before:?}"));
    }
    if address.contains('/') {
        return Err(format!("'{address}' is no address, expected host:port"));
    }
    let of = |name: &str| {
        units::duration(&get(name)).map_err(|err| format!("{name} of '{address}': {err}"))
    };
    let (interval, timeout) = (of("__scrape_interval__")?, of("__scrape_timeout__")?);
    if interval.is_zero() || timeout.is_zero() || timeout > interval {
        return Err(format!(
            "the timeout of '{address}' is {timeout:?}, its interval {interval:?}: both have to be more than 0, and the \
             timeout at most the interval"
        ));
    }
    let url = url(job, &labels)?;
    if relabel::get(&labels, "instance").is_empty() {
        relabel::set(&mut labels, "instance", &address);
    }
    labels.retain(|(name, value)| !name.starts_with("__") && !value.is_empty());
    labels.sort();
    Ok(Resolved::Target(Box::new(Target { labels, discovered: before, url, interval, timeout })))
}

fn url(job: &Job, labels: &Labels) -> Read<String> {
    let get = |name: &str| relabel::get(labels, name);
    let (scheme, path) = (get("__scheme__"), get("__metrics_path__"));
    if !matches!(scheme, "http" | "https") {
        return Err(format!("__scheme__ is '{scheme}', expected http or https"));
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut url = format!("{scheme}://{}{slash}{path}", get("__address__"));
    let of_labels = labels.iter().filter_map(|(name, value)| {
        Some((name.strip_prefix("__param_")?.to_owned(), value.clone()))
    });
    let mut pairs = of_labels.collect::<Vec<_>>();
    pairs.sort();
    // Of a parameter with several values a label has the first.
    for (name, values) in &job.params {
        pairs.extend(values.iter().skip(1).map(|value| (name.clone(), value.clone())));
    }
    for (i, (name, value)) in pairs.iter().enumerate() {
        let joint = if i == 0 && !path.contains('?') { '?' } else { '&' };
        url.push(joint);
        put_escaped(&mut url, name);
        url.push('=');
        put_escaped(&mut url, value);
    }
    Ok(url)
}

/// A part of a query, encoded as forms are.
fn put_escaped(url: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                url.push(byte as char);
            }
            b' ' => url.push('+'),
            byte => url.push_str(&format!("%{byte:02X}")),
        }
    }
}
