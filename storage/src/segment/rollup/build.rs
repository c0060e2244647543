//! Rolls up the spans of one slab, of the heads, or of traces that were put together.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType};
use hashbrown::HashMap;
use throughline_model::codec::Reader;
use throughline_model::dict::Interner;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::columns::size_of_duration;
use super::edges::{Call, EdgeColumns, EdgesBuilder, is_pair, key_of};
use super::operations::{OperationCounts, OperationDurations, count};
use super::peers::Peers;
use super::tables::Tables;
use super::twins::Twins;
use super::{CLIENT, CONSUMER, ERROR, PRODUCER, bucket_of, weight};
use crate::Result;
use crate::segment::gather::{Gather, Unified, dictionary_keys};
use crate::segment::spans::Parents;

/// Links of one consumer that are followed.
const LINKS_MAX: usize = 128;

/// What a rollup looks at of each span.
pub(crate) struct Spans {
    /// Numbers of the tables' strings.
    pub services: Vec<u32>,
    /// Numbers of names.
    pub names: Vec<u32>,
    pub kinds: Vec<i32>,
    pub statuses: Vec<i32>,
    pub starts: Vec<i64>,
    pub durations: Vec<i64>,
    /// Exponential buckets of durations.
    pub sizes: Vec<i16>,
    name_texts: Interner,
    /// None where every span stands for itself.
    weights: Option<Vec<f64>>,
}

impl Spans {
    pub(crate) fn of(gather: &Gather<'_>, tables: &mut Tables) -> Result<Self> {
        let services = Unified::of(gather.batches, gather.index(col::SERVICE_NAME)?)?;
        let numbers = (0..services.values.len() as u32)
            .map(|number| tables.string(services.values.get(number)))
            .collect::<Result<Vec<_>>>()?;
        let services = numbered(gather, col::SERVICE_NAME, &services)?;
        let names = Unified::of(gather.batches, gather.index(col::NAME)?)?;
        let durations = gather.values::<Int64Type>(gather.index(col::DURATION_NS)?);
        Ok(Self {
            services: services.into_iter().map(|number| numbers[number as usize]).collect(),
            names: numbered(gather, col::NAME, &names)?,
            kinds: gather.values::<Int32Type>(gather.index(col::KIND)?),
            statuses: gather.values::<Int32Type>(gather.index(col::STATUS_CODE)?),
            starts: gather.values::<TimestampNanosecondType>(gather.index(col::START_TIME)?),
            sizes: durations.iter().map(|duration| size_of_duration(*duration)).collect(),
            durations,
            name_texts: names.values,
            weights: weights(gather)?,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(crate) fn name(&self, row: usize) -> &[u8] {
        self.name_texts.get(self.names[row])
    }

    pub(crate) fn bucket(&self, row: usize) -> i64 {
        bucket_of(self.starts[row])
    }

    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// An order of spans that does not depend on where they lie.
    pub(super) fn place(&self, row: usize) -> (i64, i64, i32, &[u8]) {
        (self.starts[row], self.durations[row], self.kinds[row], self.name(row))
    }

    fn side(&self, row: usize) -> (u32, i32) {
        (self.services[row], self.kinds[row])
    }

    fn is_caller(&self, row: usize) -> bool {
        matches!(self.kinds[row], CLIENT | PRODUCER)
    }
}

fn numbered(gather: &Gather<'_>, name: &str, unified: &Unified) -> Result<Vec<u32>> {
    let index = gather.index(name)?;
    let keys = gather.batches.iter().map(|batch| dictionary_keys(batch, index));
    let keys = keys.collect::<Vec<_>>();
    let number = |batch: usize, row: usize| unified.maps[batch][keys[batch][row] as usize];
    Ok(gather.order.iter().map(|at| number(at.batch as usize, at.row as usize)).collect())
}

fn weights(gather: &Gather<'_>) -> Result<Option<Vec<f64>>> {
    let index = gather.index(col::TRACE_STATE)?;
    let states = Unified::of(gather.batches, index)?;
    let text = |number| std::str::from_utf8(states.values.get(number)).unwrap_or_default();
    let by_state = (0..states.values.len() as u32)
        .map(|number| weight::of_trace_state(text(number)))
        .collect::<Vec<_>>();
    if by_state.iter().all(|weight| *weight == 1.0) {
        return Ok(None);
    }
    let numbers = numbered(gather, col::TRACE_STATE, &states)?;
    Ok(Some(numbers.into_iter().map(|number| by_state[number as usize]).collect()))
}

/// A span whose other half is not in the slab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Half {
    /// Its row in the slab.
    pub row: u32,
    /// The ordinal of its trace.
    pub trace: u32,
    /// The parent or the linked span.
    pub span: u64,
    /// The trace of the linked span, if it is a link.
    pub linked_trace: Option<[u8; 16]>,
}

/// What does not go into counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Halves {
    /// By row.
    pub halves: Vec<Half>,
    /// Rows of clients and producers that a consumer of the slab links to.
    pub linked: Vec<u32>,
}

/// The rollup of a slab.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SlabRollup {
    pub counts: OperationCounts,
    pub durations: OperationDurations,
    /// How long the slowest span of each row took.
    pub slowest_ns: Vec<i64>,
    /// Rows of the slab.
    pub rows: u32,
    pub edges: EdgeColumns,
    pub halves: Halves,
}

