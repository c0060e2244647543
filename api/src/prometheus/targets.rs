//! What is scraped, and how that goes: `targets`, `targets/metadata`, `scrape_pools`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use throughline_model::time::format_rfc3339;
use throughline_query::promql::discover::Metadata;
use throughline_query::promql::selector;

use super::error::{PromError, Result};
use super::form::Form;
use super::params;
use super::status::success;
use crate::state::ApiState;

/// Labels: names and values.
pub type TargetLabels = Vec<(String, String)>;

/// The targets of a job.
#[derive(Clone, Debug, Default)]
pub struct TargetPool {
    /// The job's name.
    pub name: String,
    /// Targets that are scraped.
    pub active: Vec<ActiveTarget>,
    /// Labels of targets that the rules dropped, as many as are kept.
    pub dropped: Vec<TargetLabels>,
    /// How many were dropped.
    pub dropped_total: usize,
}

/// A target that is scraped.
#[derive(Clone, Debug, Default)]
pub struct ActiveTarget {
    /// The labels that its samples get.
    pub labels: TargetLabels,
    /// Labels before relabelling.
    pub discovered: TargetLabels,
    /// What is asked.
    pub url: String,
    /// `unknown`, `up` or `down`.
    pub health: &'static str,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it was last scraped, nanoseconds since the epoch; zero for never.
    pub scraped_at_ns: i64,
    /// How long that took.
    pub seconds: f64,
    /// Between two scrapes, in milliseconds.
    pub interval_ms: u64,
    /// How long one may take.
    pub timeout_ms: u64,
    /// What the target says of its metrics, by name.
    pub metadata: Vec<(String, Metadata)>,
}

/// Says what is scraped, by job; told by the root.
pub type TargetPools = Arc<dyn Fn() -> Vec<TargetPool> + Send + Sync>;

/// The routes.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/prometheus/api/v1/targets", get(targets))
        .route("/prometheus/api/v1/targets/metadata", get(metadata))
        .route("/prometheus/api/v1/scrape_pools", get(scrape_pools))
}

fn object(labels: &TargetLabels) -> Value {
    let pairs = labels.iter().map(|(name, value)| (name.clone(), value.clone().into()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn active(pool: &str, target: &ActiveTarget) -> Value {
    let scraped_at = match target.scraped_at_ns {
        0 => "0001-01-01T00:00:00Z".to_owned(),
        time_ns => format_rfc3339(time_ns),
    };
    json!({
        "discoveredLabels": object(&target.discovered),
        "labels": object(&target.labels),
        "scrapePool": pool,
        "scrapeUrl": target.url,
        "globalUrl": target.url,
        "lastError": target.error.clone().unwrap_or_default(),
        "lastScrape": scraped_at,
        "lastScrapeDuration": target.seconds,
        "health": target.health,
        "scrapeInterval": duration(target.interval_ms),
        "scrapeTimeout": duration(target.timeout_ms),
    })
}

/// A duration as Prometheus writes it.
fn duration(ms: u64) -> String {
    const UNITS: [(u64, &str); 5] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
    if ms == 0 {
        return "0s".to_owned();
    }
    let (mut text, mut rest) = (String::new(), ms);
    for (unit, name) in UNITS {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    text
}

async fn targets(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let wanted = params::first(&params, "state").unwrap_or("any").to_ascii_lowercase();
    if !matches!(wanted.as_str(), "any" | "active" | "dropped") {
        let message = format!("'{wanted}' is none of any, active, dropped");
        return Err(PromError::invalid("state", message));
    }
    let pool = params::first(&params, "scrapePool");
    let mut pools = (state.target_pools)();
    pools.retain(|own| pool.is_none_or(|pool| own.name == pool));
    let (mut running, mut dropped, mut counts) = (Vec::new(), Vec::new(), Map::new());
    for pool in &pools {
        if wanted != "dropped" {
            running.extend(pool.active.iter().map(|target| active(&pool.name, target)));
        }
        if wanted != "active" {
            let labels = pool.dropped.iter().map(
                |labels| json!({ "discoveredLabels": object(labels), "scrapePool": pool.name }),
            );
            dropped.extend(labels);
            counts.insert(pool.name.clone(), pool.dropped_total.into());
        }
    }
    Ok(success(&json!({
        "activeTargets": running,
        "droppedTargets": dropped,
        "droppedTargetCounts": counts,
    })))
}

async fn scrape_pools(State(state): State<ApiState>) -> Json<Value> {
    let names = (state.target_pools)().into_iter().map(|pool| pool.name);
    success(&json!({ "scrapePools": names.collect::<Vec<_>>() }))
}

async fn metadata(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let matchers = match params::first(&params, "match_target") {
        Some(text) => {
            selector(text).map_err(|err| PromError::invalid("match_target", err.to_string()))?
        }
        None => Vec::new(),
    };
    let metric = params::first(&params, "metric");
    let limit = match params::first(&params, "limit").map(str::parse::<i64>) {
        Some(Ok(limit)) if limit >= 0 => limit as usize,
        Some(Ok(_)) | None => usize::MAX,
        Some(Err(_)) => return Err(PromError::invalid("limit", "must be a number")),
    };
    let mut found = Vec::new();
    let pools = (state.target_pools)();
    for target in pools.iter().flat_map(|pool| &pool.active) {
        let value = |name: &str| {
            let label = target.labels.iter().find(|(own, _)| own == name);
            label.map_or("", |(_, value)| value.as_str())
        };
        if !matchers.iter().all(|matcher| matcher.matches(value(&matcher.name))) {
            continue;
        }
        let named = target.metadata.iter();
        let named = named.filter(|(name, _)| metric.is_none_or(|metric| metric == name));
        found.extend(named.map(|(name, said)| {
            let mut entry = json!({
                "target": object(&target.labels),
                "type": said.metric_type,
                "help": said.help,
                "unit": said.unit,
            });
            if metric.is_none() {
                entry["metric"] = name.clone().into();
            }
            entry
        }));
    }
    found.truncate(limit);
    Ok(success(&json!(found)))
}
