//! Random conditions on labels find what a look at every label set finds, wherever the series lie.

use std::collections::BTreeSet;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use throughline_query::QueryContext;
use throughline_query::promql::discover::SeriesQuery;
use throughline_query::promql::labels::Labels;
use throughline_query::promql::matcher::{MatchOp, Matcher};

use super::load;
use super::script::{Kind, parse};
use crate::harness::Harness;

const NAMES: [&str; 4] = ["a", "b", "c", "instance"];
const QUESTIONS: usize = 300;
const MINUTE_MS: i64 = 60_000;

fn random_labels(random: &mut SmallRng) -> Labels {
    let metric = format!("m{}", random.random_range(0..4));
    let mut pairs = vec![("__name__".to_owned(), metric)];
    for name in NAMES {
        if random.random_bool(0.7) {
            pairs.push((name.to_owned(), format!("v{}", random.random_range(0..6))));
        }
    }
    Labels::of(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn random_matcher(random: &mut SmallRng) -> Matcher {
    let name = match random.random_range(0..6) {
        0 | 1 => "__name__",
        5 => "missing",
        i => NAMES[i - 2],
    };
    let prefix = if name == "__name__" { "m" } else { "v" };
    let (x, y) = (random.random_range(0..7), random.random_range(0..7));
    let (op, value) = match random.random_range(0..8) {
        0 | 1 => (MatchOp::Equal, format!("{prefix}{x}")),
        2 => (MatchOp::NotEqual, format!("{prefix}{x}")),
        3 => (MatchOp::Matches, format!("{prefix}{x}|{prefix}{y}")),
        4 => (MatchOp::NotMatches, format!("{prefix}[{}-{}]", x.min(y), x.max(y))),
        5 => (MatchOp::Matches, format!("({prefix}{x})?")),
        6 => (MatchOp::NotEqual, String::new()),
        _ => (MatchOp::Equal, String::new()),
    };
    Matcher::new(name, op, &value).expect("a matcher")
}

async fn check(harness: &Harness, all: &BTreeSet<Labels>, random: &mut SmallRng) {
    let mut found_any = 0;
    for _ in 0..QUESTIONS {
        let count = random.random_range(1..4);
        let matchers = (0..count).map(|_| random_matcher(random)).collect::<Vec<_>>();
        let is_met = |labels: &&Labels| {
            matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name)))
        };
        let expected = all.iter().filter(is_met).cloned().collect::<Vec<_>>();
        let selectors = vec![matchers.clone()];
        let query = SeriesQuery { selectors, start_ms: 0, end_ms: MINUTE_MS, limit: None };
        let found = harness.engine.promql_series(&query, &QueryContext::default()).await;
        assert_eq!(found.expect("finds").items, expected, "{matchers:?}");
        found_any += usize::from(!expected.is_empty());
    }
    assert!(found_any > QUESTIONS / 4, "{found_any} questions have an answer");
    let query = SeriesQuery { end_ms: MINUTE_MS, ..SeriesQuery::default() };
    let values = harness.engine.promql_label_values("a", &query, &QueryContext::default()).await;
    let expected = all.iter().map(|labels| labels.get("a")).filter(|value| !value.is_empty());
    let expected = expected.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    assert_eq!(values.expect("finds").items, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn random_conditions_find_what_meets_them() {
    let mut random = SmallRng::seed_from_u64(5);
    let harness = Harness::new().await;
    let mut all = BTreeSet::new();
    for round in 0..4 {
        let mut script = "load 30s\n".to_owned();
        let mut loaded = BTreeSet::new();
        for _ in 0..150 {
            loaded.insert(random_labels(&mut random));
        }
        for labels in &loaded {
            script.push_str(&format!("  {labels} {round} {round}\n"));
        }
        let Some(Kind::Load(load)) = parse(&script).expect("parses").pop().map(|c| c.kind) else {
            panic!("no load");
        };
        harness.append(load::batch(&load)).await;
        all.extend(loaded);
        check(&harness, &all, &mut random).await;
        if round == 1 {
            harness.store.flush().await.expect("flushed");
            check(&harness, &all, &mut random).await;
        }
    }
    harness.store.flush().await.expect("flushed");
    harness.store.compact().await.expect("compacted");
    check(&harness, &all, &mut random).await;
    let harness = harness.reopen().await;
    check(&harness, &all, &mut random).await;
}
