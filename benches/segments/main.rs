//! The storage engine alone on the project's load: bytes by column, CPU to write and merge, trace by
//! id and five searches, by order and size of slabs. The figures of `docs/adr/0002-span-row-order.md`.
//!
//! `SEGMENTS_LOAD_DIR=folder cargo bench --bench segments`, where the folder holds `traces.bin`,
//! `logs.bin`, `trace_ids.txt` and `users.txt` of `../shared/load`. `SEGMENTS_FRAMES` uses only the
//! first n frames; `SEGMENTS_VARIANTS` (comma list of names as printed) only some layouts.
//! Nothing passes or fails by time.
#![allow(missing_docs, clippy::unwrap_used)]

mod engine;
mod measure;
mod queries;

use std::path::PathBuf;

use engine::{Engine, Load};
use throughline_model::Signal;
use throughline_storage::segment::{Layout, SpanOrder};

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let Some(folder) = std::env::var_os("SEGMENTS_LOAD_DIR").map(PathBuf::from) else {
        println!("segments: skipped, SEGMENTS_LOAD_DIR names no folder with the generated load");
        return;
    };
    let load = Load::open(&folder);
    println!("# Spans\n");
    let engine = Engine::new();
    let written = engine.write_level_0(&load, Signal::Traces);
    println!("{}", written.line("L0"));
    println!(
        "\n| layout | bytes a span | L1 merge µs | L2 merge µs | peak MiB | trace by id p50 / p95 ms | {} |",
        queries::NAMES.join(" | ")
    );
    println!("|---|---|---|---|---|---|{}", "---|".repeat(queries::NAMES.len()));
    let wanted = std::env::var("SEGMENTS_VARIANTS").ok();
    for (name, layout) in variants() {
        if wanted.as_ref().is_some_and(|wanted| !wanted.split(',').any(|w| w == name)) {
            continue;
        }
        let (level_1, first) = engine.merge_level_1(&written.segments, &layout);
        let (level_2, second) = engine.merge_level_2(&level_1, &layout);
        let traces = queries::traces(&level_2, &load);
        let searches = queries::searches(&level_2, &load);
        let bytes = level_2.meta.data_bytes + level_2.meta.index_bytes;
        println!(
            "| {name} | {:.1} | {first:.2} | {second:.2} | {} | {:.2} / {:.2} | {} |",
            bytes as f64 / level_2.meta.rows as f64,
            measure::peak_mib(),
            traces.p50_ms,
            traces.p95_ms,
            searches.iter().map(|ms| format!("{ms:.2}")).collect::<Vec<_>>().join(" | ")
        );
        if std::env::var_os("SEGMENTS_COLUMNS").is_some() {
            engine.print_columns(&level_2);
        }
    }
    if load.has_logs() && wanted.is_none() {
        logs(&engine, &load);
    }
}

fn variants() -> Vec<(&'static str, Layout)> {
    let base = Layout::default();
    let slab = |order, rows| Layout { order, slab_rows: rows, ..base };
    vec![
        ("default", base),
        ("e-32k", slab(SpanOrder::ServiceInSlab, 32 * 1024)),
        ("e-64k", slab(SpanOrder::ServiceInSlab, 64 * 1024)),
        ("e-128k", slab(SpanOrder::ServiceInSlab, 128 * 1024)),
        ("c-32k", slab(SpanOrder::TraceInSlab, 32 * 1024)),
        ("c-128k", slab(SpanOrder::TraceInSlab, 128 * 1024)),
        ("e-64k-page4k", Layout { page_bytes: 4 * 1024, ..base }),
        ("e-64k-page8k", Layout { page_bytes: 8 * 1024, ..base }),
        ("e-64k-page64k", Layout { page_bytes: 64 * 1024, ..base }),
    ]
}

fn logs(engine: &Engine, load: &Load) {
    println!("\n# Logs\n");
    let written = engine.write_level_0(load, Signal::Logs);
    println!("{}", written.line("L0"));
    let layout = Layout::default();
    let (level_1, first) = engine.merge_level_1(&written.segments, &layout);
    let (level_2, second) = engine.merge_level_2(&level_1, &layout);
    let bytes = level_2.meta.data_bytes + level_2.meta.index_bytes;
    println!(
        "{:.1} bytes a record, L1 merge {first:.2} µs, L2 merge {second:.2} µs",
        bytes as f64 / level_2.meta.rows as f64
    );
    engine.print_columns(&level_2);
    let traces = queries::logs_of_traces(&level_2, load);
    println!("logs of a trace: p50 {:.2} ms, p95 {:.2} ms", traces.p50_ms, traces.p95_ms);
}
