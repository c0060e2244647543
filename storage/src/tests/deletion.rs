//! Deleted log records: gone for readers at once, in the files later, and never back.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::time::{HOUR_NS, TimeRange};

use super::*;
use crate::scan::{
    Intervals, ScanColumn, ScanContext, ScanOrder, ScanRequest, TallyBy, TallyRequest, scan_logs,
    tally_logs,
};
use crate::{DeleteRequest, LogDeletion, RetentionClass};

fn context(tracker: &TaskTracker) -> ScanContext {
    ScanContext {
        cancel: CancellationToken::new(),
        deadline: None,
        bytes_max: u64::MAX,
        stats: Arc::default(),
        tracker: tracker.clone(),
    }
}

fn these(numbers: &[u64]) -> Predicate {
    let operands = numbers.iter().map(|number| Operand::Bytes(number.to_be_bytes().to_vec()));
    let target = Target::Column(col::SPAN_ID.to_owned());
    Predicate { target, op: Op::In(operands.collect()) }
}

fn request(numbers: &[u64]) -> DeleteRequest {
    DeleteRequest {
        predicates: vec![these(numbers)],
        time: TimeRange::ALL,
        query: format!("{} records", numbers.len()),
        is_dry: false,
    }
}

async fn delete(open: &Open, request: &DeleteRequest) -> LogDeletion {
    open.store.delete_logs(request, &context(&open.tracker)).await.expect("is deleted")
}

/// What a scan reads; counts agree with it, and the newest first are its last.
async fn read(open: &Open) -> Vec<u64> {
    let view = open.store.view();
    let columns = [col::SPAN_ID, col::TIME].map(|name| ScanColumn::Fixed(name.to_owned()));
    let asked = |order, limit| ScanRequest {
        columns: columns.to_vec(),
        predicates: Vec::new(),
        time: TimeRange::ALL,
        order,
        limit,
    };
    let scan = async |order, limit| {
        let with = context(&open.tracker);
        let batches = scan_logs(view.clone(), asked(order, limit), with).try_collect::<Vec<_>>();
        batches.await.expect("reads").iter().flat_map(span_ids).collect::<Vec<_>>()
    };
    let mut numbers = scan(ScanOrder::Any, None).await;
    numbers.sort_unstable();
    let newest = scan(ScanOrder::NewestFirst, Some(7)).await;
    let last: Vec<_> = numbers.iter().rev().take(7).copied().collect();
    assert_eq!(newest, last);
    let tally = TallyRequest {
        predicates: Vec::new(),
        time: TimeRange::ALL,
        intervals: Intervals::Steps { origin_ns: NOW_NS, step_ns: 7 * SECOND_NS },
        by: TallyBy { service: true, ..TallyBy::default() },
        sums_bytes: true,
    };
    let tally = tally_logs(&view, tally, &context(&open.tracker)).await.expect("counts");
    let count: u64 = tally.rows.iter().map(|row| row.count).sum();
    assert_eq!(count, numbers.len() as u64);
    numbers
}

#[tokio::test]
async fn deleted_records_are_gone_at_once_and_never_come_back() {
    let machine = Machine::new();
    let mut open = machine.open().await;
    let mut left: BTreeSet<u64> = (0..400).collect();
    for part in 0..4 {
        let numbers: Vec<u64> = (part * 100..part * 100 + 100).collect();
        open.send(Signal::Logs, &numbers).await.expect("acknowledged");
        if part < 3 {
            open.store.flush().await.expect("flushes");
        }
    }
    let expect = |left: &BTreeSet<u64>| left.iter().copied().collect::<Vec<_>>();
    // Of segments and of the head; some twice, some that are not there.
    for (round, wanted) in
        [vec![3, 4, 5, 150, 399], vec![4, 6, 1000], (200..300).collect()].into_iter().enumerate()
    {
        machine.clock.advance_ns(SECOND_NS);
        let before = open.store.view();
        let dry = DeleteRequest { is_dry: true, ..request(&wanted) };
        let here = wanted.iter().filter(|number| left.contains(number)).count() as u64;
        assert_eq!(delete(&open, &dry).await.rows, here);
        assert_eq!(read(&open).await, expect(&left), "a dry run deletes nothing");
        let deletion = delete(&open, &request(&wanted)).await;
        assert_eq!(deletion.rows, here);
        left.retain(|number| !wanted.contains(number));
        assert_eq!(read(&open).await, expect(&left), "round {round}");
        drop(before);
        open.crash().await;
        open = machine.open().await;
        assert_eq!(read(&open).await, expect(&left), "round {round}, restarted");
    }
    let listed = open.store.log_deletions().await.expect("lists");
    assert_eq!(listed.iter().map(|d| d.rows).collect::<Vec<_>>(), [100, 1, 5]);
    assert!(listed[2].segments_left > 0 && !open.store.status().settled, "{listed:?}");
    // Records that come later are no part of a deletion.
    open.send(Signal::Logs, &[5]).await.expect("acknowledged");
    left.insert(5);
    assert_eq!(read(&open).await, expect(&left));
    open.store.flush().await.expect("flushes");
    machine.clock.advance_ns(3 * HOUR_NS);
    open.store.compact().await.expect("compacts");
    assert_eq!(read(&open).await, expect(&left), "rewritten");
    assert_eq!(numbers(&open.store.view(), Signal::Logs, &machine), expect(&left), "in the files");
    assert_eq!(open.store.view().logs.deleted.segments(), 0);
    let listed = open.store.log_deletions().await.expect("lists");
    assert!(listed.iter().all(|deletion| deletion.segments_left == 0), "{listed:?}");
    open.crash().await;
    let open = machine.open().await;
    assert_eq!(read(&open).await, expect(&left), "restarted at the end");
    open.crash().await;
}

