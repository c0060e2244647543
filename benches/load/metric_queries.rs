//! The nine questions about metrics that the peers were asked, in PromQL.

use crate::queries::{Question, Request, escaped};

/// Over the hour of the load, each 15 s.
const RANGE: &str = "start=2026-11-20T12:05:00Z&end=2026-11-20T13:00:00Z&step=15";
const END: &str = "time=2026-11-20T12:59:45Z";

/// The questions. `service` is the label that names the service, `payment` its value for that service.
pub fn of(service: &str, payment: &str) -> Vec<Question> {
    // Peers were asked for averages, which drop the names: in Prometheus the series then collide.
    let gauges = r#"{__name__=~"app_.+",__name__!~".+_total"}"#;
    let buckets = "http_server_request_duration_seconds_bucket";
    let of_payment = format!("{service}=\"{payment}\"");
    let range = [
        (
            "sum by service of rate, 10 k series",
            format!("sum by({service})(rate(http_requests_total[5m]))"),
        ),
        (
            "the same, status 500",
            format!("sum by({service})(rate(http_requests_total{{status=\"500\"}}[5m]))"),
        ),
        (
            "quantile 0.99 by service, 18 k series",
            format!("histogram_quantile(0.99, sum by({service}, le)(rate({buckets}[5m])))"),
        ),
        (
            "quantile 0.99, one service",
            format!("histogram_quantile(0.99, sum by(le)(rate({buckets}{{{of_payment}}}[5m])))"),
        ),
        ("last over time of 40 k gauges, sum", format!("sum(last_over_time({gauges}[5m]))")),
        ("50 raw series", format!("http_requests_total{{{of_payment},route=\"/api/v1/orders\"}}")),
    ];
    let instant = [
        ("topk at a moment, 10 k series", "topk(10, rate(http_requests_total[5m]))".to_owned()),
        ("count of all series", "count({__name__!=\"\"})".to_owned()),
    ];
    let get = |name, path: String| Question {
        name,
        requests: vec![Request::Get { path, accept: "application/json", spans: None }],
        expect: None,
    };
    let mut all: Vec<_> = range
        .into_iter()
        .map(|(name, query)| {
            let query = escaped(&query);
            get(name, format!("/prometheus/api/v1/query_range?{RANGE}&query={query}"))
        })
        .collect();
    all.extend(instant.into_iter().map(|(name, query)| {
        let query = escaped(&query);
        get(name, format!("/prometheus/api/v1/query?{END}&query={query}"))
    }));
    all.push(get("label values", format!("/prometheus/api/v1/label/{service}/values")));
    all
}
