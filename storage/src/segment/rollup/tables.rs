//! What the numbers of a rollup mean: strings, operations and edges, each kept once.

use std::hash::Hash;

use hashbrown::HashMap;
use throughline_model::dict::Interner;

use super::ConnectionType;
use crate::Result;

/// An operation of a service, of one kind and status. Strings are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Operation {
    pub service: u32,
    pub name: u32,
    pub kind: i32,
    pub status: i32,
}

/// Who calls whom. Strings are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Edge {
    pub client: u32,
    pub server: u32,
    pub connection: ConnectionType,
}

/// Distinct keys, numbered in the order of their first appearance.
#[derive(Debug)]
pub(crate) struct Numbered<K> {
    pub keys: Vec<K>,
    numbers: HashMap<K, u32>,
}

impl<K> Default for Numbered<K> {
    fn default() -> Self {
        Self { keys: Vec::new(), numbers: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash> Numbered<K> {
    /// The number of a key that has one.
    pub fn find(&self, key: &K) -> Option<u32> {
        self.numbers.get(key).copied()
    }

    /// The number of a key, which is added if it is new.
    pub fn number(&mut self, key: K) -> u32 {
        let next = self.keys.len() as u32;
        *self.numbers.entry(key).or_insert_with(|| {
            self.keys.push(key);
            next
        })
    }
}

/// The tables of a segment, or of a query that reads many.
#[derive(Debug)]
pub(crate) struct Tables {
    pub strings: Interner,
    pub operations: Numbered<Operation>,
    pub edges: Numbered<Edge>,
    /// Whether every operation has its name.
    pub names_complete: bool,
    /// Whether every edge has the name of its server.
    pub peers_complete: bool,
    keys_max: usize,
}

impl Tables {
    /// Tables that fold names into the empty one beyond so many operations and so many edges.
    pub fn new(keys_max: usize) -> Self {
        Self {
            strings: Interner::default(),
            operations: Numbered::default(),
            edges: Numbered::default(),
            names_complete: true,
            peers_complete: true,
            keys_max,
        }
    }

    /// The number of a string.
    pub fn string(&mut self, text: &[u8]) -> Result<u32> {
        Ok(self.strings.intern(text)?)
    }

    /// The string of a number.
    pub fn text(&self, number: u32) -> &str {
        std::str::from_utf8(self.strings.get(number)).unwrap_or_default()
    }

    /// The number of an operation whose service is numbered.
    pub fn operation(&mut self, service: u32, name: &[u8], kind: i32, status: i32) -> Result<u32> {
        if self.operations.keys.len() < self.keys_max {
            let name = self.string(name)?;
            return Ok(self.operations.number(Operation { service, name, kind, status }));
        }
        // Only a known name may be numbered now, or the strings would grow with the names.
        if let Some(name) = self.strings.find(name)
            && let Some(number) = self.operations.find(&Operation { service, name, kind, status })
        {
            return Ok(number);
        }
        self.names_complete &= name.is_empty();
        let name = self.string(b"")?;
        Ok(self.operations.number(Operation { service, name, kind, status }))
    }

    /// The number of an edge between numbered services.
    pub fn edge(&mut self, client: u32, server: u32, connection: ConnectionType) -> u32 {
        self.edges.number(Edge { client, server, connection })
    }

    /// The number of an edge to a name that attributes gave.
    pub fn edge_to_peer(
        &mut self,
        client: u32,
        peer: &[u8],
        connection: ConnectionType,
    ) -> Result<u32> {
        if self.edges.keys.len() < self.keys_max {
            let server = self.string(peer)?;
            return Ok(self.edge(client, server, connection));
        }
        if let Some(server) = self.strings.find(peer)
            && let Some(number) = self.edges.find(&Edge { client, server, connection })
        {
            return Ok(number);
        }
        self.peers_complete &= peer.is_empty();
        let server = self.string(b"")?;
        Ok(self.edge(client, server, connection))
    }
}
