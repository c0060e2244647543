//! What was acknowledged is there after a restart, once; what fails is said.

use throughline_model::Signal;

use super::*;
use crate::ErrorKind;

#[tokio::test]
async fn acknowledged_rows_survive_and_are_visible_at_once() {
    let machine = Machine::new();
    let open = machine.open().await;
    for signal in Signal::ALL {
        open.send(signal, &[1, 2, 3]).await.expect("acknowledged");
    }
    let check = |view: &View| {
        assert_eq!(numbers(view, Signal::Traces, &machine), [1, 2, 3]);
        assert_eq!(numbers(view, Signal::Logs, &machine), [1, 2, 3]);
        assert_eq!(points(view), 3);
    };
    check(&open.store.view());
    open.crash().await;
    let open = machine.open().await;
    check(&open.store.view());
    assert_eq!(open.store.status().replay.requests, 3);
    open.store.flush().await.expect("flushes");
    check(&open.store.view());
    open.crash().await;
    let open = machine.open().await;
    check(&open.store.view());
    let status = open.store.status();
    assert_eq!((status.replay.requests, status.signals[0].head_rows), (0, 0));
    assert_eq!(status.signals[0].wal_checkpoint_seq, 1);
}

#[tokio::test]
async fn a_repeated_body_gets_the_same_reply_and_counts_once() {
    let machine = Machine::new();
    let refused = Reply { rejected: 1, message: "one was refused".into() };
    let mut open = machine.open().await;
    for step in 0..4 {
        let reply = open.send(Signal::Traces, &[13]).await.expect("acknowledged");
        assert_eq!(reply, refused, "step {step}");
        match step {
            // Known by the window, then by the log, then by the catalog.
            0 => {}
            1 => {
                open.crash().await;
                open = machine.open().await;
            }
            _ => {
                open.store.flush().await.expect("flushes");
                open.crash().await;
                open = machine.open().await;
            }
        }
    }
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [13]);
    machine.clock.advance_ns(16 * 60 * SECOND_NS);
    open.send(Signal::Traces, &[13]).await.expect("acknowledged");
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [13, 13], "window is over");
}

#[tokio::test]
async fn twins_in_flight_count_once() {
    let machine = Machine::new();
    let open = machine.open().await;
    let sends = (0..20).map(|i| {
        let store = open.store.clone();
        async move { send(&store, Signal::Logs, &[i / 4]).await }
    });
    for reply in futures::future::join_all(sends).await {
        reply.expect("acknowledged");
    }
    assert_eq!(numbers(&open.store.view(), Signal::Logs, &machine), [0, 1, 2, 3, 4]);
    assert_eq!(open.store.status().counters.duplicates, 15);
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_undo_the_commit() {
    let machine = Machine::new();
    let open = machine.open().await;
    {
        let sending = open.send(Signal::Logs, &[1]);
        // Polled until it is queued, then dropped.
        let _ = tokio::time::timeout(Duration::ZERO, sending).await;
    }
    open.send(Signal::Logs, &[1]).await.expect("acknowledged");
    assert_eq!(numbers(&open.store.view(), Signal::Logs, &machine), [1]);
}

#[tokio::test]
async fn a_failed_sync_stops_the_store_and_a_restart_recovers() {
    let machine = Machine::new();
    let open = machine.open().await;
    open.send(Signal::Traces, &[1]).await.expect("acknowledged");
    machine.disk.fail_syncs(true);
    for number in [2, 3] {
        let error = open.send(Signal::Traces, &[number]).await.expect_err("not acknowledged");
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    }
    machine.disk.fail_syncs(false);
    let error = open.send(Signal::Logs, &[4]).await.expect_err("stopped for good");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(open.store.failed().is_cancelled());
    assert!(open.store.status().failed.is_some());
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [1]);
    open.crash().await;
    let open = machine.open().await;
    for number in [1, 2, 3] {
        open.send(Signal::Traces, &[number]).await.expect("the client tries again");
    }
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [1, 2, 3]);
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let machine = Machine::new();
    let mut open = machine.open().await;
    open.send(Signal::Traces, &[1]).await.expect("acknowledged");
    machine.disk.limit_room(Some(20));
    let error = open.send(Signal::Traces, &[2]).await.expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
    let error = open.store.flush().await.expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [1]);
    machine.disk.limit_room(None);
    open.send(Signal::Traces, &[2]).await.expect("room again");
    for _ in 0..2 {
        assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [1, 2]);
        open.store.flush().await.expect("flushes");
        let files = std::fs::read_dir(machine.folder.path().join("segments")).expect("lists");
        let segments = open.store.view().spans.segments.len();
        assert_eq!(files.count(), 2 * segments, "no leftovers");
        open.crash().await;
        open = machine.open().await;
    }
}

