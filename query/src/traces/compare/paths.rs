//! Two traces side by side: spans that have the same path of (service, name) from the top are one node.

use std::collections::HashMap;
use std::sync::Arc;

use throughline_model::TraceId;

use crate::engine::Admitted;
use crate::traces::page::{Loaded, load, off_worker, self_times};
use crate::{Engine, Error, ErrorKind, QueryContext, QueryStatsSnapshot, Result};

/// The most nodes of a comparison; spans of further paths are only counted.
pub const NODES_MAX: usize = 20_000;

const STATUS_ERROR: i32 = 2;

/// What happened to a node from the first trace to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Both have as many spans and errors there.
    Same,
    /// They have different numbers of spans or errors.
    Changed,
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
}

/// The spans of a node in one of the traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeSpans {
    /// How many.
    pub count: u64,
    /// Those with status ERROR.
    pub errors: u64,
    /// Sum of durations.
    pub total_ns: i64,
    /// Sum of self times.
    pub self_ns: i64,
}

/// A path in either trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The node above, by its place; parents come before their children.
    pub parent: Option<u32>,
    /// Service of the spans.
    pub service: String,
    /// Their name.
    pub name: String,
    /// Spans of the first trace.
    pub a: NodeSpans,
    /// Spans of the second.
    pub b: NodeSpans,
}

impl Node {
    /// What happened from the first trace to the second.
    pub fn change(&self) -> Change {
        match (self.a.count, self.b.count) {
            (0, _) => Change::Added,
            (_, 0) => Change::Removed,
            _ if (self.a.count, self.a.errors) == (self.b.count, self.b.errors) => Change::Same,
            _ => Change::Changed,
        }
    }
}

/// Two traces side by side.
#[derive(Clone, Debug, Default)]
pub struct TraceComparison {
    /// The nodes: of the first trace from the top down, then what only the second has.
    pub nodes: Vec<Node>,
    /// Latest end minus earliest start of the first trace and of the second.
    pub duration_ns: [i64; 2],
    /// Spans of the first trace and of the second.
    pub spans: [u64; 2],
    /// Spans of both that are in no node, since there are more than [`NODES_MAX`].
    pub spans_cut: u64,
    /// What the lookups did; `partial` names segments whose spans the answer lacks.
    pub stats: QueryStatsSnapshot,
}

impl Engine {
    /// Compares two traces by their structure.
    pub async fn compare_traces(
        &self,
        a: TraceId,
        b: TraceId,
        ctx: &QueryContext,
    ) -> Result<TraceComparison> {
        let admitted = self.admit(ctx).await?;
        let (first, second) = (whole(self, &admitted, a).await?, whole(self, &admitted, b).await?);
        admitted.budget.stats.add_rows(first.rows.len() + second.rows.len());
        let mut comparison = off_worker(&admitted, move || {
            let mut builder = Builder::default();
            builder.add(&first, |node| &mut node.a);
            builder.add(&second, |node| &mut node.b);
            let mut comparison = builder.comparison;
            comparison.spans = [&first, &second].map(|trace| trace.rows.len() as u64);
            comparison.duration_ns =
                [&first, &second].map(|trace| trace.end_ns.saturating_sub(trace.start_ns));
            comparison
        })
        .await?;
        comparison.stats = admitted.budget.stats.snapshot();
        Ok(comparison)
    }
}

async fn whole(engine: &Engine, admitted: &Admitted, id: TraceId) -> Result<Arc<Loaded>> {
    let found = admitted.budget.run(load(engine, admitted, id, None)).await?;
    let missing = || Error::new(ErrorKind::NotFound, format!("there is no trace '{id}'"));
    found.map(Arc::new).ok_or_else(missing)
}

#[derive(Default)]
struct Builder {
    comparison: TraceComparison,
    texts: HashMap<String, u32>,
    /// Nodes by the node above, service and name.
    nodes: HashMap<(Option<u32>, u32, u32), u32>,
}

impl Builder {
    fn number(&mut self, text: &str) -> u32 {
        let next = self.texts.len() as u32;
        *self.texts.entry(text.to_owned()).or_insert(next)
    }

    fn add(&mut self, trace: &Loaded, side: fn(&mut Node) -> &mut NodeSpans) {
        let rows = &trace.rows;
        let names = rows.names.iter().map(|name| self.number(name)).collect::<Vec<_>>();
        let services = rows.services.iter().map(|name| self.number(name)).collect::<Vec<_>>();
        let self_ns = self_times(&trace.tree, &trace.times);
        let mut node_of: Vec<Option<u32>> = vec![None; rows.len()];
        for row in trace.tree.order.iter().map(|row| *row as usize) {
            let above = trace.tree.parent(row).map(|parent| node_of[parent]);
            let (service, name) = (rows.service[row] as usize, rows.name[row] as usize);
            let node = match above {
                Some(None) => None, // the parent is in no node
                above => self.node(
                    (above.flatten(), services[service], names[name]),
                    (&rows.services[service], &rows.names[name]),
                ),
            };
            node_of[row] = node;
            let Some(node) = node else {
                self.comparison.spans_cut += 1;
                continue;
            };
            let spans = side(&mut self.comparison.nodes[node as usize]);
            spans.count += 1;
            spans.errors += u64::from(rows.status[row] == STATUS_ERROR);
            spans.total_ns = spans.total_ns.saturating_add(rows.duration[row].max(0));
            spans.self_ns = spans.self_ns.saturating_add(self_ns[row]);
        }
    }

    fn node(&mut self, key: (Option<u32>, u32, u32), texts: (&str, &str)) -> Option<u32> {
        if let Some(node) = self.nodes.get(&key) {
            return Some(*node);
        }
        let nodes = &mut self.comparison.nodes;
        if nodes.len() >= NODES_MAX {
            return None;
        }
        let number = nodes.len() as u32;
        nodes.push(Node {
            parent: key.0,
            service: texts.0.to_owned(),
            name: texts.1.to_owned(),
            a: NodeSpans::default(),
            b: NodeSpans::default(),
        });
        self.nodes.insert(key, number);
        Some(number)
    }
}
