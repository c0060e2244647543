//! From the settings to the options of each crate.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use throughline_api::ApiLimits;
use throughline_ingest::IngestLimits;
use throughline_query::EngineOptions;
use throughline_storage::io::{Disk as _, LocalDisk};
use throughline_storage::{Progress, Retention, RetentionClass, StoreOptions};
use tokio::sync::watch;

use crate::config::Settings;

/// What the store gets. Looks at the disk, so that the folder must exist.
pub fn store(
    settings: &Settings,
    progress: watch::Sender<Progress>,
) -> anyhow::Result<StoreOptions> {
    let retention = Retention {
        traces_ns: settings.retention_traces.map(nanoseconds),
        logs_ns: settings.retention_logs.map(nanoseconds),
        metrics_ns: settings.retention_metrics.map(nanoseconds),
    };
    Ok(StoreOptions {
        wal_file_bytes: settings.wal_file_bytes.0,
        commit_window: settings.wal_window,
        commit_bytes: settings.wal_window_bytes.0,
        head_bytes: settings.flush_bytes.0,
        heads_bytes_max: settings.memory_heads.0,
        head_age_ns: nanoseconds(settings.flush_age),
        metrics_head_age_ns: nanoseconds(settings.flush_metrics_age),
        head_idle_ns: nanoseconds(settings.flush_idle),
        append_patience: settings.memory_heads_timeout,
        dedup_age_ns: nanoseconds(settings.dedup_window),
        dedup_entries_max: settings.dedup_entries_max,
        cache_bytes: settings.memory_caches.0,
        retention,
        log_classes: log_classes(settings)?,
        segments_bytes_max: Some(segments_bytes_max(settings)?),
        disk_reserve_bytes: settings.disk_reserve.0,
        tick: tick(settings.flush_age),
        scrub_bytes_per_second: settings.disk_scrub_rate.0,
        progress: Some(progress),
        ..StoreOptions::new(&settings.data_dir)
    })
}

fn log_classes(settings: &Settings) -> anyhow::Result<Vec<RetentionClass>> {
    let class = |class: &crate::config::LogClass| {
        let predicates =
            class.predicates().map_err(|wrong| anyhow!("retention.log_classes: {wrong}"))?;
        let keep_ns = class.keep.map(nanoseconds);
        Ok(RetentionClass { name: class.name.clone(), predicates, keep_ns })
    };
    settings.retention_log_classes.iter().map(class).collect()
}

/// What the receivers get.
pub fn ingest(settings: &Settings) -> IngestLimits {
    IngestLimits {
        in_flight_bytes_max: settings.memory_in_flight.0 as usize,
        waiting_requests_max: settings.otlp_waiting_requests_max,
        waiting_ms_max: milliseconds(settings.otlp_waiting_timeout),
        body_bytes_max: settings.otlp_request_bytes_max.0 as usize,
        inflate_ratio_max: settings.otlp_inflate_ratio_max,
        body_pause_ms_max: milliseconds(settings.otlp_pause_timeout),
        body_ms_max: milliseconds(settings.otlp_request_timeout),
        tenant_bytes_per_second: settings.ingest_tenant_bytes_per_second.0,
        tenant_burst_bytes: settings.ingest_tenant_burst_bytes.0,
        cors_origins: settings.otlp_cors_origins.clone(),
    }
}

/// What the query engine gets.
pub fn engine(settings: &Settings) -> EngineOptions {
    EngineOptions {
        memory_bytes_max: settings.memory_query.0 as usize,
        query_memory_bytes_max: settings.query_memory_max.0.min(settings.memory_query.0) as usize,
        timeout_ms: milliseconds(settings.query_timeout),
        scan_bytes_max: settings.query_bytes_max.0,
        rows_max: settings.query_rows_max,
        concurrency_max: settings.query_concurrent_max,
        waiting_max: settings.query_waiting_max,
        ..EngineOptions::default()
    }
}

/// What the API gets.
pub fn api(settings: &Settings) -> ApiLimits {
    ApiLimits {
        json_rows_max: settings.query_json_rows_max,
        json_bytes_max: settings.query_json_bytes_max.0 as usize,
    }
}

// Heads are looked at as often as their age wants it, within reason.
fn tick(flush_age: Duration) -> Duration {
    flush_age.clamp(Duration::from_millis(50), Duration::from_secs(1))
}

// The high-water mark is a share of what the disk could give us: what is free plus what is ours.
fn segments_bytes_max(settings: &Settings) -> anyhow::Result<u64> {
    let folder = &settings.data_dir;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let free = LocalDisk
        .available_bytes(folder)
        .with_context(|| format!("cannot ask for the space left in {}", folder.display()))?;
    let ours = bytes_below(folder)?;
    Ok(((free + ours) as f64 * settings.disk_high_water.0) as u64)
}

fn bytes_below(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
