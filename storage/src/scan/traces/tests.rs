//! Whole traces against a naive grouping of all rows, on heads, segments and merges alike.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use throughline_model::TraceId;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::span::{Span, dict_str, read_spans};
use throughline_model::time::TimeRange;

use super::{NO_PARENT, TraceBatch, TraceScan, TraceScanRequest, Wanted};
use crate::scan::tests::{Rows, places, small};
use crate::scan::{ScanColumn, ScanContext};
use crate::segment::tests::{Fixture, context, random_spans, tier};
use crate::view::View;

const COLUMNS: [&str; 5] =
    [col::SPAN_ID, col::NAME, col::START_TIME, col::DURATION_NS, col::SERVICE_NAME];

fn request(leaves: Vec<Vec<Predicate>>, traces: Wanted, time: TimeRange) -> TraceScanRequest {
    let columns = COLUMNS.map(|name| ScanColumn::Fixed(name.to_owned())).to_vec();
    let (whole, structure, together, named) = (true, true, true, true);
    TraceScanRequest { columns, time, leaves, traces, whole, structure, together, named }
}

fn start(rows: &Rows, request: TraceScanRequest, context: &ScanContext) -> TraceScan {
    let view = View { spans: tier(&rows.segments, &rows.heads), ..View::default() };
    TraceScan::new(&view, request, context).expect("starts")
}

fn named(name: &str) -> Vec<Predicate> {
    let target = Target::Column(col::NAME.to_owned());
    vec![Predicate { target, op: Op::Eq(Operand::Str(name.to_owned())) }]
}

// The same three places, with traces that mostly lie in one of them.
fn apart(fixture: &Fixture, seed: u64) -> (Vec<RecordBatch>, Rows) {
    let part = |part: u64| random_spans(seed * 8 + part, 2, 80, part as i64 * 500_000_000, part);
    let mut parts = (0..5).map(part).collect::<Vec<_>>();
    let again = parts[0][0].slice(0, 1);
    parts[3].push(again);
    let inputs = [fixture.spans(0, &small(), &parts[0]), fixture.spans(0, &small(), &parts[1])];
    let segments = vec![
        fixture.merge(&small(), &inputs),
        fixture.spans(0, &small(), &parts[2]),
        fixture.spans(0, &small(), &parts[3]),
    ];
    let all = parts.iter().flatten().cloned().collect();
    (all, Rows { segments, heads: parts[4].clone() })
}

// Of each trace its spans as texts: id, name, start, duration, service.
fn spans_of(batch: &TraceBatch) -> BTreeMap<TraceId, Vec<String>> {
    let column = |name: &str| batch.rows.column_by_name(name).expect("a column");
    let ids = column(col::SPAN_ID).as_fixed_size_binary();
    let starts = column(col::START_TIME).as_primitive::<TimestampNanosecondType>();
    let durations = column(col::DURATION_NS).as_primitive::<Int64Type>();
    let mut found: BTreeMap<TraceId, Vec<String>> = BTreeMap::new();
    for (row, trace) in batch.trace_of_row.iter().enumerate() {
        let (name, service) = (column(col::NAME), column(col::SERVICE_NAME));
        found.entry(batch.traces[*trace as usize]).or_default().push(line(
            ids.value(row),
            dict_str(name.as_ref(), row),
            starts.value(row),
            durations.value(row),
            dict_str(service.as_ref(), row),
        ));
    }
    found.values_mut().for_each(|lines| lines.sort());
    found
}

fn line(id: &[u8], name: &str, start_ns: i64, duration_ns: i64, service: &str) -> String {
    format!("{id:?} {name} {start_ns} {duration_ns} {service}")
}

fn expected(spans: &[Span], wanted: &BTreeSet<TraceId>) -> BTreeMap<TraceId, Vec<String>> {
    let mut all: BTreeMap<TraceId, Vec<String>> = BTreeMap::new();
    for span in spans.iter().filter(|span| wanted.contains(&span.trace_id)) {
        all.entry(span.trace_id).or_default().push(line(
            &span.span_id.0,
            &span.name,
            span.start_time_ns,
            span.duration_ns,
            &span.service_name,
        ));
    }
    all.values_mut().for_each(|lines| lines.sort());
    all
}

// What spans of one id name as their parent.
type Parents = BTreeSet<Option<Vec<u8>>>;

// Parents by id against parents by row.
fn check_structure(batch: &TraceBatch, spans: &[Span]) {
    let ids = batch.rows.column_by_name(col::SPAN_ID).expect("ids").as_fixed_size_binary();
    let structure = batch.structure.as_ref().expect("asked for");
    let mut parents: HashMap<(TraceId, Vec<u8>), Parents> = HashMap::new();
    for span in spans {
        let parent = span.parent_span_id.map(|id| id.0.to_vec());
        parents.entry((span.trace_id, span.span_id.0.to_vec())).or_default().insert(parent);
    }
    let rows = batch.rows.num_rows() as u32;
    for row in 0..rows {
        let trace = batch.trace_of_row[row as usize];
        let key = (batch.traces[trace as usize], ids.value(row as usize).to_vec());
        let known = &parents[&key];
        match structure.parents[row as usize] {
            NO_PARENT => assert!(known.contains(&None)),
            parent if parent < rows => {
                assert_eq!(batch.trace_of_row[parent as usize], trace);
                assert!(known.contains(&Some(ids.value(parent as usize).to_vec())));
            }
            _ => {
                let here = |id: &Option<Vec<u8>>| {
                    let Some(id) = id else { return false };
                    (0..rows).any(|other| {
                        batch.trace_of_row[other as usize] == trace
                            && ids.value(other as usize) == id
                    })
                };
                assert!(known.iter().any(|id| id.is_some() && !here(id)), "{known:?}");
            }
        }
        let twin = structure.twins.as_ref().map_or(row, |twins| twins[row as usize]);
        assert!(twin <= row && ids.value(twin as usize) == ids.value(row as usize));
    }
}

