//! One suite for every catalog.

use std::sync::Arc;

use throughline_model::Signal;
use throughline_model::exception::Fingerprint;
use throughline_model::time::TimeRange;
use ulid::Ulid;

use super::notes::{ChangesAsked, Decision, ExceptionState, PostedChange, PostedKind};
use super::{Catalog, Change, Flushed, SqliteCatalog};
use crate::ErrorKind;
use crate::head::Receipt;
use crate::segment::SegmentMeta;
use crate::status::Quarantined;
use crate::wal::Reply;

/// Opens a catalog in a folder, again and again the same one.
type Open = fn(&std::path::Path) -> futures::future::BoxFuture<'_, Arc<dyn Catalog>>;

const CATALOGS: [(&str, Open); 1] = [("sqlite", |folder| {
    Box::pin(async move {
        let catalog = SqliteCatalog::open(&folder.join("catalog.db"), b"the key").await;
        Arc::new(catalog.expect("opens")) as Arc<dyn Catalog>
    })
})];

fn meta(number: u64) -> SegmentMeta {
    SegmentMeta {
        id: Ulid::from_parts(number, 7),
        signal: Signal::Logs,
        tenant: "default".into(),
        level: 1,
        window_start_ns: i64::MIN,
        window_end_ns: i64::MAX,
        min_time_ns: -5,
        max_time_ns: 5,
        rows: u64::MAX,
        data_bytes: 1 << 40,
        index_bytes: 3,
        data_crc32c: u32::MAX,
        index_crc32c: 1,
        format_version: u16::MAX,
        created_at_ns: 9,
    }
}

fn receipt(hash: u128, at_ns: i64) -> Receipt {
    let reply = Reply { rejected: 3, message: "three were refused".into() };
    Receipt { body_hash: hash, received_at_ns: at_ns, reply }
}

fn flush(from_seq: u64, to_seq: u64, number: u64) -> Change {
    let receipts = vec![receipt(u128::MAX, to_seq as i64), receipt(2, 1)];
    Change {
        add: vec![meta(number)],
        flushed: Some(Flushed {
            signal: Signal::Logs,
            from_seq,
            to_seq,
            receipts,
            forget_before_ns: 11,
        }),
        ..Change::default()
    }
}

#[tokio::test]
async fn what_was_committed_is_loaded_again() {
    for (name, open) in CATALOGS {
        let folder = tempfile::tempdir().expect("folder");
        let catalog = open(folder.path()).await;
        let fresh = catalog.load().await.expect("loads");
        assert_eq!((fresh.key.as_slice(), fresh.segments.len()), (&b"the key"[..], 0), "{name}");
        let quarantined = Quarantined { name: "x".into(), why: "bits".into(), at_ns: 4 };
        for change in [
            flush(0, 10, 1),
            flush(10, 20, 2),
            Change {
                remove: vec![meta(1).id],
                add: vec![meta(3)],
                quarantine: Some(quarantined.clone()),
                ..Change::default()
            },
        ] {
            catalog.commit(&change).await.expect("commits");
        }
        catalog.close().await;

        let state = open(folder.path()).await.load().await.expect("loads");
        assert_eq!(state.segments, [meta(2), meta(3)], "{name}");
        assert_eq!(state.checkpoints.get(Signal::Logs), 20);
        assert_eq!(state.checkpoints.get(Signal::Traces), 0);
        // Those of the first flush are older than what the second asked to be kept.
        assert_eq!(state.receipts, [vec![receipt(u128::MAX, 20), receipt(2, 1)]]);
        assert_eq!(state.quarantined, [quarantined]);
        assert_eq!(state.key, b"the key");
    }
}

#[tokio::test]
async fn a_repeated_flush_is_harmless() {
    for (name, open) in CATALOGS {
        let folder = tempfile::tempdir().expect("folder");
        let catalog = open(folder.path()).await;
        for _ in 0..2 {
            catalog.commit(&flush(0, 10, 1)).await.expect("commits");
        }
        assert_eq!(catalog.load().await.expect("loads").segments, [meta(1)], "{name}");
    }
}

