//! Compaction, retention, quarantine, sweep and status of a store.

use throughline_model::Signal;
use throughline_model::time::{DAY_NS, HOUR_NS};

use super::*;
use crate::Error;
use crate::options::Retention;

#[tokio::test]
async fn compaction_ends_in_one_segment_a_window_and_settles() {
    let machine = Machine::new();
    let open = machine.open().await;
    for request in 0..20 {
        for signal in Signal::ALL {
            let numbers: Vec<u64> = (request * 50..request * 50 + 50).collect();
            open.send(signal, &numbers).await.expect("acknowledged");
        }
        open.store.flush().await.expect("flushes");
    }
    machine.clock.advance_ns(4 * HOUR_NS);
    assert!(!open.store.status().settled);
    open.store.compact().await.expect("compacts");
    let status = open.store.status();
    assert!(status.settled, "{status:?}");
    for signal in &status.signals {
        assert_eq!(signal.levels.iter().map(|level| level.rows).sum::<u64>(), 1000);
        assert_eq!(signal.levels.iter().map(|level| level.segments).sum::<u64>(), 1);
        assert_eq!(signal.levels[0].level, 2);
    }
    let view = open.store.view();
    let expected: Vec<u64> = (0..1000).collect();
    assert_eq!(numbers(&view, Signal::Traces, &machine), expected);
    assert_eq!(numbers(&view, Signal::Logs, &machine), expected);
    assert_eq!(points(&view), 1000);
    open.crash().await;
    let open = machine.open().await;
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), expected);
}

#[tokio::test]
async fn a_damaged_segment_is_set_aside() {
    let machine = Machine::new();
    let mut open = machine.open().await;
    for number in 0..2 {
        open.send(Signal::Traces, &[number]).await.expect("acknowledged");
        open.store.flush().await.expect("flushes");
    }
    let metas = metas(&open.store.view());
    let (bad, good) = (&metas[0], &metas[1]);
    let path = machine.folder.path().join("segments").join(bad.data_name());
    let mut content = std::fs::read(&path).expect("reads");
    content[40] ^= 4;
    std::fs::write(&path, content).expect("writes");
    // A whole segment stays, whatever a reader says.
    assert!(!open.store.quarantine(good.id, "a reader stumbled").await.expect("verifies"));
    machine.clock.advance_ns(2 * HOUR_NS);
    let core = &open.store.inner.core;
    while core.scrub_one().await.expect("scrubs").is_some() {}
    assert_eq!(open.store.status().counters.scrubbed, 1);
    core.collect_released();
    let aside = machine.folder.path().join("quarantine").join(bad.data_name());
    assert!(aside.exists() && !path.exists());
    for _ in 0..2 {
        let quarantined = open.store.status().quarantined;
        assert_eq!(quarantined.len(), 1);
        assert_eq!(quarantined[0].name, bad.id.to_string());
        assert!(quarantined[0].why.contains("crc32c"), "{quarantined:?}");
        assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [1]);
        open.crash().await;
        open = machine.open().await;
    }
}

#[tokio::test]
async fn a_segment_that_a_read_stumbled_over_is_checked_next() {
    for signal in Signal::ALL {
        let machine = Machine::new();
        let open = machine.open().await;
        open.send(signal, &[1]).await.expect("acknowledged");
        open.store.flush().await.expect("flushes");
        let core = &open.store.inner.core;
        assert_eq!(core.scrub_one().await.expect("scrubs"), None, "young segments are left alone");
        let view = open.store.view();
        let rows = view.spans.segments.iter().chain(view.logs.segments.iter());
        rows.for_each(|segment| segment.mark_corrupt(&Error::corrupt("half a page")));
        let points = view.metrics.segments.iter();
        points.for_each(|segment| segment.mark_corrupt(&Error::corrupt("half a page")));
        drop(view);
        let folder = machine.folder.path().join("segments");
        let files =
            std::fs::read_dir(folder).expect("lists").map(|file| file.expect("reads").path());
        for path in files.filter(|path| path.extension().is_some_and(|it| it == "parquet")) {
            let mut content = std::fs::read(&path).expect("reads");
            content[20] ^= 1;
            std::fs::write(&path, content).expect("writes");
        }
        assert!(core.scrub_one().await.expect("scrubs").is_some(), "{signal}");
        assert_eq!(open.store.status().quarantined.len(), 1, "{signal}");
    }
}