/// Spans with their parents, about to be rolled up.
pub(crate) struct Slab<'a> {
    pub gather: &'a Gather<'a>,
    /// The ordinal of each row's trace.
    pub traces: &'a [u32],
    pub parents: &'a Parents,
    pub peers: Peers<'a>,
    /// Rows of callers that count as paired, whatever the slab holds.
    pub linked: &'a [u32],
    /// Edges count if their time lies in it.
    pub time: TimeRange,
    /// Edges count if the called span, or the caller of a mere name, is among so many first rows.
    pub counted: usize,
}

/// Rolls up a whole slab.
pub(crate) fn roll_up(mut slab: Slab<'_>, tables: &mut Tables) -> Result<SlabRollup> {
    let spans = Spans::of(slab.gather, tables)?;
    let (counts, durations) = count(&spans, tables, |_| true)?;
    let (edges, halves) = slab.edges(&spans, tables)?;
    let slowest_ns = durations.slowest.iter().map(|row| spans.durations[*row as usize]).collect();
    Ok(SlabRollup { counts, durations, slowest_ns, rows: spans.len() as u32, edges, halves })
}

impl Slab<'_> {
    /// The edges among the spans.
    pub(crate) fn edges(
        &mut self,
        spans: &Spans,
        tables: &mut Tables,
    ) -> Result<(EdgeColumns, Halves)> {
        let mut edges = EdgesBuilder::default();
        let mut halves = Halves::default();
        let mut is_paired = vec![false; spans.len()];
        self.linked.iter().for_each(|row| is_paired[*row as usize] = true);
        let twins = Twins::new(self.parents.twins());
        for row in 0..spans.len() {
            match twins.caller(spans, row, self.parents.row(row, self.traces[row])) {
                Some(parent) if is_pair(spans.side(parent), spans.side(row)) => {
                    is_paired[parent] = true;
                    self.add_pair(spans, parent, row, tables, &mut edges);
                }
                Some(_) => {}
                None => {
                    if let Some(span) = self.parents.elsewhere(row) {
                        let trace = self.traces[row];
                        let half = Half { row: row as u32, trace, span, linked_trace: None };
                        halves.halves.push(half);
                    }
                }
            }
        }
        self.follow_links(spans, &twins, &mut is_paired, tables, (&mut edges, &mut halves))?;
        for (row, is_paired) in is_paired.iter().enumerate() {
            if !spans.is_caller(row) || *is_paired || !self.counts(spans, row) {
                continue;
            }
            let peer = self.peers.of(self.gather, row, spans.kinds[row])?;
            let Some((connection, name)) = peer else { continue };
            let key = tables.edge_to_peer(spans.services[row], name, connection)?;
            edges.add(key, &call(spans, Some(row), None));
        }
        Ok((edges.finish(), halves))
    }

    fn counts(&self, spans: &Spans, row: usize) -> bool {
        row < self.counted && self.time.contains(spans.starts[row])
    }

    fn add_pair(
        &self,
        spans: &Spans,
        client: usize,
        server: usize,
        tables: &mut Tables,
        edges: &mut EdgesBuilder,
    ) {
        if self.counts(spans, server) {
            let key = key_of(tables, spans.side(client), spans.side(server));
            edges.add(key, &call(spans, Some(client), Some(server)));
        }
    }

    // Consumers name the producers whose messages they took in links, often of other traces.
    fn follow_links(
        &self,
        spans: &Spans,
        twins: &Twins<'_>,
        is_paired: &mut [bool],
        tables: &mut Tables,
        (edges, halves): (&mut EdgesBuilder, &mut Halves),
    ) -> Result<()> {
        let index = self.gather.index(col::LINKS)?;
        let mut callers: Option<HashMap<([u8; 16], u64), u32>> = None;
        for row in (0..spans.len()).filter(|row| spans.kinds[*row] == CONSUMER) {
            let at = self.gather.order[row];
            let links = self.gather.batches[at.batch as usize].column(index).as_binary::<i32>();
            if links.is_null(at.row as usize) {
                continue;
            }
            if callers.is_none() {
                callers = Some(self.callers(spans)?);
            }
            let parent = twins.caller(spans, row, self.parents.row(row, self.traces[row]));
            let mut followed: Vec<u32> = parent.map(|parent| parent as u32).into_iter().collect();
            for (trace, span) in linked_spans(links.value(at.row as usize))? {
                match callers.as_ref().and_then(|callers| callers.get(&(trace, span))) {
                    Some(client) if !followed.contains(client) => {
                        followed.push(*client);
                        let is_new = !std::mem::replace(&mut is_paired[*client as usize], true);
                        halves.linked.extend(is_new.then_some(*client));
                        self.add_pair(spans, *client as usize, row, tables, edges);
                    }
                    Some(_) => {}
                    None => halves.halves.push(Half {
                        row: row as u32,
                        trace: self.traces[row],
                        span,
                        linked_trace: Some(trace),
                    }),
                }
            }
        }
        halves.halves.sort_by_key(|half| half.row);
        halves.linked.sort_unstable();
        Ok(())
    }

    fn callers(&self, spans: &Spans) -> Result<HashMap<([u8; 16], u64), u32>> {
        let traces = self.gather.index(col::TRACE_ID)?;
        let ids = self.gather.index(col::SPAN_ID)?;
        let mut callers = HashMap::new();
        for row in (0..spans.len()).filter(|row| spans.is_caller(*row)) {
            let at = self.gather.order[row];
            let batch = &self.gather.batches[at.batch as usize];
            let id =
                |index: usize| batch.column(index).as_fixed_size_binary().value(at.row as usize);
            let (mut trace, mut span) = ([0; 16], [0; 8]);
            trace.copy_from_slice(id(traces));
            span.copy_from_slice(id(ids));
            callers.entry((trace, u64::from_be_bytes(span))).or_insert(row as u32);
        }
        Ok(callers)
    }
}

fn call(spans: &Spans, client: Option<usize>, server: Option<usize>) -> Call {
    let sides = || [client, server].into_iter().flatten();
    let side = |row: usize| (spans.durations[row], spans.sizes[row]);
    Call {
        bucket: server.or(client).map(|row| spans.bucket(row)).unwrap_or_default(),
        failed: sides().any(|row| spans.statuses[row] == ERROR),
        weight: sides().map(|row| spans.weight(row)).fold(0.0, f64::max),
        // A caller that is no client was busy with more than the call.
        client: client.filter(|row| spans.is_caller(*row)).map(side),
        server: server.map(side),
    }
}

// Trace and span ids of encoded links.
fn linked_spans(links: &[u8]) -> Result<Vec<([u8; 16], u64)>> {
    let mut outer = Reader::new(links);
    let mut found = Vec::new();
    while !outer.is_empty() && found.len() < LINKS_MAX {
        let mut reader = Reader::new(outer.bytes()?);
        found.push((reader.array()?, u64::from_be_bytes(reader.array()?)));
    }
    Ok(found)
}
