//! Every setting of the server, once: its key, type, default and meaning.
//!
//! The table made here feeds the parser of all three sources, the check for unknown keys and
//! `docs/configuration.md` (a test compares them).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::log_class::LogClass;
use super::log_rule::LogRule;
use super::units::ByteSize;
use super::value::{LogFormat, SettingValue, Share};

/// One row of the table of settings.
pub struct Setting {
    /// Dotted key: `section.name` in TOML.
    pub key: &'static str,
    /// The default, as text.
    pub default: &'static str,
    /// What the value looks like.
    pub kind: &'static str,
    /// What it does, for the documentation.
    #[cfg(test)]
    pub doc: &'static [&'static str],
    /// Parses a text into its field.
    pub set: fn(&mut Settings, &str) -> Result<(), String>,
}

macro_rules! settings {
    ($( $(#[doc = $doc:literal])+ $key:literal $field:ident: $type:ty = $default:literal; )+) => {
        /// The settings in force.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $( $(#[doc = $doc])+ pub $field: $type, )+
        }

        /// All settings, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[
            $( Setting {
                key: $key,
                default: $default,
                kind: <$type as SettingValue>::KIND,
                #[cfg(test)]
                doc: &[$($doc),+],
                set: |settings, text| {
                    settings.$field = <$type as SettingValue>::parse(text)?;
                    Ok(())
                },
            }, )+
        ];

        impl Default for Settings {
            fn default() -> Self {
                Self {
                    $( $field: <$type as SettingValue>::parse($default)
                        .expect("defaults are parsed by a test"), )+
                }
            }
        }
    };
}

