//! Prometheus's language for tests of PromQL (`load`, `eval`), run against a real store and engine.
//!
//! The files of Prometheus itself are read from `../shared` where that is, or from the folder that
//! `THROUGHLINE_PROMQLTEST_DIR` names (`make promqltest DIR=…`); ours are in `data/promql`.

mod compare;
mod describe;
mod load;
mod run;
mod script;
mod selection;

use std::path::{Path, PathBuf};

const SHARED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/prometheus/promqltest");
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/promql");

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files =
        paths.filter(|path| path.extension().is_some_and(|e| e == "test")).collect::<Vec<_>>();
    files.sort();
    files
}

use run::Tier;

async fn run_folder(folder: &Path, tier: Tier) {
    let files = files(folder);
    if files.is_empty() {
        println!("skipped: there are no .test files in {}", folder.display());
        return;
    }
    let (mut passed, mut total, mut failures) = (0, 0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let outcome = run::script(&text, tier).await;
        println!("{name}: {}/{}", outcome.passed, outcome.total);
        passed += outcome.passed;
        total += outcome.total;
        failures.extend(outcome.failures.into_iter().map(|failure| format!("{name}:{failure}")));
    }
    println!("all: {passed}/{total}");
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_files() {
    let folder = std::env::var("THROUGHLINE_PROMQLTEST_DIR");
    let folder = folder.map_or_else(|_| PathBuf::from(SHARED), PathBuf::from);
    run_folder(&folder, Tier::Heads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_files_in_segments() {
    run_folder(Path::new(SHARED), Tier::Segments).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_files() {
    assert!(!files(Path::new(OWN)).is_empty(), "our own files are part of the repository");
    run_folder(Path::new(OWN), Tier::Heads).await;
    run_folder(Path::new(OWN), Tier::Segments).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_answers_are_found() {
    let wrong = [
        "eval instant at 1m m\n  m 3",
        "eval instant at 1m m",
        "eval instant at 1m m\n  m 2\n  other 1",
        "eval instant at 1m m\n  expect warn\n  m 2",
        "eval instant at 1m rate(m[5m])\n  expect no_info\n  {} 0.016666666666666666",
        "eval instant at 1m m + on () group_left m\n  m 2",
        "eval instant at 1m m\n  expect fail",
        "eval range from 0 to 1m step 1m m\n  m 1 3",
    ];
    for case in wrong {
        let script = format!("load 1m\n  m 1 2\n\n{case}\n");
        let outcome = run::script(&script, Tier::Heads).await;
        assert_eq!((outcome.passed, outcome.total), (0, 1), "{case}: {:?}", outcome.failures);
    }
}
