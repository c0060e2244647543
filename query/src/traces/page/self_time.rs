//! The time of a span in which none of its children ran.

use super::skew::Times;
use super::tree::Tree;

/// Of each row: its duration without what its children, cut to it, cover together.
pub fn self_times(tree: &Tree, times: &Times) -> Vec<i64> {
    let mut inside = Vec::new();
    (0..tree.parent.len())
        .map(|row| {
            let (start, end) = (times.start[row], times.end[row]);
            inside.clear();
            inside.extend(tree.children(row).iter().map(|child| {
                let child = *child as usize;
                (times.start[child].max(start), times.end[child].min(end))
            }));
            inside.sort_unstable();
            let (mut left, mut covered_to) = (end.saturating_sub(start), start);
            for (from, to) in &inside {
                let from = (*from).max(covered_to);
                if from < *to {
                    left = left.saturating_sub(to.saturating_sub(from)).max(0);
                    covered_to = *to;
                }
            }
            left
        })
        .collect()
}
