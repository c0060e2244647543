//! Views while everything moves.

use throughline_model::Signal;

use super::*;

/// Readers look while requests, flushes and compactions run: each view holds every row that was
/// acknowledged before it was taken, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_view_misses_or_doubles_a_row() {
    const REQUESTS: u64 = 120;
    let machine = Machine::new();
    let mut options = machine.options();
    // Several flushes while the requests come.
    options.head_bytes = 60_000;
    options.tick = Duration::from_millis(1);
    options.background = true;
    let open = machine.try_open(options).await.expect("opens");
    let sending = {
        let (store, clock) = (open.store.clone(), machine.clock.clone());
        tokio::spawn(async move {
            for request in 0..REQUESTS {
                let numbers: Vec<u64> = (request * 10..request * 10 + 10).collect();
                send(&store, Signal::Traces, &numbers).await.expect("acknowledged");
                clock.advance_ns(SECOND_NS);
            }
        })
    };
    let mut seen = 0;
    while !sending.is_finished() {
        let before = open.store.status().counters.rows;
        let view = open.store.view();
        let rows = numbers(&view, Signal::Traces, &machine);
        let whole: Vec<u64> = (0..rows.len() as u64).collect();
        assert_eq!(rows, whole, "each row once, none left out");
        assert!(rows.len() as u64 >= before.max(seen));
        seen = rows.len() as u64;
    }
    sending.await.expect("no panic");
    open.store.flush().await.expect("flushes");
    machine.clock.advance_ns(3 * 3600 * SECOND_NS);
    open.store.compact().await.expect("compacts");
    let view = open.store.view();
    let expected: Vec<u64> = (0..REQUESTS * 10).collect();
    assert_eq!(numbers(&view, Signal::Traces, &machine), expected);
    let counters = open.store.status().counters;
    assert!(counters.flushes > 2 && counters.compactions > 0, "{counters:?}");
    open.crash().await;
}

#[tokio::test]
async fn a_held_view_keeps_its_files() {
    let machine = Machine::new();
    let open = machine.open().await;
    for number in 0..3 {
        open.send(Signal::Traces, &[number]).await.expect("acknowledged");
        open.store.flush().await.expect("flushes");
    }
    machine.clock.advance_ns(3 * 3600 * SECOND_NS);
    let held = open.store.view();
    assert_eq!(held.spans.segments.len(), 3);
    open.store.compact().await.expect("compacts");
    assert_eq!(open.store.view().spans.segments.len(), 1);
    assert_eq!(open.store.status().segments_released, 3);
    open.store.inner.core.sweep().expect("sweeps");
    assert_eq!(numbers(&held, Signal::Traces, &machine), [0, 1, 2], "files are still there");
    drop(held);
    open.store.inner.core.collect_released();
    assert_eq!(open.store.status().segments_released, 0);
    let files = std::fs::read_dir(machine.folder.path().join("segments")).expect("lists");
    assert_eq!(files.count(), 2);
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [0, 1, 2]);
}
