//! Who calls whom, out of the spans themselves: every span whose parent is a span of another service.
//!
//! Parents and children meet in memory, a share of the traces at a time: a trace's id says in which share
//! it is. If a share does not fit, the look begins again with shares half as large.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch};
use arrow::datatypes::{Int32Type, UInt32Type};
use futures::TryStreamExt;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_storage::View;
use throughline_storage::scan::{self, ScanColumn, ScanContext, ScanOrder, ScanRequest};

use super::Status;
use crate::{Engine, Error, ErrorKind, QueryContext, QueryStatsSnapshot, Result};

/// Spans that are held at once: about 50 MB.
const SPANS_HELD_MAX: usize = 1 << 20;
/// The most shares; every one is a pass over the range.
const SHARES_MAX: u64 = 1024;
/// The most pairs of services.
const PAIRS_MAX: usize = 100_000;

/// Calls from one service to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCalls {
    /// The service of the parents.
    pub parent: String,
    /// The service of the children.
    pub child: String,
    /// How many children there are.
    pub calls: u64,
    /// Of these, those with status ERROR.
    pub errors: u64,
}

impl Engine {
    /// Calls between services, of spans that overlap the range, by names; and what the look did.
    pub async fn service_calls(
        &self,
        time: TimeRange,
        ctx: &QueryContext,
    ) -> Result<(Vec<ServiceCalls>, QueryStatsSnapshot)> {
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let counts = budget.run(count(&admitted.view, time, &budget.scan)).await?;
        let call =
            |((parent, child), (calls, errors))| ServiceCalls { parent, child, calls, errors };
        let calls = counts.into_iter().map(call).collect::<Vec<_>>();
        budget.stats.add_rows(calls.len());
        Ok((calls, budget.stats.snapshot()))
    }
}

type Counts = BTreeMap<(String, String), (u64, u64)>;

async fn count(
    view: &std::sync::Arc<View>,
    time: TimeRange,
    context: &ScanContext,
) -> Result<Counts> {
    let mut shares = 1;
    while shares <= SHARES_MAX {
        if let Some(counts) = count_in(view, time, context, shares, SPANS_HELD_MAX).await? {
            return Ok(counts);
        }
        shares *= 2;
    }
    let message =
        format!("more than {SPANS_HELD_MAX} spans in one of {SHARES_MAX} shares of the traces");
    Err(Error::new(ErrorKind::Limit, message))
}

// None if a share does not fit.
async fn count_in(
    view: &std::sync::Arc<View>,
    time: TimeRange,
    context: &ScanContext,
    shares: u64,
    held_max: usize,
) -> Result<Option<Counts>> {
    let mut counts = Counts::new();
    for share in 0..shares {
        let request = ScanRequest {
            columns: COLUMNS.map(|name| ScanColumn::Fixed(name.to_owned())).to_vec(),
            predicates: Vec::new(),
            time,
            order: ScanOrder::Any,
            limit: None,
        };
        let mut held = Share { share, shares, ..Share::default() };
        let mut batches = scan::scan_spans(view.clone(), request, context.clone());
        while let Some(batch) = batches.try_next().await? {
            held.add(&batch)?;
            if held.services_of.len().max(held.children.len()) > held_max {
                return Ok(None);
            }
        }
        held.count(&mut counts)?;
    }
    Ok(Some(counts))
}

const COLUMNS: [&str; 5] =
    [col::TRACE_ID, col::SPAN_ID, col::PARENT_SPAN_ID, col::SERVICE_NAME, col::STATUS_CODE];

// A span's place: 16 bytes of trace id, 8 of span id.
type Key = [u8; 24];

#[derive(Default)]
struct Share {
    share: u64,
    shares: u64,
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    services_of: HashMap<Key, u32>,
    // The parent's place, the child's service, whether it is an error.
    children: Vec<(Key, u32, bool)>,
}

