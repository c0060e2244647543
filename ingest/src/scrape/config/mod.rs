//! What to scrape: a file in the format of Prometheus' configuration, of which `global`, `scrape_configs` and
//! `scrape_config_files` are read.
//!
//! A fault is told with the job and the key. What would be scraped otherwise than it says is refused, not passed
//! over.

mod client;
mod raw;
mod rules;
pub mod units;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::exposition::Form;
use super::relabel::{Labels, Rule};
use crate::records::Read;
pub use client::{Auth, ClientConfig, Secret, TlsVersion};
pub use raw::Group;

const INTERVAL: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(10);
const REFRESH_DNS: Duration = Duration::from_secs(30);
const REFRESH_FILES: Duration = Duration::from_secs(300);
const REFRESH_HTTP: Duration = Duration::from_secs(60);
/// Bytes of an exposition, inflated, if the configuration names no limit.
const BODY_BYTES_MAX: usize = 256 << 20;
/// Dropped targets that are shown, if the configuration names no number.
const DROPPED_KEPT: usize = 1000;
const FORMS: [Form; 4] = [Form::OpenMetrics1, Form::OpenMetrics0, Form::Text1, Form::Text];

/// What to scrape.
#[derive(Clone, Debug, Default)]
pub struct ScrapeConfig {
    /// The jobs, by name.
    pub jobs: Vec<Arc<Job>>,
    /// Sections of the file that are about something else.
    pub passed_over: Vec<String>,
}

/// Targets that are scraped alike.
#[derive(Debug)]
#[allow(missing_docs)] // named as in the configuration, or said in docs/scraping.md
pub struct Job {
    pub name: String,
    pub interval: Duration,
    pub timeout: Duration,
    pub forms: Vec<Form>,
    pub fallback: Option<Form>,
    pub wants_native: bool,
    pub keeps_classic: bool,
    pub has_extra_series: bool,
    pub path: String,
    pub scheme: String,
    pub params: Vec<(String, Vec<String>)>,
    pub honors_labels: bool,
    pub honors_timestamps: bool,
    pub tracks_timestamps: bool,
    pub compresses: bool,
    pub limits: Limits,
    pub client: ClientConfig,
    pub discovery: Vec<Discovery>,
    pub relabel: Vec<Rule>,
    pub metric_relabel: Vec<Rule>,
    /// Tells whether a job was changed.
    pub fingerprint: u64,
}

/// Limits of a job; zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Limits {
    pub body_bytes: usize,
    pub samples: usize,
    pub targets: usize,
    pub labels: usize,
    pub label_name_bytes: usize,
    pub label_value_bytes: usize,
    pub dropped_kept: usize,
}

/// Where targets come from.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Discovery {
    Static { groups: Vec<TargetGroup> },
    Files { patterns: Vec<PathBuf>, refresh: Duration },
    Http { url: String, client: Box<ClientConfig>, refresh: Duration },
    Dns { names: Vec<String>, kind: DnsKind, port: Option<u16>, refresh: Duration },
}

/// Records of DNS that name targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DnsKind {
    Srv,
    A,
    Aaaa,
    Mx,
    Ns,
}

/// Targets that were found together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetGroup {
    /// The labels of each, `__address__` among them.
    pub targets: Vec<Labels>,
}

impl TargetGroup {
    /// A group with labels that all its targets have, those of the source as well.
    pub fn of(group: &Group, source: &[(&str, &str)]) -> Self {
        let target = |address: &raw::Scalar| {
            let mut labels = vec![("__address__".to_owned(), address.text())];
            let named = group.labels.iter().map(|(name, value)| (name.clone(), value.text()));
            labels.extend(named);
            labels.extend(source.iter().map(|(name, value)| ((*name).into(), (*value).into())));
            labels
        };
        Self { targets: group.targets.iter().map(target).collect() }
    }
}

impl ScrapeConfig {
    /// Reads a configuration. Relative paths start at the file's folder.
    pub fn load(path: &Path) -> Read<Self> {
        let text = read_text(path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, folder).map_err(|err| format!("{}: {err}", path.display()))
    }

    /// Reads the text of a configuration whose paths start at `folder`.
    pub fn parse(text: &str, folder: &Path) -> Read<Self> {
        let file: raw::File = yaml(text)?;
        let mut jobs = file.scrape_configs;
        for pattern in &file.scrape_config_files {
            for path in files_of(&folder.join(pattern))? {
                let more: raw::JobsFile =
                    yaml(&read_text(&path)?).map_err(|err| format!("{}: {err}", path.display()))?;
                jobs.extend(more.scrape_configs);
            }
        }
        let mut config = Self::default();
        config.passed_over.extend(file.others.into_keys());
        for job in &jobs {
            if job.job_name.is_empty() {
                return Err("a job of scrape_configs has no job_name".to_owned());
            }
            if config.jobs.iter().any(|other| other.name == job.job_name) {
                return Err(format!("two jobs have the job_name '{}'", job.job_name));
            }
            let built = build(job, &file.global, folder);
            let built = built.map_err(|err| format!("job '{}': {err}", job.job_name))?;
            config.jobs.push(Arc::new(built));
        }
        config.jobs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(config)
    }
}

