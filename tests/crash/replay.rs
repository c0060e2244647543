//! A log that is larger than the memory that its rows may take is replayed within that memory.

use std::path::Path;

use crate::harness::Server;
use crate::harness::otlp::{self, LARGE_ITEMS};

const MIB: u64 = 1024 * 1024;

/// The server that is killed flushes nothing: all that it acknowledged is in the log alone.
const HOLDS_BACK: &[(&str, &str)] = &[
    ("THROUGHLINE_MEMORY_HEADS", "1GiB"),
    ("THROUGHLINE_FLUSH_BYTES", "1GiB"),
    ("THROUGHLINE_FLUSH_AGE", "1h"),
    ("THROUGHLINE_FLUSH_IDLE", "1h"),
    ("THROUGHLINE_WAL_FILE_BYTES", "4MiB"),
];
/// The one after it may keep far less of it in memory than the log holds.
const SMALL: &[(&str, &str)] = &[
    ("THROUGHLINE_MEMORY_HEADS", "16MiB"),
    ("THROUGHLINE_FLUSH_BYTES", "4MiB"),
    ("THROUGHLINE_FLUSH_AGE", "1h"),
    ("THROUGHLINE_FLUSH_IDLE", "1h"),
    ("THROUGHLINE_WAL_FILE_BYTES", "4MiB"),
];
/// Bodies of 1 MiB of each signal: as many as fill the heads once, and many times.
const FEW: u64 = 8;
const MANY: u64 = 64;
/// What two starts may differ by: allocators keep pages, threads meet differently. Far less than the
/// logs differ by.
const NOISE_BYTES: u64 = 64 * MIB;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_stays_within_the_memory_of_the_heads() {
    let (Some(few), Some(many)) = (replay_peak(FEW).await, replay_peak(MANY).await) else {
        eprintln!("skipped: the system does not tell the memory of a process");
        return;
    };
    eprintln!("peak memory of replaying {FEW} and {MANY} MiB a signal: {few} and {many} bytes");
    // Both fill the heads; eight times the log may not take more.
    assert!(
        many <= few + NOISE_BYTES,
        "replaying {MANY} MiB a signal took {many} bytes, replaying {FEW} MiB {few}"
    );
}

/// Peak memory of a server that starts on a log of so many bodies a signal.
async fn replay_peak(bodies: u64) -> Option<u64> {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(folder.path(), HOLDS_BACK).await;
    for body in 0..bodies {
        let logs = server.client.send("/v1/logs", otlp::large_logs(body));
        let spans = server.client.send("/v1/traces", otlp::large_spans(body));
        tokio::join!(logs, spans);
    }
    server.kill().await;
    assert!(log_bytes(folder.path()) >= 2 * bodies * MIB, "nothing was flushed");
    let server = Server::start_with(folder.path(), SMALL).await;
    let peak = server.peak_rss_bytes();
    for table in ["logs", "spans"] {
        let count = server.client.count(&format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(count, bodies * LARGE_ITEMS, "{table}");
    }
    peak
}

fn log_bytes(data_dir: &Path) -> u64 {
    let folders = ["traces", "logs"].map(|signal| data_dir.join("wal").join(signal));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("a log"));
    files.map(|file| file.expect("a file").metadata().expect("its length").len()).sum()
}
