//! `kill -9` under load: nothing acknowledged is lost, nothing is doubled although clients retry.
//!
//! Senders of all three signals post distinct bodies and repeat each until it is acknowledged, also
//! across restarts, as an exporter does. The server is killed at moments that a seeded generator
//! picks, with flushes and compactions made frequent. `CRASH_CYCLES` and `CRASH_SEED` change the run.

use std::collections::BTreeMap;
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
/// Bodies a sender may send in all, so that a fast machine does not run away.
const BODIES_MAX: u64 = 40_000;

/// Small heads, so that kills fall into flushes, catalog commits and merges too.
const SETTINGS: &[(&str, &str)] = &[
    ("THROUGHLINE_FLUSH_AGE", "50ms"),
    ("THROUGHLINE_FLUSH_METRICS_AGE", "50ms"),
    ("THROUGHLINE_FLUSH_BYTES", "256KiB"),
    ("THROUGHLINE_LOG_LEVEL", "error"),
];

type Build = fn(u64) -> Vec<u8>;
const SIGNALS: [(&str, Build, &str); 3] = [
    (
        "/v1/traces",
        otlp::spans,
        "SELECT attributes['body'] AS body, count(*) AS n, count(DISTINCT span_id) AS d FROM spans GROUP BY 1",
    ),
    (
        "/v1/logs",
        otlp::logs,
        "SELECT attributes['body'] AS body, count(*) AS n, count(DISTINCT span_id) AS d FROM logs GROUP BY 1",
    ),
    (
        "/v1/metrics",
        otlp::metrics,
        "SELECT attributes['body'] AS body, count(*) AS n, count(DISTINCT value) AS d FROM metrics GROUP BY 1",
    ),
];

type Acknowledged = [[Arc<AtomicU64>; SENDERS as usize]; 3];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_and_doubles_nothing() {
    let cycles = number("CRASH_CYCLES").unwrap_or(CYCLES);
    let mut random = StdRng::seed_from_u64(number("CRASH_SEED").unwrap_or(20_261_120));
    let folder = tempfile::tempdir().expect("a folder");
    // Bodies acknowledged, by signal and sender.
    let acknowledged: Acknowledged =
        [(); 3].map(|()| [(); SENDERS as usize].map(|()| Arc::new(AtomicU64::new(0))));
    let (server_now, server) = watch::channel(None::<Client>);
    let (stop_now, stop) = watch::channel(false);
    let senders: Vec<_> = SIGNALS
        .iter()
        .zip(&acknowledged)
        .flat_map(|((path, build, _), done)| (0..SENDERS).zip(done).map(move |n| (path, build, n)))
        .map(|(path, build, (first, done))| {
            let bodies = (first..BODIES_MAX).step_by(SENDERS as usize);
            tokio::spawn(sender(path, *build, bodies, server.clone(), stop.clone(), done.clone()))
        })
        .collect();
    for cycle in 0..cycles {
        let running = Server::start_with(folder.path(), SETTINGS).await;
        server_now.send_replace(Some(running.client.clone()));
        tokio::time::sleep(Duration::from_millis(random.random_range(0..LIFE_MS_MAX))).await;
        running.kill().await;
        if cycle % 10 == 9 {
            let so_far = acknowledged.each_ref().map(total);
            eprintln!("cycle {}: {so_far:?} bodies acknowledged", cycle + 1);
        }
    }
    let last = Server::start_with(folder.path(), SETTINGS).await;
    stop_now.send_replace(true);
    server_now.send_replace(Some(last.client.clone()));
    for sender in senders {
        sender.await.expect("the sender ends");
    }
    check(&last.client, &acknowledged).await;
    last.settle().await;
    check(&last.client, &acknowledged).await;
    assert!(last.stop().await, "it stops well");
    let again = Server::start(folder.path()).await;
    check(&again.client, &acknowledged).await;
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
async fn check(client: &Client, acknowledged: &Acknowledged) {
    for ((path, _, query), done) in SIGNALS.iter().zip(acknowledged) {
        let bodies = total(done);
        assert!(bodies > 0, "{path}: nothing was acknowledged");
        let found: BTreeMap<u64, (u64, u64)> = client
            .sql(query)
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
        let sent_by = |sender: u64| {
            let count = done[sender as usize].load(Ordering::SeqCst);
            (0..count).map(move |n| sender + n * SENDERS)
        };
        let wrong: Vec<_> = (0..SENDERS)
            .flat_map(sent_by)
            .filter(|body| found.get(body) != Some(&(ITEMS, ITEMS)))
            .map(|body| (body, found.get(&body)))
            .take(5)
            .collect();
        assert!(
            wrong.is_empty(),
            "{path}: of {bodies} acknowledged bodies these are lost or doubled: {wrong:?}"
        );
        assert_eq!(found.len() as u64, bodies, "{path}: more bodies than were sent");
    }
}

fn total(done: &[Arc<AtomicU64>; SENDERS as usize]) -> u64 {
    done.iter().map(|n| n.load(Ordering::SeqCst)).sum()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
