//! Edges of a slab: who called whom how often, and how long that took on both sides.
//!
//! ```text
//! edges := varint rows | steps key* | steps bucket* | varint calls* | sparse failed | weights of calls
//!          | weights of failed | durations of clients | durations of servers
//! ```

use hashbrown::HashMap;
use throughline_model::codec::{Reader, put_varint};

use super::ConnectionType;
use super::columns::{
    DurationColumns, DurationsBuilder, put_sparse, put_steps, put_weights, ranked, read_counts,
    read_rows, read_sparse, read_steps, read_weights,
};
use super::operations::ranks;
use super::tables::Tables;
use crate::Result;

/// Calls by edge and bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EdgeColumns {
    /// Numbers of edges.
    pub keys: Vec<u32>,
    /// Numbers of buckets of time.
    pub buckets: Vec<i64>,
    pub calls: Vec<u64>,
    /// Calls of which either side has the status of an error.
    pub failed: Vec<u64>,
    /// How many calls the counted ones stand for.
    pub weighted: Vec<f64>,
    pub weighted_failed: Vec<f64>,
    /// Durations of the calling spans that are clients or producers.
    pub client: DurationColumns,
    /// Durations of the called spans.
    pub server: DurationColumns,
}

impl EdgeColumns {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.keys.len() as u64);
        put_steps(out, self.keys.iter().map(|key| i64::from(*key)));
        put_steps(out, self.buckets.iter().copied());
        self.calls.iter().for_each(|calls| put_varint(out, *calls));
        put_sparse(out, &self.failed, |failed| *failed != 0, |out, n| put_varint(out, *n));
        put_weights(out, &self.weighted, &self.calls);
        put_weights(out, &self.weighted_failed, &self.failed);
        self.client.put(out);
        self.server.put(out);
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let rows = read_rows(&mut reader)?;
        let keys = read_steps(&mut reader, rows)?.into_iter().map(|key| key as u32).collect();
        let buckets = read_steps(&mut reader, rows)?;
        let calls = read_counts(&mut reader, rows)?;
        let failed = read_sparse(&mut reader, rows, 0, |reader| Ok(reader.varint()?))?;
        Ok(Self {
            keys,
            buckets,
            weighted: read_weights(&mut reader, &calls)?,
            weighted_failed: read_weights(&mut reader, &failed)?,
            calls,
            failed,
            client: DurationColumns::read(&mut reader, rows)?,
            server: DurationColumns::read(&mut reader, rows)?,
        })
    }
}

/// Edges under construction.
#[derive(Debug, Default)]
pub(crate) struct EdgesBuilder {
    rows: HashMap<(u32, i64), u32>,
    columns: EdgeColumns,
    client: DurationsBuilder,
    server: DurationsBuilder,
}

/// A call to be counted. A side is its duration with the bucket of that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub bucket: i64,
    pub failed: bool,
    pub weight: f64,
    pub client: Option<(i64, i16)>,
    pub server: Option<(i64, i16)>,
}

impl EdgesBuilder {
    pub(crate) fn add(&mut self, key: u32, call: &Call) {
        let next = self.columns.keys.len() as u32;
        let row = *self.rows.entry((key, call.bucket)).or_insert(next);
        let columns = &mut self.columns;
        if row == next {
            columns.keys.push(key);
            columns.buckets.push(call.bucket);
            columns.calls.push(0);
            columns.failed.push(0);
            columns.weighted.push(0.0);
            columns.weighted_failed.push(0.0);
            self.client.add_row();
            self.server.add_row();
        }
        let at = row as usize;
        columns.calls[at] += 1;
        columns.weighted[at] += call.weight;
        if call.failed {
            columns.failed[at] += 1;
            columns.weighted_failed[at] += call.weight;
        }
        if let Some((duration_ns, size)) = call.client {
            self.client.add(row, duration_ns, size);
        }
        if let Some((duration_ns, size)) = call.server {
            self.server.add(row, duration_ns, size);
        }
    }

    pub(crate) fn finish(self) -> EdgeColumns {
        let columns = self.columns;
        let ranks = ranks(&columns.keys, &columns.buckets);
        EdgeColumns {
            keys: ranked(&columns.keys, &ranks),
            buckets: ranked(&columns.buckets, &ranks),
            calls: ranked(&columns.calls, &ranks),
            failed: ranked(&columns.failed, &ranks),
            weighted: ranked(&columns.weighted, &ranks),
            weighted_failed: ranked(&columns.weighted_failed, &ranks),
            client: self.client.finish(&ranks),
            server: self.server.finish(&ranks),
        }
    }
}

/// The type of a connection between two spans.
pub(crate) fn connection(client_kind: i32, server_kind: i32) -> ConnectionType {
    if client_kind == super::PRODUCER || server_kind == super::CONSUMER {
        return ConnectionType::Messaging;
    }
    ConnectionType::Direct
}

/// Whether an edge goes from a span to its child.
pub(crate) fn is_pair(parent: (u32, i32), child: (u32, i32)) -> bool {
    let ((client, client_kind), (server, server_kind)) = (parent, child);
    let calls = matches!(client_kind, super::CLIENT | super::PRODUCER);
    let is_called = matches!(server_kind, super::SERVER | super::CONSUMER);
    client != server || (calls && is_called)
}

/// The numbers of the strings of two services as an edge of a table.
pub(crate) fn key_of(tables: &mut Tables, client: (u32, i32), server: (u32, i32)) -> u32 {
    tables.edge(client.0, server.0, connection(client.1, server.1))
}