#[tokio::test]
async fn a_change_that_does_not_fit_changes_nothing() {
    for (name, open) in CATALOGS {
        let folder = tempfile::tempdir().expect("folder");
        let catalog = open(folder.path()).await;
        catalog.commit(&flush(0, 10, 1)).await.expect("commits");
        let before = catalog.load().await.expect("loads");
        let gone = vec![meta(1).id, meta(8).id];
        for change in
            [flush(5, 20, 2), Change { add: vec![meta(4)], remove: gone, ..Change::default() }]
        {
            let error = catalog.commit(&change).await.expect_err("does not fit");
            assert_eq!(error.kind(), ErrorKind::Invalid, "{name}: {error}");
            assert_eq!(catalog.load().await.expect("loads"), before);
        }
    }
}

fn state(hash: u64, decision: Decision) -> ExceptionState {
    let is_resolved = decision == Decision::Resolved;
    ExceptionState {
        fingerprint: Fingerprint { algorithm: 1, hash },
        decision,
        changed_at_ns: -4,
        changed_by: "ann".into(),
        resolved_in_version: is_resolved.then(|| "1.2".to_owned()),
        ignored_until_ns: (!is_resolved).then_some(i64::MAX),
        note: "it's fine; --".into(),
    }
}

#[tokio::test]
async fn states_of_exceptions_are_kept() {
    for (name, open) in CATALOGS {
        let folder = tempfile::tempdir().expect("folder");
        let catalog = open(folder.path()).await;
        assert_eq!(catalog.exception_states().await.expect("none"), [], "{name}");
        let (first, second) = (state(1, Decision::Ignored), state(u64::MAX, Decision::Resolved));
        for put in [&second, &state(1, Decision::Resolved), &first, &state(7, Decision::Ignored)] {
            catalog.put_exception_state(put).await.expect("is kept");
        }
        for _ in 0..2 {
            let gone = state(7, Decision::Ignored).fingerprint;
            catalog.remove_exception_state(gone).await.expect("is forgotten");
        }
        catalog.close().await;
        let states = open(folder.path()).await.exception_states().await.expect("loads");
        assert_eq!(states, [first, second]);
    }
}

#[tokio::test]
async fn posted_changes_are_kept() {
    for (name, open) in CATALOGS {
        let folder = tempfile::tempdir().expect("folder");
        let catalog = open(folder.path()).await;
        let mut changes =
            [(5, "shop"), (9, ""), (7, "cart"), (i64::MAX, "shop")].map(|(t, service)| {
                PostedChange {
                    id: 0,
                    kind: PostedKind::FeatureFlag,
                    time_ns: t,
                    service: service.into(),
                    version: "2".into(),
                    title: "on".into(),
                    link: "https://example.com".into(),
                    attributes: r#"{"a":1}"#.into(),
                }
            });
        for change in &mut changes {
            change.id = catalog.add_change(change).await.expect("is kept");
        }
        catalog.close().await;
        let catalog = open(folder.path()).await;
        let range = |start_ns, end_ns| TimeRange { start_ns, end_ns };
        for (time, service, limit, expected) in [
            (TimeRange::ALL, None, 9, vec![3, 1, 2, 0]),
            (TimeRange::ALL, None, 2, vec![3, 1]),
            (range(5, 9), None, 9, vec![2, 0]),
            (range(0, 100), Some("shop"), 9, vec![1, 0]),
            (TimeRange::ALL, Some("nobody"), 9, vec![1]),
        ] {
            let asked = ChangesAsked { time, service: service.map(str::to_owned), limit };
            let found = catalog.changes(&asked).await.expect("reads");
            let expected = expected.into_iter().map(|i: usize| changes[i].clone());
            assert_eq!(found, expected.collect::<Vec<_>>(), "{name}: {asked:?}");
        }
    }
}
