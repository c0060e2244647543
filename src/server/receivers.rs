//! The receivers of older services and shippers: ports of their own where the configuration names them, and their routes
//! on the ports that are always there.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use throughline_api::ApiState;
use throughline_ingest::{self as ingest, Ingester, Strategies};

use super::listener::{Front, Port};
use super::readiness::{LateRoutes, Stage};
use super::refusal::Protocol;
use super::sockets::{SocketStats, Sockets};
use crate::config::Settings;
use crate::tasks::Tasks;

/// What a port of its own serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Zipkin,
    JaegerThrift,
    JaegerGrpc,
    JaegerSampling,
    Loki,
    Splunk,
    Elasticsearch,
    Influx,
}

/// The ports that the configuration adds, and the sampling strategies.
pub struct Receivers {
    ports: Vec<(&'static str, Kind, SocketAddr, LateRoutes)>,
    strategies: Arc<Strategies>,
    sockets: Sockets,
}

impl Receivers {
    /// Reads the strategies, binds the ports and answers there that the server is not ready.
    pub async fn bind(
        settings: &Settings,
        stage: &Stage,
        front: &Front,
        tasks: &Tasks,
    ) -> anyhow::Result<Receivers> {
        let strategies = Arc::new(strategies(settings)?);
        let wanted = [
            ("zipkin", Kind::Zipkin, settings.zipkin_address),
            ("jaeger_thrift", Kind::JaegerThrift, settings.jaeger_thrift_address),
            ("jaeger_grpc", Kind::JaegerGrpc, settings.jaeger_grpc_address),
            ("jaeger_sampling", Kind::JaegerSampling, settings.jaeger_sampling_address),
            ("loki", Kind::Loki, settings.loki_address),
            ("splunk", Kind::Splunk, settings.splunk_address),
            ("elasticsearch", Kind::Elasticsearch, settings.elasticsearch_address),
            ("influx", Kind::Influx, settings.influx_address),
        ];
        let mut ports = Vec::new();
        for (name, kind, address) in wanted {
            let Some(address) = address else { continue };
            let protocol = if kind == Kind::JaegerGrpc { Protocol::Grpc } else { Protocol::Api };
            let routes = LateRoutes::new(protocol, stage.clone());
            let port = Port::bind(name, address, routes.clone()).await?;
            ports.push((name, kind, port.address(), routes));
            tasks.spawn("listener", port.serve(front.clone()));
        }
        let sockets = Sockets::bind(settings, front, tasks).await?;
        Ok(Receivers { ports, strategies, sockets })
    }

    /// Where the added ports are, as in ` zipkin=127.0.0.1:9411`.
    pub fn addresses(&self) -> String {
        let ports = self.ports.iter().map(|(name, _, address, _)| format!(" {name}={address}"));
        ports.collect::<String>() + self.sockets.addresses()
    }

    /// What the ports that are no HTTP stored and lost.
    pub fn socket_stats(&self) -> &SocketStats {
        self.sockets.stats()
    }

    /// Opens the added ports.
    pub fn open(&mut self, ingester: &Ingester, api: &ApiState) {
        self.sockets.open(ingester);
        for (_, kind, _, routes) in &self.ports {
            routes.set(match kind {
                Kind::Zipkin => ingest::own_port(ingest::zipkin_routes(ingester.clone(), &[""])),
                Kind::JaegerThrift => ingest::own_port(
                    ingest::jaeger_routes(ingester.clone(), &[""])
                        .merge(self.sampling(&["/api/sampling", "/sampling"])),
                ),
                Kind::JaegerGrpc => self.grpc(ingester),
                Kind::JaegerSampling => {
                    ingest::own_port(self.sampling(&["/sampling", "/api/sampling"]))
                }
                Kind::Loki => ingest::own_port(ingest::loki_routes(ingester.clone())),
                Kind::Splunk => ingest::own_port(ingest::splunk_routes(ingester.clone())),
                Kind::Elasticsearch => elasticsearch(ingester, api, ""),
                Kind::Influx => ingest::own_port(ingest::influx_routes(ingester.clone(), &[""])),
            });
        }
    }

    /// What the port of the UI takes beside the API.
    pub fn beside_the_api(&self, ingester: &Ingester, api: &ApiState) -> Router {
        ingest::zipkin_routes(ingester.clone(), &["", "/zipkin"])
            .merge(ingest::jaeger_routes(ingester.clone(), &["/jaeger"]))
            .merge(ingest::loki_routes(ingester.clone()))
            .merge(ingest::splunk_routes(ingester.clone()))
            .merge(ingest::json_lines_routes(ingester.clone()))
            .merge(ingest::gelf_routes(ingester.clone()))
            .merge(ingest::remote_write_routes(ingester.clone()))
            .merge(ingest::influx_routes(ingester.clone(), &["/influx"]))
            .merge(elasticsearch(ingester, api, "/elasticsearch"))
            .merge(self.sampling(&["/api/sampling", "/jaeger/sampling", "/jaeger/api/sampling"]))
    }

    /// What every port of gRPC takes.
    pub fn grpc(&self, ingester: &Ingester) -> Router {
        let strategies = self.strategies.clone();
        let sampling = ingest::jaeger_sampling_grpc_routes(ingester.clone(), strategies);
        ingest::grpc_routes(ingester.clone()).merge(sampling)
    }

    fn sampling(&self, paths: &[&str]) -> Router {
        ingest::jaeger_sampling_routes(self.strategies.clone(), paths)
    }
}

// Shippers and searches stand on the same paths.
fn elasticsearch(ingester: &Ingester, api: &ApiState, prefix: &'static str) -> Router {
    let receiver = ingest::elasticsearch_routes(ingester.clone(), &[prefix]);
    throughline_api::elastic::before(receiver, api.clone(), prefix)
}

fn strategies(settings: &Settings) -> anyhow::Result<Strategies> {
    let probability = settings.jaeger_sampling_probability.0;
    let Some(path) = &settings.jaeger_sampling_file else {
        return Ok(Strategies::of_probability(probability));
    };
    let wrong = || format!("jaeger.sampling_file = {}", path.display());
    let text = std::fs::read_to_string(path).with_context(wrong)?;
    Strategies::parse(&text, probability).with_context(wrong)
}
