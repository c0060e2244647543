//! `kill -9` under load: nothing acknowledged is lost, nothing is doubled although clients retry.
//!
//! Senders of all three signals post distinct bodies and repeat each until it is acknowledged, also
//! across restarts, as an exporter does. The server is killed at moments that a seeded generator
//! picks, with flushes and compactions made frequent. `CRASH_CYCLES` and `CRASH_SEED` change the run.
//!
//! Everything acknowledged so far is looked for every few cycles, while the senders go on, so that a
//! failure tells the cycles in which it happened. The data folder of a failed run is kept.

mod replay;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;

use crate::harness::Server;
use crate::harness::client::Client;
use crate::harness::otlp::{self, ITEMS};

const CYCLES: u64 = 50;
/// Senders of each signal; sender k sends the bodies k, k + SENDERS, k + 2 × SENDERS …
const SENDERS: u64 = 3;
/// Longest life of a server between ready and killed.
const LIFE_MS_MAX: u64 = 300;
/// Bodies of a signal that may be sent in a cycle on average, so that a fast machine does not run
/// away.
const BODIES_PER_CYCLE_MAX: u64 = 800;
/// Cycles between two checks under load.
const CHECK_EVERY: u64 = 25;

/// Small heads, so that kills fall into flushes, catalog commits and merges too; room for the checks
/// of a long run.
const SETTINGS: &[(&str, &str)] = &[
    ("THROUGHLINE_FLUSH_AGE", "50ms"),
    ("THROUGHLINE_FLUSH_METRICS_AGE", "50ms"),
    ("THROUGHLINE_FLUSH_BYTES", "256KiB"),
    ("THROUGHLINE_MEMORY_QUERY", "1GiB"),
    ("THROUGHLINE_QUERY_TIMEOUT", "10m"),
    ("THROUGHLINE_QUERY_MEMORY_MAX", "1GiB"),
    ("THROUGHLINE_QUERY_JSON_ROWS_MAX", "1000000"),
    ("THROUGHLINE_QUERY_JSON_BYTES_MAX", "256MiB"),
    ("THROUGHLINE_LOG_LEVEL", "error"),
];

type Build = fn(u64) -> Vec<u8>;
/// Path, bodies, table, and the column that differs among the items of a body.
const SIGNALS: [(&str, Build, &str, &str); 3] = [
    ("/v1/traces", otlp::spans, "spans", "span_id"),
    ("/v1/logs", otlp::logs, "logs", "span_id"),
    ("/v1/metrics", otlp::metrics, "metrics", "value"),
];

/// Bodies acknowledged, by signal and sender: as they are counted, and at one moment.
type Acknowledged = [[Arc<AtomicU64>; SENDERS as usize]; 3];
type Counts = [[u64; SENDERS as usize]; 3];

