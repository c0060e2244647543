//! Questions and their answers: SQL, traces, logs and metrics over one snapshot of the store.
//!
//! Place in the flow: `api` hands a question to [`Engine`]; the engine admits it, takes one
//! `Arc<View>`, and runs it against `storage::scan` within a memory pool, a deadline and a byte
//! budget. Every kind of question has a folder of its own:
//!
//! - [`sql`]: DataFusion over tables that are views of the item schemas
//! - [`traces`]: a trace by its id, and trace search
//! - [`logs`]: log search; `logs::language`: the native language of logs
//! - [`logql`]: LogQL, over lines that it is handed
//! - [`metrics`]: metric names, series, raw points, exemplars
//! - [`promql`]: PromQL over metrics
//! - [`services`]: the service map, and rate, errors and durations of operations
//! - [`traceql`]: spans and traces by TraceQL
//! - [`exceptions`]: exceptions by group, and what was decided about them
//! - [`changes`]: deployments and other changes
//! - [`complete`]: services, operations, attribute names and values

pub mod changes;
pub mod complete;
mod context;
mod engine;
mod error;
pub mod exceptions;
pub mod logql;
pub mod logs;
pub mod metrics;
pub mod promql;
pub mod services;
pub mod sql;
pub mod traceql;
pub mod traces;

pub use context::{EngineOptions, QueryContext, QueryStats, QueryStatsSnapshot};
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result};
