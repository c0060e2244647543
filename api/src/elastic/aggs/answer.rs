//! Buckets as Elasticsearch's clients read them: in order, cut to size, with the empty ones between.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};
use throughline_model::time::{format_rfc3339, parse_rfc3339};

use super::super::dsl::Asked;
use super::super::error::{ElasticError, Result};
use super::super::table::ROWS_MAX;
use super::ask::{Bucket, Found, NodeFound};
use super::metric::Metric;
use super::{Kind, Level, Node, Steps, Terms};
use crate::error::ApiError;

const MILLI_NS: i64 = 1_000_000;

/// A key in the keys of the buckets around others.
pub fn key_text(key: &Value) -> String {
    format!("{key}\u{1f}")
}

/// Writes all aggregations of a search.
pub fn write(level: &Level, found: &Found, asked: &Asked) -> Result<Value> {
    let mut out = Map::new();
    let own = found.own.clone().unwrap_or_default();
    put_metrics(&mut out, &level.metrics, &own);
    put_nodes(&mut out, level, found, "", asked)?;
    Ok(Value::Object(out))
}

fn put_metrics(out: &mut Map<String, Value>, metrics: &[Metric], bucket: &Bucket) {
    for (metric, cells) in metrics.iter().zip(cells_of(metrics, bucket)) {
        out.insert(metric.name.clone(), metric.answer(cells));
    }
}

// The cells of each metric.
fn cells_of<'b>(metrics: &[Metric], bucket: &'b Bucket) -> Vec<&'b [Value]> {
    let mut rest = bucket.cells.as_slice();
    let mut cells = Vec::new();
    for metric in metrics {
        let (own, others) = rest.split_at(metric.functions().len().min(rest.len()));
        cells.push(own);
        rest = others;
    }
    cells
}

fn put_nodes(
    out: &mut Map<String, Value>,
    level: &Level,
    found: &Found,
    outer: &str,
    asked: &Asked,
) -> Result<()> {
    for (at, node) in level.nodes.iter().enumerate() {
        let empty = NodeFound::default();
        let found = found.nodes.get(at).unwrap_or(&empty);
        out.insert(node.name.clone(), of_node(node, found, outer, asked)?);
    }
    Ok(())
}

fn of_node(node: &Node, found: &NodeFound, outer: &str, asked: &Asked) -> Result<Value> {
    let buckets = found.buckets.get(outer).map(Vec::as_slice).unwrap_or_default();
    let one = |bucket: &Bucket, keys: Map<String, Value>| -> Result<Value> {
        let mut out = keys;
        out.insert("doc_count".to_owned(), json!(bucket.count));
        put_metrics(&mut out, &node.inner.metrics, bucket);
        let outer = format!("{outer}{}", key_text(&bucket.key));
        put_nodes(&mut out, &node.inner, &found.inner, &outer, asked)?;
        Ok(Value::Object(out))
    };
    let keyed = |members: Value| members.as_object().cloned().unwrap_or_default();
    Ok(match &node.kind {
        Kind::Terms(terms) => {
            let shown = chosen(terms, &node.inner.metrics, buckets);
            let all: u64 = buckets.iter().map(|bucket| bucket.count).sum();
            let of_shown: u64 = shown.iter().map(|bucket| bucket.count).sum();
            let shown = shown.iter().map(|bucket| one(bucket, keyed(json!({ "key": bucket.key }))));
            json!({
                "doc_count_error_upper_bound": 0,
                "sum_other_doc_count": all - of_shown,
                "buckets": shown.collect::<Result<Vec<_>>>()?,
            })
        }
        Kind::Times(steps) => {
            let filled = filled_times(steps, buckets)?;
            let written = filled.iter().map(|(time_ns, bucket)| {
                let millis = time_ns.div_euclid(MILLI_NS);
                let text = match steps.in_millis {
                    true => millis.to_string(),
                    false => format_rfc3339(*time_ns),
                };
                one(bucket, keyed(json!({ "key_as_string": text, "key": millis })))
            });
            json!({ "buckets": written.collect::<Result<Vec<_>>>()? })
        }
        Kind::Numbers { size, count_min, .. } => {
            let filled = filled_numbers(*size, *count_min, buckets)?;
            let written = filled.iter();
            let written = written.map(|(key, bucket)| one(bucket, keyed(json!({ "key": key }))));
            json!({ "buckets": written.collect::<Result<Vec<_>>>()? })
        }
        Kind::Filters(filters) => {
            let mut named = Map::new();
            for (name, _) in filters {
                let empty = Bucket { key: json!(name), ..Bucket::default() };
                let bucket = buckets.iter().find(|bucket| bucket.key == *name).unwrap_or(&empty);
                named.insert(name.clone(), one(bucket, Map::new())?);
            }
            json!({ "buckets": named })
        }
        Kind::Filter(_) => {
            let empty = Bucket { key: json!(""), ..Bucket::default() };
            one(buckets.first().unwrap_or(&empty), Map::new())?
        }
    })
}

