//! Streams and series as Loki writes them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use throughline_query::QueryStatsSnapshot;
use throughline_query::logql::run::{Line, VolumeRow};
use throughline_query::logql::{Answer, Labels};
use throughline_query::logs::LogOrder;

use super::stats::{stats, warnings};

const SECOND_NS: i64 = 1_000_000_000;
const MILLISECOND_NS: i64 = 1_000_000;

/// The flag that asks for labels by where they come from.
pub const CATEGORIZE: &str = "categorize-labels";

/// `{"status": "success", "data": …}`.
pub fn success(data: &Json) -> Json {
    json!({"status": "success", "data": data})
}

/// An answer of lines.
pub fn lines(
    lines: &[Line],
    order: LogOrder,
    is_categorized: bool,
    stats_of: &QueryStatsSnapshot,
) -> Json {
    let result = streams(lines, order, is_categorized);
    let mut data = json!({
        "resultType": "streams",
        "result": result,
        "stats": stats(stats_of, lines.len()),
    });
    if is_categorized {
        data["encodingFlags"] = json!([CATEGORIZE]);
    }
    with_warnings(success(&data), stats_of)
}

/// Lines by stream, in order.
pub fn streams(lines: &[Line], order: LogOrder, is_categorized: bool) -> Vec<Json> {
    let mut streams: BTreeMap<BTreeMap<&str, &str>, Vec<(i64, Json)>> = BTreeMap::new();
    for line in lines {
        let time = line.time_ns.to_string();
        let (labels, value) = match is_categorized {
            true => {
                let mut more = Map::new();
                for (name, labels) in
                    [("structuredMetadata", &line.structured), ("parsed", &line.parsed)]
                {
                    if !labels.is_empty() {
                        more.insert(name.to_owned(), pairs(labels));
                    }
                }
                (line.stream.pairs().collect(), json!([time, line.line, more]))
            }
            false => (all_labels(line), json!([time, line.line])),
        };
        streams.entry(labels).or_default().push((line.time_ns, value));
    }
    let stream = |(labels, mut values): (BTreeMap<&str, &str>, Vec<(i64, Json)>)| {
        // Lines of one time keep the order of the answer.
        match order {
            LogOrder::NewestFirst => values.sort_by_key(|(time_ns, _)| std::cmp::Reverse(*time_ns)),
            LogOrder::OldestFirst => values.sort_by_key(|(time_ns, _)| *time_ns),
        }
        let values: Vec<_> = values.into_iter().map(|(_, value)| value).collect();
        json!({"stream": labels, "values": values})
    };
    streams.into_iter().map(stream).collect()
}

// Of one name the label that came last counts.
fn all_labels(line: &Line) -> BTreeMap<&str, &str> {
    let own = line.structured.iter().chain(&line.parsed);
    let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
    line.stream.pairs().chain(own).collect()
}

fn pairs(labels: &[(String, String)]) -> Json {
    labels.iter().map(|(name, value)| (name.clone(), Json::from(value.clone()))).collect()
}

/// The labels of a stream or series.
pub fn labels(labels: &Labels) -> Json {
    labels.pairs().map(|(name, value)| (name.to_owned(), Json::from(value))).collect()
}

/// An answer of numbers.
pub fn numbers(answer: &Answer, stats_of: &QueryStatsSnapshot) -> Json {
    let (kind, result, entries) = match answer {
        Answer::Scalar(time_ns, value) => ("scalar", point(*time_ns, *value), 1),
        Answer::Vector(samples) => {
            let sample = samples.iter().map(|sample| {
                json!({
                    "metric": labels(&sample.labels),
                    "value": point(sample.time_ns, sample.value),
                })
            });
            ("vector", Json::Array(sample.collect()), samples.len())
        }
        Answer::Matrix(series) => {
            let all = series.iter().map(|series| {
                let values = series.points.iter().map(|(time_ns, value)| point(*time_ns, *value));
                json!({
                    "metric": labels(&series.labels),
                    "values": values.collect::<Vec<_>>(),
                })
            });
            ("matrix", Json::Array(all.collect()), series.len())
        }
    };
    let data = json!({
        "resultType": kind,
        "result": result,
        "stats": stats(stats_of, entries),
    });
    with_warnings(success(&data), stats_of)
}

/// Volumes: series over time, or one value each.
pub fn volumes(rows: &[VolumeRow], is_range: bool, stats_of: &QueryStatsSnapshot) -> Json {
    let result = rows.iter().map(|row| {
        let mut points = row.bytes.iter().map(|(time_ns, bytes)| point(*time_ns, *bytes as f64));
        let metric = pairs(&row.labels);
        match is_range {
            true => json!({"metric": metric, "values": points.collect::<Vec<_>>()}),
            false => json!({"metric": metric, "value": points.next()}),
        }
    });
    let data = json!({
        "resultType": if is_range { "matrix" } else { "vector" },
        "result": result.collect::<Vec<_>>(),
        "stats": stats(stats_of, rows.len()),
    });
    with_warnings(success(&data), stats_of)
}

fn with_warnings(mut answer: Json, stats: &QueryStatsSnapshot) -> Json {
    let warnings = warnings(stats);
    if !warnings.is_empty() {
        answer["warnings"] = json!(warnings);
    }
    answer
}

// Seconds with as many of three decimals as it takes, and the number as text.
fn point(time_ns: i64, value: f64) -> Json {
    let value = match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    };
    match time_ns.rem_euclid(SECOND_NS) / MILLISECOND_NS {
        0 => json!([time_ns.div_euclid(SECOND_NS), value]),
        _ => json!([time_ns.div_euclid(MILLISECOND_NS) as f64 / 1e3, value]),
    }
}
