//! LogQL on any text and any line. The files of its language and of what runs it over lines are compiled here once more,
//! as the decoders' are.

#[path = "../../query/src/logql/ast.rs"]
pub mod ast;
#[path = "../../query/src/logql/check.rs"]
mod check;
#[path = "../../query/src/logql/error.rs"]
mod error;
#[path = "../../query/src/logql/grammar.rs"]
pub mod grammar;
#[path = "../../query/src/logql/labels.rs"]
mod labels;
#[path = "../../query/src/logql/lex/mod.rs"]
mod lex;
#[path = "../../query/src/logql/metric/mod.rs"]
mod metric;
#[path = "../../query/src/logql/parse/mod.rs"]
mod parse;
#[allow(unused_imports, reason = "what asks the store is not compiled here")]
#[path = "../../query/src/logql/pipeline/mod.rs"]
mod pipeline;
#[path = "../../query/src/logql/print.rs"]
mod print;
#[path = "../../query/src/logql/pushdown.rs"]
mod pushdown;
#[path = "../../query/src/logql/template/mod.rs"]
mod template;

pub use ast::Expr;
pub use check::{check, compile};
pub use error::{Error, ErrorKind, Place, Result};
pub use labels::{Entry, Labels};
pub use metric::{Answer, CountShape, Grid, Leaf, LeafWorker, Limits, RangeEval, Sample, Series};
pub use parse::{parse, parse_log};
pub use pipeline::{Kept, LineMatcher, Origin, Pipeline, Row, TextTest, Wanted};
pub use pushdown::Pushdown;

const NOW_NS: i64 = 1_795_176_000_000_000_000;

/// Reads a query and puts what stands behind the first NUL through it as a line: no panic, errors have a place inside the
/// text, what is printed parses into what prints alike, and what means something runs.
pub fn check_text(bytes: &[u8]) {
    let (query, line) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &b"level=error msg=\"it {broke}\" took=3s"[..]),
    };
    let (text, line) = (String::from_utf8_lossy(query), String::from_utf8_lossy(line));
    let expr = match parse(&text) {
        Ok(expr) => expr,
        Err(err) => return check_place(&err, &text),
    };
    let printed = expr.to_string();
    match parse(&printed) {
        Ok(again) => assert_eq!(again.to_string(), printed),
        Err(err) if err.kind() == ErrorKind::Limit => {}
        Err(err) => panic!("{printed}: {err:?}"),
    }
    if let Err(err) = check(&expr) {
        return check_place(&err, &text);
    }
    let stream = Labels::new([("service_name", "cart"), ("k8s_pod_name", "cart-1")]);
    let structured = [("trace_id", "01010101010101010101010101010101"), ("took", "7")];
    let entry = Entry { time_ns: NOW_NS, line: &line, stream: &stream, structured: &structured };
    if let Expr::Log(log) = &expr {
        Pushdown::new(log);
        if let Ok(pipeline) = Pipeline::new(log, NOW_NS) {
            pipeline.run(&entry, &mut Row::default());
        }
        return;
    }
    let Ok(eval) = RangeEval::new(&expr, Grid::instant(NOW_NS), Limits::default(), NOW_NS) else {
        return;
    };
    let mut workers = Vec::new();
    for leaf in eval.leaves() {
        let mut worker = eval.worker(leaf);
        if worker.add(&entry).is_ok() {
            workers.push(worker);
        }
    }
    let _ = eval.finish(workers);
}

fn check_place(err: &Error, text: &str) {
    assert!(err.offset().is_none_or(|offset| offset <= text.len()), "{err:?} of {text}");
    assert!(!err.message().is_empty());
}
