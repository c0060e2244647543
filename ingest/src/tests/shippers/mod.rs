//! What older shippers of logs send: Elasticsearch's `_bulk` and syslog.

mod cases;
mod elasticsearch;
mod framing;
mod property;
mod syslog;

use throughline_model::batch::{Batch, Decoded};

use crate::tests::rows::{LogRow, log_rows};

/// The records of what was decoded.
fn records(decoded: &Decoded) -> Vec<LogRow> {
    match &decoded.batch {
        Batch::Logs(batch) => log_rows(batch),
        other => panic!("no log records but {}", other.signal()),
    }
}