#[test]
fn every_trace_comes_once_and_whole() {
    for seed in 0..8 {
        let fixture = Fixture::new();
        let of = if seed % 2 == 0 { places } else { apart };
        let (all, rows) = of(&fixture, seed);
        let spans = all.iter().flat_map(|b| read_spans(b).expect("spans")).collect::<Vec<_>>();
        let ranges = [
            TimeRange::ALL,
            TimeRange { start_ns: 400_000_000, end_ns: 1_300_000_000 },
            TimeRange { start_ns: 1_600_000_000, end_ns: i64::MAX },
        ];
        for time in ranges {
            let inside = spans.iter().filter(|span| time.contains(span.start_time_ns));
            let inside = inside.cloned().collect::<Vec<_>>();
            let has = |name: &str| {
                let named = inside.iter().filter(|span| span.name == name);
                named.map(|span| span.trace_id).collect::<BTreeSet<_>>()
            };
            let (get, query) = (has("GET /"), has("query"));
            let both = Wanted::All(vec![Wanted::Leaf(0), Wanted::Leaf(1)]);
            let either = Wanted::Any(vec![Wanted::Leaf(0), Wanted::Leaf(1)]);
            let asked = [
                (both, get.intersection(&query).copied().collect::<BTreeSet<_>>()),
                (either, get.union(&query).copied().collect()),
            ];
            for (traces, wanted) in asked {
                let leaves = vec![named("GET /"), named("query")];
                let context = context();
                let scan = start(&rows, request(leaves, traces, time), &context);
                let mut found = BTreeMap::new();
                while let Some(batch) = scan.next().expect("reads") {
                    check_structure(&batch, &inside);
                    for (id, lines) in spans_of(&batch) {
                        assert!(found.insert(id, lines).is_none(), "{id} came twice");
                    }
                }
                // Traces in several places may come though they are not wanted.
                let expected = expected(&inside, &wanted);
                found.retain(|id, _| wanted.contains(id));
                assert_eq!(found, expected, "seed {seed} in {time:?}");
            }
        }
    }
}

#[test]
fn newer_traces_cannot_follow_the_bound() {
    let fixture = Fixture::new();
    let (_, rows) = apart(&fixture, 3);
    let context = context();
    let all = request(vec![Vec::new()], Wanted::Leaf(0), TimeRange::ALL);
    let scan = start(&rows, all, &context);
    let mut batches = 0;
    while let Some(bound_ns) = scan.bound_ns() {
        let Some(batch) = scan.next().expect("reads") else { break };
        let starts = batch.rows.column_by_name(col::START_TIME).expect("starts");
        let starts = starts.as_primitive::<TimestampNanosecondType>().values();
        assert!(starts.iter().all(|start| *start <= bound_ns));
        batches += 1;
    }
    assert!(batches > 2);
}

#[test]
fn facts_are_those_of_the_rows() {
    for seed in 10..14 {
        let fixture = Fixture::new();
        let (all, rows) = apart(&fixture, seed);
        let spans = all.iter().flat_map(|b| read_spans(b).expect("spans")).collect::<Vec<_>>();
        let context = context();
        let none = TimeRange { start_ns: 0, end_ns: 1 };
        let scan = start(&rows, request(vec![Vec::new()], Wanted::Leaf(0), none), &context);
        let mut known = 0;
        for id in spans.iter().map(|span| span.trace_id).collect::<BTreeSet<_>>() {
            let Some(facts) = scan.facts(id).expect("reads") else { continue };
            known += 1;
            let of_trace = spans.iter().filter(|span| span.trace_id == id).collect::<Vec<_>>();
            let first = of_trace.iter().map(|s| s.start_time_ns).min().expect("spans");
            let end = |s: &&&Span| s.start_time_ns + s.duration_ns.max(0);
            let last = of_trace.iter().map(|s| end(&s)).max().expect("spans");
            let head = of_trace
                .iter()
                .min_by_key(|s| (s.parent_span_id.is_some(), s.start_time_ns, s.span_id))
                .expect("spans");
            assert_eq!((facts.start_ns, facts.duration_ns), (first, last - first));
            assert_eq!(facts.has_root, head.parent_span_id.is_none());
            assert_eq!(facts.head_service, head.service_name);
            assert_eq!(facts.head_name, head.name);
            assert_eq!(facts.spans, of_trace.len() as u64);
            let errors = of_trace.iter().filter(|span| span.status_code == 2).count() as u64;
            assert_eq!(facts.errors, errors);
            let here = |id| of_trace.iter().any(|span| span.span_id == id);
            let parents = of_trace.iter().filter_map(|span| span.parent_span_id);
            assert_eq!(facts.orphans, parents.filter(|id| !here(*id)).count() as u64);
            let mut services: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
            for span in &of_trace {
                let counts = services.entry(&span.service_name).or_default();
                counts.0 += 1;
                counts.1 += u64::from(span.status_code == 2);
            }
            let told = facts.services.iter().map(|(name, n, e)| (name.as_str(), (*n, *e)));
            assert_eq!(told.collect::<BTreeMap<_, _>>(), services);
        }
        assert!(known > 0, "no trace lies in one place");
    }
}
