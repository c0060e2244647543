//! Configuration: defaults < TOML file < environment (`THROUGHLINE_…`) < flags.
//!
//! A key that nobody knows is an error that names the nearest known one, in every source.

#[cfg(test)]
mod docs;
mod log_class;
mod log_rule;
mod settings;
pub mod units;
pub mod value;

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};

pub use log_class::LogClass;
pub use log_rule::rules as log_rules;
pub use settings::{SETTINGS, Settings};

/// What starts the names of environment variables.
pub const ENV_PREFIX: &str = "THROUGHLINE_";

// Variables with the prefix that are no settings: read by the build, the tests and the commands.
const ENV_OTHERS: [&str; 6] = ["CONFIG", "UI_DIST", "SHARED", "URL", "COMMIT", "SDK_PYTHON"];
// Kubernetes sets these in every pod beside a service named `throughline`.
const ENV_SERVICE_LINKS: [&str; 2] = ["SERVICE_", "PORT"];
// Further away than this, a suggestion would be noise.
const SUGGESTION_DISTANCE_MAX: usize = 8;

impl Settings {
    /// Reads all sources, later ones winning, and checks the result.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &[(&str, String)],
    ) -> anyhow::Result<Settings> {
        let mut settings = Settings::default();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the configuration {}", path.display()))?;
            settings
                .apply_toml(&text)
                .with_context(|| format!("in the configuration {}", path.display()))?;
        }
        settings.apply_environment(environment)?;
        for (key, text) in flags {
            settings.apply(key, text)?;
        }
        settings.check()?;
        Ok(settings)
    }

    fn apply_toml(&mut self, text: &str) -> anyhow::Result<()> {
        let table: toml::Table = text.parse().context("this is no TOML")?;
        for (name, value) in &table {
            self.apply_toml_value(name, value)?;
        }
        Ok(())
    }

    fn apply_toml_value(&mut self, key: &str, value: &toml::Value) -> anyhow::Result<()> {
        match value {
            toml::Value::Table(section) => {
                for (name, value) in section {
                    self.apply_toml_value(&format!("{key}.{name}"), value)?;
                }
                Ok(())
            }
            toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
                self.apply(key, &serde_json::to_string(items).context(key.to_owned())?)
            }
            toml::Value::Array(items) => {
                let texts: anyhow::Result<Vec<_>> = items
                    .iter()
                    .map(|item| item.as_str().ok_or_else(|| anyhow!("{key}: {item} is no text")))
                    .collect();
                self.apply(key, &texts?.join(","))
            }
            toml::Value::String(text) => self.apply(key, text),
            other => self.apply(key, &other.to_string()),
        }
    }

    fn apply_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<()> {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix(ENV_PREFIX) else { continue };
            let setting = SETTINGS.iter().find(|setting| env_name(setting.key) == name);
            match setting {
                Some(setting) => self.apply(setting.key, &text).context(name)?,
                None if ENV_OTHERS.contains(&rest) => {}
                None if ENV_SERVICE_LINKS.iter().any(|link| rest.starts_with(link)) => {}
                None => {
                    let nearest = nearest(&name, SETTINGS.iter().map(|s| env_name(s.key)));
                    bail!("unknown environment variable {name}{nearest}");
                }
            }
        }
        Ok(())
    }

    fn apply(&mut self, key: &str, text: &str) -> anyhow::Result<()> {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            let nearest = nearest(key, SETTINGS.iter().map(|setting| setting.key.to_owned()));
            bail!("unknown key '{key}'{nearest}");
        };
        (setting.set)(self, text).map_err(|wrong| {
            let (kind, default) = (setting.kind, setting.default);
            anyhow!("{key}: {wrong} (value: {kind}; default: '{default}')")
        })
    }

    // Rules that need more than one setting.
    fn check(&self) -> anyhow::Result<()> {
        if self.tls_certificate_file.is_some() != self.tls_key_file.is_some() {
            bail!("tls.certificate_file and tls.key_file are set together or not at all");
        }
        let protected = self.tls_certificate_file.is_some() && !self.auth_tokens.is_empty();
        let addresses = [
            ("http.address", Some(self.http_address)),
            ("otlp.grpc_address", Some(self.otlp_grpc_address)),
            ("otlp.http_address", Some(self.otlp_http_address)),
            ("zipkin.address", self.zipkin_address),
            ("jaeger.thrift_address", self.jaeger_thrift_address),
            ("jaeger.grpc_address", self.jaeger_grpc_address),
            ("jaeger.sampling_address", self.jaeger_sampling_address),
            ("loki.address", self.loki_address),
            ("splunk.address", self.splunk_address),
            ("elasticsearch.address", self.elasticsearch_address),
        ];
        for (key, address) in addresses {
            let Some(address) = address else { continue };
            if !address.ip().is_loopback() && !protected && !self.insecure {
                bail!(
                    "{key} = {address} can be reached from other machines: set \
                     tls.certificate_file, tls.key_file and auth.tokens, or say insecure = true"
                );
            }
        }
        self.check_sockets()?;
        let positive = [
            ("server.connections_max", self.server_connections_max as u64),
            ("otlp.request_bytes_max", self.otlp_request_bytes_max.0),
            ("otlp.inflate_ratio_max", self.otlp_inflate_ratio_max as u64),
            ("memory.heads", self.memory_heads.0),
            ("query.concurrent_max", self.query_concurrent_max as u64),
            ("query.timeout", self.query_timeout.as_nanos() as u64),
        ];
        for (key, value) in positive {
            if value == 0 {
                bail!("{key} = 0 leaves nothing to work with");
            }
        }
        if self.otlp_request_bytes_max > self.memory_in_flight {
            bail!(
                "otlp.request_bytes_max ({} bytes) is more than memory.in_flight ({} bytes)",
                self.otlp_request_bytes_max.0,
                self.memory_in_flight.0
            );
        }
        Ok(())
    }

    // Its senders have no tokens to show.
    fn check_sockets(&self) -> anyhow::Result<()> {
        let over_tls = [
            ("syslog.tls_address", self.syslog_tls_address),
            ("gelf.tls_address", self.gelf_tls_address),
            ("fluent.tls_address", self.fluent_tls_address),
        ];
        for (key, address) in over_tls {
            if address.is_some() && self.tls_certificate_file.is_none() {
                bail!("{key} wants tls.certificate_file and tls.key_file");
            }
        }
        let addresses = [
            ("syslog.udp_address", self.syslog_udp_address),
            ("syslog.tcp_address", self.syslog_tcp_address),
            ("gelf.udp_address", self.gelf_udp_address),
            ("gelf.tcp_address", self.gelf_tcp_address),
            ("fluent.tcp_address", self.fluent_tcp_address),
        ];
        for (key, address) in addresses.into_iter().chain(over_tls) {
            let Some(address) = address.filter(|address| !address.ip().is_loopback()) else {
                continue;
            };
            if !self.insecure {
                bail!(
                    "{key} = {address} takes messages from other machines without any token: say \
                     insecure = true"
                );
            }
        }
        Ok(())
    }
}

