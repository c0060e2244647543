//! Windows out of cells against windows that are looked through one by one.

use proptest::prelude::*;

use super::language::{Answer, Entry, Grid, Labels, Limits, RangeEval, compile};

/// Time and value of each entry.
type Entries = Vec<(i64, i32)>;

fn naive(function: &str, window: &[(i64, f64)], range: f64) -> Option<f64> {
    let values: Vec<f64> = window.iter().map(|(_, value)| *value).collect();
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let mean = sum / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let rank = 0.3 * (count - 1.0);
    let (lower, upper) = (rank.floor() as usize, (rank.floor() as usize + 1).min(values.len() - 1));
    Some(match function {
        "count_over_time" => count,
        "rate" => count / range,
        "sum_over_time" => sum,
        "avg_over_time" => mean,
        "min_over_time" => sorted[0],
        "max_over_time" => sorted[values.len() - 1],
        "stdvar_over_time" => variance,
        "stddev_over_time" => variance.sqrt(),
        "quantile_over_time" => sorted[lower] * (1.0 - rank.fract()) + sorted[upper] * rank.fract(),
        "first_over_time" => {
            window.iter().min_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))?.1
        }
        _ => window.iter().max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))?.1,
    })
}

const FUNCTIONS: &[&str] = &[
    "count_over_time",
    "rate",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "stdvar_over_time",
    "stddev_over_time",
    "quantile_over_time",
    "first_over_time",
    "last_over_time",
];

fn query(function: &str, range: i64, offset: i64) -> String {
    let parameter = if function == "quantile_over_time" { "0.3, " } else { "" };
    let counts = matches!(function, "count_over_time" | "rate");
    let unwrap = if counts { "" } else { "| logfmt | unwrap v" };
    format!("{function}({parameter}{{}} {unwrap} [{range}s] offset {offset}s)")
}

fn engine(query: &str, entries: &Entries, grid: Grid) -> Vec<Option<f64>> {
    let expr = compile(query).expect("a query");
    let eval = RangeEval::new(&expr, grid, Limits::default(), 0).expect("an evaluation");
    let stream = Labels::new([("app", "x")]);
    let leaf = &eval.leaves()[0];
    let mut workers = vec![eval.worker(leaf), eval.worker(leaf)];
    for (nth, (at, value)) in entries.iter().enumerate() {
        let line = format!("v={value}");
        let entry =
            Entry { time_ns: at * SECOND_NS, line: &line, stream: &stream, structured: &[] };
        workers[nth % 2].add(&entry).expect("added");
    }
    let Answer::Matrix(series) = eval.finish(workers).expect("an answer") else {
        panic!("no matrix")
    };
    let points = series.iter().flat_map(|series| series.points.iter());
    let mut found = vec![None; grid.steps()];
    for (time_ns, value) in points {
        let step = found.len().min(((time_ns - grid.start_ns) / grid.step_ns) as usize);
        assert!(found[step].is_none(), "a step has two values");
        found[step] = Some(*value);
    }
    found
}

const SECOND_NS: i64 = 1_000_000_000;

fn is_close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * (1.0 + a.abs().max(b.abs())),
        (a, b) => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_hold_what_a_look_at_each_entry_finds(
        // For counts the labels are those of the stream; for the others the value is unwrapped.
        function in prop::sample::select(FUNCTIONS),
        entries in prop::collection::vec((-5i64..40, -20i32..20), 0..40),
        start in -5i64..20, len in 0i64..30, step in 1i64..8, range in 1i64..40, offset in -6i64..7,
    ) {
        let times = (start..=start + len).step_by(step as usize);
        let grid = Grid {
            start_ns: start * SECOND_NS,
            end_ns: (start + len) * SECOND_NS,
            step_ns: step * SECOND_NS,
        };
        let expected: Vec<_> = times
            .map(|at| {
                let end = at - offset;
                let inside = entries.iter().filter(|(time, _)| *time > end - range && *time <= end);
                let window: Vec<_> = inside.map(|(time, value)| (*time, f64::from(*value))).collect();
                naive(function, &window, range as f64)
            })
            .collect();
        let found = engine(&query(function, range, offset), &entries, grid);
        let is_same = found.len() == expected.len()
            && found.iter().zip(&expected).all(|(a, b)| is_close(*a, *b));
        prop_assert!(is_same, "{function}: expected {expected:?}\nfound {found:?}");
    }
}
