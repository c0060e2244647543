//! Any tree survives printing and parsing; any text is answered with a tree or a placed error, and every
//! tree is lowered or refused.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use throughline_query::logs::language::ast::*;
use throughline_query::logs::language::{check, complete, lower, parse};

use super::bounds;

const NAMES: &[&str] = &[
    "service",
    "level",
    "time",
    "body",
    "status",
    "a",
    "b.c",
    "http.status code",
    "k8s/pod-name",
    "trace_id",
    "AND",
    "by",
    "_exists_",
    "5m",
    "-x",
    "q\"u\\o",
    "attributes.x",
    "now-1",
    "über",
];
const REGEXES: &[&str] = &["a", "a|b", r"\d+", "say \"hi\"", "(x)", r"\\", "a b", "(?P<n>x)"];

fn name() -> impl Strategy<Value = FieldName> {
    let text = prop_oneof![4 => select(NAMES).prop_map(str::to_owned), 1 => text()];
    text.prop_map(|text| FieldName { text, place: Place::default() })
}

fn text() -> impl Strategy<Value = String> {
    let words = [
        "x",
        "a b",
        "OR",
        "not",
        "-5",
        "a*",
        "a\\",
        "\"",
        "`",
        "10.0.0.1:80",
        "[",
        "~x",
        "=y",
        "登",
        "\n",
    ];
    prop_oneof![2 => select(words.to_vec()).prop_map(str::to_owned), 1 => "[a-z0-9_.:=<>!()|*+-]{1,6}"]
}

fn literal() -> impl Strategy<Value = Literal> {
    let bare = ["5", "-1.5", "10ms", "now-1h", "2026-11-20T12:00Z", "3KB", "error", "a b", "a*b"];
    let bare =
        select(bare.to_vec()).prop_map(|text| Literal { text: text.to_owned(), quoted: false });
    prop_oneof![bare, text().prop_map(|text| Literal { text, quoted: true })]
}

fn order() -> impl Strategy<Value = Order> {
    select(&[Order::Less, Order::LessOrEqual, Order::Greater, Order::GreaterOrEqual][..])
}

fn pattern() -> impl Strategy<Value = Test> {
    (vec(text(), 1..3), any::<bool>(), any::<bool>()).prop_map(|(texts, before, after)| {
        let mut parts = Vec::new();
        if before {
            parts.push(Part::Any);
        }
        for text in texts {
            parts.extend([Part::Text(text), Part::Any]);
        }
        if !after && parts.len() > 2 {
            parts.pop();
        }
        Test::Pattern(parts)
    })
}

fn bare_test() -> impl Strategy<Value = Test> {
    let regex = select(REGEXES).prop_map(|regex| Test::Matches(regex.to_owned()));
    prop_oneof![3 => text().prop_map(Test::Words), 1 => pattern(), 1 => regex]
}

fn bound() -> impl Strategy<Value = Bound> {
    (literal(), any::<bool>())
        .prop_map(|(value, inclusive)| Bound { value: Some(value), inclusive })
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        3 => bare_test(),
        1 => text().prop_map(Test::Exact),
        1 => Just(Test::Words(String::new())),
        1 => (order(), literal()).prop_map(|(order, literal)| Test::Compare(order, literal)),
        1 => (bound(), bound()).prop_map(|(low, high)| Test::Range { low, high }),
        1 => Just(Test::Exists),
    ]
}

