//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Settings;

/// Observability backend: OpenTelemetry in; SQL, trace search and a web UI out.
#[derive(Debug, Parser)]
#[command(name = "throughline", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the server.
    Serve {
        /// TOML file with settings; see docs/configuration.md.
        #[arg(long, value_name = "FILE", env = "THROUGHLINE_CONFIG")]
        config: Option<PathBuf>,
        /// Folder and addresses.
        #[command(flatten)]
        place: Place,
    },
    /// Runs the server with a simulated web shop that sends telemetry to it.
    Demo {
        /// Folder and addresses; without a folder a temporary one, removed at the end.
        #[command(flatten)]
        place: Place,
        /// The simulation.
        #[command(flatten)]
        demo: DemoFlags,
    },
    /// Asks a running server in SQL and prints the answer as a table.
    Query {
        /// The statement, such as "SELECT service_name, count(*) FROM spans GROUP BY 1".
        sql: String,
        /// Where the server's API is.
        #[arg(long, default_value = "http://127.0.0.1:4319", env = "THROUGHLINE_URL")]
        url: String,
        /// Token, if the server wants one.
        #[arg(long)]
        token: Option<String>,
    },
}

/// Flags of every command that runs a server.
#[derive(Args, Debug, Default)]
pub struct Place {
    /// Folder for everything durable.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address of UI and API.
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
    /// Address of OTLP over gRPC.
    #[arg(long, value_name = "ADDR")]
    pub otlp_grpc: Option<String>,
    /// Address of OTLP over HTTP.
    #[arg(long, value_name = "ADDR")]
    pub otlp_http: Option<String>,
}

/// Flags of the demo.
#[derive(Args, Clone, Copy, Debug)]
pub struct DemoFlags {
    /// Seed of the simulated past: the same seed gives the same hour.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Stop after the past; no live traffic.
    #[arg(long)]
    pub no_live: bool,
}

impl Place {
    /// The settings that these flags are.
    pub fn overrides(&self) -> Vec<(&'static str, String)> {
        let data_dir = self.data_dir.as_ref().map(|path| path.display().to_string());
        [
            ("data_dir", data_dir),
            ("http.address", self.http.clone()),
            ("otlp.grpc_address", self.otlp_grpc.clone()),
            ("otlp.http_address", self.otlp_http.clone()),
        ]
        .into_iter()
        .filter_map(|(key, text)| text.map(|text| (key, text)))
        .collect()
    }

    /// Loads the settings with these flags on top.
    pub fn settings(&self, config: Option<&std::path::Path>) -> anyhow::Result<Settings> {
        let environment = std::env::vars_os()
            .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
        Settings::load(config, environment, &self.overrides())
    }
}
