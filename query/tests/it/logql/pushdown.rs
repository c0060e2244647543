//! What a scan may leave out, what an index may answer, and where queries end.

use super::language::{
    Answer, Entry, ErrorKind, Expr, Grid, Labels, Limits, Pushdown, RangeEval, compile,
};

const SECOND_NS: i64 = 1_000_000_000;

fn pushed(query: &str) -> String {
    let Ok(Expr::Log(log)) = compile(query) else { panic!("{query}") };
    let pushdown = Pushdown::new(&log);
    let show = |all: Vec<String>| all.join(" ; ");
    format!(
        "{} / {} / {}",
        show(pushdown.matchers.iter().map(ToString::to_string).collect()),
        show(pushdown.line_filters.iter().map(ToString::to_string).collect()),
        show(pushdown.label_filters.iter().map(ToString::to_string).collect()),
    )
}

#[test]
fn conditions_are_pushed_down_until_a_stage_changes_what_they_look_at() {
    let cases = [
        (r#"{a="b", c!="d"} |= "x" !~ "y""#, r#"a="b" ; c!="d" / |= "x" ; !~ "y" / "#),
        (r#"{} | a="b" | c>5 |= "x""#, r#" / |= "x" / a="b" ; c>5"#),
        (r#"{} | json | a="b" |= "x""#, r#" / |= "x" / "#),
        (r#"{} | json a="x" | b="c" | a="d""#, r#" /  / b="c""#),
        // A line that is no json passes conditions on numbers.
        (r#"{} | json a="x" | b=5 and c="d""#, r#" /  / c="d""#),
        (r#"{} | line_format "x" |= "y" | a="b""#, r#" /  / a="b""#),
        (r#"{} | decolorize |= "y""#, " /  / "),
        (r#"{} | label_format a=b | a="1" or c="2" | b="3" | c="4""#, r#" /  / c="4""#),
        (r#"{} | drop a | a="1" | b="2""#, r#" /  / b="2""#),
        (r#"{} | keep a | a="1""#, " /  / "),
        (r#"{} | regexp "(?P<a>.)" | pattern "<b>x" | a="1" | b="2" | c="3""#, r#" /  / c="3""#),
        (r#"{} | __error__="" | a_extracted="x" | a="b" or c="d""#, r#" /  / a="b" or c="d""#),
    ];
    for (query, expected) in cases {
        assert_eq!(pushed(query), expected, "{query}");
    }
}

fn shape(query: &str) -> Option<String> {
    let expr = compile(query).expect("a query");
    let eval = RangeEval::new(&expr, Grid::instant(0), Limits::default(), 0).expect("a plan");
    let shape = eval.leaves()[0].count_shape(|label| label == "app")?;
    Some(format!("{:?} {} {}", shape.by, shape.line_filters.len(), shape.of_bytes))
}

#[test]
fn counts_of_streams_are_recognised() {
    let cases = [
        (r#"sum by (app) (rate({a="b"} |= "x" [1m]))"#, Some(r#"["app"] 1 false"#)),
        ("sum(count_over_time({} [1m])) > 5", Some("[] 0 false")),
        ("absent_over_time({} [1m])", Some("[] 0 false")),
        ("sum by (level) (rate({} [1m]))", None),
        ("count_over_time({} [1m])", None),
        ("avg by (app) (rate({} [1m]))", None),
        ("sum(rate({} | json [1m]))", None),
        ("sum(bytes_over_time({} [1m]))", Some("[] 0 true")),
        ("sum by (app) (bytes_rate({} [1m]))", Some(r#"["app"] 0 true"#)),
        ("sum(bytes_over_time({} | json [1m]))", None),
        ("sum without (app) (rate({} [1m]))", None),
    ];
    for (query, expected) in cases {
        assert_eq!(shape(query).as_deref(), expected, "{query}");
    }
}

#[test]
fn counts_from_an_index_are_those_of_the_lines() {
    counted("sum by (app) (count_over_time({} [30s] offset 5s))", 30.0);
    counted("sum by (app) (rate({} [30s] offset 5s))", 1.0);
    counted("sum by (app) (bytes_over_time({} [30s] offset 5s))", 120.0);
    counted("sum by (app) (bytes_rate({} [30s] offset 5s))", 4.0);
}

fn counted(query: &str, value: f64) {
    let expr = compile(query).expect("a query");
    let grid = Grid { start_ns: 0, end_ns: 60 * SECOND_NS, step_ns: 20 * SECOND_NS };
    let eval = RangeEval::new(&expr, grid, Limits::default(), 0).expect("a plan");
    let leaf = &eval.leaves()[0];
    assert_eq!(leaf.range_ns(), (-35 * SECOND_NS, 55 * SECOND_NS));
    let stream = Labels::new([("app", "x"), ("pod", "y")]);
    let (mut lines, mut counts) = (eval.worker(leaf), eval.worker(leaf));
    let mut times: Vec<i64> = (-40..70).map(|second| second * SECOND_NS).collect();
    times.reverse();
    for time_ns in &times {
        let entry = Entry { time_ns: *time_ns, line: "line", stream: &stream, structured: &[] };
        lines.add(&entry).expect("added");
    }
    for cell in leaf.cuts().windows(2) {
        let entries = times.iter().filter(|at| **at > cell[0] && **at <= cell[1]).count();
        let entries = entries as u64;
        counts.add_count(&stream, cell[1], entries, 4 * entries).expect("added");
    }
    let answer = eval.finish(vec![lines]).expect("an answer");
    assert_eq!(eval.finish(vec![counts]).expect("an answer"), answer);
    let Answer::Matrix(series) = answer else { panic!("no matrix") };
    assert_eq!(series[0].points.iter().map(|(_, v)| *v).collect::<Vec<_>>(), [value; 4]);
}

fn limited(query: &str, limits: Limits) -> Result<Answer, (ErrorKind, String)> {
    let expr = compile(query).expect("a query");
    let grid = Grid { start_ns: 0, end_ns: 100 * SECOND_NS, step_ns: SECOND_NS };
    let kind = |err: super::language::Error| (err.kind(), err.to_string());
    let eval = RangeEval::new(&expr, grid, limits, 0).map_err(kind)?;
    let mut worker = eval.worker(&eval.leaves()[0]);
    for nth in 0..100 {
        let stream = Labels::new([("pod", nth.to_string())]);
        let entry =
            Entry { time_ns: nth * SECOND_NS, line: "v=1", stream: &stream, structured: &[] };
        worker.add(&entry).map_err(kind)?;
    }
    eval.finish(vec![worker]).map_err(kind)
}

#[test]
fn limits_end_a_query() {
    let usual = Limits::default();
    let cases = [
        ("rate({} [5s])", Limits { series_max: 99, ..usual }, "more than 99 series"),
        ("rate({} [5s])", Limits { steps_max: 100, ..usual }, "101 steps"),
        ("rate({} [5s])", Limits { points_max: 10_000, ..usual }, "more than 10000 points"),
        ("rate({} [5s])", Limits { cells_max: 1000, ..usual }, "more than 1000 cells"),
        (
            "quantile_over_time(0.5, {} | logfmt | unwrap v [5s])",
            Limits { samples_max: 99, ..usual },
            "more than 99 values",
        ),
    ];
    for (query, limits, message) in cases {
        let (kind, found) = limited(query, limits).expect_err("a limit");
        assert!(kind == ErrorKind::Limit && found.contains(message), "{query}: {found}");
        assert!(limited(query, usual).is_ok(), "{query}");
    }
    assert!(limited("sum(rate({} [5s]))", Limits { series_max: 1, ..usual }).is_ok());
}