fn filter(in_pipe: bool) -> impl Strategy<Value = Filter> {
    let place = Place::default();
    let bare = bare_test().prop_map(move |test| Filter::Is(Condition { field: None, test, place }));
    let named = (name(), test())
        .prop_map(move |(field, test)| Filter::Is(Condition { field: Some(field), test, place }));
    let ops = [CompareOp::Equal, CompareOp::NotEqual, CompareOp::Order(Order::Less)];
    let compared = (name(), select(ops.to_vec()), name())
        .prop_map(|(left, op, right)| Filter::Compare(Comparison { left, op, right }));
    let leaf = prop_oneof![
        4 => bare,
        6 => named,
        1 => Just(Filter::All),
        (if in_pipe { 2 } else { 0 }) => compared,
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(|parts| joined(parts, true)),
            vec(inner.clone(), 2..4).prop_map(|parts| joined(parts, false)),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

// As the parser joins them: no AND in an AND.
fn joined(parts: Vec<Filter>, is_and: bool) -> Filter {
    let mut flat = Vec::new();
    for part in parts {
        match part {
            Filter::And(inner) if is_and => flat.extend(inner),
            Filter::Or(inner) if !is_and => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if is_and { Filter::And(flat) } else { Filter::Or(flat) }
}

fn names() -> impl Strategy<Value = Vec<FieldName>> {
    vec(name(), 1..4)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![(1u32..1000).prop_map(f64::from), 1e-9..1e9f64]
}

fn group() -> impl Strategy<Value = Group> {
    let size = (name(), number()).prop_filter("a time has no buckets", |(field, _)| {
        field.text != "time" // written as a step
    });
    prop_oneof![
        3 => name().prop_map(Group::Field),
        1 => option::of(1i64..1_000_000_000_000_000).prop_map(Group::Time),
        1 => size.prop_map(|(field, size)| Group::Bucket { field, size }),
    ]
}

fn aggregate() -> impl Strategy<Value = Aggregate> {
    let functions = [
        Function::CountUniq,
        Function::Sum,
        Function::Min,
        Function::Values,
        Function::Last,
        Function::Quantile(0.99),
        Function::Quantile(0.123),
        Function::StdDev,
        Function::RateSum,
    ];
    let alone =
        select(&[Function::Count, Function::Rate][..]).prop_map(|function| (function, None));
    let of = (select(functions.to_vec()), name()).prop_map(|(f, field)| (f, Some(field)));
    let count = name().prop_map(|field| (Function::Count, Some(field)));
    let place = Place::default();
    (prop_oneof![alone, of, count], option::of(filter(true)), option::of(name())).prop_map(
        move |((function, field), condition, name)| Aggregate {
            function,
            field,
            condition,
            name,
            place,
        },
    )
}

fn math() -> impl Strategy<Value = MathExpr> {
    let leaf = prop_oneof![number().prop_map(MathExpr::Number), name().prop_map(MathExpr::Field)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let ops = [MathOp::Add, MathOp::Sub, MathOp::Mul, MathOp::Div, MathOp::Rem, MathOp::Pow];
        let binary = (select(ops.to_vec()), inner.clone(), inner.clone());
        prop_oneof![
            binary.prop_map(|(op, left, right)| {
                MathExpr::Binary { op, left: Box::new(left), right: Box::new(right) }
            }),
            inner.clone().prop_map(|inner| MathExpr::Negate(Box::new(inner))),
            vec(inner, 1..3).prop_map(|arguments| {
                MathExpr::Call { function: MathFunction::Max, arguments }
            }),
        ]
    })
}

fn row_pipe() -> impl Strategy<Value = PipeKind> {
    let pairs = || vec((name(), name()), 1..3);
    let keys = vec((name(), any::<bool>()), 1..3).prop_map(|keys| {
        keys.into_iter().map(|(field, descending)| SortKey { field, descending }).collect()
    });
    let rows = || option::of(0u64..1000);
    prop_oneof![
        filter(true).prop_map(PipeKind::Where),
        names().prop_map(PipeKind::Fields),
        names().prop_map(PipeKind::Delete),
        pairs().prop_map(PipeKind::Rename),
        pairs().prop_map(PipeKind::Copy),
        (keys, rows(), rows()).prop_map(|(keys, limit, offset)| PipeKind::Sort(Sort {
            keys,
            limit,
            offset
        })),
        names().prop_map(PipeKind::Dedup),
        (0u64..1000).prop_map(PipeKind::Limit),
        (0u64..1000).prop_map(PipeKind::Offset),
        option::of(name()).prop_map(|from| {
            PipeKind::Extract(Extract { pattern: "a=<a> <<\"<b>".to_owned(), regexp: false, from })
        }),
        option::of(name()).prop_map(|from| {
            let pattern = r#"(?P<a>\d+) "(?P<b>x)""#.to_owned();
            PipeKind::Extract(Extract { pattern, regexp: true, from })
        }),
        (option::of(name()), vec(name(), 0..3)).prop_map(|(from, fields)| {
            PipeKind::Unpack(Unpack { format: UnpackFormat::Json, from, fields })
        }),
        vec((name(), math()), 1..3).prop_map(|all| {
            PipeKind::Math(
                all.into_iter().map(|(name, value)| Assignment { name, value }).collect(),
            )
        }),
        name().prop_map(|to| PipeKind::Format { template: "<a>:\n<b c>".to_owned(), to }),
        (name(), text(), text(), any::<bool>()).prop_map(|(field, old, new, regexp)| {
            let old = if regexp { "a(\\d)\"".to_owned() } else { old };
            PipeKind::Replace(Replace { field, old, new, regexp })
        }),
    ]
}

fn group_pipe() -> impl Strategy<Value = PipeKind> {
    let stats = (vec(group(), 0..3), vec(aggregate(), 1..3));
    let span = || {
        (literal(), literal()).prop_map(|(start, end)| TimeSpan {
            start,
            end,
            place: Place::default(),
        })
    };
    prop_oneof![
        4 => stats.prop_map(|(by, functions)| PipeKind::Stats(Stats { by, functions })),
        1 => (0u64..1000, names(), any::<bool>())
            .prop_map(|(count, fields, rare)| PipeKind::Top { count, fields, rare }),
        1 => (names(), any::<bool>(), option::of(0u64..1000))
            .prop_map(|(fields, hits, limit)| PipeKind::Uniq { fields, hits, limit }),
        1 => (0u64..9, 0u64..9).prop_map(|(before, after)| PipeKind::Context { before, after }),
        1 => option::of(0u64..1000).prop_map(PipeKind::Patterns),
        1 => (1i64..1_000_000_000_000_000).prop_map(|window| PipeKind::Diff(Diff::Window(window))),
        1 => (span(), span()).prop_map(|(a, b)| PipeKind::Diff(Diff::Ranges(a, b))),
        1 => Just(PipeKind::Trace),
        1 => (option::of(1i64..1_000_000_000_000), vec(name(), 0..3))
            .prop_map(|(step_ns, by)| PipeKind::Hits { step_ns, by }),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let pipe = prop_oneof![2 => row_pipe().boxed(), 1 => group_pipe().boxed()];
    (filter(false), vec(pipe, 0..4)).prop_map(|(filter, pipes)| {
        let pipe = |kind| Pipe { kind, place: Place::default() };
        Query { filter, pipes: pipes.into_iter().map(pipe).collect() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_parses_to_the_same(query in query()) {
        let printed = query.to_string();
        match parse(&printed) {
            Ok(again) => prop_assert_eq!(again, query, "{}", printed),
            Err(err) => prop_assert!(false, "{}: {}", printed, err),
        }
    }

    #[test]
    fn every_tree_is_lowered_or_refused(query in query()) {
        let lowered = lower(&query, &bounds());
        prop_assert_eq!(lowered.is_ok(), check(&query).is_ok() , "{}", query);
        if let Ok(lowered) = lowered {
            prop_assert!(lowered.sql.starts_with("SELECT") || lowered.sql.starts_with("WITH"));
        }
    }

    #[test]
    fn no_text_is_a_danger(words in vec(select(WORDS), 0..14), cursor in 0usize..80, noise in ".{0,8}") {
        let mut text = words.concat();
        let at = text.char_indices().map(|(at, _)| at).nth(cursor % 20).unwrap_or(text.len());
        text.insert_str(at, &noise);
        complete(&text, cursor);
        match parse(&text) {
            Ok(query) => {
                let printed = query.to_string();
                prop_assert_eq!(parse(&printed).ok(), Some(query.clone()), "{}", printed);
                if let Err(err) = check(&query) {
                    prop_assert!(err.char_offset(&text) <= text.chars().count());
                }
            }
            Err(err) => {
                prop_assert!(err.place().start <= text.len());
                prop_assert!(err.char_offset(&text) <= text.chars().count());
            }
        }
    }
}

/// Pieces of random texts.
const WORDS: &[&str] = &[
    " ",
    " ",
    " ",
    "a",
    "service",
    ":",
    ":",
    "(",
    ")",
    "\"x y\"",
    "\"",
    "`",
    "*",
    "-",
    "!",
    "NOT ",
    " AND ",
    " OR ",
    " | ",
    " | ",
    "|",
    ">=5",
    "<",
    "=",
    "[1 TO 5]",
    "{",
    "]",
    "~",
    "\\",
    ",",
    "where ",
    "stats ",
    "count()",
    "by ",
    "sum(x)",
    "1m",
    "sort ",
    "math ",
    "x = ",
    "+",
    "^",
    "fields ",
    "as ",
    "if (",
    "limit 5",
    "diff 1h",
    "trace",
    "patterns",
    "hits",
    "level",
    "error",
    "time",
    "now-1h",
    "unpack_json",
    "dedup ",
    "stream_context before 1",
    "extract \"<a> \"",
    "rename a as b",
    "delete ",
    "top 5 ",
    "format \"<a>\" as c",
];

#[test]
fn deep_and_long_queries_end() {
    let deep = "(".repeat(50_000) + "a";
    assert!(parse(&deep).is_err());
    assert!(parse(&"-".repeat(1000)).is_err());
    assert!(parse(&format!("* | math x = {}a", "-".repeat(1000))).is_err());
    assert!(parse(&"a ".repeat(60_000)).is_err());
    assert!(parse(&"a ".repeat(101)).is_err());
    assert!(parse(&format!("*{}", " | limit 5".repeat(33))).is_err());
    let long = format!("* | math x = a{}", " + a".repeat(50));
    assert!(check(&parse(&long).expect("parses")).is_ok());
}
