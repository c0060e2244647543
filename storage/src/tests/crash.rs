//! Random lives of a store: requests, repeats, flushes, compactions, crashes and power cuts in any
//! order. After each restart, every acknowledged row is there once.

use proptest::prelude::*;
use throughline_model::Signal;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Send(u8),
    Repeat(u8),
    Flush,
    Compact,
    Crash,
    /// The newest writes that were not synced are lost too.
    PowerCut(u8),
    /// The next requests meet a disk with so much room, then it has room again.
    FullDisk(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => any::<u8>().prop_map(|rows| Step::Send(rows % 40 + 1)),
        3 => any::<u8>().prop_map(Step::Repeat),
        2 => Just(Step::Flush),
        1 => Just(Step::Compact),
        1 => Just(Step::Crash),
        1 => any::<u8>().prop_map(|lost| Step::PowerCut(lost % 8)),
        1 => any::<u16>().prop_map(|room| Step::FullDisk(room % 3000)),
    ];
    prop::collection::vec(step, 1..30)
}

async fn live(steps: Vec<Step>) {
    let machine = Machine::new();
    let mut open = machine.open().await;
    let mut next = 0;
    let mut requests: Vec<Vec<u64>> = Vec::new();
    let mut acknowledged: Vec<u64> = Vec::new();
    let mut is_acknowledged: Vec<bool> = Vec::new();
    for step in steps {
        match &step {
            Step::Send(rows) => {
                requests.push((next..next + u64::from(*rows)).collect());
                is_acknowledged.push(false);
                next += u64::from(*rows);
            }
            Step::Flush => {
                let _ = open.store.flush().await;
            }
            Step::Compact => {
                machine.clock.advance_ns(10 * SECOND_NS);
                open.store.compact().await.expect("compacts");
            }
            Step::Crash | Step::PowerCut(_) => {
                open.crash().await;
                if let Step::PowerCut(lost) = step {
                    machine.disk.lose_unsynced(usize::from(lost)).expect("loses");
                }
                machine.disk.limit_room(None);
                open = machine.open().await;
            }
            Step::FullDisk(room) => machine.disk.limit_room(Some(u64::from(*room))),
            Step::Repeat(_) => {}
        }
        let sent = match step {
            Step::Send(_) => Some(requests.len() - 1),
            Step::Repeat(which) if !requests.is_empty() => {
                Some(usize::from(which) % requests.len())
            }
            _ => None,
        };
        if let Some(sent) = sent {
            // Clients retry until they are told; a request is known by its body.
            if open.send(Signal::Traces, &requests[sent]).await.is_ok() && !is_acknowledged[sent] {
                is_acknowledged[sent] = true;
                acknowledged.extend(&requests[sent]);
            }
        }
        if matches!(step, Step::FullDisk(_)) {
            let _ = open.send(Signal::Traces, &[u64::MAX]).await;
            machine.disk.limit_room(None);
        }
        let mut stored = numbers(&open.store.view(), Signal::Traces, &machine);
        let doubled = stored.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(doubled, None, "after {step:?}");
        stored.retain(|number| acknowledged.contains(number));
        acknowledged.sort_unstable();
        assert_eq!(stored, acknowledged, "after {step:?}");
    }
    let quarantined = open.store.status().quarantined;
    assert_eq!(quarantined, [], "nothing was damaged");
    open.crash().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost_or_doubled(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("runtime");
        runtime.block_on(live(steps));
    }
}
