//! The binary: build up, serve, tear down in reverse.
//!
//! `cli` → `config` → `server` (listeners, store, routes) → signal → `server` in reverse.

mod cli;
mod client;
mod config;
mod demo;
mod logging;
mod query_command;
mod server;
mod tasks;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("throughline: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match cli.command {
        Command::Serve { config, place } => {
            let settings = place.settings(config.as_deref())?;
            logging::init(&settings)?;
            runtime.block_on(server::run(settings))
        }
        Command::Demo { place, demo } => {
            let (settings, _temporary) = demo::settings(&place)?;
            logging::init(&settings)?;
            runtime.block_on(demo::run(settings, demo))
        }
        Command::Query { sql, url, token } => {
            println!("{}", runtime.block_on(query_command::run(&sql, &url, token))?);
            Ok(())
        }
    }
}
