//! The real binary as a child process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::client::Client;

/// How long anything awaited may take before the test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// A running server. It is killed when dropped.
pub struct Server {
    child: Child,
    pub client: Client,
    pub otlp_grpc: String,
    listening: String,
}

impl Server {
    /// Starts the server on this data folder and waits until it is ready.
    pub async fn start(data_dir: &Path) -> Server {
        Server::start_with(data_dir, &[]).await
    }

    /// The same with settings by environment (`THROUGHLINE_…`).
    pub async fn start_with(data_dir: &Path, settings: &[(&str, &str)]) -> Server {
        let server = Server::spawn(data_dir, settings);
        server.ready().await;
        server
    }

    /// Starts the server and waits only until its ports are open, which it says on its output.
    pub fn spawn(data_dir: &Path, settings: &[(&str, &str)]) -> Server {
        let mut command = binary();
        command.arg("serve").arg("--data-dir").arg(data_dir).envs(settings.iter().copied());
        Server::of(command)
    }

    /// Starts a command of the binary that runs a server, on free ports.
    pub fn of(mut command: Command) -> Server {
        let mut child = command
            .args(["--http", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"])
            .args(["--otlp-grpc", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let line = first_line(&mut child);
        let client = Client::new(&address(&line, "http="), &address(&line, "otlp_http="));
        Server { child, client, otlp_grpc: address(&line, "otlp_grpc="), listening: line }
    }

    /// Where another port is, by the name under which the server prints it.
    pub fn address(&self, name: &str) -> String {
        address(&self.listening, &format!("{name}="))
    }

    /// Waits until `/-/ready` says so.
    pub async fn ready(&self) {
        wait_until("ready", || async {
            self.client.get("/-/ready").await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// Waits until everything acknowledged is in merged segments.
    pub async fn settle(&self) {
        wait_until("settled", || async {
            let status = self.client.json("/api/v1/status").await;
            find(&status, "settled").and_then(|v| v.as_bool()).expect("the status says settled")
        })
        .await;
    }

    /// The most memory that the process has held so far; `None` where the system does not tell.
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        let pid = self.child.id()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    }

    /// `kill -9`, at once.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the process is killed");
    }

    /// Stops it as an operator would, and says whether it ended well.
    pub async fn stop(mut self) -> bool {
        let pid = self.child.id().expect("the process runs").to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIGTERM is sent");
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it stops in time").expect("its status is known").success()
    }
}

fn address(line: &str, name: &str) -> String {
    let found = line.split_whitespace().find_map(|part| part.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name} in '{line}'")).to_owned()
}

/// The binary, without the settings that the tests themselves run under.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    let names = std::env::vars().map(|(name, _)| name);
    for name in names.filter(|name| name.starts_with("THROUGHLINE_")) {
        command.env_remove(name);
    }
    command
}

/// Polls until the condition holds; panics after [`PATIENCE`].
pub async fn wait_until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "not {what} after {PATIENCE:?}");
        tokio::time::sleep(POLL).await;
    }
}

/// The first value of that key, at any depth.
pub fn find<'a>(json: &'a serde_json::Value, key: &str) -> Option<&'a serde_json::Value> {
    let object = json.as_object()?;
    object.get(key).or_else(|| object.values().find_map(|value| find(value, key)))
}

// The server binds free ports and says which: two tests never meet on one.
fn first_line(child: &mut Child) -> String {
    let output = child.stdout.take().expect("the output is piped");
    let output = output.into_owned_fd().expect("a pipe");
    let mut output = BufReader::new(std::fs::File::from(output));
    let mut line = String::new();
    output.read_line(&mut line).expect("the server speaks");
    // Whatever else it prints is read on, so that the pipe never fills.
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    line
}
