//! Conditions on log records, with and without a word index, against a naive reader.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, TimestampNanosecondType};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use throughline_model::Signal;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::span::dict_str;
use throughline_model::time::{MINUTE_NS, TimeRange};
use throughline_model::words::Phrase;

use super::{Rows, everything, run, small};
use crate::scan::{ScanColumn, ScanOrder, ScanRequest};
use crate::segment::rows::item_columns;
use crate::segment::tests::{Fixture, context, log_keys, random_logs};

// A head, a flushed segment, one of level 1, and one that was merged again.
pub(super) fn places(fixture: &Fixture, seed: u64) -> (Vec<RecordBatch>, Rows) {
    let parts = (0..5)
        .map(|part| random_logs(seed * 8 + part, 2, 150, part as i64 * 7 * MINUTE_NS))
        .collect::<Vec<_>>();
    let first = fixture.merge(&small(), &[fixture.logs(0, &parts[0]), fixture.logs(0, &parts[1])]);
    let twice = fixture.merge(&small(), &[first, fixture.logs(1, &parts[2])]);
    let segments = vec![twice, fixture.logs(0, &parts[3])];
    (parts.iter().flatten().cloned().collect(), Rows { segments, heads: parts[4].clone() })
}

fn phrase(rng: &mut SmallRng) -> Phrase {
    let (text, prefix) = [
        ("request", false),
        ("request dropped", false),
        ("conn", true),
        ("timeout after", false),
        ("reset by peer", false),
        ("失败", false),
        ("größe", false),
        ("u", true),
        ("ok", false),
        ("7", false),
        ("absent", false),
        ("user", true),
        ("get /cart", false),
        ("retry 2", false),
        ("at l", true),
        ("user 1", true),
    ][rng.random_range(0..16)];
    Phrase::of(text, prefix).expect("has words")
}

fn part(rng: &mut SmallRng) -> String {
    let parts = [
        "quest",
        " reset by ",
        "ms; r",
        "u4",
        "失",
        "GRÖSSE user",
        "timeout",
        "absent",
        ":",
        "",
        "peer 1",
        "Request",
        "retry 1",
        "e",
        "ok=true",
        "-0",
    ];
    parts[rng.random_range(0..parts.len())].to_owned()
}

pub(super) fn predicate(rng: &mut SmallRng, bodies: &[String]) -> Predicate {
    let some = bodies[rng.random_range(0..bodies.len())].clone();
    let word = some.split([' ', '=', '-']).nth(rng.random_range(0..4)).unwrap_or("").to_owned();
    let patterns = [
        "timeout after [0-5]ms",
        "(?i)REQUEST (get|dropped)",
        "^(get|con)",
        "user=u\\d+ ok",
        "失.",
        "(?i)peer",
        "r(e)+t",
        "\\bat line 3$",
        "absent.*word",
    ];
    let pattern = patterns[rng.random_range(0..patterns.len())].to_owned();
    let column = |name: &str, op| Predicate { target: Target::Column(name.to_owned()), op };
    match rng.random_range(0..14) {
        0 | 1 => column(col::BODY, Op::Phrase(phrase(rng))),
        2 => column(col::BODY, Op::NotPhrase(phrase(rng))),
        3 => column(col::BODY, Op::Contains(part(rng))),
        4 => column(col::BODY, Op::NotContains(part(rng))),
        5 => column(col::BODY, Op::Matches(pattern)),
        6 => column(col::BODY, Op::NotMatches(pattern)),
        7 => column(col::BODY, Op::Eq(Operand::Str(some))),
        8 => column(col::BODY, Op::Contains(word)),
        9 => match Phrase::of(&word, rng.random()) {
            Some(phrase) => column(col::BODY, Op::Phrase(phrase)),
            None => column(col::BODY, Op::Exists),
        },
        10 => column(col::SERVICE_NAME, Op::Eq(Operand::Str("service-1".to_owned()))),
        11 => column(col::SEVERITY_NUMBER, Op::Ge(Operand::Int(rng.random_range(0..25)))),
        12 => column(col::SERVICE_NAME, Op::Ne(Operand::Str("service-2".to_owned()))),
        _ => column(col::BODY, [Op::Exists, Op::Missing][rng.random_range(0..2)].clone()),
    }
}

