//! Any question has the same answer before and after flush, compaction and restart, and the same
//! whether its conditions reach the scan or not.
//!
//! Two stores get the same random batches. One keeps them in its heads and is the reference; the
//! other flushes, compacts, restarts and ages at random in between, and must answer alike at every
//! stage: mixed, flushed, compacted to L1 and L2, with late rows on top, restarted.
//!
//! `PROPERTY_CASES` sets how many pairs of stores are filled, `PROPERTY_SEED` the first of them: a
//! failure names its seed.

mod native;
mod questions;
mod rows;

use std::collections::BTreeMap;

use native::Native;
use questions::Question;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use throughline_model::Batch;
use throughline_model::time::{HOUR_NS, MINUTE_NS};

use crate::data::{self, TestSpan};
use crate::harness::Harness;

/// Pairs of stores that are filled and asked in an ordinary run.
const CASES: u64 = 3;
/// Questions to each pair, at every stage.
const SQL_QUESTIONS: usize = 24;
const JOINS: usize = 3;
const NATIVE_QUESTIONS: usize = 16;
/// Batches of each signal before the first questions, and late ones after them.
const BATCHES: usize = 5;
const LATE_BATCHES: usize = 2;
/// Begins the answer to a question that was refused.
const ERROR: &str = "refused: ";

fn pick<T: Copy>(rng: &mut StdRng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is asked of both stores.
struct Questions {
    sql: Vec<Question>,
    native: Vec<Native>,
}

impl Questions {
    fn random(rng: &mut StdRng) -> Self {
        let mut sql = (0..SQL_QUESTIONS).map(|_| questions::question(rng)).collect::<Vec<_>>();
        sql.extend((0..JOINS).map(|_| questions::join(rng)));
        Self { sql, native: (0..NATIVE_QUESTIONS).map(|_| native::native(rng)).collect() }
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        let native = self.native.iter().map(|question| format!("{question:?}"));
        self.sql.iter().map(|question| question.sql.clone()).chain(native)
    }

    async fn ask(&self, harness: &Harness) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for question in &self.sql {
            all.push(rows(harness, &question.sql).await);
        }
        for question in &self.native {
            all.push(native::answer(harness, question).await);
        }
        all
    }
}

// The rows, sorted; an error as one that no store should answer.
async fn rows(harness: &Harness, sql: &str) -> Vec<String> {
    let mut rows = harness.try_rows(sql).await.unwrap_or_else(|err| vec![format!("{ERROR}{err}")]);
    rows.sort();
    rows
}

/// Differences of one case.
struct Differences {
    seed: u64,
    questions: Questions,
    /// By question, the first that was seen.
    found: BTreeMap<String, String>,
}

impl Differences {
    async fn reference(&mut self, still: &Harness) -> Vec<Vec<String>> {
        let answers = self.questions.ask(still).await;
        for (question, answer) in self.questions.texts().zip(&answers) {
            if answer.first().is_some_and(|row| row.starts_with(ERROR)) {
                self.found.entry(question).or_insert(answer[0].clone());
            }
        }
        // The reference answers alike with conditions that cannot reach the scan.
        for (i, question) in self.questions.sql.iter().enumerate() {
            let opaque = rows(still, &question.opaque).await;
            note(&mut self.found, "conditions above the scan", &question.sql, &opaque, &answers[i]);
        }
        answers
    }

    async fn check(&mut self, stage: &str, moved: &Harness, answers: &[Vec<String>]) {
        let now = self.questions.ask(moved).await;
        for ((question, now), before) in self.questions.texts().zip(&now).zip(answers) {
            note(&mut self.found, stage, &question, now, before);
        }
    }

    fn finish(self) {
        let all =
            self.found.into_iter().map(|(question, found)| format!("{question}\n    {found}"));
        let all = all.collect::<Vec<_>>();
        assert!(all.is_empty(), "seed {}:\n{}", self.seed, all.join("\n"));
    }
}

fn note(
    found: &mut BTreeMap<String, String>,
    stage: &str,
    question: &str,
    now: &[String],
    before: &[String],
) {
    if now == before {
        return;
    }
    let missing = before.iter().filter(|row| !now.contains(row)).take(2).collect::<Vec<_>>();
    let wrong = now.iter().filter(|row| !before.contains(row)).take(2).collect::<Vec<_>>();
    let text = format!(
        "{stage}: {} rows instead of {}; missing {missing:?}, wrong {wrong:?}",
        now.len(),
        before.len()
    );
    found.entry(question.to_owned()).or_insert(text);
}

// Some batches of every signal.
fn batches(rng: &mut StdRng, sent: &mut Vec<TestSpan>, count: usize) -> Vec<Batch> {
    let mut all = Vec::new();
    for _ in 0..count {
        let spans_count = pick(rng, &[1, 30, 60]);
        let spans = rows::spans(rng, sent, spans_count);
        all.push(data::spans(&spans));
        sent.extend(spans);
        let logs_count = pick(rng, &[1, 30, 60]);
        all.push(data::logs(&rows::logs(rng, logs_count)));
        let points_count = pick(rng, &[1, 30, 60]);
        all.push(rows::metrics(rng, points_count));
    }
    all
}

// Appends to both stores; the second is kept in motion.
async fn append(rng: &mut StdRng, still: &Harness, mut moved: Harness, all: &[Batch]) -> Harness {
    for batch in all {
        still.append(batch.clone()).await;
        moved.append(batch.clone()).await;
        match rng.random_range(0..12) {
            0..4 => moved.store.flush().await.expect("flushes"),
            4 => {
                moved.store.flush().await.expect("flushes");
                let by_ns = pick(rng, &[0, MINUTE_NS, 16 * MINUTE_NS]);
                moved.clock.advance_ns(by_ns);
                moved.store.compact().await.expect("compacts");
            }
            5 => moved = moved.reopen().await,
            _ => {}
        }
    }
    moved
}

async fn case(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let rng = &mut rng;
    let questions = Questions::random(rng);
    let mut differences = Differences { seed, questions, found: BTreeMap::new() };
    let mut sent = Vec::new();
    let still = Harness::new().await;
    let first = batches(rng, &mut sent, BATCHES);
    let moved = append(rng, &still, Harness::new().await, &first).await;
    let expected = differences.reference(&still).await;
    differences.check("mixed", &moved, &expected).await;
    moved.store.flush().await.expect("flushes");
    differences.check("flushed", &moved, &expected).await;
    moved.clock.advance_ns(MINUTE_NS);
    moved.store.compact().await.expect("compacts");
    differences.check("compacted", &moved, &expected).await;

    let late = batches(rng, &mut sent, LATE_BATCHES);
    let moved = append(rng, &still, moved, &late).await.reopen().await;
    let expected = differences.reference(&still).await;
    differences.check("late rows, restarted", &moved, &expected).await;
    moved.store.flush().await.expect("flushes");
    moved.clock.advance_ns(3 * HOUR_NS); // every usual window is closed
    moved.store.compact().await.expect("compacts");
    assert!(moved.store.status().settled, "seed {seed}");
    let moved = moved.reopen().await;
    differences.check("compacted to L2, restarted", &moved, &expected).await;
    differences.finish();
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_do_not_depend_on_where_rows_are() {
    let first = setting("PROPERTY_SEED").unwrap_or(0);
    for seed in first..first + setting("PROPERTY_CASES").unwrap_or(CASES) {
        case(seed).await;
    }
}
