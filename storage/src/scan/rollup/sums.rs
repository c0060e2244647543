//! Sums of edges over segments, heads and what whole traces correct of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::exponential::Distribution;
use throughline_model::time::TimeRange;

use super::{EdgeKey, EdgeRow, EdgeSide};
use crate::Result;
use crate::segment::rollup::ROLLUP_NS;
use crate::segment::rollup::columns::DurationColumns;
use crate::segment::rollup::edges::EdgeColumns;
use crate::segment::rollup::tables::{Edge, Tables};

/// Sums by edge and step. What is added with a sign of -1 takes back what was added before.
#[derive(Debug)]
pub(super) struct EdgeSums {
    /// The edges of the whole answer.
    pub tables: Tables,
    rows: HashMap<(u32, i64), Sums>,
    time: TimeRange,
    step_ns: Option<i64>,
}

#[derive(Debug, Default)]
struct Sums {
    calls: i64,
    failed: i64,
    weighted: f64,
    weighted_failed: f64,
    client: Side,
    server: Side,
}

#[derive(Debug, Default)]
struct Side {
    sum_ns: i128,
    zeros: i64,
    buckets: BTreeMap<i16, i64>,
}

impl EdgeSums {
    pub fn new(time: TimeRange, step_ns: Option<i64>) -> Self {
        Self { tables: Tables::new(usize::MAX), rows: HashMap::new(), time, step_ns }
    }

    /// Adds the edges of a segment's slab in whole buckets.
    pub fn add_slab(
        &mut self,
        from: &Tables,
        edges: &EdgeColumns,
        whole: &TimeRange,
    ) -> Result<()> {
        let mut known: HashMap<u32, u32> = HashMap::new();
        for row in 0..edges.keys.len() {
            if !whole.contains(edges.buckets[row].saturating_mul(ROLLUP_NS)) {
                continue;
            }
            let number = edges.keys[row];
            let key = match known.get(&number) {
                Some(key) => *key,
                None => {
                    let Edge { client, server, connection } = from.edges.keys[number as usize];
                    let client = self.tables.string(from.text(client).as_bytes())?;
                    let server = self.tables.string(from.text(server).as_bytes())?;
                    let key = self.tables.edge(client, server, connection);
                    known.insert(number, key);
                    key
                }
            };
            self.add(key, edges, row, 1);
        }
        Ok(())
    }

    /// Adds edges that were numbered in these tables.
    pub fn add_own(&mut self, edges: &EdgeColumns, sign: i64) {
        (0..edges.keys.len()).for_each(|row| self.add(edges.keys[row], edges, row, sign));
    }

    fn add(&mut self, key: u32, edges: &EdgeColumns, row: usize, sign: i64) {
        let start_ns = edges.buckets[row].saturating_mul(ROLLUP_NS);
        let step = self.step_ns.map_or(0, |step_ns| start_ns.div_euclid(step_ns));
        let sums = self.rows.entry((key, step)).or_default();
        sums.calls += sign * edges.calls[row] as i64;
        sums.failed += sign * edges.failed[row] as i64;
        sums.weighted += sign as f64 * edges.weighted[row];
        sums.weighted_failed += sign as f64 * edges.weighted_failed[row];
        sums.client.add(&edges.client, row, sign);
        sums.server.add(&edges.server, row, sign);
    }

    /// The rows by step and edge.
    pub fn finish(self) -> Vec<EdgeRow> {
        let tables = &self.tables;
        let texts = (0..tables.strings.len() as u32).map(|number| Arc::from(tables.text(number)));
        let texts = texts.collect::<Vec<Arc<str>>>();
        let edge = |key: &Edge| {
            Arc::new(EdgeKey {
                client: texts[key.client as usize].clone(),
                server: texts[key.server as usize].clone(),
                connection: key.connection,
            })
        };
        let edges = tables.edges.keys.iter().map(edge).collect::<Vec<_>>();
        let (step_ns, start_ns) = (self.step_ns, self.time.start_ns);
        let row = |((key, step), sums): ((u32, i64), Sums)| EdgeRow {
            edge: edges[key as usize].clone(),
            start_ns: step_ns.map_or(start_ns, |step_ns| step.saturating_mul(step_ns)),
            calls: sums.calls as u64,
            failed: sums.failed.max(0) as u64,
            weighted_calls: sums.weighted,
            weighted_failed: sums.weighted_failed,
            client: sums.client.finish(),
            server: sums.server.finish(),
        };
        let there = self.rows.into_iter().filter(|(_, sums)| sums.calls > 0);
        let mut rows = there.map(row).collect::<Vec<_>>();
        rows.sort_by(|a, b| (a.start_ns, &a.edge).cmp(&(b.start_ns, &b.edge)));
        rows
    }
}

impl Side {
    fn add(&mut self, durations: &DurationColumns, row: usize, sign: i64) {
        self.sum_ns += i128::from(sign) * i128::from(durations.sums_ns[row]);
        self.zeros += sign * durations.zeros[row] as i64;
        for (bucket, count) in durations.row(row) {
            *self.buckets.entry(bucket).or_default() += sign * count as i64;
        }
    }

    fn finish(self) -> EdgeSide {
        let buckets = self.buckets.into_iter().filter(|(_, count)| *count > 0);
        let buckets = buckets.map(|(bucket, count)| (i32::from(bucket), count as f64)).collect();
        let durations = Distribution { zero: self.zeros.max(0) as f64, buckets };
        EdgeSide { sum_ns: self.sum_ns as f64, durations }
    }
}