impl Share {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = |name: &str| -> Result<&ArrayRef> {
            batch.column_by_name(name).ok_or_else(|| Error::internal(format!("no column {name}")))
        };
        let traces = column(col::TRACE_ID)?.as_fixed_size_binary();
        let ids = column(col::SPAN_ID)?.as_fixed_size_binary();
        let parents = column(col::PARENT_SPAN_ID)?.as_fixed_size_binary();
        let statuses = column(col::STATUS_CODE)?.as_primitive::<Int32Type>().values();
        let services = column(col::SERVICE_NAME)?.as_dictionary::<UInt32Type>();
        let names = services.values().as_string::<i32>();
        let numbers: Vec<u32> =
            names.iter().map(|name| self.number(name.unwrap_or_default())).collect();
        for row in 0..batch.num_rows() {
            let trace = traces.value(row);
            let low = trace.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            // The last bits of random ids are random; those of counted ones differ too.
            if low % self.shares != self.share {
                continue;
            }
            let service = numbers[services.keys().value(row) as usize];
            self.services_of.insert(key(traces, ids, row), service);
            if parents.is_valid(row) {
                let is_error = statuses[row] == Status::Error as i32;
                self.children.push((key(traces, parents, row), service, is_error));
            }
        }
        Ok(())
    }

    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    fn count(self, counts: &mut Counts) -> Result<()> {
        let mut by_number: HashMap<(u32, u32), (u64, u64)> = HashMap::new();
        for (parent, child, is_error) in &self.children {
            let Some(parent) = self.services_of.get(parent).filter(|parent| *parent != child)
            else {
                continue;
            };
            let pair = by_number.entry((*parent, *child)).or_default();
            *pair = (pair.0 + 1, pair.1 + u64::from(*is_error));
        }
        for ((parent, child), (calls, errors)) in by_number {
            let name = |number: u32| self.names[number as usize].clone();
            let pair = counts.entry((name(parent), name(child))).or_default();
            *pair = (pair.0 + calls, pair.1 + errors);
        }
        if counts.len() > PAIRS_MAX {
            let message = format!("there are more than {PAIRS_MAX} pairs of services");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }
}

fn key(traces: &FixedSizeBinaryArray, spans: &FixedSizeBinaryArray, row: usize) -> Key {
    let mut key = [0; 24];
    key[..16].copy_from_slice(traces.value(row));
    key[16..].copy_from_slice(spans.value(row));
    key
}

#[cfg(test)]
mod tests {
    use throughline_model::Value;
    use throughline_model::origin::{Resource, Scope};
    use throughline_model::span::{SpanBatchBuilder, SpanFields};

    use super::*;

    // In every trace a calls b twice, once in vain, and b calls itself; a parent is missing too.
    fn batch(traces: u8) -> RecordBatch {
        let mut builder = SpanBatchBuilder::default();
        let spans: [(&str, u8, Option<u8>, i32); 5] = [
            ("b", 2, Some(1), 0),
            ("a", 1, None, 2),
            ("b", 3, Some(1), 2),
            ("b", 4, Some(3), 2),
            ("c", 5, Some(9), 0),
        ];
        for trace in 1..=traces {
            for (service, id, parent, status_code) in spans {
                let name = Value::String(service.to_owned());
                let attributes = vec![("service.name".to_owned(), name)];
                let resource = Resource { attributes, ..Resource::default() };
                builder.set_resource(&resource.encode()).expect("fits");
                builder.set_scope(&Scope::default().encode()).expect("fits");
                let fields = SpanFields {
                    trace_id: [trace; 16],
                    span_id: [id; 8],
                    parent_span_id: parent.map(|parent| [parent; 8]),
                    status_code,
                    ..SpanFields::default()
                };
                builder.push(&fields).expect("fits");
            }
        }
        builder.finish().expect("builds")
    }

    #[test]
    fn shares_count_what_the_whole_counts() {
        let batch = batch(20);
        for shares in [1, 2, 8] {
            let mut counts = Counts::new();
            let mut most = 0;
            for share in 0..shares {
                let mut held = Share { share, shares, ..Share::default() };
                held.add(&batch).expect("reads");
                most = most.max(held.services_of.len());
                held.count(&mut counts).expect("counts");
            }
            let expected = Counts::from([(("a".to_owned(), "b".to_owned()), (40, 20))]);
            assert_eq!(counts, expected, "{shares} shares");
            assert!(most as u64 <= 100 / shares + 60, "{most} held of 100 in {shares} shares");
        }
    }
}