#[tokio::test]
async fn a_range_of_time_is_a_condition_too() {
    let machine = Machine::new();
    let open = machine.open().await;
    open.send(Signal::Logs, &(0..100).collect::<Vec<_>>()).await.expect("acknowledged");
    let time = TimeRange { start_ns: time_of(10), end_ns: time_of(20) };
    let deletion = delete(&open, &DeleteRequest { time, ..request(&[5, 10, 15, 19, 20]) }).await;
    assert_eq!((deletion.rows, deletion.start_ns), (3, time_of(10)));
    let all = DeleteRequest { predicates: Vec::new(), ..request(&[]) };
    assert_eq!(delete(&open, &all).await.rows, 97);
    assert_eq!(read(&open).await, [] as [u64; 0]);
    assert!(open.store.view().logs.segments.is_empty(), "nothing is left to rewrite");
    open.crash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_during_a_merge_is_not_lost() {
    for round in 0..6 {
        let machine = Machine::new();
        let open = machine.open().await;
        for part in 0..12 {
            let numbers: Vec<u64> = (part * 200..part * 200 + 200).collect();
            open.send(Signal::Logs, &numbers).await.expect("acknowledged");
            open.store.flush().await.expect("flushes");
        }
        let merging = {
            let store = open.store.clone();
            tokio::spawn(async move { store.compact().await })
        };
        let mut left: BTreeSet<u64> = (0..2400).collect();
        for step in 0..8 {
            let wanted: Vec<u64> = (0..2400).filter(|n| n % 97 == round * 8 + step).collect();
            delete(&open, &request(&wanted)).await;
            left.retain(|number| !wanted.contains(number));
            assert_eq!(read(&open).await, left.iter().copied().collect::<Vec<_>>());
        }
        merging.await.expect("ends").expect("compacts");
        open.store.compact().await.expect("compacts");
        let expected: Vec<_> = left.into_iter().collect();
        assert_eq!(read(&open).await, expected);
        assert_eq!(numbers(&open.store.view(), Signal::Logs, &machine), expected);
        open.crash().await;
    }
}

fn class(name: &str, numbers: &[u64], keep_ns: Option<i64>) -> RetentionClass {
    RetentionClass { name: name.to_owned(), predicates: vec![these(numbers)], keep_ns }
}

#[tokio::test]
async fn classes_are_kept_for_times_of_their_own() {
    const HOURS: i64 = HOUR_NS;
    let machine = Machine::new();
    let mut options = machine.options();
    options.retention.logs_ns = Some(30 * HOURS);
    // A record of both is of the first.
    let (short, long, ever): (Vec<u64>, Vec<u64>, Vec<u64>) =
        ((0..40).collect(), (30..60).collect(), vec![70, 35]);
    options.log_classes = vec![
        class("short", &short, Some(10 * HOURS)),
        class("long", &long, Some(90 * HOURS)),
        class("ever", &ever, None),
    ];
    let open = machine.try_open(options.clone()).await.expect("opens");
    open.send(Signal::Logs, &(0..100).collect::<Vec<_>>()).await.expect("acknowledged");
    open.store.flush().await.expect("flushes");
    let all: Vec<u64> = (0..100).collect();
    let after = |from: u64| all[from as usize..].to_vec();
    open.store.retain().await.expect("retains");
    assert_eq!(read(&open).await, all, "fresh");
    machine.clock.advance_ns(10 * HOURS);
    open.store.retain().await.expect("retains");
    assert_eq!(read(&open).await, after(40), "without the short ones");
    machine.clock.advance_ns(20 * HOURS);
    open.store.retain().await.expect("retains");
    let kept: Vec<u64> = (40..60).chain([70]).collect();
    assert_eq!(read(&open).await, kept, "without the rest");
    assert!(open.store.log_deletions().await.expect("lists").is_empty(), "nobody asked");
    open.crash().await;
    let open = machine.try_open(options.clone()).await.expect("opens");
    open.store.retain().await.expect("retains");
    open.store.compact().await.expect("compacts");
    assert_eq!(read(&open).await, kept, "rewritten");
    assert_eq!(numbers(&open.store.view(), Signal::Logs, &machine), kept);
    machine.clock.advance_ns(70 * HOURS);
    open.store.retain().await.expect("retains");
    assert_eq!(read(&open).await, [70], "for ever");
    open.crash().await;
    // Without the class that keeps for ever, nothing keeps the segment.
    options.log_classes.pop();
    let open = machine.try_open(options).await.expect("opens");
    open.store.retain().await.expect("retains");
    assert!(open.store.view().logs.segments.is_empty());
    open.crash().await;
}
