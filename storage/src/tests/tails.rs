//! Log records as they are published: order, gaps, and the hand-over from view to subscription.

use throughline_model::Signal;

use super::*;
use crate::{ErrorKind, LogSubscription, TAIL_BATCHES_MAX, TAILS_MAX, Tailed};

/// Everything that waits, numbers and counts of rows dropped.
async fn waiting(subscription: &mut LogSubscription, rows: u64) -> (Vec<u64>, Vec<u64>) {
    let (mut got, mut dropped) = (Vec::new(), Vec::new());
    while got.len() as u64 + dropped.iter().sum::<u64>() < rows {
        match subscription.next().await.expect("the store is open") {
            Tailed::Batch(batch) => got.extend(span_ids(&batch)),
            Tailed::Dropped(rows) => dropped.push(rows),
        }
    }
    (got, dropped)
}

#[tokio::test]
async fn batches_come_in_order_to_everyone() {
    let machine = Machine::new();
    let open = machine.open().await;
    open.send(Signal::Logs, &[0]).await.expect("acknowledged");
    let (view, mut first) = open.store.tail_logs().expect("listens");
    assert_eq!(numbers(&view, Signal::Logs, &machine), [0]);
    let mut second = open.store.tail_logs().expect("listens").1;
    for numbers in [&[1, 2][..], &[3], &[4, 5, 6]] {
        open.send(Signal::Logs, numbers).await.expect("acknowledged");
        // Other signals, flushes and a repeated body are nothing to a subscriber.
        open.send(Signal::Traces, numbers).await.expect("acknowledged");
        open.send(Signal::Logs, numbers).await.expect("known");
        open.store.flush().await.expect("flushes");
    }
    for subscription in [&mut first, &mut second] {
        assert_eq!(waiting(subscription, 6).await, (vec![1, 2, 3, 4, 5, 6], vec![]));
    }
    open.crash().await;
}

#[tokio::test]
async fn what_does_not_fit_is_counted_where_it_is_missing() {
    let machine = Machine::new();
    let open = machine.open().await;
    let (_, mut slow) = open.store.tail_logs().expect("listens");
    let (_, mut quick) = open.store.tail_logs().expect("listens");
    let fits = TAIL_BATCHES_MAX as u64;
    for number in 0..fits + 3 {
        open.send(Signal::Logs, &[2 * number, 2 * number + 1]).await.expect("never waits");
        assert_eq!(waiting(&mut quick, 2).await.0, [2 * number, 2 * number + 1]);
    }
    assert_eq!(waiting(&mut slow, 2).await.0, [0, 1]);
    let last = 2 * (fits + 3);
    open.send(Signal::Logs, &[last]).await.expect("acknowledged");
    open.send(Signal::Logs, &[last + 1]).await.expect("acknowledged, and too much again");
    let (got, dropped) = waiting(&mut slow, 2 * (fits - 1) + 6 + 2).await;
    let expected: Vec<u64> = (2..2 * fits).chain([last]).collect();
    assert_eq!((got, dropped), (expected, vec![6, 1]));
    open.crash().await;
}

#[tokio::test]
async fn subscribers_are_counted_and_forgotten() {
    let machine = Machine::new();
    let open = machine.open().await;
    let mut all: Vec<_> = (0..TAILS_MAX).map(|_| open.store.tail_logs().expect("fits")).collect();
    let refused = open.store.tail_logs().expect_err("one too many");
    assert_eq!(refused.kind(), ErrorKind::Overloaded);
    assert!(refused.to_string().contains(&TAILS_MAX.to_string()), "{refused}");
    all.pop();
    let (_, mut last) = open.store.tail_logs().expect("there is room again");
    drop(all);
    open.send(Signal::Logs, &[7]).await.expect("acknowledged");
    assert_eq!(waiting(&mut last, 1).await.0, [7]);
    open.store.shutdown().await.expect("shuts down");
    assert!(last.next().await.is_none());
    assert!(open.store.tail_logs().is_err());
    open.crash().await;
}

/// Subscriptions begin while requests and flushes run: view and batches together hold each row once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_over_misses_and_doubles_nothing() {
    const REQUESTS: u64 = 150;
    let machine = Machine::new();
    let open = machine.open().await;
    let sending = {
        let store = open.store.clone();
        tokio::spawn(async move {
            for number in 0..REQUESTS {
                send(&store, Signal::Logs, &[number]).await.expect("acknowledged");
                if number % 20 == 19 {
                    store.flush().await.expect("flushes");
                }
            }
        })
    };
    let mut handed_over = 0;
    loop {
        let is_last = sending.is_finished();
        let (view, mut subscription) = open.store.tail_logs().expect("listens");
        let mut seen = numbers(&view, Signal::Logs, &machine);
        let before = seen.len() as u64;
        assert_eq!(seen, (0..before).collect::<Vec<_>>());
        let (rest, dropped) = waiting(&mut subscription, (REQUESTS - before).min(30)).await;
        assert!(dropped.is_empty());
        seen.extend(rest);
        assert_eq!(seen, (0..seen.len() as u64).collect::<Vec<_>>());
        handed_over += 1;
        if is_last {
            break;
        }
    }
    sending.await.expect("no panic");
    assert!(handed_over > 1);
    open.crash().await;
}
