//! Counts by interval, service, severity and template against counting rows one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use throughline_model::Signal;
use throughline_model::predicate::Predicate;
use throughline_model::schema::col;
use throughline_model::span::dict_str;
use throughline_model::time::{MINUTE_NS, TimeRange};

use super::logs::{bodies, places, predicate, time_of};
use super::{Rows, everything, run};
use crate::scan::tally::tally_tier;
use crate::scan::{Intervals, ScanColumn, ScanRequest, TallyBy, TallyRequest};
use crate::segment::tests::{Fixture, context, tier};

// By interval, service, severity, template and its id: how many, and bytes of their bodies.
type Counts = BTreeMap<(i64, String, i32, String, String), (u64, u64)>;

fn tally(rows: &Rows, request: TallyRequest) -> Counts {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let by = request.by;
    let tier = tier(&rows.segments, &rows.heads);
    let tally = runtime.block_on(tally_tier(&tier, request, &context())).expect("counts");
    let mut counts = Counts::new();
    for row in &tally.rows {
        let service = if by.service { &*tally.services[row.service as usize] } else { "" };
        let (template, id) = match by.template {
            true => {
                let template = &tally.templates[row.template as usize];
                (template.text.to_string(), format!("{:016x}", template.hash))
            }
            false => Default::default(),
        };
        let key = (row.interval, service.to_owned(), row.severity, template, id);
        assert!(
            row.count > 0 && counts.insert(key, (row.count, row.body_bytes)).is_none(),
            "{row:?} comes twice"
        );
    }
    counts
}

// The same out of the rows that a scan finds.
fn counted(rows: &Rows, request: &TallyRequest) -> Counts {
    let names = [
        col::TIME,
        col::SERVICE_NAME,
        col::SEVERITY_NUMBER,
        col::TEMPLATE,
        col::TEMPLATE_ID,
        col::BODY,
    ];
    let scan = ScanRequest {
        columns: names.map(|name| ScanColumn::Fixed(name.to_owned())).to_vec(),
        ..everything(request.predicates.clone(), request.time)
    };
    let mut counts = Counts::new();
    for batch in run(rows, Signal::Logs, scan, &context()) {
        let text = |wanted: bool, column: usize, row: usize| match wanted {
            true => dict_str(batch.column(column).as_ref(), row).to_owned(),
            false => String::new(),
        };
        for row in 0..batch.num_rows() {
            let severity = batch.column(2).as_primitive::<Int32Type>().value(row);
            let key = (
                naive_interval(&request.intervals, time_of(&batch, row)),
                text(request.by.service, 1, row),
                if request.by.severity { severity } else { 0 },
                text(request.by.template, 3, row),
                text(request.by.template, 4, row),
            );
            let body = batch.column(5).as_string::<i32>();
            let bytes = if request.sums_bytes { body.value_length(row) } else { 0 };
            let (count, sum) = counts.entry(key).or_default();
            (*count, *sum) = (*count + 1, *sum + bytes as u64);
        }
    }
    counts
}

fn naive_interval(intervals: &Intervals, time_ns: i64) -> i64 {
    match intervals {
        Intervals::One => 0,
        Intervals::Steps { origin_ns, step_ns } => {
            let mut number = 0;
            while origin_ns + (number + 1) * step_ns <= time_ns {
                number += 1;
            }
            while origin_ns + number * step_ns > time_ns {
                number -= 1;
            }
            number
        }
        Intervals::Until(ends) => ends.iter().filter(|end| **end < time_ns).count() as i64,
    }
}

fn intervals(rng: &mut SmallRng, times: &[i64]) -> Intervals {
    let minutes = |rng: &mut SmallRng| rng.random_range(0..40) * MINUTE_NS;
    match rng.random_range(0..5) {
        0 => Intervals::One,
        1 => Intervals::Steps { origin_ns: minutes(rng), step_ns: MINUTE_NS },
        2 => Intervals::Steps { origin_ns: minutes(rng), step_ns: 5 * MINUTE_NS },
        3 => Intervals::Steps {
            origin_ns: times[rng.random_range(0..times.len())],
            step_ns: rng.random_range(MINUTE_NS / 7..3 * MINUTE_NS),
        },
        _ => {
            let any = |rng: &mut SmallRng| match rng.random_range(0..3) {
                0 => times[rng.random_range(0..times.len())],
                _ => minutes(rng),
            };
            let mut ends = (0..rng.random_range(0..12)).map(|_| any(rng)).collect::<Vec<_>>();
            ends.sort_unstable();
            ends.dedup();
            Intervals::Until(Arc::from(ends))
        }
    }
}

#[test]
fn counts_are_those_of_the_rows() {
    let mut rng = SmallRng::seed_from_u64(11);
    let mut total = 0;
    for seed in 20..24 {
        let fixture = Fixture::new();
        let (all, rows) = places(&fixture, seed);
        let texts = bodies(&all);
        let of_batch =
            |b: &RecordBatch| (0..b.num_rows()).map(|r| time_of(b, r)).collect::<Vec<_>>();
        let times = all.iter().flat_map(of_batch).collect::<Vec<_>>();
        for _ in 0..60 {
            let predicates: Vec<Predicate> =
                (0..rng.random_range(0..3)).map(|_| predicate(&mut rng, &texts)).collect();
            let start_ns = rng.random_range(0..40 * MINUTE_NS);
            let request = TallyRequest {
                predicates,
                time: match rng.random_range(0..3) {
                    0 => TimeRange { start_ns, end_ns: start_ns + 9 * MINUTE_NS },
                    _ => TimeRange::ALL,
                },
                intervals: intervals(&mut rng, &times),
                by: TallyBy {
                    service: rng.random(),
                    severity: rng.random(),
                    template: rng.random(),
                },
                sums_bytes: rng.random(),
            };
            let counts = tally(&rows, request.clone());
            assert_eq!(counts, counted(&rows, &request), "{seed}: {request:?}");
            total += counts.values().map(|(count, _)| count).sum::<u64>();
        }
    }
    assert!(total > 10_000, "only {total} records were counted");
}