/// The buckets of terms that are shown, in order.
pub fn chosen<'b>(terms: &Terms, metrics: &[Metric], buckets: &'b [Bucket]) -> Vec<&'b Bucket> {
    let mut shown: Vec<_> =
        buckets.iter().filter(|bucket| bucket.count >= terms.count_min).collect();
    let by_count = [("_count".to_owned(), true)];
    let order = if terms.order.is_empty() { &by_count[..] } else { &terms.order };
    shown.sort_by(|a, b| {
        let keys = order.iter().map(|(name, is_desc)| {
            let order = match name.as_str() {
                "_count" => a.count.cmp(&b.count),
                "_key" => keys_in_order(&a.key, &b.key),
                name => {
                    let (a, b) = (sorts_by(name, metrics, a), sorts_by(name, metrics, b));
                    // What has no number comes last either way.
                    match (a, b) {
                        (Some(a), Some(b)) => a.total_cmp(&b),
                        (None, None) => Ordering::Equal,
                        (None, _) => return Ordering::Greater,
                        (_, None) => return Ordering::Less,
                    }
                }
            };
            if *is_desc { order.reverse() } else { order }
        });
        let first = keys.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal);
        first.then_with(|| keys_in_order(&a.key, &b.key))
    });
    shown.truncate(terms.size);
    shown
}

fn keys_in_order(a: &Value, b: &Value) -> Ordering {
    match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) => a.cmp(b),
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.to_string().cmp(&b.to_string()),
        },
    }
}

// `1`, `1.95` and `1[95]` are the numbers of metric 1, `1.std_deviation` one of its names.
fn sorts_by(name: &str, metrics: &[Metric], bucket: &Bucket) -> Option<f64> {
    let cells = cells_of(metrics, bucket);
    let of = |own: &str| metrics.iter().position(|metric| metric.name == own);
    let whole = of(name).map(|at| (at, ""));
    let (at, part) = whole.or_else(|| {
        let (own, part) = name.split_once(['.', '['])?;
        Some((of(own)?, part.trim_end_matches(']')))
    })?;
    metrics[at].sorts_by(cells.get(at)?, part)
}

fn filled_times(steps: &Steps, buckets: &[Bucket]) -> Result<Vec<(i64, Bucket)>> {
    let mut found = Vec::new();
    for bucket in buckets {
        let time = bucket.key.as_str().unwrap_or_default();
        let time_ns = parse_rfc3339(time)
            .map_err(|err| ApiError::internal(format!("a step of time: {err}")))?;
        found.push((time_ns, bucket.clone()));
    }
    let floor = |time_ns: i64| time_ns.div_euclid(steps.step_ns) * steps.step_ns;
    if steps.count_min == 0 {
        let least = steps.at_least.map(|(min, max)| (floor(min), floor(max)));
        let firsts = found.first().map(|(time_ns, _)| *time_ns).into_iter();
        let first = firsts.chain(least.map(|(min, _)| min)).min();
        let lasts = found.last().map(|(time_ns, _)| *time_ns).into_iter();
        let last = lasts.chain(least.map(|(_, max)| max)).max();
        if let (Some(first), Some(last)) = (first, last) {
            found = between(found, first, last, steps.step_ns)?;
        }
    }
    found.retain(|(time_ns, bucket)| {
        let is_inside =
            steps.at_most.is_none_or(|(min, max)| floor(min) <= *time_ns && *time_ns <= max);
        is_inside && bucket.count >= steps.count_min
    });
    Ok(found)
}

fn between(
    found: Vec<(i64, Bucket)>,
    first: i64,
    last: i64,
    step: i64,
) -> Result<Vec<(i64, Bucket)>> {
    let count = usize::try_from(last.saturating_sub(first) / step).unwrap_or(usize::MAX);
    if count >= ROWS_MAX {
        return Err(ElasticError::too_many_buckets(ROWS_MAX));
    }
    let mut found = found.into_iter().peekable();
    let mut all = Vec::with_capacity(count + 1);
    for at in 0..=count as i64 {
        let key = first + at * step;
        match found.next_if(|(own, _)| *own == key) {
            Some(bucket) => all.push(bucket),
            None => {
                all.push((key, Bucket { key: json!(format_rfc3339(key)), ..Bucket::default() }))
            }
        }
    }
    Ok(all)
}

fn filled_numbers(size: f64, count_min: u64, buckets: &[Bucket]) -> Result<Vec<(f64, Bucket)>> {
    let found = buckets.iter().filter_map(|bucket| Some((bucket.key.as_f64()?, bucket.clone())));
    let mut found: Vec<_> = found.filter(|(_, bucket)| bucket.count >= count_min).collect();
    found.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let (Some((first, _)), Some((last, _))) = (found.first(), found.last()) else {
        return Ok(found);
    };
    let (first, steps) = (*first, ((last - first) / size).round());
    if count_min > 0 {
        return Ok(found);
    }
    if steps >= ROWS_MAX as f64 {
        return Err(ElasticError::too_many_buckets(ROWS_MAX));
    }
    let mut found = found.into_iter().peekable();
    let all = (0..=steps as i64).map(|at| {
        let key = first + at as f64 * size;
        let own = found.next_if(|(own, _)| (own - key).abs() < size / 2.0);
        own.unwrap_or_else(|| (key, Bucket { key: json!(key), ..Bucket::default() }))
    });
    Ok(all.collect())
}