#[tokio::test]
async fn a_compaction_that_meets_damage_goes_on_without_it() {
    let machine = Machine::new();
    let open = machine.open().await;
    for number in 0..3 {
        open.send(Signal::Traces, &[number]).await.expect("acknowledged");
        open.store.flush().await.expect("flushes");
    }
    let bad = metas(&open.store.view()).remove(1);
    let path = machine.folder.path().join("segments").join(bad.data_name());
    let len = std::fs::metadata(&path).expect("there").len();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(len / 2))
        .expect("cuts");
    machine.clock.advance_ns(4 * HOUR_NS);
    open.store.compact().await.expect("compacts the others");
    let view = open.store.view();
    assert_eq!(view.spans.segments.len(), 1);
    assert_eq!(numbers(&view, Signal::Traces, &machine), [0, 2]);
    assert_eq!(open.store.status().quarantined.len(), 1);
}

#[tokio::test]
async fn leftovers_of_a_crash_are_swept() {
    let machine = Machine::new();
    let open = machine.open().await;
    open.send(Signal::Traces, &[7]).await.expect("acknowledged");
    open.store.flush().await.expect("flushes");
    open.crash().await;
    let folder = machine.folder.path().join("segments");
    for name in ["01BX5ZZKBKACTAV9WEVGEMMVRZ.parquet", "01BX5ZZKBKACTAV9WEVGEMMVRZ.idx"] {
        std::fs::write(folder.join(name), b"half").expect("writes");
    }
    let open = machine.open().await;
    assert_eq!(std::fs::read_dir(folder).expect("lists").count(), 2);
    assert_eq!(numbers(&open.store.view(), Signal::Traces, &machine), [7]);
}

#[tokio::test]
async fn retention_drops_by_age_and_by_bytes() {
    let machine = Machine::new();
    let mut options = machine.options();
    options.retention = Retention { traces_ns: Some(DAY_NS), ..Retention::default() };
    let open = machine.try_open(options.clone()).await.expect("opens");
    for signal in [Signal::Traces, Signal::Logs] {
        open.send(signal, &[1]).await.expect("acknowledged");
    }
    open.store.flush().await.expect("flushes");
    assert_eq!(open.store.retain().await.expect("runs"), 0);
    machine.clock.advance_ns(2 * DAY_NS);
    assert_eq!(open.store.retain().await.expect("runs"), 1);
    let view = open.store.view();
    assert_eq!((view.spans.segments.len(), view.logs.segments.len()), (0, 1));
    drop(view);
    open.crash().await;

    options.segments_bytes_max = Some(1);
    let open = machine.try_open(options).await.expect("opens");
    assert_eq!(open.store.view().logs.segments.len(), 1);
    assert_eq!(open.store.retain().await.expect("runs"), 1);
    assert_eq!(open.store.view().logs.segments.len(), 0);
}

/// A head whose rows lie in several windows becomes one segment each; nothing is lost at the edges.
#[tokio::test]
async fn a_head_is_split_into_windows() {
    let machine = Machine::new();
    let open = machine.open().await;
    // Two hours back to ahead of now: closed hours and open quarters.
    let all: Vec<u64> = (0..100_000).step_by(400).collect();
    for signal in Signal::ALL {
        open.send(signal, &all).await.expect("acknowledged");
    }
    open.store.flush().await.expect("flushes");
    let view = open.store.view();
    for segment in view.spans.segments.iter() {
        let meta = &segment.meta;
        assert!(meta.min_time_ns >= meta.window_start_ns, "{meta:?}");
        assert!(meta.min_time_ns < meta.window_end_ns, "{meta:?}");
    }
    assert!(view.spans.segments.len() > 2 && view.metrics.segments.len() > 1);
    assert_eq!(numbers(&view, Signal::Traces, &machine), all);
    assert_eq!(numbers(&view, Signal::Logs, &machine), all);
    assert_eq!(points(&view), all.len() as u64);
}