pub(super) fn meets(batch: &RecordBatch, row: usize, predicate: &Predicate) -> bool {
    let Target::Column(name) = &predicate.target else { unreachable!("only columns") };
    let array = batch.column_by_name(name).expect("a column");
    if name == col::SEVERITY_NUMBER {
        let Op::Ge(Operand::Int(least)) = predicate.op else { unreachable!("only one") };
        return i64::from(array.as_primitive::<Int32Type>().value(row)) >= least;
    }
    let text = match name.as_str() {
        col::SERVICE_NAME => Some(dict_str(array.as_ref(), row)),
        _ => array.is_valid(row).then(|| array.as_string::<i32>().value(row)),
    };
    let regex = |pattern: &str| regex::Regex::new(pattern).expect("valid");
    match (&predicate.op, text) {
        (Op::NotPhrase(_) | Op::NotContains(_) | Op::NotMatches(_) | Op::Missing, None) => true,
        (_, None) => false,
        (Op::Phrase(phrase), Some(text)) => phrase.is_in(text),
        (Op::NotPhrase(phrase), Some(text)) => !phrase.is_in(text),
        (Op::Contains(part), Some(text)) => text.contains(part.as_str()),
        (Op::NotContains(part), Some(text)) => !text.contains(part.as_str()),
        (Op::Matches(pattern), Some(text)) => regex(pattern).is_match(text),
        (Op::NotMatches(pattern), Some(text)) => !regex(pattern).is_match(text),
        (Op::Eq(Operand::Str(wanted)), Some(text)) => text == wanted,
        (Op::Ne(Operand::Str(wanted)), Some(text)) => text != wanted,
        (op, Some(_)) => matches!(op, Op::Exists),
    }
}

pub(super) fn filtered(
    all: &[RecordBatch],
    keep: impl Fn(&RecordBatch, usize) -> bool,
) -> Vec<RecordBatch> {
    let one = |batch: &RecordBatch| {
        let keep = (0..batch.num_rows()).map(|row| keep(batch, row)).collect::<Vec<_>>();
        filter_record_batch(batch, &BooleanArray::from(keep)).expect("filters")
    };
    all.iter().map(one).collect()
}

pub(super) fn time_of(batch: &RecordBatch, row: usize) -> i64 {
    let times = batch.column_by_name(col::TIME).expect("times");
    times.as_primitive::<TimestampNanosecondType>().value(row)
}

