//! The configuration as it stands in the file: Prometheus' own names and shapes.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A text, or a number or truth that stands without quotes.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum Scalar {
    Text(String),
    Integer(i64),
    Float(f64),
    Truth(bool),
}

impl Scalar {
    pub fn text(&self) -> String {
        match self {
            Scalar::Text(text) => text.clone(),
            Scalar::Integer(number) => number.to_string(),
            Scalar::Float(number) => number.to_string(),
            Scalar::Truth(truth) => truth.to_string(),
        }
    }
}

/// The file. Sections that are about other things are passed over.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct File {
    pub global: Global,
    pub scrape_configs: Vec<Job>,
    pub scrape_config_files: Vec<String>,
    #[serde(flatten)]
    pub others: BTreeMap<String, serde::de::IgnoredAny>,
}

/// A file that `scrape_config_files` names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobsFile {
    pub scrape_configs: Vec<Job>,
}

/// Defaults of all jobs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(dead_code)] // what is about other things is read to tell it from what is misspelt
pub struct Global {
    pub scrape_interval: Option<String>,
    pub scrape_timeout: Option<String>,
    pub scrape_protocols: Option<Vec<String>>,
    pub scrape_native_histograms: Option<bool>,
    pub always_scrape_classic_histograms: Option<bool>,
    pub extra_scrape_metrics: Option<bool>,
    pub body_size_limit: Option<Scalar>,
    pub sample_limit: Option<u64>,
    pub target_limit: Option<u64>,
    pub label_limit: Option<u64>,
    pub label_name_length_limit: Option<u64>,
    pub label_value_length_limit: Option<u64>,
    pub keep_dropped_targets: Option<u64>,
    pub external_labels: BTreeMap<String, Scalar>,
    pub metric_name_validation_scheme: Option<String>,
    pub metric_name_escaping_scheme: Option<String>,
    pub evaluation_interval: Option<String>,
    pub rule_query_offset: Option<String>,
    pub query_log_file: Option<String>,
    pub scrape_failure_log_file: Option<String>,
}

/// A job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Job {
    pub job_name: String,
    pub scrape_interval: Option<String>,
    pub scrape_timeout: Option<String>,
    pub scrape_protocols: Option<Vec<String>>,
    pub fallback_scrape_protocol: Option<String>,
    pub scrape_native_histograms: Option<bool>,
    #[serde(alias = "scrape_classic_histograms")]
    pub always_scrape_classic_histograms: Option<bool>,
    pub extra_scrape_metrics: Option<bool>,
    pub metrics_path: Option<String>,
    pub scheme: Option<String>,
    pub params: BTreeMap<String, Vec<Scalar>>,
    pub honor_labels: bool,
    pub honor_timestamps: Option<bool>,
    pub track_timestamps_staleness: bool,
    pub enable_compression: Option<bool>,
    pub body_size_limit: Option<Scalar>,
    pub sample_limit: Option<u64>,
    pub target_limit: Option<u64>,
    pub label_limit: Option<u64>,
    pub label_name_length_limit: Option<u64>,
    pub label_value_length_limit: Option<u64>,
    pub keep_dropped_targets: Option<u64>,
    pub metric_name_validation_scheme: Option<String>,
    pub metric_name_escaping_scheme: Option<String>,
    pub basic_auth: Option<BasicAuth>,
    pub authorization: Option<Authorization>,
    pub bearer_token: Option<String>,
    pub bearer_token_file: Option<String>,
    pub tls_config: Option<Tls>,
    pub follow_redirects: Option<bool>,
    pub enable_http2: Option<bool>,
    pub http_headers: BTreeMap<String, Header>,
    pub scrape_failure_log_file: Option<String>,
    pub static_configs: Vec<Group>,
    pub file_sd_configs: Vec<FileDiscovery>,
    pub http_sd_configs: Vec<HttpDiscovery>,
    pub dns_sd_configs: Vec<DnsDiscovery>,
    pub relabel_configs: Vec<Rule>,
    pub metric_relabel_configs: Vec<Rule>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    pub username: Option<Scalar>,
    pub username_file: Option<String>,
    pub password: Option<Scalar>,
    pub password_file: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub credentials: Option<Scalar>,
    pub credentials_file: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    pub ca: Option<String>,
    pub ca_file: Option<String>,
    pub cert: Option<String>,
    pub cert_file: Option<String>,
    pub key: Option<String>,
    pub key_file: Option<String>,
    pub insecure_skip_verify: bool,
    pub server_name: Option<String>,
    pub min_version: Option<String>,
    pub max_version: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Header {
    pub values: Vec<Scalar>,
    pub secrets: Vec<Scalar>,
    pub files: Vec<String>,
}

/// Targets with labels, also in the files and answers of discovery.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Group {
    /// Addresses.
    pub targets: Vec<Scalar>,
    /// Labels of all of them.
    pub labels: BTreeMap<String, Scalar>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileDiscovery {
    pub files: Vec<String>,
    pub refresh_interval: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpDiscovery {
    pub url: String,
    pub refresh_interval: Option<String>,
    pub basic_auth: Option<BasicAuth>,
    pub authorization: Option<Authorization>,
    pub tls_config: Option<Tls>,
    pub follow_redirects: Option<bool>,
    pub enable_http2: Option<bool>,
    pub http_headers: BTreeMap<String, Header>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DnsDiscovery {
    pub names: Vec<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub port: Option<u16>,
    pub refresh_interval: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    pub source_labels: Vec<String>,
    pub separator: Option<String>,
    pub target_label: Option<String>,
    pub regex: Option<Scalar>,
    pub modulus: Option<u64>,
    pub replacement: Option<Scalar>,
    pub action: Option<String>,
}
