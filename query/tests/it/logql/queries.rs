//! Queries at random, for the records of [`super::stored`].

use rand::Rng;
use rand::rngs::StdRng;

use super::stored::pick;

/// Selectors over the labels of the records of [`super::stored`].
pub const SELECTORS: &[&str] = &[
    "{}",
    r#"{service_name="shop"}"#,
    r#"{service_name=~".+"}"#,
    r#"{service_name!~"c.*|größe"}"#,
    r#"{service_name="unknown_service"}"#,
    r#"{k8s_pod_name="cart-1"}"#,
    r#"{k8s_pod_name!="cart-1"}"#,
    r#"{k8s_pod_name=~"cart-.*"}"#,
    r#"{k8s_pod_name!~"cart-1|"}"#,
    r#"{k8s_pod_name=""}"#,
    r#"{job="a"}"#,
    r#"{job!=""}"#,
    r#"{job="b", service_name="shop"}"#,
    r#"{host_name="h1"}"#,
    r#"{host_name=~"h.|"}"#,
    r#"{user="ann"}"#,
    r#"{user_id="7"}"#,
    r#"{http_status_code="500"}"#,
    r#"{http_status_code!="500"}"#,
    r#"{http_status_code=~"5.."}"#,
    r#"{http_status_code!~"2.."}"#,
    r#"{lib_mode="fast"}"#,
    r#"{scope_name="lib"}"#,
    r#"{detected_level="error"}"#,
    r#"{detected_level=~"warn|unknown"}"#,
    r#"{detected_level="fatal"}"#,
    r#"{severity_text="WARN"}"#,
    r#"{severity_text!=""}"#,
    r#"{severity_number="17"}"#,
    r#"{severity_number!~"1.*"}"#,
    r#"{trace_id="01010101010101010101010101010101"}"#,
    r#"{span_id="0202020202020202"}"#,
    r#"{span_id=""}"#,
    r#"{span_id!="0202020202020202"}"#,
    r#"{nothing=""}"#,
    r#"{nothing="x"}"#,
    r#"{nothing=~"x|"}"#,
    r#"{took="15ms"}"#,
];

const FILTERS: &[&str] = &[
    "",
    "",
    r#"|= "took""#,
    r#"|= "request" or "reset""#,
    r#"|= """#,
    r#"!= "level""#,
    r#"!= "level" or "reset""#,
    r#"!= """#,
    r#"|~ "re(quest|set)""#,
    r#"|~ "(?i)CONNECTION""#,
    r#"|~ "x*""#,
    r#"!~ "x*""#,
    r#"!~ "took [0-3]ms""#,
    r#"!~ ".*stock.*""#,
    r#"|> "request <_> took <_>""#,
    r#"!> "<_>stock<_>""#,
    r#"|= ip("10.0.0.0/8")"#,
    r#"|= "漢字" != "request" |~ "na.ve""#,
];

const STAGES: &[&str] = &[
    "",
    "",
    "",
    "| json",
    "| logfmt | status > 100",
    r#"| json | line_format "{{.status}} {{.service_name}}""#,
    r#"| detected_level="warn""#,
    r#"| http_status_code >= 300"#,
    r#"| http_status_code="500" or user="ann""#,
    r#"| took > 20ms"#,
    r#"| user="root""#,
    r#"| label_format user=job, shop="{{.service_name}}""#,
    "| drop service_name, level",
    "| keep service_name",
    r#"| service_name="shop" | host_name!="""#,
];

/// A query for lines.
pub fn log_query(rng: &mut StdRng) -> String {
    format!("{} {} {}", pick(rng, SELECTORS), pick(rng, FILTERS), pick(rng, STAGES))
}

/// A query for numbers.
pub fn number_query(rng: &mut StdRng) -> String {
    let range = pick(rng, &["15s", "1m", "90s", "10m"]);
    let by = pick(
        rng,
        &[
            "",
            "by (service_name)",
            "by (detected_level)",
            "by (service_name, detected_level, nothing)",
            "by (k8s_pod_name)",
            "by (http_status_code)",
            "by (job, user)",
            "without (trace_id, span_id)",
        ],
    );
    let function = pick(rng, &["count_over_time", "rate", "bytes_over_time", "bytes_rate"]);
    let (selector, filter) = (pick(rng, SELECTORS), pick(rng, FILTERS));
    match rng.random_range(0..8) {
        0 => format!("absent_over_time({selector} {filter} [{range}])"),
        1 => {
            let rest = r#"| logfmt | status != "" | unwrap status | __error__="" "#;
            format!("sum {by} (max_over_time({selector} {filter} {rest} [{range}]))")
        }
        2 => format!("sum {by} ({function}({} [{range}] offset 30s)) > 1", log_query(rng).trim()),
        3 => format!("{function}({selector} {filter} [{range}])"),
        _ => format!("sum {by} ({function}({selector} {filter} [{range}]))"),
    }
}
