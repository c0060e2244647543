//! How long spans of the same service and name take in the traces around this one.
//!
//! One scan for all operations of the trace: service, name and duration of the spans that start within
//! [`MARGIN_NS`] of it, this trace's own among them. Durations are kept as distributions whose buckets
//! are 4.4 % wide, so that memory does not grow with the spans; that is also how exact the answer is.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, UInt32Type};
use futures::TryStreamExt;
use throughline_model::exponential::{self, BUCKETS_PER_OCTAVE, Distribution};
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::{MINUTE_NS, TimeRange};
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest};

use super::columns::Rows;
use super::operations::{by_operation, same_operation};
use super::skeleton::Loaded;
use crate::engine::Admitted;
use crate::{Error, Result};

/// How far around the trace peers start.
const MARGIN_NS: i64 = 30 * MINUTE_NS;
/// Operations of the trace that are looked for, those with most spans first.
const OPERATIONS_MAX: usize = 1000;
/// Spans that are looked at.
const SPANS_MAX: usize = 2_000_000;

/// The durations of one service and name around the trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeerGroup {
    /// The service.
    pub service: String,
    /// The name.
    pub name: String,
    /// Spans around the trace, those of the trace included.
    pub count: u64,
    /// Durations that 50, 75, 90 and 99 % of them do not exceed.
    pub p50_ns: f64,
    /// See `p50_ns`.
    pub p75_ns: f64,
    /// See `p50_ns`.
    pub p90_ns: f64,
    /// See `p50_ns`.
    pub p99_ns: f64,
}

/// Where the spans of a trace stand among their peers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peers {
    /// Peers start in this range.
    pub start_ns: i64,
    /// See `start_ns`.
    pub end_ns: i64,
    /// By service and name, most spans in the trace first.
    pub groups: Vec<PeerGroup>,
    /// The group of each span; `None` for operations that were left out.
    pub group: Vec<Option<u32>>,
    /// How many percent of its peers each span is not shorter than.
    pub percentile: Vec<f32>,
    /// Operations that were left out.
    pub operations_cut: u64,
    /// Whether there are more peers than were looked at.
    pub truncated: bool,
}

/// Looks for the peers of a trace's spans.
pub async fn peers(admitted: &Admitted, loaded: &Loaded) -> Result<Peers> {
    let rows = &loaded.rows;
    let (wanted, operations_cut) = Wanted::of(rows);
    let range = TimeRange {
        start_ns: loaded.start_ns.saturating_sub(MARGIN_NS),
        end_ns: loaded.end_ns.saturating_add(MARGIN_NS),
    };
    let request = wanted.request(rows, range);
    let context = admitted.budget.scan.clone();
    let mut batches = scan::scan_spans(Arc::clone(&admitted.view), request, context);
    let mut found = vec![Distribution::default(); wanted.operations.len()];
    let mut looked_at = 0;
    while let Some(batch) = batches.try_next().await? {
        looked_at += batch.num_rows();
        wanted.add(&batch, &mut found)?;
    }
    let mut peers = wanted.finish(rows, &found);
    (peers.start_ns, peers.end_ns) = (range.start_ns, range.end_ns);
    (peers.operations_cut, peers.truncated) = (operations_cut, looked_at >= SPANS_MAX);
    Ok(peers)
}

// The operations of a trace by their texts.
struct Wanted {
    /// Service and name by number in the trace.
    operations: Vec<(u32, u32)>,
    numbers: HashMap<(u32, u32), u32>,
    services: HashMap<String, u32>,
    names: HashMap<String, u32>,
}

impl Wanted {
    fn of(rows: &Rows) -> (Self, u64) {
        let order = by_operation(rows);
        let same = order.chunk_by(|a, b| same_operation(rows, *a, *b));
        let key = |row: u32| (rows.service[row as usize], rows.name[row as usize]);
        let mut counts = same.map(|same| (same.len(), key(same[0]))).collect::<Vec<_>>();
        counts.sort_unstable_by_key(|(count, key)| (std::cmp::Reverse(*count), *key));
        let cut = counts.len().saturating_sub(OPERATIONS_MAX) as u64;
        counts.truncate(OPERATIONS_MAX);
        let operations = counts.into_iter().map(|(_, key)| key).collect::<Vec<_>>();
        let text = |texts: &[String], number: u32| (texts[number as usize].clone(), number);
        let wanted = Self {
            numbers: operations.iter().copied().zip(0..).collect(),
            services: operations.iter().map(|(s, _)| text(&rows.services, *s)).collect(),
            names: operations.iter().map(|(_, n)| text(&rows.names, *n)).collect(),
            operations,
        };
        (wanted, cut)
    }

