//! What the server says about itself at `/metrics`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use throughline_api::{ApiCounters, RouteCount};
use throughline_ingest::Ingester;
use throughline_ingest::admit::{DURATION_BOUNDS_MS, SignalCounts};
use throughline_ingest::rules::RuleCounts;
use throughline_ingest::scrape::Targets;
use throughline_ingest::scrape::status::Health;
use throughline_storage::{Store, StoreStatus};

use super::listener::FrontCounters;
use super::openmetrics::{Labels, Page};
use super::sockets::SocketStats;
use crate::tasks::Tasks;

/// Clock ticks a second in `/proc`, fixed by Linux for user space.
const TICKS_PER_SECOND: f64 = 100.0;
/// Bytes of a page in `/proc/self/statm`.
const PAGE_BYTES: f64 = 4096.0;
const NO_LABELS: Labels<'static> = &[];

/// Where the figures come from.
#[derive(Clone)]
pub struct SelfMetrics {
    /// Requests.
    pub ingester: Ingester,
    /// Segments, heads, log.
    pub store: Store,
    /// Connections.
    pub front: Arc<FrontCounters>,
    /// Tasks.
    pub tasks: Tasks,
    /// Requests of the API.
    pub api: Arc<ApiCounters>,
    /// Messages on ports that are no HTTP.
    pub sockets: SocketStats,
    /// What is scraped, if anything is to be.
    pub scraped: Option<Targets>,
}

impl SelfMetrics {
    /// The page, in OpenMetrics.
    pub fn render(&self) -> String {
        let mut page = Page::default();
        process(&mut page);
        self.front(&mut page);
        self.ingest(&mut page);
        self.sockets(&mut page);
        self.scraping(&mut page);
        self.api(&mut page);
        store(&mut page, &self.store.status());
        page.finish()
    }

    fn front(&self, page: &mut Page) {
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        page.gauge("throughline_build_info", "The build.", [(&build[..], 1.0)]);
        let open = self.tasks.running("connection") as f64;
        page.gauge("throughline_connections", "Open connections.", [(NO_LABELS, open)]);
        for (name, help, counter) in [
            ("accepted", "Connections accepted.", &self.front.accepted),
            ("handshakes_failed", "TLS handshakes that failed.", &self.front.handshakes_failed),
            ("unauthenticated", "Requests without a valid token.", &self.front.unauthenticated),
        ] {
            let value = counter.load(Ordering::Relaxed) as f64;
            page.counter(&format!("throughline_{name}"), help, [(NO_LABELS, value)]);
        }
        let panics = (self.tasks.panics() + self.api.panics()) as f64;
        page.counter("throughline_panics", "Panics caught.", [(NO_LABELS, panics)]);
    }

    fn scraping(&self, page: &mut Page) {
        let Some(scraped) = &self.scraped else { return };
        let is_valid = f64::from(u8::from(!scraped.is_config_broken()));
        let help = "Whether the scrape configuration reads as it is now.";
        page.gauge("throughline_scrape_config_valid", help, [(NO_LABELS, is_valid)]);
        let pools = scraped.pools();
        let health = pools.values().flat_map(|pool| &pool.active);
        let health = health.map(|target| target.last.lock().health).collect::<Vec<_>>();
        let count = |wanted: Health| health.iter().filter(|own| **own == wanted).count() as f64;
        let all = [Health::Up, Health::Down, Health::Unknown];
        let labels = all.map(|health| [("health", health.name())]);
        let counted = labels.iter().zip(all).map(|(labels, health)| (&labels[..], count(health)));
        page.gauge("throughline_scrape_targets", "Targets by their last scrape.", counted);
        let lost = [(NO_LABELS, scraped.lost() as f64)];
        page.counter("throughline_scrapes_lost", "Scrapes that could not be stored.", lost);
    }

