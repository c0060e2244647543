//! The same question to two servers, and whether their answers are the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// How far two numbers may lie apart, as a part of them: 3.x sums with compensation, 2.42 does not.
const APART_MAX: f64 = 1e-9;

/// Two servers with the API of Prometheus.
pub struct Asked {
    http: reqwest::Client,
    pub theirs: String,
    pub ours: String,
}

/// The steps of a question.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub start_ms: i64,
    pub end_ms: i64,
    pub step_ms: i64,
}

/// Series of an answer: by labels, values by time in milliseconds.
type Series = BTreeMap<String, BTreeMap<i64, f64>>;

impl Asked {
    pub fn new(theirs: &str, ours: &str) -> Self {
        let theirs = format!("http://{theirs}/api/v1");
        let ours = format!("http://{ours}/prometheus/api/v1");
        Self { http: reqwest::Client::new(), theirs, ours }
    }

    /// The status and the answer.
    pub async fn ask(&self, base: &str, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let url = reqwest::Url::parse_with_params(&format!("{base}/{path}"), form).expect("a URL");
        let body = url.query().unwrap_or_default().to_owned();
        let request = self.http.post(format!("{base}/{path}")).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("text");
        let json = serde_json::from_str(&text);
        (status, json.unwrap_or_else(|err| panic!("{base}/{path} {form:?}: {err} in {text}")))
    }

    async fn range(&self, base: &str, query: &str, span: Span) -> (u16, Value) {
        let seconds = |ms: i64| format!("{:.3}", ms as f64 / 1e3);
        let (start, end, step) =
            (seconds(span.start_ms), seconds(span.end_ms), seconds(span.step_ms));
        let form = [("query", query), ("start", &start), ("end", &end), ("step", &step)];
        self.ask(base, "query_range", &form).await
    }
}

fn series(answer: &Value) -> Series {
    let found = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let values = |series: &Value| {
        let values = series["values"].as_array().expect("values").iter();
        let value = |pair: &Value| {
            let at_ms = (pair[0].as_f64().expect("a time") * 1e3).round() as i64;
            (at_ms, pair[1].as_str().expect("text").parse::<f64>().expect("a number"))
        };
        values.map(value).collect()
    };
    // Keys of objects are in order.
    found.iter().map(|series| (series["metric"].to_string(), values(series))).collect()
}

fn is_alike(theirs: f64, ours: f64) -> bool {
    theirs.to_bits() == ours.to_bits()
        || theirs.is_nan() && ours.is_nan()
        || (theirs - ours).abs() <= APART_MAX * theirs.abs().max(ours.abs())
}

/// The first place where answers differ.
fn difference(theirs: &Series, ours: &Series) -> Option<String> {
    if !theirs.keys().eq(ours.keys()) {
        let only = |a: &Series, b: &Series| -> Vec<String> {
            a.keys().filter(|labels| !b.contains_key(*labels)).take(3).cloned().collect()
        };
        let (theirs, ours) = (only(theirs, ours), only(ours, theirs));
        return Some(format!("series of theirs alone {theirs:?}, of ours alone {ours:?}"));
    }
    theirs.iter().zip(ours.values()).find_map(|((labels, theirs), ours)| {
        let times = theirs.keys().chain(ours.keys()).copied().collect::<BTreeSet<_>>();
        times.into_iter().find_map(|at_ms| {
            let pair = (theirs.get(&at_ms), ours.get(&at_ms));
            let alike = matches!(pair, (Some(theirs), Some(ours)) if is_alike(*theirs, *ours));
            (!alike).then(|| format!("{labels} at {at_ms}: theirs and ours are {pair:?}"))
        })
    })
}

/// Asks both, and says how the answers differ.
pub async fn differing(
    asked: &Asked,
    query: &str,
    should_fail: bool,
    span: Span,
) -> Option<String> {
    let (their_status, theirs) = asked.range(&asked.theirs, query, span).await;
    let (our_status, ours) = asked.range(&asked.ours, query, span).await;
    if their_status != our_status || (our_status == 200) == should_fail {
        return Some(format!("{query}: {their_status} {our_status} {theirs} {ours}"));
    }
    match should_fail {
        true => None,
        false => difference(&series(&theirs), &series(&ours)).map(|how| format!("{query}: {how}")),
    }
}

/// Names and values of labels.
pub async fn labels(asked: &Asked) {
    let get = async |base: &str, path: &str| -> Value {
        let answer = asked.http.get(format!("{base}/{path}")).send().await.expect("an answer");
        serde_json::from_str(&answer.text().await.expect("text")).expect("JSON")
    };
    for path in [
        "labels",
        "label/__name__/values",
        "label/job/values",
        "label/mode/values?match[]=node_cpu_seconds_total",
        "series?match[]=up",
        "series?match[]=demo_memory_usage_bytes{type=\"free\"}",
    ] {
        let (theirs, ours) = (get(&asked.theirs, path).await, get(&asked.ours, path).await);
        assert_eq!(theirs["data"], ours["data"], "{path}");
        assert!(ours["data"].as_array().is_some_and(|found| !found.is_empty()), "{path}: {ours}");
    }
}
