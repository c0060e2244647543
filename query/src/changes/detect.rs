//! Changes of version out of when each was seen.
//!
//! Runs are gone through by their start. The version of the last change is the one that was brought
//! out; another one that begins is a change if it was never seen, or was gone for a while: replicas that
//! still run the old version during a rollout are neither.
//!
//! ```text
//! 1.0  ████████████                    ███████
//! 1.1          ▲███████████████████████████
//!          deployment              ▲ rollback
//! ```

use std::collections::HashMap;

use throughline_model::time::MINUTE_NS;
use throughline_storage::segment::Run;

use super::{Change, ChangeKind};

/// A version that is seen again after this time was gone.
pub const RETURN_GAP_NS: i64 = 10 * MINUTE_NS;

/// The changes of a service, oldest first.
pub(super) fn changes(service: &str, mut runs: Vec<(&str, Run)>) -> Vec<Change> {
    runs.sort_by_key(|(version, run)| (run.first_ns, *version));
    let mut changes = Vec::new();
    let mut current: Option<&str> = None;
    let mut seen: HashMap<&str, i64> = HashMap::new();
    for (version, run) in runs {
        let last_ns = seen.get(version).copied();
        let is_gone = |last_ns: i64| run.first_ns.saturating_sub(last_ns) >= RETURN_GAP_NS;
        let kind = match (current, last_ns) {
            (None, _) => None,
            (Some(current), _) if current == version => None,
            (Some(_), None) => Some(ChangeKind::Deployment),
            (Some(_), Some(last_ns)) => is_gone(last_ns).then_some(ChangeKind::Rollback),
        };
        if let (Some(kind), Some(previous)) = (kind, current) {
            changes.push(change(service, kind, run.first_ns, version, previous));
        }
        if kind.is_some() || current.is_none() {
            current = Some(version);
        }
        seen.insert(version, last_ns.map_or(run.last_ns, |last_ns| last_ns.max(run.last_ns)));
    }
    changes
}

fn change(service: &str, kind: ChangeKind, time_ns: i64, version: &str, previous: &str) -> Change {
    let verb = if kind == ChangeKind::Rollback { "back to" } else { "now" };
    Change {
        id: None,
        kind,
        time_ns,
        service: service.to_owned(),
        version: version.to_owned(),
        previous_version: previous.to_owned(),
        title: format!("{service} is {verb} version {version}, after {previous}"),
        link: String::new(),
        attributes: "{}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Runs as (version, first minute, last minute); changes as (kind, minute, version, previous).
    fn check(runs: &[(&str, i64, i64)], expected: &[(ChangeKind, i64, &str, &str)]) {
        let run = |first: i64, last: i64| Run {
            first_ns: first * MINUTE_NS,
            last_ns: last * MINUTE_NS,
            count: 1,
        };
        let mut runs =
            runs.iter().map(|(v, first, last)| (*v, run(*first, *last))).collect::<Vec<_>>();
        for _ in 0..2 {
            let found = changes("shop", runs.clone());
            let found = found.iter().map(|c| {
                (c.kind, c.time_ns / MINUTE_NS, c.version.as_str(), c.previous_version.as_str())
            });
            assert_eq!(found.collect::<Vec<_>>(), expected, "{runs:?}");
            runs.reverse();
        }
    }

    #[test]
    fn deployments_and_rollbacks() {
        use ChangeKind::{Deployment, Rollback};
        check(&[], &[]);
        check(&[("1", 0, 100)], &[]);
        check(&[("1", 0, 20), ("2", 15, 60)], &[(Deployment, 15, "2", "1")]);
        // A quiet service comes back as it was.
        check(&[("1", 0, 1), ("1", 500, 501)], &[]);
        // Old replicas go on for a while, with pauses.
        check(&[("1", 0, 20), ("2", 15, 60), ("1", 22, 24)], &[(Deployment, 15, "2", "1")]);
        check(
            &[("1", 0, 20), ("2", 15, 60), ("1", 58, 90)],
            &[(Deployment, 15, "2", "1"), (Rollback, 58, "1", "2")],
        );
        check(
            &[("1", 0, 20), ("2", 21, 40), ("3", 41, 60), ("2", 61, 70)],
            &[(Deployment, 21, "2", "1"), (Deployment, 41, "3", "2"), (Rollback, 61, "2", "3")],
        );
        // A canary that is seen now and then beside the version that most replicas run.
        check(&[("1", 0, 200), ("2", 20, 21), ("2", 80, 81)], &[(Deployment, 20, "2", "1")]);
    }
}