    fn sockets(&self, page: &mut Page) {
        let SocketStats { syslog, gelf, fluent } = &self.sockets;
        for (name, help, counter) in [
            ("syslog_stored", "Messages of syslog stored.", &syslog.stored),
            ("syslog_dropped", "Messages of syslog lost, for want of room.", &syslog.dropped),
            ("syslog_cut", "Messages of syslog that were too long.", &syslog.cut),
            ("gelf_stored", "Messages of GELF over UDP and TCP stored.", &gelf.stored),
            ("gelf_dropped", "Messages of GELF lost: no room, or parts missing.", &gelf.dropped),
            ("gelf_cut", "Messages of GELF that were too long.", &gelf.cut),
            ("fluent_stored", "Messages of Fluent's forward protocol stored.", &fluent.stored),
            ("fluent_dropped", "Such messages that cannot be kept.", &fluent.dropped),
        ] {
            let value = counter.load(Ordering::Relaxed) as f64;
            page.counter(&format!("throughline_{name}"), help, [(NO_LABELS, value)]);
        }
    }

    fn api(&self, page: &mut Page) {
        let in_flight = self.api.in_flight() as f64;
        page.gauge("throughline_api_in_flight", "Requests in work.", [(NO_LABELS, in_flight)]);
        let routes = self.api.by_route();
        let statuses: Vec<String> = routes.iter().map(|route| route.status.to_string()).collect();
        let labels: Vec<_> = routes
            .iter()
            .zip(&statuses)
            .map(|(route, status)| [("route", route.route.as_str()), ("status", status.as_str())])
            .collect();
        let points = |get: fn(&RouteCount) -> f64| {
            labels.iter().zip(&routes).map(move |(labels, route)| (&labels[..], get(route)))
        };
        let requests = points(|route| route.requests as f64);
        page.counter("throughline_api_requests", "Requests of the API.", requests);
        let seconds = points(|route| route.seconds);
        page.counter("throughline_api_seconds", "Time they took to answer.", seconds);
    }

    fn rules(&self, page: &mut Page) {
        let counts = self.ingester.rules().counts();
        let labels: Vec<_> = counts.iter().map(|rule| [("rule", rule.name.as_str())]).collect();
        type Get = fn(&RuleCounts) -> u64;
        for (name, help, get) in [
            ("matched", "Log records that a rule is for.", (|c| c.matched) as Get),
            ("dropped", "Log records that a rule dropped or did not sample.", |c| c.dropped),
            ("unparsed", "Log records whose text a rule could not parse.", |c| c.unparsed),
            ("redacted", "Log records that a rule took something out of.", |c| c.redacted),
        ] {
            let values = labels.iter().zip(&counts);
            let points = values.map(|(label, counts)| (&label[..], get(counts) as f64));
            page.counter(&format!("throughline_rules_{name}"), help, points);
        }
    }

    fn ingest(&self, page: &mut Page) {
        let counts = self.ingester.stats().snapshot();
        let labels: Vec<_> = counts.iter().map(|count| [("signal", count.signal.name())]).collect();
        let mut counter = |name: &str, help: &str, values: Vec<u64>| {
            let points = labels.iter().zip(values).map(|(label, v)| (&label[..], v as f64));
            page.counter(&format!("throughline_ingest_{name}"), help, points);
        };
        let of = |get: fn(&SignalCounts) -> u64| counts.iter().map(get).collect::<Vec<_>>();
        counter("requests", "Requests acknowledged.", of(|c| c.requests));
        counter("repeated", "Requests known already, stored once.", of(|c| c.repeated));
        counter("items", "Spans, log records, points stored.", of(|c| c.items_accepted));
        counter("items_rejected", "Items refused for good.", of(|c| c.items_rejected));
        counter("bytes", "Bytes of bodies as received.", of(|c| c.body_bytes));
        counter("inflated_bytes", "Bytes of bodies, inflated.", of(|c| c.inflated_bytes));
        let refused: Vec<_> = counts
            .iter()
            .flat_map(|count| count.refused.iter().map(move |(kind, number)| (count, kind, number)))
            .map(|(count, kind, number)| {
                ([("signal", count.signal.name()), ("kind", kind.name())], *number)
            })
            .collect();
        let points = refused.iter().map(|(labels, number)| (&labels[..], *number as f64));
        page.counter("throughline_ingest_refused", "Requests refused, by kind.", points);
        self.rules(page);
        let quota = self.ingester.quota();
        let refused = quota.refused_bytes() as f64;
        let help = "Inflated bytes refused since a tenant was over its limit.";
        page.counter("throughline_ingest_quota_refused_bytes", help, [(NO_LABELS, refused)]);
        let tenants = quota.tenants() as f64;
        page.gauge("throughline_ingest_tenants", "Tenants limited.", [(NO_LABELS, tenants)]);
        let bounds: Vec<f64> = DURATION_BOUNDS_MS.iter().map(|ms| *ms as f64 / 1e3).collect();
        let name = "throughline_ingest_duration_seconds";
        page.histogram(name, "Time from a request's head to its acknowledgement.");
        for count in &counts {
            let label = ("signal", count.signal.name());
            page.histogram_points(name, label, &bounds, &count.durations, count.duration_s);
        }
        let room = self.ingester.room();
        let taken = room.bytes_taken() as f64;
        page.gauge("throughline_in_flight_bytes", "Bodies in flight.", [(NO_LABELS, taken)]);
        let waiting = room.requests_waiting() as f64;
        page.gauge(
            "throughline_waiting_requests",
            "Requests waiting for room.",
            [(NO_LABELS, waiting)],
        );
    }
}