#[tokio::test]
async fn a_disk_below_its_reserve_refuses_before_it_is_full() {
    let machine = Machine::new();
    let mut options = machine.options();
    options.disk_reserve_bytes = 1000;
    machine.disk.limit_room(Some(1 << 20));
    let open = machine.try_open(options).await.expect("opens");
    open.send(Signal::Traces, &[1]).await.expect("acknowledged");
    machine.disk.limit_room(Some(999));
    open.store.inner.core.look_at_disk();
    let error = open.send(Signal::Traces, &[2]).await.expect_err("below the reserve");
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(error.to_string().contains("disk_reserve_bytes"), "{error}");
}

#[tokio::test]
async fn full_heads_refuse_until_a_flush() {
    let machine = Machine::new();
    let mut options = machine.options();
    options.heads_bytes_max = 20_000;
    let open = machine.try_open(options).await.expect("opens");
    let mut refused = None;
    for number in 0..100 {
        if let Err(error) = open.send(Signal::Traces, &[number]).await {
            refused = Some((number, error));
            break;
        }
    }
    let (number, error) = refused.expect("refused before 100 requests");
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    open.store.flush().await.expect("flushes");
    open.send(Signal::Traces, &[number]).await.expect("room again");
    let expected: Vec<u64> = (0..=number).collect();
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), expected);
}

#[tokio::test]
async fn a_replay_larger_than_a_head_is_flushed_on_the_way() {
    let machine = Machine::new();
    let open = machine.open().await;
    let all: Vec<u64> = (0..6000).collect();
    for numbers in all.chunks(100) {
        open.send(Signal::Traces, numbers).await.expect("acknowledged");
    }
    open.crash().await;
    let (progress, watched) = tokio::sync::watch::channel(crate::Progress::default());
    let mut options = machine.options();
    options.head_bytes = 100_000;
    options.progress = Some(progress);
    let open = machine.try_open(options).await.expect("opens");
    let view = open.store.view();
    assert!(!view.spans.segments.is_empty(), "flushed");
    assert_eq!(numbers(&view, Signal::Traces, &machine), all);
    let progress = watched.borrow().clone();
    assert!(progress.done && progress.requests == 60, "{progress:?}");
    assert_eq!(progress.wal_bytes_done, progress.wal_bytes_total);
}

#[tokio::test]
async fn damage_in_the_log_is_kept_and_reported() {
    let machine = Machine::new();
    let open = machine.open().await;
    for number in 1..=3 {
        open.send(Signal::Traces, &[number]).await.expect("acknowledged");
    }
    open.crash().await;
    let folder = machine.folder.path().join("wal").join("traces");
    let log = std::fs::read_dir(folder).expect("lists").next().expect("a file").expect("entry");
    let mut content = std::fs::read(log.path()).expect("reads");
    let body = 2u64.to_le_bytes();
    let at = content.windows(8).rposition(|bytes| bytes == body).expect("the second body");
    content[at] ^= 1;
    std::fs::write(log.path(), content).expect("writes");
    let open = machine.open().await;
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [1, 3]);
    let quarantined = open.store.status().quarantined;
    assert_eq!(quarantined.len(), 1, "{quarantined:?}");
    assert!(quarantined[0].why.contains("1 frames lost"), "{quarantined:?}");
    let kept = machine.folder.path().join("quarantine").join(&quarantined[0].name);
    assert!(std::fs::metadata(kept).expect("kept").len() > 8);
}