#[tokio::test]
async fn heads_are_sealed_by_age_size_and_idleness() {
    let machine = Machine::new();
    let open = machine.open().await;
    let core = &open.store.inner.core;
    let sealed = |signal: Signal| core.publisher.live(signal).sealed;
    for signal in Signal::ALL {
        open.send(signal, &[1]).await.expect("acknowledged");
    }
    core.seal_due();
    assert_eq!(Signal::ALL.map(sealed), [0, 0, 0]);
    machine.clock.advance_ns(10 * SECOND_NS);
    core.seal_due();
    assert_eq!(Signal::ALL.map(sealed), [1, 1, 0], "metrics wait longer");
    machine.clock.advance_ns(10 * SECOND_NS);
    core.seal_due();
    assert_eq!(Signal::ALL.map(sealed), [1, 1, 1], "but not when nothing comes");
    core.flush_sealed().await.expect("flushes");
    assert_eq!(Signal::ALL.map(sealed), [0, 0, 0]);
}

/// A request that trips the encoder is set aside with its body; the requests around it and the other
/// signals go on, and a replay that meets it opens.
#[tokio::test]
async fn a_request_that_cannot_be_written_is_set_aside() {
    for is_replayed in [false, true] {
        let machine = Machine::new();
        let mut open = machine.open().await;
        for signal in Signal::ALL {
            open.send(signal, &[1]).await.expect("acknowledged");
        }
        open.send(Signal::Traces, &[2, UNWRITABLE]).await.expect("acknowledged");
        for number in 3..9 {
            open.send(Signal::Traces, &[number]).await.expect("acknowledged");
        }
        assert_eq!(open.store.view().spans.heads.rows(), 9);
        if is_replayed {
            open.crash().await;
            let mut options = machine.options();
            options.head_bytes = 1; // every request is flushed on the way
            open = machine.try_open(options).await.expect("opens");
        }
        open.store.flush().await.expect("flushes what can be written");
        for _ in 0..2 {
            let view = open.store.view();
            assert_eq!(numbers(&view, Signal::Traces, &machine), [1, 3, 4, 5, 6, 7, 8]);
            assert_eq!(numbers(&view, Signal::Logs, &machine), [1]);
            assert_eq!(points(&view), 1);
            let status = open.store.status();
            assert_eq!(status.failed, None);
            let [one] = &status.quarantined[..] else { panic!("{:?}", status.quarantined) };
            assert!(one.name.starts_with("refused-traces-"), "{one:?}");
            assert!(one.why.contains("OtlpProtobuf"), "{one:?}");
            let body = std::fs::read(machine.folder.path().join("quarantine").join(&one.name));
            let expected = [2, UNWRITABLE].map(u64::to_le_bytes).concat();
            assert_eq!(body.expect("is kept"), expected);
            let listed = std::fs::read_dir(machine.folder.path().join("segments")).expect("lists");
            let levels = status.signals.iter().flat_map(|signal| &signal.levels);
            let segments = levels.map(|level| level.segments).sum::<u64>();
            assert_eq!(listed.count() as u64, 2 * segments, "no leftovers of failed attempts");
            open.crash().await;
            open = machine.open().await;
        }
    }
}

/// Many such requests in one head are no accident of theirs: nothing is set aside, nothing is lost.
#[tokio::test]
async fn a_head_of_requests_that_cannot_be_written_stays() {
    let machine = Machine::new();
    let open = machine.open().await;
    for number in 0..20 {
        open.send(Signal::Traces, &[number, UNWRITABLE]).await.expect("acknowledged");
    }
    open.send(Signal::Logs, &[1]).await.expect("acknowledged");
    for _ in 0..2 {
        open.store.flush().await.expect_err("spans cannot be written");
        let view = open.store.view();
        assert_eq!((view.spans.heads.rows(), view.spans.segments.len()), (40, 0));
        assert_eq!(view.logs.segments.len(), 1, "other signals go on");
        assert!(open.store.status().quarantined.is_empty());
        assert_eq!(open.store.status().failed, None);
    }
}
