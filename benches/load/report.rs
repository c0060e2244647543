//! The figures as Markdown.

use std::fmt::Write;

use crate::Signal;
use crate::data::{LoadFile, Sent};
use crate::queries::{Answered, Question};
use crate::server::Usage;
use crate::yardstick::{End, Exported};

const MIB: f64 = (1 << 20) as f64;

/// Everything measured in one run.
#[derive(Default)]
pub struct Report {
    ingest: String,
    peaks: String,
    queries: String,
    yardstick: String,
}

impl Report {
    pub fn ingest(&mut self, signal: &Signal, load: &LoadFile, sent: &Sent, usage: &Usage) {
        let items = load.items() as f64;
        let _ = writeln!(
            self.ingest,
            "| {} | {} | {:.0} | {:.2} | {:.0} | {:.2} | {:.1} / {:.1} | {} |",
            signal.name,
            load.items(),
            items / sent.seconds,
            usage.cpu_seconds / items * 1e6,
            usage.rss_peak_bytes as f64 / MIB,
            usage.disk_bytes as f64 / items,
            sent.p50_ms,
            sent.p99_ms,
            sent.retries,
        );
        eprintln!("{}", self.ingest);
    }

    /// The peak of a process after a part of its life.
    pub fn peak(&mut self, signal: &Signal, after: &str, bytes: u64) {
        let mib = bytes as f64 / MIB;
        let _ = writeln!(self.peaks, "- {}, after {after}: peak RSS {mib:.0} MiB", signal.name);
    }

    pub fn queries(
        &mut self,
        signal: &Signal,
        questions: &[Question],
        hot: &[Answered],
        restarted: &[Answered],
    ) {
        for ((question, hot), again) in questions.iter().zip(hot).zip(restarted) {
            let yardstick = hot.duckdb.map_or("– | – | –".to_owned(), |duckdb| {
                let ratio = hot.server.p50_ms / duckdb.p50_ms;
                format!("{:.1} | {:.1} | {ratio:.3}", duckdb.p50_ms, duckdb.p95_ms)
            });
            let _ = writeln!(
                self.queries,
                "| {}: {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {yardstick} |",
                signal.name,
                question.name,
                hot.server.p50_ms,
                hot.server.p95_ms,
                again.server.first_ms,
                again.server.p50_ms,
                again.server.p95_ms
            );
        }
    }

    pub fn yardstick(&mut self, exported: Exported, end: &End) {
        let _ = writeln!(
            self.yardstick,
            "\nDuckDB {}: {} spans in one Parquet file sorted by service, name and start, {:.1} \
             bytes a span, peak RSS {:.0} MiB.",
            end.version,
            exported.rows,
            exported.bytes as f64 / exported.rows.max(1) as f64,
            end.rss_peak_bytes as f64 / MIB,
        );
    }

    pub fn markdown(&self) -> String {
        format!(
            "| load | items | items/s | CPU-s per million | peak RSS MiB | bytes an item | ack p50 / p99 ms | retries |\n\
             |---|---|---|---|---|---|---|---|\n{}\n{}\n\
             | query, ms | p50 hot | p95 hot | first after restart | p50 | p95 | DuckDB p50 | p95 | hot p50 / DuckDB |\n\
             |---|---|---|---|---|---|---|---|---|\n{}{}",
            self.ingest, self.peaks, self.queries, self.yardstick
        )
    }
}