settings! {
    /// Where everything durable lives. Made if it does not exist; one server at a time.
    "data_dir" data_dir: PathBuf = "throughline-data";
    /// Allows an address that other machines can reach without TLS and tokens.
    "insecure" insecure: bool = "false";

    /// UI, native API, `/metrics`, and OTLP/HTTP under `/otlp`.
    "http.address" http_address: SocketAddr = "127.0.0.1:4319";
    /// OTLP over gRPC.
    "otlp.grpc_address" otlp_grpc_address: SocketAddr = "127.0.0.1:4317";
    /// OTLP over HTTP, protobuf and JSON.
    "otlp.http_address" otlp_http_address: SocketAddr = "127.0.0.1:4318";
    /// Largest request, inflated: beyond it 413, RESOURCE_EXHAUSTED.
    "otlp.request_bytes_max" otlp_request_bytes_max: ByteSize = "64MiB";
    /// How many times its size a compressed request may inflate to, once it is past 1 MiB.
    "otlp.inflate_ratio_max" otlp_inflate_ratio_max: usize = "1000";
    /// Requests that may wait for room in `memory.in_flight`; more are refused at once.
    "otlp.waiting_requests_max" otlp_waiting_requests_max: usize = "512";
    /// How long a request may wait for room before it is refused as overload.
    "otlp.waiting_timeout" otlp_waiting_timeout: Duration = "5s";
    /// How long a client may pause while it sends a request.
    "otlp.pause_timeout" otlp_pause_timeout: Duration = "10s";
    /// How long a client may take to send a request.
    "otlp.request_timeout" otlp_request_timeout: Duration = "60s";
    /// Origins whose browsers may export; `*` for any.
    "otlp.cors_origins" otlp_cors_origins: Vec<String> = "*";

    /// Zipkin: `POST /api/v2/spans` and `/api/v1/spans`, usually on `127.0.0.1:9411`. Without it they are
    /// on the port of the UI, as they are and below `/zipkin`.
    "zipkin.address" zipkin_address: Option<SocketAddr> = "";
    /// Jaeger's spans in thrift over HTTP: `POST /api/traces`, usually on `127.0.0.1:14268`.
    "jaeger.thrift_address" jaeger_thrift_address: Option<SocketAddr> = "";
    /// Jaeger's spans over gRPC, usually on `127.0.0.1:14250`; the port of OTLP over gRPC takes them too.
    "jaeger.grpc_address" jaeger_grpc_address: Option<SocketAddr> = "";
    /// Jaeger's remote sampling: `GET /sampling?service=…`, usually on `127.0.0.1:5778`. The port of the UI
    /// has it as `/jaeger/sampling` and `/api/sampling`, the gRPC ports as `SamplingManager`.
    "jaeger.sampling_address" jaeger_sampling_address: Option<SocketAddr> = "";
    /// JSON file with the sampling strategies of services and operations, in the format of Jaeger's
    /// collector (`service_strategies`, `default_strategy`). Read at the start.
    "jaeger.sampling_file" jaeger_sampling_file: Option<PathBuf> = "";
    /// Share of their traces that services are told to sample where the file says nothing of them.
    "jaeger.sampling_probability" jaeger_sampling_probability: Share = "100%";

    /// YAML file in the format of Prometheus' configuration, of which `global`, `scrape_configs` and
    /// `scrape_config_files` are read: targets that are scraped (docs/scraping.md). Looked at again every 5 s; a file
    /// that does not read changes nothing.
    "scrape.config_file" scrape_config_file: Option<PathBuf> = "";

    /// Loki's push: `POST /loki/api/v1/push` and `/api/prom/push`, usually on `127.0.0.1:3100`. Without it
    /// they are on the port of the UI alone.
    "loki.address" loki_address: Option<SocketAddr> = "";
    /// Splunk's HTTP Event Collector: `/services/collector` and below, usually on `127.0.0.1:8088`. Without
    /// it they are on the port of the UI alone.
    "splunk.address" splunk_address: Option<SocketAddr> = "";
    /// Influx' line protocol: `POST /write` and `/api/v2/write`, usually on `127.0.0.1:8086`. Without it they are on the
    /// port of the UI below `/influx`.
    "influx.address" influx_address: Option<SocketAddr> = "";
    /// Elasticsearch's `_bulk` and the handshake of its shippers, usually on `127.0.0.1:9200`. Without it
    /// they are on the port of the UI below `/elasticsearch`.
    "elasticsearch.address" elasticsearch_address: Option<SocketAddr> = "";
    /// Syslog over UDP, usually on `127.0.0.1:514`. Syslog knows no tokens.
    "syslog.udp_address" syslog_udp_address: Option<SocketAddr> = "";
    /// Syslog over TCP without TLS, framed by lines or counts of octets, usually on `127.0.0.1:514`.
    "syslog.tcp_address" syslog_tcp_address: Option<SocketAddr> = "";
    /// Syslog over TLS with the certificate of `tls.certificate_file`, usually on `127.0.0.1:6514`.
    "syslog.tls_address" syslog_tls_address: Option<SocketAddr> = "";
    /// GELF over UDP, in chunks or not, compressed or not, usually on `127.0.0.1:12201`. GELF knows no tokens; the
    /// port of the UI has it as `POST /gelf`.
    "gelf.udp_address" gelf_udp_address: Option<SocketAddr> = "";
    /// GELF over TCP without TLS, usually on `127.0.0.1:12201`.
    "gelf.tcp_address" gelf_tcp_address: Option<SocketAddr> = "";
    /// GELF over TLS with the certificate of `tls.certificate_file`.
    "gelf.tls_address" gelf_tls_address: Option<SocketAddr> = "";
    /// The forward protocol of Fluent Bit and Fluentd, without TLS and without a shared key, usually on
    /// `127.0.0.1:24224`.
    "fluent.tcp_address" fluent_tcp_address: Option<SocketAddr> = "";
    /// The same over TLS with the certificate of `tls.certificate_file`.
    "fluent.tls_address" fluent_tls_address: Option<SocketAddr> = "";

    /// Rules that log records go through before anything of them is stored, as `[[logs.rules]]`: `name`, conditions as
    /// in `POST /api/v1/logs/delete`, and what it does: `parse`, `set`, `redact`, `sample`, `drop`
    /// (docs/processing.md).
    "logs.rules" logs_rules: Vec<LogRule> = "";

    /// Bytes a second, inflated, that a tenant may send over time; 0 for no limit. Beyond it 429,
    /// RESOURCE_EXHAUSTED, and when to come back. Repeated requests cost nothing.
    "ingest.tenant_bytes_per_second" ingest_tenant_bytes_per_second: ByteSize = "0";
    /// Bytes that a tenant which was silent may send at once. A request is admitted while anything of
    /// this is left, whatever its size, and those after it wait the longer.
    "ingest.tenant_burst_bytes" ingest_tenant_burst_bytes: ByteSize = "64MiB";

    /// PEM file with the certificate chain. Set both files, and every port speaks TLS but
    /// `syslog.udp_address` and `syslog.tcp_address`.
    "tls.certificate_file" tls_certificate_file: Option<PathBuf> = "";
    /// PEM file with the private key.
    "tls.key_file" tls_key_file: Option<PathBuf> = "";
    /// Tokens of which every request must carry one, as `Authorization: Bearer …` (or `Splunk …`), or as the
    /// password of HTTP basic authentication, which browsers ask for by themselves.
    "auth.tokens" auth_tokens: Vec<String> = "";

    /// Open connections on all ports together; more wait unaccepted.
    "server.connections_max" server_connections_max: usize = "4096";
    /// Time for a client to send the head of a request, and to shake hands over TLS.
    "server.header_timeout" server_header_timeout: Duration = "30s";
    /// Time for requests in flight to end at shutdown before their connections are closed.
    "server.drain_timeout" server_drain_timeout: Duration = "30s";

    /// Request bodies being received and decoded. Beyond it requests are refused as overload.
    "memory.in_flight" memory_in_flight: ByteSize = "64MiB";
    /// Rows not yet in segments, of all signals.
    "memory.heads" memory_heads: ByteSize = "160MiB";
    /// Running queries, all together.
    "memory.query" memory_query: ByteSize = "128MiB";
    /// Segment indexes, filters and pages kept for queries.
    "memory.caches" memory_caches: ByteSize = "64MiB";
    /// How long a request waits for room in the heads before it is refused as overload.
    "memory.heads_timeout" memory_heads_timeout: Duration = "2s";

    /// How long the log's committer gathers requests for one sync.
    "wal.window" wal_window: Duration = "2ms";
    /// Bytes that end the window early.
    "wal.window_bytes" wal_window_bytes: ByteSize = "1MiB";
    /// Size of a log file, allocated ahead.
    "wal.file_bytes" wal_file_bytes: ByteSize = "64MiB";

    /// Oldest span or log record in a head before it is flushed to a segment.
    "flush.age" flush_age: Duration = "10s";
    /// Size of a head that is flushed at once.
    "flush.bytes" flush_bytes: ByteSize = "32MiB";
    /// Oldest metric point in the head before it is flushed.
    "flush.metrics_age" flush_metrics_age: Duration = "5m";

    /// A head that got nothing for so long is flushed before its age.
    "flush.idle" flush_idle: Duration = "30s";

    /// How long a repeated request is recognised.
    "dedup.window" dedup_window: Duration = "15m";
    /// How many requests are remembered.
    "dedup.entries_max" dedup_entries_max: usize = "1_000_000";

    /// Age, by the rows' own times, at which spans are deleted.
    "retention.traces" retention_traces: Option<Duration> = "forever";
    /// Age at which log records are deleted.
    "retention.logs" retention_logs: Option<Duration> = "forever";
    /// Classes of log records that are kept for a time of their own, as `[[retention.log_classes]]`: `name`, `keep` (a
    /// duration, or `forever`), and conditions as in `POST /api/v1/logs/delete` (`query`, `filter`, `service`,
    /// `severity`, `severity_max`). A record is of the first whose conditions it meets (docs/deletion.md).
    "retention.log_classes" retention_log_classes: Vec<LogClass> = "";
    /// Age at which metric points are deleted.
    "retention.metrics" retention_metrics: Option<Duration> = "forever";
    /// Share of the disk, as found free or ours at the start, that segments may fill before the
    /// oldest are deleted.
    "disk.high_water" disk_high_water: Share = "90%";
    /// Free space below which writes are refused as overload.
    "disk.reserve" disk_reserve: ByteSize = "256MiB";
    /// Bytes a second that the scrub reads to verify segments.
    "disk.scrub_rate" disk_scrub_rate: ByteSize = "8MiB";

    /// Longest run of a query; a request may ask for less.
    "query.timeout" query_timeout: Duration = "30s";
    /// Bytes that one query may read from segments.
    "query.bytes_max" query_bytes_max: ByteSize = "64GiB";
    /// Memory of one query, out of `memory.query`.
    "query.memory_max" query_memory_max: ByteSize = "96MiB";
    /// Rows that one answer may have.
    "query.rows_max" query_rows_max: usize = "1_000_000";
    /// Queries that run at once.
    "query.concurrent_max" query_concurrent_max: usize = "8";
    /// Queries that wait for their turn; more are refused.
    "query.waiting_max" query_waiting_max: usize = "64";

    /// Rows of a JSON answer to SQL, which is built in memory; streams have no such limit.
    "query.json_rows_max" query_json_rows_max: usize = "100_000";
    /// Bytes of a JSON answer to SQL.
    "query.json_bytes_max" query_json_bytes_max: ByteSize = "32MiB";

    /// What the server logs about itself: `error`, `warn`, `info`, `debug`, `trace`, or
    /// directives such as `info,throughline_storage=debug`.
    "log.level" log_level: String = "info";
    /// How it writes them, to standard error.
    "log.format" log_format: LogFormat = "text";
}