    fn request(&self, rows: &Rows, range: TimeRange) -> ScanRequest {
        let column = |name: &str, op| Predicate { target: Target::Column(name.to_owned()), op };
        let texts = |all: &[String], known: &HashMap<String, u32>| {
            let used = all.iter().filter(|text| known.contains_key(*text));
            Op::In(used.map(|text| Operand::Str(text.clone())).collect())
        };
        let predicates = vec![
            column(col::START_TIME, Op::Ge(Operand::Int(range.start_ns))),
            column(col::START_TIME, Op::Lt(Operand::Int(range.end_ns))),
            column(col::SERVICE_NAME, texts(&rows.services, &self.services)),
            column(col::NAME, texts(&rows.names, &self.names)),
        ];
        let columns = [col::SERVICE_NAME, col::NAME, col::DURATION_NS];
        ScanRequest {
            columns: columns.map(|name| ScanColumn::Fixed(name.to_owned())).to_vec(),
            predicates,
            time: range,
            order: ScanOrder::Any,
            limit: Some(SPANS_MAX),
        }
    }

    fn add(&self, batch: &RecordBatch, found: &mut [Distribution]) -> Result<()> {
        let column = |name: &str| -> Result<&ArrayRef> {
            let column = batch.column_by_name(name);
            column.ok_or_else(|| Error::internal(format!("a scan answered without {name}")))
        };
        let (services, names) = (column(col::SERVICE_NAME)?, column(col::NAME)?);
        let of_service = numbers(services, &self.services);
        let of_name = numbers(names, &self.names);
        let services = services.as_dictionary::<UInt32Type>().keys().values();
        let names = names.as_dictionary::<UInt32Type>().keys().values();
        let durations = column(col::DURATION_NS)?.as_primitive::<Int64Type>().values();
        for ((service, name), duration_ns) in services.iter().zip(names).zip(durations) {
            let key = of_service[*service as usize].zip(of_name[*name as usize]);
            if let Some(number) = key.and_then(|key| self.numbers.get(&key)) {
                found[*number as usize].add(*duration_ns as f64, 1.0);
            }
        }
        Ok(())
    }

    fn finish(&self, rows: &Rows, found: &[Distribution]) -> Peers {
        let group = |((service, name), all): (&(u32, u32), &Distribution)| {
            let at_most = |q: f64| all.quantile(q).unwrap_or_default();
            PeerGroup {
                service: rows.services[*service as usize].clone(),
                name: rows.names[*name as usize].clone(),
                count: all.count() as u64,
                p50_ns: at_most(0.5),
                p75_ns: at_most(0.75),
                p90_ns: at_most(0.9),
                p99_ns: at_most(0.99),
            }
        };
        let ranks = found.iter().map(Ranks::of).collect::<Vec<_>>();
        let number = |row: usize| self.numbers.get(&(rows.service[row], rows.name[row])).copied();
        let percentile = |row: usize| {
            let ranks = number(row).map(|number| &ranks[number as usize]);
            ranks.map_or(0.0, |ranks| ranks.percentile(rows.duration[row]))
        };
        Peers {
            groups: self.operations.iter().zip(found).map(group).collect(),
            group: (0..rows.len()).map(number).collect(),
            percentile: (0..rows.len()).map(percentile).collect(),
            ..Peers::default()
        }
    }
}

// The trace's number of each entry of a dictionary.
fn numbers(column: &ArrayRef, known: &HashMap<String, u32>) -> Vec<Option<u32>> {
    let texts = column.as_dictionary::<UInt32Type>().values().as_string::<i32>();
    texts.iter().map(|text| known.get(text.unwrap_or_default()).copied()).collect()
}

// A distribution to ask many times.
struct Ranks {
    zero: f64,
    /// Bucket, count before it, count in it.
    buckets: Vec<(i32, f64, f64)>,
    total: f64,
}

impl Ranks {
    fn of(all: &Distribution) -> Self {
        let mut total = all.zero;
        let mut buckets = Vec::with_capacity(all.buckets.len());
        for (bucket, count) in &all.buckets {
            buckets.push((*bucket, total, *count));
            total += count;
        }
        Self { zero: all.zero, buckets, total }
    }

    // Inside a bucket durations are taken as evenly spread in their logarithm.
    fn percentile(&self, duration_ns: i64) -> f32 {
        if self.total <= 0.0 {
            return 0.0;
        }
        let below = if duration_ns <= 0 {
            self.zero
        } else {
            let value = duration_ns as f64;
            let bucket = exponential::bucket(value);
            match self.buckets.binary_search_by_key(&bucket, |entry| entry.0) {
                Ok(at) => {
                    let place = value.log2() * f64::from(BUCKETS_PER_OCTAVE) - f64::from(bucket);
                    self.buckets[at].1 + self.buckets[at].2 * place.clamp(0.0, 1.0)
                }
                Err(at) => self.buckets.get(at).map_or(self.total, |entry| entry.1),
            }
        };
        (below / self.total * 100.0) as f32
    }
}
