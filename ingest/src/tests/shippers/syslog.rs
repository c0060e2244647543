//! Messages gathered into batches: through the log, under pressure, and at the end.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use throughline_model::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use crate::syslog::batch::{Gatherer, Inlet, Kind, SyslogStats, queue};
use crate::syslog::framing::Frame;
use crate::syslog::tcp;
use crate::tests::fixture::{Fixture, limits};
use crate::{ErrorKind, IngestLimits};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Path {
    fixture: Fixture,
    stats: Arc<SyslogStats>,
    close: CancellationToken,
}

async fn path(limits: IngestLimits) -> (Path, Inlet, Gatherer) {
    let fixture = Fixture::with(limits).await;
    let (stats, close) = (Arc::<SyslogStats>::default(), CancellationToken::new());
    let (inlet, gatherer) =
        queue(fixture.ingester.clone(), stats.clone(), close.clone(), Kind::SYSLOG);
    (Path { fixture, stats, close }, inlet, gatherer)
}

fn frame(text: &str) -> Frame {
    Frame::of(text.as_bytes(), usize::MAX)
}

#[tokio::test]
async fn equal_messages_are_all_stored() {
    let (path, inlet, gatherer) = path(limits()).await;
    let gathering = tokio::spawn(gatherer.run());
    for _ in 0..2100 {
        assert!(inlet.put(PEER, frame("<13>the same")).await);
    }
    drop(inlet);
    gathering.await.expect("no panic");
    assert_eq!(path.fixture.rows(Signal::Logs), 2100);
    assert_eq!(path.stats.stored.load(Ordering::Relaxed), 2100);
}

#[tokio::test]
async fn what_was_gathered_is_stored_at_shutdown() {
    let (path, inlet, gatherer) = path(limits()).await;
    path.fixture.ingester.set_serving(false).await;
    assert!(inlet.put(PEER, frame("<13>last")).await);
    drop(inlet);
    gatherer.run().await;
    assert_eq!(path.fixture.rows(Signal::Logs), 1);
}

#[tokio::test]
async fn refused_batches_wait_until_the_end_and_datagrams_are_dropped() {
    let limits = IngestLimits { tenant_bytes_per_second: 1, tenant_burst_bytes: 1, ..limits() };
    let (path, inlet, gatherer) = path(limits).await;
    let gathering = tokio::spawn(gatherer.run());
    // The first batch overdraws the tenant's share.
    assert!(inlet.put(PEER, frame("<13>first")).await);
    while path.stats.stored.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let large = "x".repeat(60_000);
    for _ in 0..1000 {
        inlet.put_or_drop(PEER, frame(&large));
    }
    let dropped = path.stats.dropped.load(Ordering::Relaxed);
    assert!((800..1000).contains(&dropped), "{dropped} dropped, the queue holds 8 MiB");
    // A stream waits instead.
    let (mut client, server) = tokio::io::duplex(1 << 10);
    let stop = CancellationToken::new();
    let serving = tokio::spawn(tcp::serve(server, PEER, inlet.clone(), stop.clone()));
    let sent = tokio::time::timeout(std::time::Duration::from_millis(50), async {
        for _ in 0..10 {
            client.write_all(large.as_bytes()).await.expect("open");
            client.write_all(b"\n").await.expect("open");
        }
    });
    assert!(sent.await.is_err(), "the sender is held up");
    let refused = path.fixture.ingester.stats().snapshot()[1].refused.clone();
    assert!(refused.iter().any(|(kind, count)| *kind == ErrorKind::Quota && *count > 0));
    stop.cancel();
    path.close.cancel();
    drop((inlet, client));
    serving.await.expect("no panic");
    gathering.await.expect("no panic");
    assert_eq!(path.stats.stored.load(Ordering::Relaxed), 1);
}
