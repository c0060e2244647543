//! The part of a trace that is asked for: spans that match, with so many of their descendants and of
//! their ancestors.

use std::collections::{HashMap, HashSet};

use throughline_model::SpanId;
use throughline_model::span::Span;

/// How much of a trace is kept around spans that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    /// Generations of descendants; none for all.
    pub descendants: Option<usize>,
    /// Generations of ancestors; none for all.
    pub ancestors: Option<usize>,
}

/// Keeps the spans whose ids match and those around them, in their order.
pub fn keep(spans: Vec<Span>, matched: &HashSet<SpanId>, around: Around) -> Vec<Span> {
    let mut kept: HashSet<SpanId> = matched.clone();
    let ancestors = ancestors(&spans, matched, around.ancestors);
    kept.extend(descendants(&spans, matched, around.descendants));
    kept.extend(ancestors);
    spans.into_iter().filter(|span| kept.contains(&span.span_id)).collect()
}

// Generation by generation; a span that was seen is not walked from again, so that a circle ends.
fn ancestors(spans: &[Span], matched: &HashSet<SpanId>, depth: Option<usize>) -> HashSet<SpanId> {
    let parents: HashMap<SpanId, SpanId> =
        spans.iter().filter_map(|span| Some((span.span_id, span.parent_span_id?))).collect();
    walk(matched, depth, |id| parents.get(&id).copied().into_iter().collect())
}

fn descendants(spans: &[Span], matched: &HashSet<SpanId>, depth: Option<usize>) -> HashSet<SpanId> {
    let mut children: HashMap<SpanId, Vec<SpanId>> = HashMap::new();
    for span in spans {
        if let Some(parent) = span.parent_span_id {
            children.entry(parent).or_default().push(span.span_id);
        }
    }
    walk(matched, depth, |id| children.get(&id).cloned().unwrap_or_default())
}

fn walk(
    from: &HashSet<SpanId>,
    depth: Option<usize>,
    next: impl Fn(SpanId) -> Vec<SpanId>,
) -> HashSet<SpanId> {
    let mut seen = from.clone();
    let mut generation: Vec<SpanId> = from.iter().copied().collect();
    let mut left = depth.unwrap_or(usize::MAX);
    while left > 0 && !generation.is_empty() {
        generation = generation.into_iter().flat_map(&next).filter(|id| seen.insert(*id)).collect();
        left -= 1;
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    // 1 → 2 → 3 → 4 → 5, and 2 → 6; 7 and 8 are each other's parents.
    fn trace() -> Vec<Span> {
        let parents = [0, 1, 2, 3, 4, 2, 8, 7];
        let span = |(i, parent): (usize, &u8)| Span {
            span_id: SpanId([i as u8 + 1; 8]),
            parent_span_id: (*parent > 0).then_some(SpanId([*parent; 8])),
            ..Span::default()
        };
        parents.iter().enumerate().map(span).collect()
    }

    #[test]
    fn the_part_around_a_match_is_kept() {
        let (all, none, one) = (None, Some(0), Some(1));
        for (matched, descendants, ancestors, expected) in [
            (3, none, none, vec![3]),
            (3, one, none, vec![3, 4]),
            (3, all, none, vec![3, 4, 5]),
            (3, none, one, vec![2, 3]),
            (3, none, all, vec![1, 2, 3]),
            (2, all, all, vec![1, 2, 3, 4, 5, 6]),
            (7, all, all, vec![7, 8]),
        ] {
            let around = Around { descendants, ancestors };
            let kept = keep(trace(), &HashSet::from([SpanId([matched; 8])]), around);
            let ids: Vec<u8> = kept.iter().map(|span| span.span_id.0[0]).collect();
            assert_eq!(ids, expected, "{matched} {around:?}");
        }
    }
}
