//! DuckDB over the same rows in the same run: what this machine, as busy as it is at the moment, gives a
//! good engine without a server. `yardstick.py` exports the spans from the server and then answers one
//! question at a time, between those that the server is asked.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::data::Truth;
use crate::server::Server;

/// A DuckDB that has the spans in a file.
pub struct Yardstick {
    exported: Exported,
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _folder: tempfile::TempDir,
}

/// What was exported.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Exported {
    pub rows: u64,
    pub bytes: u64,
}

/// One answer.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Answer {
    pub ms: f64,
    /// The count that the server's answer to the question has too.
    pub count: Option<u64>,
}

/// What DuckDB says at its end.
#[derive(Debug, Deserialize)]
pub struct End {
    pub version: String,
    pub rss_peak_bytes: u64,
}

impl Yardstick {
    /// Exports the spans; `None`, said aloud, where there is no Python with DuckDB.
    pub async fn start(server: &Server, load: &Path, truth: &Truth) -> Result<Option<Self>> {
        let python = std::env::var_os("BENCH_PYTHON").map(PathBuf::from);
        let Some(python) = python.filter(|python| python.exists()) else {
            eprintln!("no yardstick: BENCH_PYTHON names no Python (see scripts/setup-yardstick)");
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("spans.parquet");
        let mut export = script(&python, "export");
        let output = export.arg(&server.http).arg(&file).output().await?;
        ensure!(output.status.success(), "the export ended with {}", output.status);
        let exported: Exported = parse(&output.stdout)?;
        eprintln!("yardstick: {exported:?}");
        if let Some(total) = truth.count("spans total").filter(|_| !crate::data::is_cut()) {
            ensure!(exported.rows == total, "{} rows exported", exported.rows);
        }
        let mut answer = script(&python, "answer");
        answer.arg(&file).arg(load.join("trace_ids.txt")).stdin(Stdio::piped());
        let mut child = answer.stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take().context("its input is piped")?;
        let answers = child.stdout.take().context("its output is piped")?;
        let answers = BufReader::new(answers).lines();
        Ok(Some(Self { exported, child, questions, answers, _folder: folder }))
    }

    /// Asks the question of that name; `None` if it is not one of DuckDB's.
    pub async fn ask(&mut self, name: &str) -> Result<Option<Answer>> {
        self.questions.write_all(format!("{name}\n").as_bytes()).await?;
        parse(self.line().await?.as_bytes())
    }

    /// Ends it.
    pub async fn end(mut self) -> Result<(Exported, End)> {
        drop(self.questions);
        let line = self.answers.next_line().await?.context("DuckDB has ended early")?;
        self.child.wait().await?;
        Ok((self.exported, parse(line.as_bytes())?))
    }

    async fn line(&mut self) -> Result<String> {
        self.answers.next_line().await?.context("DuckDB has ended early")
    }
}

fn script(python: &Path, what: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load/yardstick.py")).arg(what);
    command.stderr(Stdio::inherit()).kill_on_drop(true);
    command
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T> {
    serde_json::from_slice(line).context("an answer of yardstick.py")
}