#[tokio::test]
async fn a_request_that_trips_the_decoder_is_kept_aside() {
    let machine = Machine::new();
    let open = machine.open().await;
    for number in 1..=3 {
        open.send(Signal::Traces, &[number]).await.expect("acknowledged");
    }
    open.crash().await;
    let trips: DecodeFn = Arc::new(|record| {
        assert_ne!(record.body[0], 2, "two is too much");
        decode(record)
    });
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let clock = Arc::new(machine.clock.clone());
    let store = Store::open(machine.options(), clock, trips, tracker.clone(), stop.clone()).await;
    let open = Open { store: store.expect("opens"), tracker, stop };
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [1, 3]);
    let quarantined = open.store.status().quarantined;
    assert_eq!(quarantined.len(), 1, "{quarantined:?}");
    assert!(quarantined[0].why.contains("two is too much"), "{quarantined:?}");
    let kept = machine.folder.path().join("quarantine").join(&quarantined[0].name);
    assert_eq!(std::fs::read(kept).expect("kept"), 2u64.to_le_bytes());
}

/// Whatever stands in the files of the logs, the store opens with what was acknowledged before it.
#[tokio::test]
async fn a_log_full_of_anything_opens() {
    let forged = [&[0x40, 0, 0, 0, 1, 2, 3, 4, 1][..], &[0xff; 200]].concat();
    let tails: [Vec<u8>; 5] = [
        Vec::new(),
        vec![0xff; 70_000],
        forged.repeat(300),
        (0..90_000u32).flat_map(u32::to_le_bytes).collect(),
        [vec![0; 20_000], vec![1; 5000]].concat(),
    ];
    for (case, tail) in tails.into_iter().enumerate() {
        let machine = Machine::new();
        let open = machine.open().await;
        let numbers_sent: Vec<u64> = (0..20).collect();
        for number in &numbers_sent {
            open.send(Signal::Traces, &[*number]).await.expect("acknowledged");
        }
        open.crash().await;
        let folder = machine.folder.path().join("wal").join("traces");
        let log = std::fs::read_dir(&folder).expect("lists").next().expect("a file").expect("one");
        let mut content = std::fs::read(log.path()).expect("reads");
        let last = content.iter().rposition(|byte| *byte != 0).expect("not all zeros");
        // The last body is a small number: seven of its bytes are zero.
        content.truncate((last + 8).next_multiple_of(8));
        content.extend_from_slice(&tail);
        std::fs::write(log.path(), content).expect("writes");
        std::fs::write(folder.join("0000000000000900.wal"), &tail).expect("writes");
        for _ in 0..2 {
            let open = machine.open().await;
            assert_eq!(
                numbers(&open.store.view(), Signal::Traces, &machine),
                numbers_sent,
                "{case}"
            );
            open.crash().await;
        }
        let open = machine.open().await;
        open.send(Signal::Traces, &[20]).await.expect("goes on");
        open.crash().await;
        let open = machine.open().await;
        assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine).len(), 21, "{case}");
        open.crash().await;
    }
}

#[tokio::test]
async fn shutdown_flushes_and_refuses() {
    let machine = Machine::new();
    let open = machine.open().await;
    open.send(Signal::Metrics, &[1, 2]).await.expect("acknowledged");
    open.store.shutdown().await.expect("shuts down");
    assert_eq!(open.store.view().metrics.heads.rows(), 0);
    let error = open.send(Signal::Metrics, &[3]).await.expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    open.crash().await;
    let open = machine.open().await;
    assert_eq!(points(&open.store.view()), 2);
    assert_eq!(open.store.status().replay.requests, 0);
}

#[tokio::test]
async fn a_folder_has_one_store() {
    let machine = Machine::new();
    let open = machine.open().await;
    let error = machine.try_open(machine.options()).await.err().expect("in use");
    assert!(error.to_string().contains("in use"), "{error}");
    open.crash().await;
    machine.open().await;
}
