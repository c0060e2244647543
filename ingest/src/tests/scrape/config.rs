//! Configurations that are read, and those that are refused with the key that is wrong.

use std::path::Path;
use std::time::Duration;

use crate::scrape::ScrapeConfig;
use crate::scrape::config::{Discovery, DnsKind, Job};
use crate::scrape::exposition::Form;
use crate::scrape::relabel::Labels;
use crate::scrape::target::{Resolved, resolve};

fn load(text: &str) -> Result<ScrapeConfig, String> {
    ScrapeConfig::parse(text, Path::new("/etc/prometheus"))
}

const WHOLE: &str = r#"
global:
  scrape_interval: 15s
  evaluation_interval: 15s
  external_labels: {region: eu, replica: 1}
  sample_limit: 7
alerting:
  alertmanagers: []
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: node
    scrape_timeout: 5s
    static_configs:
      - targets: ['one:9100', "two:9100"]
        labels: {zone: a, rack: 4}
  - job_name: shop
    scrape_interval: 1m30s
    metrics_path: /stats
    scheme: https
    params: {module: [http_2xx, other], "a b": ["1&2"]}
    honor_labels: true
    honor_timestamps: false
    scrape_native_histograms: true
    sample_limit: 100
    body_size_limit: 10MB
    basic_auth: {username: me, password: 1234}
    tls_config: {insecure_skip_verify: true, ca_file: ca.pem}
    file_sd_configs: [{files: [targets/*.yml], refresh_interval: 1m}]
    http_sd_configs: [{url: "http://discovery/targets"}]
    dns_sd_configs: [{names: [a.example, b.example], type: A, port: 80}]
    relabel_configs:
      - source_labels: [__address__]
        regex: '([^:]+):\d+'
        target_label: host
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'go_.*', action: drop}
"#;

fn job(text: &str, name: &str) -> std::sync::Arc<Job> {
    let config = load(text).expect("reads");
    config.jobs.into_iter().find(|job| job.name == name).expect("the job")
}

#[test]
fn a_configuration_of_prometheus_is_read() {
    let config = load(WHOLE).expect("reads");
    assert_eq!(config.passed_over, ["alerting", "rule_files"]);
    let node = job(WHOLE, "node");
    assert_eq!((node.interval, node.timeout), (Duration::from_secs(15), Duration::from_secs(5)));
    assert_eq!((node.path.as_str(), node.scheme.as_str()), ("/metrics", "http"));
    assert_eq!((node.limits.samples, node.honors_labels, node.honors_timestamps), (7, false, true));
    assert_eq!(node.forms[0], Form::OpenMetrics1);
    let shop = job(WHOLE, "shop");
    assert_eq!((shop.interval, shop.timeout), (Duration::from_secs(90), Duration::from_secs(10)));
    assert_eq!((shop.limits.samples, shop.limits.body_bytes), (100, 10 << 20));
    assert_eq!(shop.forms[0], Form::Protobuf);
    assert!(!format!("{shop:?}").contains("1234"), "secrets are not shown");
    assert!(matches!(
        &shop.discovery[3],
        Discovery::Dns { names, kind: DnsKind::A, port: Some(80), .. } if names.len() == 2
    ));
    assert!(matches!(
        &shop.discovery[1],
        Discovery::Files { patterns, .. } if patterns[0] == Path::new("/etc/prometheus/targets/*.yml")
    ));
    assert!(load("").expect("reads").jobs.is_empty());
}

#[test]
fn what_is_wrong_is_named() {
    let of_job = |lines: &str| format!("scrape_configs:\n  - job_name: j\n{lines}");
    let cases = [
        ("scrape_configs:\n  - scheme: http\n".to_owned(), "has no job_name"),
        (
            "scrape_configs:\n  - job_name: a\n  - job_name: a\n".to_owned(),
            "two jobs have the job_name 'a'",
        ),
        (of_job("    scrape_interval: 15\n"), "15"),
        (of_job("    scrape_interval: 10s\n    scrape_timeout: 11s\n"), "scrape_timeout is 11s"),
        (of_job("    scheme: ftp\n"), "scheme is 'ftp', expected http or https"),
        (of_job("    scrape_intervall: 10s\n"), "scrape_intervall"),
        (of_job("    kubernetes_sd_configs: []\n"), "kubernetes_sd_configs"),
        (of_job("    body_size_limit: much\n"), "body_size_limit: 'much' is no size"),
        (of_job("    scrape_protocols: [Morse]\n"), "'Morse' is no scrape protocol"),
        (
            of_job("    relabel_configs: [{regex: '('}]\n"),
            "relabel_configs, rule 1: target_label is needed",
        ),
        (of_job("    relabel_configs: [{regex: '(', target_label: a}]\n"), "regex '('"),
        (of_job("    relabel_configs: [{action: keeep}]\n"), "action 'keeep' is none of"),
        (
            of_job("    relabel_configs: [{action: hashmod, target_label: a}]\n"),
            "modulus is needed",
        ),
        (
            of_job("    basic_auth: {username: a}\n    authorization: {credentials: b}\n"),
            "exclude each other",
        ),
        (
            of_job("    basic_auth: {username: a, password: b, password_file: c}\n"),
            "exclude each other",
        ),
        (of_job("    tls_config: {cert_file: a}\n"), "cert and key are needed together"),
        (of_job("    dns_sd_configs: [{names: [a], type: A}]\n"), "port is needed"),
        (of_job("    http_sd_configs: [{url: 'ftp://x'}]\n"), "expected http:// or https://"),
        ("scrape_configs: [".to_owned(), ""),
    ];
    for (text, wanted) in cases {
        let err = load(&text).expect_err(&text);
        assert!(err.contains(wanted), "{text}: {err}");
    }
}

#[test]
fn targets_are_made_of_what_is_discovered() {
    let shop = job(WHOLE, "shop");
    let discovered: Labels = [("__address__", "web:8443"), ("__meta_x", "1"), ("team", "a")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    let Ok(Resolved::Target(target)) = resolve(&shop, &discovered) else { panic!("no target") };
    let labels = target.labels.iter().map(|(name, value)| format!("{name}={value}"));
    assert_eq!(labels.collect::<Vec<_>>(), ["host=web", "instance=web:8443", "job=shop", "team=a"]);
    assert_eq!(target.url, "https://web:8443/stats?a+b=1%262&module=http_2xx&module=other");
    let due = target.first_due_ns(1_000_000_000_000);
    assert!((0..90_000_000_000).contains(&(due - 1_000_000_000_000)));
    let no_address = vec![("team".to_owned(), "a".to_owned())];
    assert!(resolve(&shop, &no_address).is_err_and(|err| err.contains("__address__")));
}
