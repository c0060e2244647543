//! Spans of one trace that share a span id: the two halves of a call in Zipkin's older style, or ids
//! that some client handed out twice.
//!
//! The server's half is called by the client's half, whatever its parent id says; everybody else's
//! parent is the half in its own service, else the server's. So answers do not depend on the order in
//! which spans lie.

use hashbrown::HashMap;

use super::build::Spans;
use super::{CLIENT, CONSUMER, PRODUCER, SERVER};

/// Rows that share their id with another row.
#[derive(Debug, Default)]
pub(super) struct Twins<'a> {
    groups: &'a [Vec<u32>],
    /// By row its group.
    group_of: HashMap<u32, u32>,
}

impl<'a> Twins<'a> {
    /// The rows of each group have one id.
    pub(super) fn new(groups: &'a [Vec<u32>]) -> Self {
        let rows = groups.iter().zip(0u32..);
        let rows = rows.flat_map(|(rows, group)| rows.iter().map(move |row| (*row, group)));
        Self { groups, group_of: rows.collect() }
    }

    /// The row that calls `row`; `parent` is a row with its parent id, if there is one.
    pub(super) fn caller(&self, spans: &Spans, row: usize, parent: Option<usize>) -> Option<usize> {
        if self.groups.is_empty() {
            return parent;
        }
        if matches!(spans.kinds[row], SERVER | CONSUMER)
            && let Some(group) = self.group(row)
        {
            let is_client = |other: &usize| matches!(spans.kinds[*other], CLIENT | PRODUCER);
            let clients = group.iter().map(|other| *other as usize).filter(is_client);
            if let Some(client) = clients.min_by_key(|other| spans.place(*other)) {
                return Some(client);
            }
        }
        let Some(group) = self.group(parent?) else { return parent };
        let others = group.iter().map(|other| *other as usize).filter(|other| *other != row);
        others.min_by_key(|other| {
            let elsewhere = spans.services[*other] != spans.services[row];
            let calls = !matches!(spans.kinds[*other], SERVER | CONSUMER);
            (elsewhere, calls, spans.place(*other))
        })
    }

    fn group(&self, row: usize) -> Option<&'a [u32]> {
        let group = *self.group_of.get(&(row as u32))?;
        Some(&self.groups[group as usize])
    }
}
