//! DuckDB over the same rows in the same run: what this machine, as busy as it is, gives a good
//! engine without a server. `yardstick.py` exports the spans while the server runs and asks after it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::data::Truth;
use crate::queries::{Expect, Question, ROUNDS};
use crate::server::Server;

/// The spans in a file that DuckDB reads.
pub struct Yardstick {
    python: PathBuf,
    folder: tempfile::TempDir,
    exported: Exported,
}

/// What was exported.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Exported {
    pub rows: u64,
    pub bytes: u64,
}

/// DuckDB's times, by the questions' names.
#[derive(Debug, Deserialize)]
pub struct Answers {
    pub version: String,
    pub rss_peak_bytes: u64,
    pub questions: BTreeMap<String, Answer>,
}

/// One question's times, and the counts in its last answer.
#[derive(Debug, Deserialize)]
pub struct Answer {
    pub p50_ms: f64,
    pub p95_ms: f64,
    first_cell: Option<serde_json::Value>,
    matched: Option<u64>,
}

impl Yardstick {
    /// Exports the spans; `None`, said aloud, where there is no Python with DuckDB.
    pub async fn export(server: &Server) -> Result<Option<Self>> {
        let python = std::env::var_os("BENCH_PYTHON").map(PathBuf::from);
        let Some(python) = python.filter(|python| python.exists()) else {
            eprintln!("no yardstick: BENCH_PYTHON names no Python (see scripts/setup-yardstick)");
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let args = ["export".into(), server.http.clone().into(), file(&folder).into()];
        let exported = run(&python, &args).await?;
        eprintln!("yardstick: {exported:?}");
        Ok(Some(Self { python, folder, exported }))
    }

    /// Asks DuckDB every question and checks its counts as the server's were.
    pub async fn ask(
        &self,
        load: &Path,
        questions: &[Question],
        truth: &Truth,
    ) -> Result<(Exported, Answers)> {
        let ids = load.join("trace_ids.txt");
        let rounds = ROUNDS.to_string();
        let args = ["ask".into(), file(&self.folder).into(), ids.into(), rounds.into()];
        let answers: Answers = run(&self.python, &args).await?;
        if let Some(total) = truth.count("spans total").filter(|_| !crate::data::is_cut()) {
            ensure!(self.exported.rows == total, "{} rows exported", self.exported.rows);
        }
        for question in questions.iter().filter(|_| !crate::data::is_cut()) {
            let Some(answer) = answers.questions.get(question.name) else { continue };
            let got = match question.expect {
                None => continue,
                Some(Expect::FirstCell(_)) => answer.first_cell.as_ref().and_then(|v| v.as_u64()),
                Some(Expect::Matched(_)) => answer.matched,
            };
            ensure!(got == question.expect.map(Expect::count), "{}: {answer:?}", question.name);
        }
        Ok((self.exported, answers))
    }
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("spans.parquet")
}

async fn run<T: serde::de::DeserializeOwned>(
    python: &Path,
    args: &[std::ffi::OsString],
) -> Result<T> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load/yardstick.py");
    let mut command = Command::new(python);
    command.arg(script).args(args).stderr(std::process::Stdio::inherit()).kill_on_drop(true);
    let output = command.output().await?;
    ensure!(output.status.success(), "{} ended with {}", python.display(), output.status);
    serde_json::from_slice(&output.stdout).context("the answer of yardstick.py")
}
