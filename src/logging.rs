//! The server's own log, to standard error.

use tracing_subscriber::EnvFilter;

use crate::config::Settings;
use crate::config::value::LogFormat;

/// Starts logging as the settings say.
pub fn init(settings: &Settings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log_level)
        .map_err(|error| anyhow::anyhow!("log.level: '{}': {error}", settings.log_level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}
