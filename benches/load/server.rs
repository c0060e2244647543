//! The server as a child process, and what the kernel says of it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

/// How long the server may take to become ready, to settle, to stop.
const PATIENCE: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(200);
/// The size of the data folder counts once it was the same this often in a row.
const DISK_POLLS_QUIET: usize = 25;
const DISK_POLLS_MAX: usize = 300;

/// A running server.
pub struct Server {
    child: Child,
    pub http: String,
    pub otlp_http: String,
    pub client: reqwest::Client,
}

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub cpu_seconds: f64,
    pub rss_peak_bytes: u64,
    pub disk_bytes: u64,
}

impl Server {
    pub async fn start(data_dir: &Path) -> Result<Self> {
        let [http, otlp_http, otlp_grpc] = free_addresses()?;
        let binary = std::env::var_os("BENCH_SERVER")
            .unwrap_or_else(|| env!("CARGO_BIN_EXE_throughline").into());
        let child = Command::new(&binary)
            .env_remove("THROUGHLINE_SHARED")
            .env_remove("THROUGHLINE_UI_DIST")
            .env("THROUGHLINE_LOG_LEVEL", "warn")
            .arg("serve")
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--http", &http, "--otlp-http", &otlp_http, "--otlp-grpc", &otlp_grpc])
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| binary.display().to_string())?;
        let server = Self { child, http, otlp_http, client: reqwest::Client::new() };
        server.wait("ready", || server.is_ready()).await?;
        Ok(server)
    }

    async fn is_ready(&self) -> Result<bool> {
        let answer = self.client.get(format!("http://{}/-/ready", self.http)).send().await;
        Ok(answer.is_ok_and(|response| response.status().is_success()))
    }

    async fn is_settled(&self) -> Result<bool> {
        let url = format!("http://{}/api/v1/status", self.http);
        let status: serde_json::Value = self.client.get(url).send().await?.json().await?;
        let settled = find(&status, "settled").context("the status has no 'settled'")?;
        Ok(settled.as_bool().unwrap_or(false))
    }

    /// Waits until heads are flushed and no compaction is due.
    pub async fn settle(&self) -> Result<()> {
        self.wait("settled", || self.is_settled()).await
    }

    async fn wait<F: Future<Output = Result<bool>>>(
        &self,
        what: &str,
        mut check: impl FnMut() -> F,
    ) -> Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !check().await? {
            if tokio::time::Instant::now() > deadline {
                bail!("the server is not {what} after {PATIENCE:?}");
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// CPU by now, and what is on disk once replaced files are gone.
    pub async fn usage(&self, data_dir: &Path) -> Result<Usage> {
        let mut usage = self.usage_now(data_dir)?;
        let mut quiet = 0;
        for _ in 0..DISK_POLLS_MAX {
            tokio::time::sleep(POLL).await;
            let bytes = bytes_below(data_dir)?;
            quiet = if bytes == usage.disk_bytes { quiet + 1 } else { 0 };
            usage.disk_bytes = bytes;
            if quiet == DISK_POLLS_QUIET {
                break;
            }
        }
        Ok(usage)
    }

    /// The most memory that the process has had so far.
    pub fn rss_peak_bytes(&self) -> Result<u64> {
        let pid = self.child.id().context("the server has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let peak_kib: u64 = peak.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(peak_kib * 1024)
    }

    fn usage_now(&self, data_dir: &Path) -> Result<Usage> {
        let pid = self.child.id().context("the server has ended")?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Fields 14 and 15 of proc(5), counted after the parenthesised name; 100 ticks a second.
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Usage {
            cpu_seconds: ticks as f64 / 100.0,
            rss_peak_bytes: self.rss_peak_bytes()?,
            disk_bytes: bytes_below(data_dir)?,
        })
    }

    pub async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().context("the server has ended")?;
        std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status()?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        Ok(())
    }
}

/// The first value of that key, at any depth.
fn find<'a>(json: &'a serde_json::Value, key: &str) -> Option<&'a serde_json::Value> {
    let object = json.as_object()?;
    object.get(key).or_else(|| object.values().find_map(|value| find(value, key)))
}

fn free_addresses() -> Result<[String; 3]> {
    let listeners = [
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    ];
    let mut addresses = Vec::new();
    for listener in &listeners {
        addresses.push(listener.local_addr()?.to_string());
    }
    addresses.try_into().map_err(|_| anyhow::anyhow!("three addresses"))
}

/// Bytes of all files except those of the write-ahead log, which is trimmed after a flush.
fn bytes_below(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // The server deletes replaced files meanwhile.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_file() {
            sum += meta.len();
        } else if entry.file_name() != "wal" {
            sum += bytes_below(&entry.path())?;
        }
    }
    Ok(sum)
}
