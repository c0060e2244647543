//! The whole process under the project's load: CPU, memory, bytes on disk and query times.
//!
//! `make bench` runs this. It starts the release binary on an empty folder, sends the frames of
//! `../shared/load` (generated once, deterministic) over OTLP/HTTP with four connections, waits until
//! the server says `settled`, asks the queries that the peers were asked, restarts the server, asks
//! again, and prints Markdown for `docs/benchmarks.md`. Nothing here passes or fails by time; the
//! counts are checked against the generator's ground truth.
//!
//! DuckDB is asked the same about the same spans in the same run (see [`yardstick`]).
//!
//! Settings by environment: `BENCH_LOAD_DIR` (folder of the generated files, default
//! `target/load-data`), `BENCH_FRAMES` (send only the first n frames of each file), `BENCH_HOURS` (send so many
//! hours of spans or log records, 2 M each; DuckDB and the generator's counts are left out), `BENCH_SIGNALS`
//! (comma list of `traces`, `logs`, `metrics`, `remote_write`; default the first three), `BENCH_KEEP` (keep the data folder), `BENCH_SERVER`
//! (the server's binary, default the one of this build; with a release binary the harness itself may
//! be a debug build: `BENCH_SERVER=… cargo bench --profile dev --bench load`), `BENCH_PYTHON` (a
//! Python with DuckDB, see `scripts/setup-yardstick`; without it the yardstick is left out).
#![allow(missing_docs, clippy::unwrap_used)]

mod data;
mod log_queries;
mod metric_queries;
mod queries;
mod report;
mod server;
mod yardstick;

use std::path::PathBuf;

use anyhow::{Context, Result};
use data::{LoadFile, Truth};
use report::Report;
use server::Server;
use yardstick::Yardstick;

/// One signal's load: which file goes to which path.
pub struct Signal {
    pub name: &'static str,
    pub file: &'static str,
    pub path: &'static str,
}

impl Signal {
    /// Whether several hours of it may be sent.
    pub fn has_hours(&self) -> bool {
        !matches!(self.name, "metrics" | "remote_write")
    }
}

const SIGNALS: [Signal; 4] = [
    Signal { name: "traces", file: "traces.bin", path: "/v1/traces" },
    Signal { name: "logs", file: "logs.bin", path: "/v1/logs" },
    Signal { name: "metrics", file: "metrics_otlp.bin", path: "/v1/metrics" },
    Signal { name: "remote_write", file: "metrics_rw.bin", path: "/prometheus/api/v1/write" },
];

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo test --benches` runs bench targets too, without `--bench`: nothing to do there.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let wanted = std::env::var("BENCH_SIGNALS").unwrap_or_else(|_| "traces,logs,metrics".into());
    let signals: Vec<_> =
        SIGNALS.iter().filter(|s| wanted.split(',').any(|w| w == s.name)).collect();
    let Some(folder) = data::ensure(&signals)? else {
        println!("skipped: ../shared/load is absent and BENCH_LOAD_DIR names no generated load");
        return Ok(());
    };
    let truth = Truth::read(&folder)?;
    let mut report = Report::default();
    for signal in &signals {
        run(signal, &folder, &truth, &mut report)
            .await
            .with_context(|| format!("bench of {}", signal.name))?;
    }
    println!("\n{}", report.markdown());
    Ok(())
}

/// One signal on a fresh data folder.
async fn run(
    signal: &Signal,
    folder: &std::path::Path,
    truth: &Truth,
    report: &mut Report,
) -> Result<()> {
    let data_dir = tempfile::Builder::new().prefix("throughline-bench").tempdir()?;
    let load = LoadFile::open(&folder.join(signal.file))?;
    let server = Server::start(data_dir.path()).await?;
    eprintln!("{}: sending {} items in {} requests", signal.name, load.items(), load.len());
    let sent = load.send(&server, signal.path).await?;
    eprintln!("{}: {sent:?}; waiting until settled", signal.name);
    if signal.has_hours() {
        for hour in 1..data::hours() {
            let load = LoadFile::open(&folder.join(format!("hour-{hour}")).join(signal.file))?;
            eprintln!("{}: hour {hour}: {:?}", signal.name, load.send(&server, signal.path).await?);
        }
    }
    server.settle().await?;
    let usage = server.usage(data_dir.path()).await?;
    if !signal.has_hours() || data::hours() == 1 {
        report.ingest(signal, &load, &sent, &usage);
    } else {
        let items = (load.items() * data::hours()) as f64;
        let bytes = usage.disk_bytes as f64 / items;
        eprintln!("{}: about {bytes:.1} bytes an item on disk", signal.name);
    }
    drop(load);
    let questions = queries::of(signal.name, &folder_lines(folder, "trace_ids.txt"), truth);
    let mut yardstick = match signal.name {
        "traces" if data::hours() == 1 => Yardstick::start(&server, folder, truth).await?,
        _ => None,
    };
    let hot = queries::ask(&server, &questions, yardstick.as_mut()).await?;
    report.peak(signal, "queries", server.rss_peak_bytes()?);
    if let Some(yardstick) = yardstick {
        let (exported, end) = yardstick.end().await?;
        report.yardstick(exported, &end);
    }
    server.stop().await?;
    let server = Server::start(data_dir.path()).await?;
    let restarted = queries::ask(&server, &questions, None).await?;
    report.peak(signal, "restart and queries", server.rss_peak_bytes()?);
    server.stop().await?;
    report.queries(signal, &questions, &hot, &restarted);
    if std::env::var_os("BENCH_KEEP").is_some() {
        eprintln!("{}: data kept in {}", signal.name, data_dir.keep().display());
    }
    Ok(())
}

fn folder_lines(folder: &std::path::Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(PathBuf::from(folder).join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
