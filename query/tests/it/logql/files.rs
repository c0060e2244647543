//! Text files that say what LogQL answers: `tests/data/logql/*.test`.
//!
//! ```text
//! # A comment.
//! load
//!   {STREAM="LABELS"}
//!     TIME [[METADATA=VALUE, …]] LINE
//! eval log QUERY
//!   LINE => {STREAM}{STRUCTURED}{PARSED}
//! eval instant TIME QUERY
//!   {LABELS} VALUE
//! eval range START END STEP QUERY
//!   {LABELS} VALUE VALUE _ …
//! eval_fail QUERY
//!   OFFSET: a part of the message
//! eval_fail instant TIME QUERY
//!   -: a part of the message
//! ```
//! `load` forgets what was loaded before. Times are durations since the epoch; metadata is optional;
//! in lines `\e` is the escape character, `\n` a line's end and `\t` a tab. Lines are answered in the
//! order of the file; behind `=>` stand either the labels of the three origins or, with one pair of
//! braces, only the parsed ones; without `=>` only the lines are compared. `_` is a step without a
//! value; a number alone is a scalar. Entries are dealt out to three workers, newest first.
//!
//! With `LOGQL_SHOW=1` the answers are printed.

use super::language::{
    Answer, Entry, Expr, Grid, Labels, Limits, Origin, Pipeline, RangeEval, Row, TextTest, compile,
};

const NOW_NS: i64 = 1_700_000_000_000_000_000;

/// An entry of a file.
struct Loaded {
    time_ns: i64,
    line: String,
    stream: Labels,
    structured: Vec<(String, String)>,
}

enum Ask {
    Log,
    Grid(Grid),
    Compile,
}

struct Eval {
    place: String,
    ask: Ask,
    query: String,
    fails: bool,
    expected: Vec<String>,
}

fn time(text: &str) -> i64 {
    let (number, factor) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e6),
        None => match text.strip_suffix('m') {
            Some(number) => (number, 60e9),
            None => (text.strip_suffix('s').unwrap_or(text), 1e9),
        },
    };
    (number.parse::<f64>().unwrap_or_else(|_| panic!("'{text}' is no time")) * factor) as i64
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').expect("name=value");
        (name.trim().to_owned(), value.trim().trim_matches('"').to_owned())
    };
    text.split(',').filter(|text| !text.trim().is_empty()).map(pair).collect()
}

