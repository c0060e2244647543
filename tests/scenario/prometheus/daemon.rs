//! Programs of Debian's Prometheus packages.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A program that runs until it is dropped, on a port that it chose.
pub struct Daemon {
    _child: Child,
    pub address: String,
}

/// Where a program is; says that the test is skipped if it is nowhere.
pub fn installed(name: &str) -> Option<PathBuf> {
    let found = ["/usr/bin", "/usr/local/bin"].map(|folder| PathBuf::from(folder).join(name));
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: no {name}; `make setup` installs it");
    }
    found
}

impl Daemon {
    /// Starts it, and waits until it says where it listens.
    pub async fn start(name: &str, arguments: &[String]) -> Option<Daemon> {
        let mut child = Command::new(installed(name)?)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await.expect("text") {
            let address = line.split_once("msg=\"Listening on\" address=");
            if let Some((_, address)) = address {
                let address = address.trim().to_owned();
                // Whatever else it says is read on, so that the pipe never fills.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Some(Daemon { _child: child, address });
            }
            said.push(line);
        }
        panic!("{name} ends: {said:#?}");
    }

    /// The metrics of this machine.
    pub async fn node_exporter() -> Option<Daemon> {
        let arguments = ["--web.listen-address=127.0.0.1:0".to_owned()];
        Daemon::start("prometheus-node-exporter", &arguments).await
    }
}
