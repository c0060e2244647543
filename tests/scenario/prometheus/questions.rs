//! The questions of the compliance set, with all their variants, and some of ours.

use std::collections::BTreeMap;

use crate::harness::shared::shared;

/// A question, and whether it has to be refused.
#[derive(Clone, Debug, Default)]
pub struct Question {
    pub query: String,
    pub should_fail: bool,
    variants: Vec<String>,
}

/// What a name in braces may stand for. Lengths of time are those of a short test.
const VARIANTS: [(&str, &[&str]); 14] = [
    ("range", &["1s", "2s", "5s", "15s", "1m", "1h"]),
    ("offset", &["1s", "3s", "10m"]),
    ("instant", &["1s"]),
    ("quantile", &["-0.5", "0.1", "0.5", "0.75", "0.95", "0.90", "0.99", "1", "1.5"]),
    ("simpleAggrOp", &["sum", "avg", "max", "min", "count", "stddev", "stdvar"]),
    (
        "simpleTimeAggrOp",
        &["sum", "avg", "max", "min", "count", "stddev", "stdvar", "absent", "last", "present"],
    ),
    ("topBottomOp", &["topk", "bottomk"]),
    ("extrapolatedRateFunc", &["delta", "rate", "increase"]),
    ("instantRateFunc", &["irate", "idelta"]),
    ("clampFunc", &["clamp_min", "clamp_max"]),
    (
        "dateFunc",
        &[
            "day_of_month",
            "day_of_week",
            "days_in_month",
            "hour",
            "minute",
            "month",
            "year",
            "day_of_year",
        ],
    ),
    (
        "simpleMathFunc",
        &["abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "round", "sgn"],
    ),
    ("arithBinOp", &["+", "-", "*", "/", "%", "^"]),
    ("compBinOp", &["==", "!=", "<", ">", "<=", ">="]),
];

/// What 2.42 and 3.x answer differently by design, and why.
const DIFFERENCES: [(&str, &str); 2] = [
    (
        "label_replace(demo_num_cpus, \"~invalid\", \"\", \"src\", \"(.*)\")",
        "since 3.0 any text in UTF-8 is a name",
    ),
    (
        "label_join(demo_num_cpus, \"~invalid\", \"-\", \"instance\")",
        "since 3.0 any text in UTF-8 is a name",
    ),
];

/// Why a question is answered differently.
pub fn differs(query: &str) -> Option<&'static str> {
    DIFFERENCES.iter().find(|(differing, _)| *differing == query).map(|(_, why)| *why)
}

/// All questions of the set; `None` where it is absent.
pub fn compliance() -> Option<Vec<Question>> {
    let path = shared("data/prometheus/compliance/promql-test-queries.yml")?;
    let text = std::fs::read_to_string(path).expect("readable");
    let mut all: Vec<Question> = Vec::new();
    for line in text.lines() {
        let line = line.trim().trim_start_matches("- ").trim();
        if let Some(query) = line.strip_prefix("query:") {
            all.push(Question { query: scalar(query), ..Question::default() });
        } else if let Some(names) = line.strip_prefix("variant_args:") {
            let names = names.split(|c: char| !c.is_alphanumeric()).filter(|name| !name.is_empty());
            all.last_mut().expect("a question").variants = names.map(str::to_owned).collect();
        } else if line == "should_fail: true" {
            all.last_mut().expect("a question").should_fail = true;
        }
    }
    Some(all.iter().flat_map(expand).collect())
}

/// A text of YAML: in quotes of either kind, or plain.
fn scalar(text: &str) -> String {
    let text = text.trim();
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    match (inner('\''), inner('"')) {
        (Some(text), _) => text.replace("''", "'"),
        (_, Some(text)) => text.replace("\\\"", "\""),
        _ => text.to_owned(),
    }
}

fn expand(question: &Question) -> Vec<Question> {
    let both = ["arithBinOp", "compBinOp"];
    let known: BTreeMap<_, _> = VARIANTS.into_iter().collect();
    let mut all = vec![question.query.clone()];
    for name in &question.variants {
        let values = match name.as_str() {
            "binOp" => both.iter().flat_map(|name| known[name]).copied().collect(),
            name => known.get(name).unwrap_or_else(|| panic!("no variants of {name}")).to_vec(),
        };
        let hole = format!("{{{{.{name}}}}}");
        let filled = |query: &String| -> Vec<_> {
            values.iter().map(|value| query.replace(&hole, value)).collect()
        };
        all = all.iter().flat_map(filled).collect();
    }
    let expanded = |query| Question { query, variants: Vec::new(), ..question.clone() };
    all.into_iter().map(expanded).collect()
}

/// Over what a node_exporter says of this machine, as its dashboards ask.
pub fn own() -> Vec<String> {
    [
        "up",
        "count by (__name__) ({job=\"node\"})",
        "sum by (mode) (rate(node_cpu_seconds_total[5s]))",
        "1 - avg(irate(node_cpu_seconds_total{mode=\"idle\"}[5s]))",
        "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes",
        "topk(3, sum by (device) (node_filesystem_size_bytes))",
        "predict_linear(node_memory_MemFree_bytes[10s], 3600)",
        "node_load1 / on (instance) count by (instance) (node_cpu_seconds_total{mode=\"idle\"})",
        "{job=\"node\", __name__=~\"node_network_.*_total\", device=\"lo\"}",
        "sum(scrape_samples_scraped)",
        "min_over_time(scrape_duration_seconds[5s])",
        "absent(node_nothing)",
        "changes(demo_intermittent_metric[5s])",
        "avg_over_time(up{job=\"demo\"}[3s:500ms])",
        "up{job=\"demo\"} @ end()",
    ]
    .map(str::to_owned)
    .to_vec()
}