fn store(page: &mut Page, status: &StoreStatus) {
    let labels: Vec<_> = status.signals.iter().map(|s| [("signal", s.signal.name())]).collect();
    let mut gauge = |name: &str, help: &str, values: Vec<u64>| {
        let points = labels.iter().zip(values).map(|(label, v)| (&label[..], v as f64));
        page.gauge(&format!("throughline_{name}"), help, points);
    };
    let signals = &status.signals;
    gauge("head_rows", "Rows not yet in segments.", signals.iter().map(|s| s.head_rows).collect());
    gauge("head_bytes", "Memory of these rows.", signals.iter().map(|s| s.head_bytes).collect());
    gauge("wal_bytes", "Bytes of log files.", signals.iter().map(|s| s.wal_bytes).collect());
    let segments = |get: fn(&throughline_storage::LevelStatus) -> u64| {
        signals.iter().map(|s| s.levels.iter().map(get).sum()).collect::<Vec<u64>>()
    };
    gauge("segments", "Segments.", segments(|level| level.segments));
    gauge("segment_rows", "Rows in segments.", segments(|level| level.rows));
    gauge(
        "segment_bytes",
        "Bytes of segments.",
        segments(|level| level.data_bytes + level.index_bytes),
    );
    for (name, help, value) in [
        ("backlog", "Compactions that could run now.", status.backlog.ready),
        ("settled", "1 if nothing is left to flush or compact.", u64::from(status.settled)),
        (
            "quarantined",
            "Damaged segments and log pieces set aside.",
            status.quarantined.len() as u64,
        ),
        ("disk_available_bytes", "Bytes free on the disk.", status.disk_available_bytes),
        ("dedup_entries", "Requests remembered against repetition.", status.dedup_entries),
    ] {
        page.gauge(&format!("throughline_{name}"), help, [(NO_LABELS, value as f64)]);
    }
    for (name, help, value) in [
        ("wal_commits", "Syncs of the logs.", status.counters.commits),
        ("flushes", "Heads flushed.", status.counters.flushes),
        ("compactions", "Compactions done.", status.counters.compactions),
        ("segment_bytes_written", "Bytes written by both.", status.counters.segment_bytes_written),
        ("segments_expired", "Segments dropped by retention.", status.counters.segments_expired),
    ] {
        page.counter(&format!("throughline_{name}"), help, [(NO_LABELS, value as f64)]);
    }
}

// CPU, memory and files of the process, where /proc tells them.
fn process(page: &mut Page) {
    if let Some(seconds) = cpu_seconds() {
        page.counter("process_cpu_seconds", "CPU time used.", [(NO_LABELS, seconds)]);
    }
    if let Some(bytes) = resident_bytes() {
        page.gauge("process_resident_memory_bytes", "Memory in use.", [(NO_LABELS, bytes)]);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", "Open files.", [(NO_LABELS, files.count() as f64)]);
    }
}

// utime and stime, fields 14 and 15 of proc(5), counted after the name in parentheses.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

fn resident_bytes() -> Option<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}
