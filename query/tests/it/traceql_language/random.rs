//! Any tree survives printing and parsing; any text is answered with a tree or a placed error.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use throughline_query::traceql;

use super::{shape, tree};

const TREES: u64 = 3_000;
const TEXTS: u64 = 10_000;
/// How deep trees nest.
const DEPTH: usize = 4;
/// Words of random text.
const WORDS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    ",",
    "|",
    "&&",
    "||",
    "=",
    "!=",
    "=~",
    "!~",
    "<",
    "<=",
    ">",
    ">=",
    ">>",
    "<<",
    "~",
    "!>",
    "!>>",
    "!<",
    "!<<",
    "&>",
    "&>>",
    "&<",
    "&<<",
    "&~",
    "!",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "name",
    "duration",
    "status",
    "kind",
    "parent",
    "error",
    "server",
    "nil",
    "true",
    "1",
    "1.5",
    "1e9",
    "5ms",
    "1h30m",
    "9223372036854775808",
    "\"a\"",
    "\"a",
    "`b`",
    "`",
    ".a",
    "span.a",
    "span.\"x y\".z",
    "span.",
    ".",
    "parent.",
    "parent.span.a",
    "parent.span:name",
    "trace:id",
    "event:",
    "resource.service.name",
    "by(",
    "coalesce()",
    "select(",
    "count()",
    "avg(",
    "max(",
    "rate()",
    "quantile_over_time(",
    "compare({",
    "topk(",
    "bottomk(",
    "with(",
    "sample=true",
    "exemplars",
    "é",
    "\\",
    "'",
    "==",
    "\u{0}",
];

#[test]
fn trees_survive_printing() {
    for seed in 0..TREES {
        let query = tree::query(&mut StdRng::seed_from_u64(seed), DEPTH);
        let text = query.to_string();
        let parsed = traceql::parse(&text).unwrap_or_else(|err| {
            panic!("seed {seed}: {text}\n{err} at {:?}", err.position());
        });
        assert_eq!(shape(&parsed), shape(&query), "seed {seed}: {text}");
        assert_eq!(parsed.to_string(), text, "seed {seed}");
        _ = traceql::check(&parsed);
    }
}

// Random words, or a good query with some characters of it changed.
fn text(rng: &mut StdRng) -> String {
    let word = |rng: &mut StdRng| WORDS[rng.random_range(0..WORDS.len())];
    match rng.random_range(0..4) {
        0 => {
            let bytes = (0..rng.random_range(0..40)).map(|_| rng.random()).collect::<Vec<u8>>();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        1 => {
            let between = if rng.random() { " " } else { "" };
            let words = (0..rng.random_range(0..20)).map(|_| word(rng)).collect::<Vec<_>>();
            words.join(between)
        }
        _ => {
            let mut chars = tree::query(rng, 2).to_string().chars().collect::<Vec<_>>();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..=chars.len());
                let end = (at + rng.random_range(0..4)).min(chars.len());
                let new = if rng.random() { word(rng) } else { "" };
                chars.splice(at..end, new.chars());
            }
            chars.into_iter().collect()
        }
    }
}

#[test]
fn any_text_is_answered() {
    let (mut good, mut bad) = (0, 0);
    for seed in 0..TEXTS {
        let rng = &mut StdRng::seed_from_u64(seed);
        let text = text(rng);
        let chars = text.chars().count();
        let completion = traceql::complete(&text, rng.random_range(0..=chars + 1));
        let replace = completion.replace;
        assert!(replace.start <= replace.end && replace.end <= chars, "seed {seed}: {text}");
        _ = traceql::lenient_filter(&text);
        match traceql::parse(&text) {
            Ok(query) => {
                good += 1;
                let again = traceql::parse(&query.to_string()).expect("what is printed parses");
                assert_eq!(shape(&again), shape(&query), "seed {seed}: {text}");
                if let Err(err) = traceql::check(&query) {
                    assert!(err.position().is_some_and(|at| at < chars), "seed {seed}: {text}");
                }
            }
            Err(err) => {
                bad += 1;
                assert!(err.position().is_some_and(|at| at <= chars), "seed {seed}: {text}: {err}");
            }
        }
    }
    assert!(good > TEXTS / 20 && bad > TEXTS / 4, "{good} good and {bad} bad texts");
}