fn entry(text: &str, stream: &Labels) -> Loaded {
    let (at, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (structured, line) = match rest.strip_prefix("[[").and_then(|rest| rest.split_once("]]")) {
        Some((metadata, line)) => (pairs(metadata), line.strip_prefix(' ').unwrap_or(line)),
        None => (Vec::new(), rest),
    };
    let line = line.replace("\\e", "\u{1b}").replace("\\n", "\n").replace("\\t", "\t");
    Loaded { time_ns: time(at), line, stream: stream.clone(), structured }
}

fn eval(place: String, line: &str) -> Eval {
    let (word, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{place}: {line}"));
    let fails = word == "eval_fail";
    assert!(fails || word == "eval", "{place}: '{word}' is none of load, eval, eval_fail");
    let mut words = rest.splitn(2, ' ');
    let (kind, behind) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (ask, query) = match kind {
        "log" => (Ask::Log, behind),
        "instant" => {
            let (at, query) = behind.split_once(' ').expect("a time");
            (Ask::Grid(Grid::instant(time(at))), query)
        }
        "range" => {
            let mut words = behind.splitn(4, ' ');
            let mut next = || time(words.next().expect("a time"));
            let grid = Grid { start_ns: next(), end_ns: next(), step_ns: next() };
            (Ask::Grid(grid), words.next().expect("a query"))
        }
        _ => (Ask::Compile, rest),
    };
    Eval { place, ask, query: query.to_owned(), fails, expected: Vec::new() }
}

/// What a block loads and asks.
type Block = (Vec<Loaded>, Vec<Eval>);

fn read(name: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = vec![(Vec::new(), Vec::new())];
    let mut stream = Labels::default();
    let mut in_load = false;
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        let is_indented = line.starts_with(' ');
        let trimmed = line.trim();
        if trimmed.is_empty() || line.starts_with('#') {
            continue;
        }
        if trimmed == "load" {
            blocks.push((Vec::new(), Vec::new()));
            in_load = true;
            continue;
        }
        let (loaded, evals) = blocks.last_mut().expect("a block");
        if !is_indented {
            in_load = false;
            evals.push(eval(place, line));
        } else if !in_load {
            evals.last_mut().expect("a question").expected.push(trimmed.to_owned());
        } else if let Some(labels) = trimmed.strip_prefix('{') {
            stream = Labels::new(pairs(labels.trim_end_matches('}')));
        } else {
            loaded.push(entry(line.trim_start(), &stream));
        }
    }
    blocks
}

/// Runs over borrowed entries of those that the selector takes.
fn with_entries(loaded: &[Loaded], matchers: &[super::language::ast::Matcher]) -> Vec<usize> {
    let tests: Vec<_> =
        matchers.iter().map(|m| (m.name.clone(), TextTest::new(m).expect("a matcher"))).collect();
    let selected = loaded.iter().enumerate().filter(|(_, entry)| {
        tests.iter().all(|(name, test)| test.passes(entry.stream.get(name).unwrap_or_default()))
    });
    selected.map(|(at, _)| at).collect()
}

fn as_entry<T>(loaded: &Loaded, run: impl FnOnce(&Entry<'_>) -> T) -> T {
    let structured: Vec<_> =
        loaded.structured.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let Loaded { time_ns, line, stream, .. } = loaded;
    run(&Entry { time_ns: *time_ns, line, stream, structured: &structured })
}

fn log_lines(loaded: &[Loaded], expr: &super::language::ast::LogExpr) -> Vec<String> {
    let pipeline = Pipeline::new(expr, NOW_NS).expect("a pipeline");
    let mut row = Row::default();
    let mut lines = Vec::new();
    for at in with_entries(loaded, &expr.matchers) {
        let line = as_entry(&loaded[at], |entry| {
            let kept = pipeline.run(entry, &mut row)?;
            let labels = |origin| Labels::new(kept.row.labels(origin)).to_string();
            let line = kept.line.replace('\n', "\\n").replace('\t', "\\t");
            let line = line.replace('\u{1b}', "\\e");
            let (stream, structured) = (labels(Origin::Stream), labels(Origin::Structured));
            Some(format!("{line} => {stream}{structured}{}", labels(Origin::Parsed)))
        });
        lines.extend(line);
    }
    lines
}

fn number(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    if value.is_nan() { "NaN".to_owned() } else { rounded.to_string() }
}

fn metric_lines(loaded: &[Loaded], expr: &Expr, grid: Grid) -> Result<Vec<String>, String> {
    let eval = RangeEval::new(expr, grid, Limits::default(), NOW_NS);
    let eval = eval.map_err(|err| err.to_string())?;
    let mut workers = Vec::new();
    for leaf in eval.leaves() {
        let mut three: Vec<_> = (0..3).map(|_| eval.worker(leaf)).collect();
        for (nth, at) in with_entries(loaded, &leaf.log().matchers).into_iter().rev().enumerate() {
            let added = as_entry(&loaded[at], |entry| three[nth % 3].add(entry));
            added.map_err(|err| err.to_string())?;
        }
        workers.extend(three);
    }
    Ok(match eval.finish(workers).map_err(|err| err.to_string())? {
        Answer::Scalar(_, value) => vec![number(value)],
        Answer::Vector(samples) => {
            samples.iter().map(|s| format!("{} {}", s.labels, number(s.value))).collect()
        }
        Answer::Matrix(series) => {
            let line = |series: &super::language::Series| {
                let values = (0..grid.steps()).map(|step| {
                    let at = grid.time_ns(step);
                    let point = series.points.iter().find(|(time_ns, _)| *time_ns == at);
                    point.map_or("_".to_owned(), |(_, value)| number(*value))
                });
                format!("{} {}", series.labels, values.collect::<Vec<_>>().join(" "))
            };
            series.iter().map(line).collect()
        }
    })
}

// What is compared of a line of the answer, by what the expectation says.
fn reduced(found: &str, expected: Option<&String>) -> String {
    let Some((line, labels)) = found.rsplit_once(" => ") else { return found.to_owned() };
    match expected.and_then(|expected| expected.rsplit_once(" => ")) {
        Some((_, wanted)) if wanted.contains("}{") => found.trim().to_owned(),
        Some(_) => {
            let parsed = labels.rfind("}{").map_or(labels, |at| &labels[at + 1..]);
            format!("{line} => {parsed}").trim().to_owned()
        }
        None => line.trim().to_owned(),
    }
}

fn verdict(loaded: &[Loaded], eval: &Eval) -> Option<String> {
    let expr = match compile(&eval.query) {
        Ok(expr) => expr,
        Err(err) => {
            let found = format!("{}: {err}", err.offset().unwrap_or(usize::MAX));
            return failure(eval, &found);
        }
    };
    let found = match (&eval.ask, &expr) {
        (Ask::Log | Ask::Compile, Expr::Log(log)) => Ok(log_lines(loaded, log)),
        (Ask::Grid(grid), expr) => metric_lines(loaded, expr, *grid),
        _ => Err("nothing is wrong with it".to_owned()),
    };
    let found = match found {
        Ok(found) => found,
        Err(message) => return failure(eval, &format!("-: {message}")),
    };
    if std::env::var_os("LOGQL_SHOW").is_some() {
        println!("{} {}\n  {}", eval.place, eval.query, found.join("\n  "));
    }
    if eval.fails {
        return Some(format!("is answered: {found:#?}"));
    }
    let reduced = found.iter().enumerate().map(|(at, line)| reduced(line, eval.expected.get(at)));
    let reduced: Vec<_> = reduced.collect();
    (reduced != eval.expected).then(|| {
        format!(
            "expected\n    {}\n  found\n    {}",
            eval.expected.join("\n    "),
            reduced.join("\n    ")
        )
    })
}

fn failure(eval: &Eval, found: &str) -> Option<String> {
    let [expected] = &eval.expected[..] else { return Some(format!("is refused: {found}")) };
    let (at, fragment) = expected.split_once(':').expect("offset: fragment");
    let is_same = eval.fails
        && found.split_once(':').is_some_and(|(found, _)| found == at)
        && found.contains(fragment.trim());
    (!is_same).then(|| format!("expected {expected}\n  found    {found}"))
}

#[test]
fn files_say_what_is_answered() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/logql");
    let mut wrong = Vec::new();
    let mut asked = 0;
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "test"))
        .collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        for (loaded, evals) in read(&name, &std::fs::read_to_string(&path).expect("text")) {
            for eval in &evals {
                asked += 1;
                let verdict = verdict(&loaded, eval);
                wrong.extend(verdict.map(|v| format!("{}: {}\n  {v}", eval.place, eval.query)));
            }
        }
    }
    assert!(asked > 0, "no question in {folder}");
    assert!(wrong.is_empty(), "{} of {asked} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
