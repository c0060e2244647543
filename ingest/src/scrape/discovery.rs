//! Where targets come from: the configuration, files, HTTP, DNS. Each source is asked again and again; while it fails,
//! what it said last holds.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::Asker;
use super::config::{self, Discovery, DnsKind, TargetGroup};
use crate::records::Read;

/// How often files are looked at, if they are not to be more often.
const FILES_PERIOD: Duration = Duration::from_secs(5);
/// Bytes of an answer of discovery over HTTP.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long an answer of discovery may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What the source of a number found.
pub type Found = (usize, Vec<TargetGroup>);

/// Whose source is asked, and in which tasks.
pub struct Asking {
    pub job: String,
    pub number: usize,
    pub tracker: TaskTracker,
    /// Ends the server.
    pub stop: CancellationToken,
}

impl Asking {
    /// Asks a source until `close`, or the server's end.
    pub async fn run(
        self,
        discovery: Discovery,
        found: mpsc::Sender<Found>,
        close: CancellationToken,
    ) {
        let job = &self.job;
        let mut source = match Source::new(discovery) {
            Ok(source) => source,
            Err(err) => {
                tracing::error!(job, err, "targets cannot be discovered");
                return;
            }
        };
        let mut last: Option<Read<Vec<TargetGroup>>> = None;
        loop {
            let now = tokio::select! {
                found = source.ask(&self.tracker) => found,
                () = close.cancelled() => return,
                () = self.stop.cancelled() => return,
            };
            if last.as_ref() != Some(&now) {
                match &now {
                    Ok(groups) => {
                        if found.send((self.number, groups.clone())).await.is_err() {
                            return;
                        }
                    }
                    Err(err) => {
                        tracing::warn!(job, err, "no targets from a source, those before hold");
                    }
                }
                last = Some(now);
            }
            let Some(period) = source.period() else { return };
            tokio::select! {
                () = tokio::time::sleep(period) => {}
                () = close.cancelled() => return,
                () = self.stop.cancelled() => return,
            }
        }
    }
}

/// A source that can be asked.
enum Source {
    Static(Vec<TargetGroup>),
    Files(Vec<PathBuf>, Duration),
    Http(Box<Asker>, String, Duration),
    Dns(Box<TokioResolver>, Vec<String>, DnsKind, Option<u16>, Duration),
}

impl Source {
    fn new(discovery: Discovery) -> Read<Self> {
        Ok(match discovery {
            Discovery::Static { groups } => Source::Static(groups),
            Discovery::Files { patterns, refresh } => {
                Source::Files(patterns, refresh.min(FILES_PERIOD))
            }
            Discovery::Http { url, client, refresh } => {
                Source::Http(Box::new(Asker::new(&client)?), url, refresh)
            }
            Discovery::Dns { names, kind, port, refresh } => {
                let builder = TokioResolver::builder_tokio().map_err(|err| err.to_string())?;
                let resolver = builder.build().map_err(|err| err.to_string())?;
                Source::Dns(Box::new(resolver), names, kind, port, refresh)
            }
        })
    }

    /// How long to wait before it is asked again; nothing if it cannot change.
    fn period(&self) -> Option<Duration> {
        match self {
            Source::Static(_) => None,
            Source::Files(_, period) | Source::Http(_, _, period) => Some(*period),
            Source::Dns(.., period) => Some(*period),
        }
    }

    async fn ask(&mut self, tracker: &TaskTracker) -> Read<Vec<TargetGroup>> {
        match self {
            Source::Static(groups) => Ok(groups.clone()),
            Source::Files(patterns, _) => {
                let patterns = patterns.clone();
                let read = tracker.spawn_blocking(move || of_files(&patterns));
                read.await.map_err(|err| err.to_string())?
            }
            Source::Http(asker, url, period) => of_http(asker, url, *period).await,
            Source::Dns(resolver, names, kind, port, _) => {
                let mut groups = Vec::with_capacity(names.len());
                for name in names {
                    groups.push(of_name(resolver, name, *kind, *port).await?);
                }
                Ok(groups)
            }
        }
    }
}

fn of_files(patterns: &[PathBuf]) -> Read<Vec<TargetGroup>> {
    let mut all = Vec::new();
    for pattern in patterns {
        for path in config::files_of(pattern)? {
            let told = |err| format!("{}: {err}", path.display());
            let text = std::fs::read_to_string(&path).map_err(|err| told(err.to_string()))?;
            let shown = path.display().to_string();
            let source = [("__meta_filepath", shown.as_str())];
            let groups = config::groups(&text).map_err(told)?;
            all.extend(groups.iter().map(|group| TargetGroup::of(group, &source)));
        }
    }
    Ok(all)
}

async fn of_http(asker: &Asker, url: &str, period: Duration) -> Read<Vec<TargetGroup>> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let seconds = HeaderValue::from_str(&period.as_secs_f64().to_string());
    if let Ok(seconds) = seconds {
        headers.insert(HeaderName::from_static("x-prometheus-refresh-interval-seconds"), seconds);
    }
    let told = |err| format!("{url}: {err}");
    let timeout = ANSWER_TIMEOUT.min(period.max(Duration::from_secs(1)));
    let answer = asker.get(url, headers, timeout, ANSWER_BYTES_MAX).await.map_err(told)?;
    let text = String::from_utf8(answer.body).map_err(|err| told(err.to_string()))?;
    let groups = config::groups(&text).map_err(told)?;
    let source = [("__meta_url", url)];
    Ok(groups.iter().map(|group| TargetGroup::of(group, &source)).collect())
}

async fn of_name(
    resolver: &TokioResolver,
    name: &str,
    kind: DnsKind,
    port: Option<u16>,
) -> Read<TargetGroup> {
    let wanted = match kind {
        DnsKind::Srv => RecordType::SRV,
        DnsKind::A => RecordType::A,
        DnsKind::Aaaa => RecordType::AAAA,
        DnsKind::Mx => RecordType::MX,
        DnsKind::Ns => RecordType::NS,
    };
    let answer = resolver.lookup(name, wanted).await.map_err(|err| format!("{name}: {err}"))?;
    let mut targets = Vec::new();
    for record in answer.answers() {
        let port = port.unwrap_or_default();
        let (host, more) = match &record.data {
            RData::SRV(srv) => {
                let host = srv.target.to_utf8();
                let more = vec![
                    ("__meta_dns_srv_record_target", host.clone()),
                    ("__meta_dns_srv_record_port", srv.port.to_string()),
                ];
                let port = if port == 0 { srv.port } else { port };
                (format!("{}:{port}", host.trim_end_matches('.')), more)
            }
            RData::A(address) => (with_port(IpAddr::V4(address.0), port), Vec::new()),
            RData::AAAA(address) => (with_port(IpAddr::V6(address.0), port), Vec::new()),
            RData::MX(mx) => {
                let host = mx.exchange.to_utf8();
                let address = format!("{}:{port}", host.trim_end_matches('.'));
                (address, vec![("__meta_dns_mx_record_target", host)])
            }
            RData::NS(ns) => {
                let host = ns.0.to_utf8();
                let address = format!("{}:{port}", host.trim_end_matches('.'));
                (address, vec![("__meta_dns_ns_record_target", host)])
            }
            _ => continue,
        };
        let mut labels = vec![("__address__".to_owned(), host)];
        labels.push(("__meta_dns_name".to_owned(), name.to_owned()));
        labels.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        targets.push(labels);
    }
    targets.sort();
    Ok(TargetGroup { targets })
}

fn with_port(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}