/// Whether there may be more than what was acknowledged at that moment.
#[derive(Clone, Copy, PartialEq)]
enum Load {
    GoesOn,
    Ended,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_and_doubles_nothing() {
    let cycles = number("CRASH_CYCLES").unwrap_or(CYCLES);
    let mut random = StdRng::seed_from_u64(number("CRASH_SEED").unwrap_or(20_261_120));
    let folder = Folder(Some(tempfile::tempdir().expect("a folder")));
    let acknowledged: Acknowledged =
        [(); 3].map(|()| [(); SENDERS as usize].map(|()| Arc::new(AtomicU64::new(0))));
    let (server_now, server) = watch::channel(None::<Client>);
    let (stop_now, stop) = watch::channel(false);
    let senders: Vec<_> = SIGNALS
        .iter()
        .zip(&acknowledged)
        .flat_map(|((path, build, ..), done)| (0..SENDERS).zip(done).map(move |n| (path, build, n)))
        .map(|(path, build, (first, done))| {
            let bodies = (first..cycles * BODIES_PER_CYCLE_MAX).step_by(SENDERS as usize);
            tokio::spawn(sender(path, *build, bodies, server.clone(), stop.clone(), done.clone()))
        })
        .collect();
    for cycle in 0..cycles {
        let running = Server::start_with(folder.path(), SETTINGS).await;
        server_now.send_replace(Some(running.client.clone()));
        tokio::time::sleep(Duration::from_millis(random.random_range(0..LIFE_MS_MAX))).await;
        if cycle % CHECK_EVERY == CHECK_EVERY - 1 {
            let so_far = counts(&acknowledged);
            let bodies = so_far.map(|done| done.iter().sum::<u64>());
            eprintln!("cycle {}: {bodies:?} bodies acknowledged", cycle + 1);
            check(&running.client, &so_far, Load::GoesOn).await;
        }
        running.kill().await;
        // Only a refusal that no client would repeat ends one.
        assert!(!senders.iter().any(|sender| sender.is_finished()), "a sender gave up");
    }
    let last = Server::start_with(folder.path(), SETTINGS).await;
    stop_now.send_replace(true);
    server_now.send_replace(Some(last.client.clone()));
    for sender in senders {
        sender.await.expect("the sender ends");
    }
    let acknowledged = counts(&acknowledged);
    check(&last.client, &acknowledged, Load::Ended).await;
    last.settle().await;
    check(&last.client, &acknowledged, Load::Ended).await;
    assert!(last.stop().await, "it stops well");
    let again = Server::start_with(folder.path(), SETTINGS).await;
    check(&again.client, &acknowledged, Load::Ended).await;
    let bodies = acknowledged.map(|done| done.iter().sum::<u64>());
    let items = bodies.iter().sum::<u64>() * ITEMS;
    eprintln!("{cycles} cycles: {bodies:?} bodies, {items} items acknowledged, all there once");
}

/// The data folder, which outlives a test that failed.
struct Folder(Option<tempfile::TempDir>);

impl Folder {
    fn path(&self) -> &Path {
        self.0.as_ref().expect("kept until the end").path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take().filter(|_| std::thread::panicking()) {
            eprintln!("the data folder is kept: {}", folder.keep().display());
        }
    }
}

fn counts(acknowledged: &Acknowledged) -> Counts {
    acknowledged.each_ref().map(|done| done.each_ref().map(|n| n.load(Ordering::SeqCst)))
}

/// Sends bodies, each until it is acknowledged; after `stop`, only finishes the open one.
async fn sender(
    path: &str,
    build: Build,
    bodies: impl Iterator<Item = u64>,
    mut server: watch::Receiver<Option<Client>>,
    stop: watch::Receiver<bool>,
    done: Arc<AtomicU64>,
) {
    for body in bodies {
        let bytes = build(body);
        loop {
            let client = server.borrow_and_update().clone();
            let Some(client) = client else {
                server.changed().await.expect("the test goes on");
                continue;
            };
            let answer = client
                .post(path, &[("content-type", "application/x-protobuf")], bytes.clone())
                .await;
            match answer {
                Ok(answer) if answer.status().is_success() => break,
                Ok(answer) if answer.status().as_u16() == 503 => tokio::task::yield_now().await,
                Ok(answer) => {
                    panic!("{path} body {body}: {} {:?}", answer.status(), answer.text().await)
                }
                // The server is gone: wait for the next one.
                Err(_) => server.changed().await.expect("the test goes on"),
            }
        }
        done.fetch_add(1, Ordering::SeqCst);
        if *stop.borrow() {
            return;
        }
    }
}

/// Every acknowledged body is there with all its items, once.
async fn check(client: &Client, acknowledged: &Counts, load: Load) {
    for ((path, _, table, item), done) in SIGNALS.iter().zip(acknowledged) {
        let bodies: u64 = done.iter().sum();
        assert!(bodies > 0, "{path}: nothing was acknowledged");
        // How many items of each body, and how many different ones.
        let query = format!(
            "SELECT body, sum(n) AS n, count(*) AS d FROM (SELECT attributes['body'] AS body, \
             {item}, count(*) AS n FROM {table} GROUP BY 1, 2) GROUP BY 1"
        );
        let found: BTreeMap<u64, (u64, u64)> = client
            .sql(&query)
            .await
            .iter()
            .map(|row| {
                let body = row["body"]
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .expect("a body's number");
                (body, (row["n"].as_u64().expect("n"), row["d"].as_u64().expect("d")))
            })
            .collect();
        let sent = (0..SENDERS)
            .zip(done)
            .flat_map(|(sender, count)| (0..*count).map(move |n| sender + n * SENDERS));
        let lost: Vec<_> = sent.filter(|body| !found.contains_key(body)).take(5).collect();
        assert!(
            lost.is_empty(),
            "{path}: of {bodies} acknowledged bodies these are lost: {lost:?}"
        );
        let wrong: Vec<_> =
            found.iter().filter(|(_, items)| **items != (ITEMS, ITEMS)).take(5).collect();
        assert!(
            wrong.is_empty(),
            "{path}: of {bodies} bodies these are torn or doubled: {wrong:?}"
        );
        if load == Load::Ended {
            assert_eq!(found.len() as u64, bodies, "{path}: more bodies than were sent");
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
