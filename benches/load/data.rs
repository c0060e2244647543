//! The load's files: generating them once, reading their frames, sending them.
//!
//! ```text
//! frame := u32 LE body length | u32 LE item count | body
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;

use crate::Signal;
use crate::server::Server;

/// Connections that send at the same time, as with the peers.
const CONNECTIONS: usize = 4;
/// How often one body is sent again after 429 or 503.
const RETRIES_MAX: usize = 600;

/// Hours of traces or logs that are sent; each further one lies in a folder `hour-<k>` of its own.
pub fn hours() -> usize {
    std::env::var("BENCH_HOURS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// Generates what is missing; `None` when the generator's source is absent.
pub fn ensure(signals: &[&Signal]) -> Result<Option<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder =
        std::env::var_os("BENCH_LOAD_DIR").map_or(root.join("target/load-data"), PathBuf::from);
    let missing = |signal: &&&Signal| !folder.join(signal.file).exists();
    let hourly = signals.iter().filter(|signal| signal.has_hours()).map(|signal| signal.file);
    let hourly = hourly.collect::<Vec<_>>();
    let further = (1..if hourly.is_empty() { 1 } else { hours() })
        .map(|hour| (hour, folder.join(format!("hour-{hour}"))))
        .filter(|(_, folder)| hourly.iter().any(|file| !folder.join(file).exists()))
        .collect::<Vec<_>>();
    if further.is_empty() && !signals.iter().any(|signal| missing(&signal)) {
        return Ok(Some(folder));
    }
    let source = std::env::var_os("THROUGHLINE_SHARED")
        .map_or(root.join("../shared"), PathBuf::from)
        .join("load");
    if !source.join("Cargo.toml").exists() {
        return Ok(None);
    }
    std::fs::create_dir_all(&folder)?;
    for signal in signals.iter().filter(missing) {
        let what = if signal.has_hours() { "traces-logs" } else { "metrics" };
        if !folder.join(signal.file).exists() {
            generate(&source, what, &folder, 0)?;
        }
    }
    for (hour, folder) in further {
        std::fs::create_dir_all(&folder)?;
        generate(&source, "traces-logs", &folder, hour)?;
        for file in ["traces.bin", "logs.bin"] {
            if !hourly.contains(&file) {
                std::fs::remove_file(folder.join(file))?;
            }
        }
    }
    Ok(Some(folder))
}

// The generator's folder may be read-only, so its lock file and target go elsewhere.
fn generate(source: &Path, what: &str, folder: &Path, hour: usize) -> Result<()> {
    eprintln!("generating {what} into {}", folder.display());
    let copy = tempfile::tempdir()?;
    std::fs::create_dir(copy.path().join("src"))?;
    for file in ["Cargo.toml", "src/generate.rs", "src/replay.rs"] {
        std::fs::copy(source.join(file), copy.path().join(file))?;
    }
    let status = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--bin", "generate", "--", what])
        .arg(std::path::absolute(folder)?)
        .arg(hour.to_string())
        .current_dir(copy.path())
        .env("CARGO_TARGET_DIR", copy.path().join("target"))
        .status()?;
    ensure!(status.success(), "the generator ended with {status}");
    Ok(())
}

/// The generator's counts, by their names.
pub struct Truth(BTreeMap<String, u64>);

impl Truth {
    pub fn read(folder: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(folder.join("truth_traces_logs.txt")).unwrap_or_default();
        let counts = text.lines().filter_map(|line| {
            let (name, count) = line.rsplit_once(": ")?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        });
        Ok(Self(counts.collect()))
    }

    pub fn count(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }
}

fn frames_max() -> Option<usize> {
    std::env::var("BENCH_FRAMES").ok().and_then(|n| n.parse().ok())
}

/// Whether not just the one hour is sent, so that the generator's counts say nothing.
pub fn is_cut() -> bool {
    frames_max().is_some() || hours() > 1
}

/// A file's frames, in memory.
pub struct LoadFile {
    bytes: Bytes,
    frames: Vec<(usize, usize, usize)>,
}

/// How the sending went.
#[derive(Debug)]
pub struct Sent {
    pub seconds: f64,
    pub retries: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl LoadFile {
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = Bytes::from(std::fs::read(path).with_context(|| path.display().to_string())?);
        let most = frames_max().unwrap_or(usize::MAX);
        let mut frames = Vec::new();
        let mut at = 0;
        while at + 8 <= bytes.len() && frames.len() < most {
            let number = |at: usize| {
                u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
                    as usize
            };
            frames.push((at + 8, number(at), number(at + 4)));
            at += 8 + number(at);
        }
        Ok(Self { bytes, frames })
    }

    pub fn len(&self) -> usize {
        self.frames.len()
    }

    pub fn items(&self) -> usize {
        self.frames.iter().map(|(_, _, items)| items).sum()
    }

    /// Sends every frame once (again on 429 and 503) and returns when all are acknowledged.
    pub async fn send(&self, server: &Server, path: &str) -> Result<Sent> {
        let next = Arc::new(AtomicUsize::new(0));
        let frames: Arc<Vec<Bytes>> = Arc::new(
            self.frames.iter().map(|(at, len, _)| self.bytes.slice(*at..at + len)).collect(),
        );
        let started = Instant::now();
        // What is not OTLP goes to the port of the API.
        let address = if path.starts_with("/v1/") { &server.otlp_http } else { &server.http };
        let url = format!("http://{address}{path}");
        let senders = (0..CONNECTIONS)
            .map(|_| tokio::spawn(send_some(url.clone(), frames.clone(), next.clone())));
        let mut latencies = Vec::new();
        let mut retries = 0;
        for sender in senders.collect::<Vec<_>>() {
            let (mut some, again) = sender.await??;
            latencies.append(&mut some);
            retries += again;
        }
        latencies.sort_by(f64::total_cmp);
        let at = |q: f64| {
            latencies.get((q * (latencies.len() - 1) as f64) as usize).copied().unwrap_or(0.0)
        };
        Ok(Sent {
            seconds: started.elapsed().as_secs_f64(),
            retries,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
        })
    }
}

async fn send_some(
    url: String,
    frames: Arc<Vec<Bytes>>,
    next: Arc<AtomicUsize>,
) -> Result<(Vec<f64>, usize)> {
    let client = reqwest::Client::builder().http1_only().build()?;
    let (mut latencies, mut retries) = (Vec::new(), 0);
    while let Some(body) = frames.get(next.fetch_add(1, Ordering::Relaxed)) {
        let started = Instant::now();
        for attempt in 0.. {
            let request = client.post(&url).header("content-type", "application/x-protobuf");
            let response = request.body(body.clone()).send().await?;
            match response.status().as_u16() {
                200 | 204 => {
                    let answer = response.bytes().await?;
                    ensure!(answer.is_empty(), "a partial success: {answer:?}");
                    break;
                }
                429 | 503 if attempt < RETRIES_MAX => {
                    retries += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                status => bail!("status {status}: {}", response.text().await.unwrap_or_default()),
            }
        }
        latencies.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok((latencies, retries))
}