/// The environment variable of a key: `flush.age` is `THROUGHLINE_FLUSH_AGE`.
pub fn env_name(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.replace('.', "_").to_uppercase())
}

fn nearest(unknown: &str, known: impl Iterator<Item = String>) -> String {
    known
        .map(|name| (strsim::damerau_levenshtein(unknown, &name), name))
        .min()
        .filter(|(distance, _)| *distance <= SUGGESTION_DISTANCE_MAX)
        .map(|(_, name)| format!("; did you mean '{name}'?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn load(toml: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("throughline.toml");
        std::fs::write(&path, toml).expect("the file is written");
        let env = env.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let flags: Vec<_> = flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
        Settings::load(Some(&path), env, &flags)
    }

    fn error(toml: &str, env: &[(&str, &str)]) -> String {
        format!("{:#}", load(toml, env, &[]).expect_err("refused"))
    }

    #[test]
    fn later_sources_win() {
        let toml = "[flush]\nage = \"1s\"\nbytes = 1024\nmetrics_age = '1m'\n";
        let env = [("THROUGHLINE_FLUSH_AGE", "2s"), ("THROUGHLINE_FLUSH_BYTES", "2KiB")];
        let settings = load(toml, &env, &[("flush.age", "3s")]).expect("valid");
        assert_eq!(settings.flush_age, Duration::from_secs(3));
        assert_eq!(settings.flush_bytes, units::ByteSize(2048));
        assert_eq!(settings.flush_metrics_age, Duration::from_secs(60));
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        assert!(error("[flush]\nagee = '1s'", &[]).contains("did you mean 'flush.age'?"));
        assert!(error("dat_dir = 'x'", &[]).contains("did you mean 'data_dir'?"));
        let env = error("", &[("THROUGHLINE_FLUSH_AGES", "1s")]);
        assert!(env.contains("did you mean 'THROUGHLINE_FLUSH_AGE'?"), "{env}");
        assert!(!error("something_else_entirely_different = 1", &[]).contains("did you mean"));
    }

    #[test]
    fn wrong_values_name_key_value_and_shape() {
        let message = error("[flush]\nage = 'soon'", &[]);
        assert!(message.contains("flush.age: 'soon' is no duration such as"), "{message}");
        let message = error("[flush]\nage = 10", &[]);
        assert!(message.contains("flush.age: '10' is no duration"), "{message}");
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        let env = [
            ("THROUGHLINE_UI_DIST", "/x"),
            ("THROUGHLINE_SERVICE_HOST", "10.0.0.1"),
            ("THROUGHLINE_PORT_4317_TCP", "tcp://10.0.0.1:4317"),
            ("HOME", "/root"),
        ];
        assert_eq!(load("", &env, &[]).expect("valid"), Settings::default());
    }

    #[test]
    fn other_machines_need_tls_and_tokens_or_insecure() {
        let open = "[http]\naddress = '0.0.0.0:4319'\n";
        assert!(error(open, &[]).contains("insecure = true"));
        assert!(load(&format!("insecure = true\n{open}"), &[], &[]).is_ok());
        let tls = "[tls]\ncertificate_file = 'c.pem'\nkey_file = 'k.pem'\n";
        assert!(load(&format!("{open}{tls}"), &[], &[]).is_err(), "no tokens");
        let tokens = "[auth]\ntokens = ['a', 'b']\n";
        let settings = load(&format!("{open}{tls}{tokens}"), &[], &[]).expect("valid");
        assert_eq!(settings.auth_tokens, ["a", "b"]);
        assert!(error("[tls]\nkey_file = 'k.pem'", &[]).contains("set together"));
        let zipkin = "[zipkin]\naddress = '0.0.0.0:9411'";
        assert!(error(zipkin, &[]).contains("zipkin.address = 0.0.0.0:9411 can be reached"));
        let elasticsearch = "[elasticsearch]\naddress = '0.0.0.0:9200'";
        assert!(error(elasticsearch, &[]).contains("elasticsearch.address = 0.0.0.0:9200 can be"));
        let syslog = "[syslog]\nudp_address = '0.0.0.0:514'";
        assert!(error(syslog, &[]).contains("syslog.udp_address = 0.0.0.0:514 takes messages"));
        let syslog = "[syslog]\ntls_address = '127.0.0.1:6514'";
        assert!(error(syslog, &[]).contains("syslog.tls_address wants tls.certificate_file"));
    }
}