pub(super) fn bodies(all: &[RecordBatch]) -> Vec<String> {
    let texts = |batch: &RecordBatch| {
        let column = batch.column_by_name(col::BODY).expect("bodies").as_string::<i32>().clone();
        column.iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    all.iter().flat_map(texts).collect()
}

#[test]
fn conditions_choose_the_records_that_a_naive_reader_chooses() {
    let mut rng = SmallRng::seed_from_u64(3);
    let mut matched = 0;
    for seed in 0..4 {
        let fixture = Fixture::new();
        let (all, rows) = places(&fixture, seed);
        let texts = bodies(&all);
        for _ in 0..50 {
            let count = rng.random_range(1..4);
            let predicates = (0..count).map(|_| predicate(&mut rng, &texts)).collect::<Vec<_>>();
            let start_ns = rng.random_range(0..40 * MINUTE_NS);
            let time = match rng.random_range(0..3) {
                0 => TimeRange::ALL,
                1 => TimeRange { start_ns, end_ns: start_ns + rng.random_range(0..9 * MINUTE_NS) },
                _ => TimeRange { start_ns: start_ns / MINUTE_NS * MINUTE_NS, end_ns: i64::MAX },
            };
            let expected = filtered(&all, |batch, row| {
                time.contains(time_of(batch, row))
                    && predicates.iter().all(|p| meets(batch, row, p))
            });
            let request = ScanRequest {
                columns: item_columns(Signal::Logs),
                ..everything(predicates.clone(), time)
            };
            for _ in 0..2 {
                let found = run(&rows, Signal::Logs, request.clone(), &context());
                let (is, should) = (log_keys(&found), log_keys(&expected));
                let wrong = is.iter().find(|key| !should.contains(key));
                let missing = should.iter().find(|key| !is.contains(key));
                let question = format!("{seed}: {predicates:?} in {time:?}");
                assert_eq!((wrong, missing), (None, None), "{question}");
                assert_eq!(is.len(), should.len(), "{question}");
                matched += found.iter().map(RecordBatch::num_rows).sum::<usize>();
            }
        }
    }
    assert!(matched > 1500, "the conditions chose only {matched} records");
}

#[test]
fn templates_are_a_column_of_every_record() {
    let fixture = Fixture::new();
    let (all, rows) = places(&fixture, 5);
    let columns =
        [col::TEMPLATE, col::BODY, col::TEMPLATE_ID].map(|c| ScanColumn::Fixed(c.to_owned()));
    let request = |columns: &[ScanColumn], predicates| ScanRequest {
        columns: columns.to_vec(),
        ..everything(predicates, TimeRange::ALL)
    };
    let found = run(&rows, Signal::Logs, request(&columns, vec![]), &context());
    let count = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(count(&found), count(&all));
    let cell = |batch: &RecordBatch, column: usize, row: usize| {
        dict_str(batch.column(column).as_ref(), row).to_owned()
    };
    let mut resets = 0;
    for batch in &found {
        for row in (0..batch.num_rows()).filter(|row| batch.column(1).is_valid(*row)) {
            let (template, body) =
                (cell(batch, 0, row), batch.column(1).as_string::<i32>().value(row));
            for part in template.split("<*>") {
                assert!(body.contains(part), "{template} is of {body}");
            }
            resets += usize::from(template.starts_with("connection reset by peer"));
        }
    }
    let texts = bodies(&all);
    assert_eq!(resets, texts.iter().filter(|text| text.starts_with("connection")).count());
    // One template, alone and without any other column.
    let id = found.iter().find(|batch| batch.num_rows() > 0).map(|batch| cell(batch, 2, 0));
    let id = id.expect("a record");
    let target = Target::Column(col::TEMPLATE_ID.to_owned());
    let only = vec![Predicate { target, op: Op::Eq(Operand::Str(id.clone())) }];
    let chosen = run(&rows, Signal::Logs, request(&columns[2..], only), &context());
    let expected = found.iter().flat_map(|b| (0..b.num_rows()).map(|row| cell(b, 2, row)));
    assert_eq!(count(&chosen), expected.filter(|other| *other == id).count());
    assert!(chosen.iter().all(|b| (0..b.num_rows()).all(|row| cell(b, 0, row) == id)));
}

#[test]
fn the_newest_records_come_first() {
    let fixture = Fixture::new();
    let (all, rows) = places(&fixture, 9);
    let target = Target::Column(col::BODY.to_owned());
    let phrase = Phrase::of("request", false).expect("a word");
    let predicate = Predicate { target, op: Op::Phrase(phrase) };
    let met = filtered(&all, |batch, row| meets(batch, row, &predicate));
    let times = |batches: &[RecordBatch]| {
        let all = batches.iter().flat_map(|b| (0..b.num_rows()).map(|row| time_of(b, row)));
        all.collect::<Vec<_>>()
    };
    let mut expected = times(&met);
    expected.sort_unstable_by(|a, b| b.cmp(a));
    for limit in [None, Some(1), Some(33)] {
        let request = ScanRequest {
            columns: vec![ScanColumn::Fixed(col::TIME.to_owned())],
            order: ScanOrder::NewestFirst,
            limit,
            ..everything(vec![predicate.clone()], TimeRange::ALL)
        };
        let found = times(&run(&rows, Signal::Logs, request, &context()));
        assert_eq!(found, expected[..limit.unwrap_or(usize::MAX).min(expected.len())], "{limit:?}");
    }
}
