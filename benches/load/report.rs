//! The figures as Markdown.

use std::fmt::Write;

use crate::Signal;
use crate::data::{LoadFile, Sent};
use crate::queries::{Question, Times};
use crate::server::Usage;

/// Everything measured in one run.
#[derive(Default)]
pub struct Report {
    ingest: String,
    queries: String,
}

impl Report {
    pub fn ingest(&mut self, signal: &Signal, load: &LoadFile, sent: &Sent, usage: &Usage) {
        let items = load.items() as f64;
        let _ = writeln!(
            self.ingest,
            "| {} | {} | {:.0} | {:.2} | {:.0} | {:.1} | {:.1} / {:.1} | {} |",
            signal.name,
            load.items(),
            items / sent.seconds,
            usage.cpu_seconds / items * 1e6,
            usage.rss_peak_bytes as f64 / (1 << 20) as f64,
            usage.disk_bytes as f64 / items,
            sent.p50_ms,
            sent.p99_ms,
            sent.retries,
        );
    }

    pub fn queries(
        &mut self,
        signal: &Signal,
        questions: &[Question],
        hot: &[Times],
        restarted: &[Times],
    ) {
        for ((question, hot), cold) in questions.iter().zip(hot).zip(restarted) {
            let _ = writeln!(
                self.queries,
                "| {}: {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
                signal.name,
                question.name,
                hot.p50_ms,
                hot.p95_ms,
                cold.first_ms,
                cold.p50_ms,
                cold.p95_ms
            );
        }
    }

    pub fn markdown(&self) -> String {
        format!(
            "| load | items | items/s | CPU-s per million | peak RSS MiB | bytes an item | ack p50 / p99 ms | retries |\n\
             |---|---|---|---|---|---|---|---|\n{}\n\
             | query, ms | p50 hot | p95 hot | first after restart | p50 | p95 |\n|---|---|---|---|---|---|\n{}",
            self.ingest, self.queries
        )
    }
}