fn yaml<T: serde::de::DeserializeOwned + Default>(text: &str) -> Read<T> {
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    serde_saphyr::from_str(text).map_err(|err| err.to_string())
}

/// Reads a list of target groups, as files and answers of discovery have them.
pub fn groups(text: &str) -> Read<Vec<Group>> {
    yaml(text)
}

pub(super) fn read_text(path: &Path) -> Read<String> {
    std::fs::read_to_string(path).map_err(|err| format!("{}: {err}", path.display()))
}

/// The files of a path whose last part may have `*`.
pub fn files_of(pattern: &Path) -> Read<Vec<PathBuf>> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((before, after)) = name.split_once('*') else {
        return Ok(vec![pattern.to_owned()]);
    };
    let folder = pattern.parent().unwrap_or(Path::new("."));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(format!("{}: {err}", folder.display())),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|err| format!("{}: {err}", folder.display()))?.path();
        let own = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_met = own.len() >= before.len() + after.len()
            && own.starts_with(before)
            && own.ends_with(after);
        if is_met {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn build(job: &raw::Job, global: &raw::Global, folder: &Path) -> Read<Job> {
    let duration = |key: &str, texts: [&Option<String>; 2], default: Duration| {
        let found = texts.into_iter().flatten().next();
        let read = found.map_or(Ok(default), |text| units::duration(text));
        read.map_err(|err| format!("{key}: {err}"))
    };
    let intervals = [&job.scrape_interval, &global.scrape_interval];
    let interval = duration("scrape_interval", intervals, INTERVAL)?;
    if interval.is_zero() {
        return Err("scrape_interval is 0, expected more".to_owned());
    }
    let timeouts = [&job.scrape_timeout, &global.scrape_timeout];
    let timeout = match timeouts.into_iter().flatten().next() {
        Some(_) => duration("scrape_timeout", timeouts, TIMEOUT)?,
        None => TIMEOUT.min(interval),
    };
    // A global timeout may exceed the interval of one job.
    let timeout = if job.scrape_timeout.is_none() { timeout.min(interval) } else { timeout };
    if timeout > interval || timeout.is_zero() {
        return Err(format!(
            "scrape_timeout is {timeout:?}, expected more than 0 and at most scrape_interval, {interval:?}"
        ));
    }
    let wants_native =
        job.scrape_native_histograms.or(global.scrape_native_histograms).unwrap_or(false);
    check_schemes(job)?;
    Ok(Job {
        name: job.job_name.clone(),
        interval,
        timeout,
        forms: forms(job, global, wants_native)?,
        fallback: job.fallback_scrape_protocol.as_deref().map(form).transpose()?,
        wants_native,
        keeps_classic: job
            .always_scrape_classic_histograms
            .or(global.always_scrape_classic_histograms)
            .unwrap_or(false),
        has_extra_series: job.extra_scrape_metrics.or(global.extra_scrape_metrics).unwrap_or(false),
        path: job.metrics_path.clone().unwrap_or_else(|| "/metrics".to_owned()),
        scheme: job.scheme.clone().unwrap_or_else(|| "http".to_owned()),
        params: params(job),
        honors_labels: job.honor_labels,
        honors_timestamps: job.honor_timestamps.unwrap_or(true),
        tracks_timestamps: job.track_timestamps_staleness,
        compresses: job.enable_compression.unwrap_or(true),
        limits: limits(job, global)?,
        client: client::of_job(job, folder)?,
        discovery: discovery(job, folder)?,
        relabel: rules::all("relabel_configs", &job.relabel_configs)?,
        metric_relabel: rules::all("metric_relabel_configs", &job.metric_relabel_configs)?,
        fingerprint: xxh3_64(format!("{job:?} {global:?} {}", folder.display()).as_bytes()),
    })
}

fn check_schemes(job: &raw::Job) -> Read<()> {
    if let Some(scheme) = job.scheme.as_deref().filter(|s| !matches!(*s, "http" | "https")) {
        return Err(format!("scheme is '{scheme}', expected http or https"));
    }
    if job.scrape_failure_log_file.is_some() {
        return Err(
            "scrape_failure_log_file is not supported: /targets tells, and the log".to_owned()
        );
    }
    let names = job.metric_name_validation_scheme.as_deref();
    if let Some(scheme) = names.filter(|scheme| !matches!(*scheme, "utf8" | "legacy")) {
        return Err(format!(
            "metric_name_validation_scheme is '{scheme}', expected utf8 or legacy"
        ));
    }
    let escaping = job.metric_name_escaping_scheme.as_deref();
    if let Some(scheme) = escaping.filter(|scheme| *scheme != "allow-utf-8") {
        return Err(format!("metric_name_escaping_scheme is '{scheme}', expected allow-utf-8"));
    }
    Ok(())
}

fn params(job: &raw::Job) -> Vec<(String, Vec<String>)> {
    let params = job.params.iter();
    params.map(|(name, all)| (name.clone(), all.iter().map(raw::Scalar::text).collect())).collect()
}

fn form(name: &str) -> Read<Form> {
    Form::named(name).ok_or_else(|| {
        format!(
            "'{name}' is no scrape protocol, expected PrometheusProto, OpenMetricsText1.0.0, \
             OpenMetricsText0.0.1, PrometheusText1.0.0 or PrometheusText0.0.4"
        )
    })
}

fn forms(job: &raw::Job, global: &raw::Global, wants_native: bool) -> Read<Vec<Form>> {
    if let Some(names) = job.scrape_protocols.as_ref().or(global.scrape_protocols.as_ref()) {
        let forms = names.iter().map(|name| form(name)).collect::<Read<Vec<_>>>()?;
        return if forms.is_empty() {
            Err("scrape_protocols is empty".to_owned())
        } else {
            Ok(forms)
        };
    }
    let native = wants_native.then_some(Form::Protobuf);
    Ok(native.into_iter().chain(FORMS).collect())
}

fn limits(job: &raw::Job, global: &raw::Global) -> Read<Limits> {
    let number = |own: Option<u64>, all: Option<u64>| own.or(all).unwrap_or(0) as usize;
    let body = job.body_size_limit.as_ref().or(global.body_size_limit.as_ref());
    let body_bytes = match body.map(|size| units::bytes(&size.text())) {
        Some(Ok(bytes)) if bytes > 0 => bytes,
        Some(Err(err)) => return Err(format!("body_size_limit: {err}")),
        _ => BODY_BYTES_MAX,
    };
    let kept = job.keep_dropped_targets.or(global.keep_dropped_targets);
    Ok(Limits {
        body_bytes,
        samples: number(job.sample_limit, global.sample_limit),
        targets: number(job.target_limit, global.target_limit),
        labels: number(job.label_limit, global.label_limit),
        label_name_bytes: number(job.label_name_length_limit, global.label_name_length_limit),
        label_value_bytes: number(job.label_value_length_limit, global.label_value_length_limit),
        dropped_kept: kept.map_or(DROPPED_KEPT, |kept| kept as usize),
    })
}

fn discovery(job: &raw::Job, folder: &Path) -> Read<Vec<Discovery>> {
    let refresh = |key: &str, text: &Option<String>, default: Duration| {
        let read = text.as_deref().map_or(Ok(default), units::duration);
        let read = read.map_err(|err| format!("{key}: refresh_interval: {err}"))?;
        if read.is_zero() {
            return Err(format!("{key}: refresh_interval is 0, expected more"));
        }
        Ok(read)
    };
    let mut all = Vec::new();
    let groups = job.static_configs.iter().map(|group| TargetGroup::of(group, &[]));
    all.push(Discovery::Static { groups: groups.collect() });
    for files in &job.file_sd_configs {
        let patterns = files.files.iter().map(|pattern| folder.join(pattern)).collect();
        let refresh = refresh("file_sd_configs", &files.refresh_interval, REFRESH_FILES)?;
        all.push(Discovery::Files { patterns, refresh });
    }
    for http in &job.http_sd_configs {
        if !http.url.starts_with("http://") && !http.url.starts_with("https://") {
            return Err(format!(
                "http_sd_configs: url is '{}', expected http:// or https://",
                http.url
            ));
        }
        let client = Box::new(client::of_discovery(http, folder)?);
        let refresh = refresh("http_sd_configs", &http.refresh_interval, REFRESH_HTTP)?;
        all.push(Discovery::Http { url: http.url.clone(), client, refresh });
    }
    for dns in &job.dns_sd_configs {
        let kind = match dns.kind.as_deref().unwrap_or("SRV").to_ascii_uppercase().as_str() {
            "SRV" => DnsKind::Srv,
            "A" => DnsKind::A,
            "AAAA" => DnsKind::Aaaa,
            "MX" => DnsKind::Mx,
            "NS" => DnsKind::Ns,
            other => {
                return Err(format!(
                    "dns_sd_configs: type is '{other}', expected SRV, A, AAAA, MX or NS"
                ));
            }
        };
        if kind != DnsKind::Srv && dns.port.is_none() {
            return Err("dns_sd_configs: port is needed for all types but SRV".to_owned());
        }
        let refresh = refresh("dns_sd_configs", &dns.refresh_interval, REFRESH_DNS)?;
        all.push(Discovery::Dns { names: dns.names.clone(), kind, port: dns.port, refresh });
    }
    Ok(all)
}
