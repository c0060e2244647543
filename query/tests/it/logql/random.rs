//! Random trees are printed so that they parse into themselves; random texts and lines break nothing.

use proptest::prelude::*;

use super::language::ast::{
    Binary, CompareOp, Conversion, Expr, Extraction, Grouping, LabelFilter, LabelFormat, LabelPick,
    LabelSource, LineFilter, LineOp, LogExpr, Many, MatchOp, Matcher, Matching, MetricExpr, Needle,
    Quantity, RangeAggregate, RangeExpr, Spot, Stage, Text, Unwrap, VectorAggregate,
};
use super::language::grammar::{BINARY_OPS, RANGE_OPS, VECTOR_OPS};
use super::language::{Entry, Labels, Pipeline, Row, Wanted, compile, parse};

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "app", "level", "_x1", "json", "offset2"])
        .prop_map(str::to_owned)
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z.*\"\\\\\n\u{1}é`]{1,6}"]
}

fn text() -> impl Strategy<Value = Text> {
    string().prop_map(|value| Text { value, at: Spot::default() })
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = prop::sample::select(vec![
        MatchOp::Equal,
        MatchOp::NotEqual,
        MatchOp::Matches,
        MatchOp::NotMatches,
    ]);
    (name(), op, string()).prop_map(|(name, op, value)| Matcher {
        name,
        op,
        value,
        at: Spot::default(),
    })
}

fn quantity() -> impl Strategy<Value = Quantity> {
    prop_oneof![
        (-1e9..1e9).prop_map(Quantity::Number),
        (-1_000_000_000_000i64..1_000_000_000_000).prop_map(Quantity::Duration),
        (0u64..1 << 50).prop_map(Quantity::Bytes),
    ]
}

fn label_filter() -> impl Strategy<Value = LabelFilter> {
    let op = prop::sample::select(vec![
        CompareOp::Equal,
        CompareOp::NotEqual,
        CompareOp::Less,
        CompareOp::GreaterEqual,
    ]);
    let leaf = prop_oneof![
        matcher().prop_map(LabelFilter::Match),
        (name(), op, quantity()).prop_map(|(name, op, value)| LabelFilter::Number {
            name,
            op,
            value
        }),
        (name(), any::<bool>(), text()).prop_map(|(name, negated, range)| LabelFilter::Ip {
            name,
            negated,
            range
        }),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        (inner.clone(), inner, any::<bool>()).prop_map(|(left, right, is_and)| {
            let (left, right) = (Box::new(left), Box::new(right));
            if is_and { LabelFilter::And(left, right) } else { LabelFilter::Or(left, right) }
        })
    })
}

fn line_filter() -> impl Strategy<Value = LineFilter> {
    let op = prop::sample::select(vec![LineOp::Contains, LineOp::NotMatches, LineOp::NotPattern]);
    (op, prop::collection::vec(text().prop_map(Needle::Text), 1..3))
        .prop_map(|(op, needles)| LineFilter { op, needles })
}

fn extractions() -> impl Strategy<Value = Vec<Extraction>> {
    let one = (name(), text()).prop_map(|(label, path)| Extraction { label, path });
    prop::collection::vec(one, 0..3)
}

fn picks() -> impl Strategy<Value = Vec<LabelPick>> {
    let one = prop_oneof![name().prop_map(LabelPick::Name), matcher().prop_map(LabelPick::Match)];
    prop::collection::vec(one, 1..3)
}

fn stage() -> impl Strategy<Value = Stage> {
    let format = (
        name(),
        prop_oneof![name().prop_map(LabelSource::Rename), text().prop_map(LabelSource::Template)],
    )
        .prop_map(|(label, source)| LabelFormat { label, source, at: Spot::default() });
    prop_oneof![
        line_filter().prop_map(Stage::Line),
        extractions().prop_map(Stage::Json),
        (any::<bool>(), any::<bool>(), extractions()).prop_map(
            |(strict, keep_empty, extractions)| Stage::Logfmt { strict, keep_empty, extractions }
        ),
        text().prop_map(Stage::Regexp),
        text().prop_map(Stage::Pattern),
        Just(Stage::Unpack),
        Just(Stage::Decolorize),
        text().prop_map(Stage::LineFormat),
        prop::collection::vec(format, 1..3).prop_map(Stage::LabelFormat),
        picks().prop_map(Stage::Drop),
        picks().prop_map(Stage::Keep),
        label_filter().prop_map(Stage::Filter),
    ]
}

// Text cannot say that a line filter `!= "x"` follows `drop a`: it is read as `drop a != "x"`.
fn can_be_written(stages: &[Stage]) -> bool {
    !stages.windows(2).any(|pair| match pair {
        [Stage::Drop(picks) | Stage::Keep(picks), Stage::Line(filter)] => {
            matches!(picks.last(), Some(LabelPick::Name(_))) && filter.op == LineOp::NotMatches
        }
        _ => false,
    })
}

fn log() -> impl Strategy<Value = LogExpr> {
    let stages = prop::collection::vec(stage(), 0..4)
        .prop_filter("is written otherwise", |stages| can_be_written(stages));
    (prop::collection::vec(matcher(), 0..3), stages).prop_map(|(matchers, stages)| LogExpr {
        matchers,
        stages,
        at: Spot::default(),
    })
}

fn grouping() -> impl Strategy<Value = Grouping> {
    (any::<bool>(), prop::collection::vec(name(), 0..3))
        .prop_map(|(without, labels)| Grouping { without, labels })
}

fn range_aggregate() -> impl Strategy<Value = MetricExpr> {
    let op = prop::sample::select(RANGE_OPS).prop_map(|(_, op)| op);
    let conversion = prop::sample::select(vec![Conversion::Number, Conversion::DurationSeconds]);
    let unwrap = (name(), conversion, prop::collection::vec(label_filter(), 0..2)).prop_map(
        |(label, conversion, filters)| Unwrap { label, conversion, filters, at: Spot::default() },
    );
    let parts = (op, prop::option::of(0.0..1.0), log(), prop::option::of(unwrap));
    let times = (1i64..1_000_000_000_000_000, -1_000_000_000_000i64..1_000_000_000_000);
    (parts, times, prop::option::of(grouping())).prop_map(
        |((op, parameter, log, unwrap), (range_ns, offset_ns), grouping)| {
            let range = RangeExpr { log, unwrap, range_ns, offset_ns };
            MetricExpr::Range(RangeAggregate {
                op,
                parameter,
                range,
                grouping,
                at: Spot::default(),
            })
        },
    )
}

fn metric() -> impl Strategy<Value = MetricExpr> {
    let leaf = prop_oneof![
        (-1e6..1e6).prop_map(MetricExpr::Literal),
        (-1e6..1e6).prop_map(MetricExpr::Vector),
        range_aggregate(),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let op = prop::sample::select(VECTOR_OPS).prop_map(|(_, op)| op);
        let aggregate =
            (op, prop::option::of(-9.0..9.0), prop::option::of(grouping()), inner.clone())
                .prop_map(|(op, parameter, grouping, of)| {
                    let of = Box::new(of);
                    let at = Spot::default();
                    MetricExpr::Aggregate(VectorAggregate { op, parameter, grouping, of, at })
                });
        let many = (any::<bool>(), prop::collection::vec(name(), 0..2))
            .prop_map(|(left, include)| Many { left, include });
        let matching = (any::<bool>(), prop::collection::vec(name(), 0..2), prop::option::of(many))
            .prop_map(|(on, labels, many)| Matching { on, labels, many });
        let op = prop::sample::select(BINARY_OPS).prop_map(|(_, op, _)| op);
        let binary = (op, any::<bool>(), prop::option::of(matching), inner.clone(), inner)
            .prop_map(|(op, to_bool, matching, left, right)| {
                let at = Spot::default();
                MetricExpr::Binary(Box::new(Binary { op, to_bool, matching, left, right, at }))
            });
        prop_oneof![aggregate, binary]
    })
}

/// Pieces that lines and queries are made of.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u",
    "\\ud800",
    "=",
    ",",
    ":",
    "a",
    "null",
    "1e9",
    "\u{1b}[",
    "31m",
    "\0",
    "é",
    "🦀",
    "|",
    "|=",
    "!~",
    "json",
    "logfmt",
    "by (",
    ")",
    "rate(",
    "[5m]",
    "offset",
    "{{",
    "}}",
    ".a",
    "if",
    "end",
    "range",
    "<_>",
    "<b>",
    " ",
    "\n",
    "10.0.0.1",
    "::1",
    "-",
    "unwrap",
    "ip(",
    "`",
    "0x",
    "5m",
    "line_format",
    "printf",
    "%",
];

fn soup() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(PIECES), 0..30).prop_map(|all| all.concat()),
        ".{0,60}",
        (0usize..400).prop_map(|depth| "{\"a\":".repeat(depth) + &"}".repeat(depth)),
        (0usize..400).prop_map(|depth| format!(
            "{}1{}",
            "{\"a\":".repeat(depth),
            "}".repeat(depth)
        )),
        (0usize..400).prop_map(|depth| "[".repeat(depth)),
        (0usize..3000).prop_map(|len| format!("k={}", "\"x\\".repeat(len))),
    ]
}

const PIPELINES: &[&str] = &[
    "{} | json | logfmt | unpack | decolorize",
    "{} | json a=\"a\", b=\"a[0].b\" | a > 5 or b = ip(\"10.0.0.0/8\")",
    "{} | logfmt --strict --keep-empty | line_format \"{{.a}}{{range $k, $v := fromJson __line__}}{{$k}}{{end}}\"",
    "{} | regexp \"(?P<a>\\\\w+)=(?P<b>.*)\" | pattern \"<c> <_>=<d>\" | keep a, c=~\".+\" | drop a",
    "{} |= ip(\"::1\") or ip(\"10.0.0.0/8\") or \"a\" |~ \".*a|b.*\" !> \"<_>x<_>\"",
    "{} | label_format z=a, y=`{{ printf \"%5.2f %q %d\" .a .b 3 | trunc 9 | urldecode | b64dec }}`",
    "{} | json | line_format `{{ substr -2 5 __line__ | title | indent 2 | alignLeft 7 | alignRight 3 }}`",
];

/// Well-formed lines with few names, nested and twice and as the stream has them.
fn well_formed() -> impl Strategy<Value = (String, String)> {
    let name = prop::sample::select(vec!["a", "b", "app", "c.d", "e", "a_b"]);
    let value = prop::sample::select(vec![
        "1",
        "true",
        "\"x\"",
        "\"y\\n\"",
        "{\"b\":5,\"c\":{\"d\":7}}",
        "[1,2]",
        "null",
    ]);
    prop::collection::vec((name, value), 0..6).prop_map(|pairs| {
        let json: Vec<_> = pairs.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
        let plain = pairs.iter().filter(|(_, v)| !v.starts_with(['{', '[']));
        let logfmt: Vec<_> = plain.map(|(n, v)| format!("{n}={v}")).collect();
        (format!("{{{}}}", json.join(",")), logfmt.join(" "))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printed_trees_parse_into_themselves(
        expr in prop_oneof![log().prop_map(Expr::Log), metric().prop_map(Expr::Metric)],
    ) {
        let text = expr.to_string();
        let parsed = parse(&text);
        prop_assert_eq!(parsed.as_ref().map_err(ToString::to_string), Ok(&expr), "{}", text);
        prop_assert_eq!(parsed.map(|expr| expr.to_string()), Ok(text));
    }

    #[test]
    fn random_texts_break_nothing(text in soup(), rest in soup()) {
        for query in [text.clone(), format!("{{}} | {text}"), format!("rate({{}} {text} [5m]) {rest}")] {
            if let Err(err) = compile(&query) {
                prop_assert!(err.message().chars().next().is_some_and(|c| !c.is_uppercase()), "{err}");
            }
        }
        _ = compile(&format!("{{}} | line_format {text:?}"));
    }

    #[test]
    fn random_lines_break_nothing(lines in prop::collection::vec(soup(), 1..4)) {
        let stream = Labels::new([("a", "stream"), ("app", "x")]);
        let mut row = Row::default();
        for query in PIPELINES {
            let Ok(Expr::Log(log)) = compile(query) else { panic!("{query}: {:?}", compile(query)) };
            let pipeline = Pipeline::new(&log, 0).expect("a pipeline");
            for line in &lines {
                let entry = Entry { time_ns: 1, line, stream: &stream, structured: &[("k", "v")] };
                if let Some(kept) = pipeline.run(&entry, &mut row) {
                    prop_assert!(kept.line.len() <= 4 * line.len() + 64 * 1024);
                }
            }
        }
    }

    #[test]
    fn parsers_that_stop_early_find_what_is_wanted(
        lines in well_formed(),
        wanted in prop::collection::vec(
            prop::sample::select(vec!["a", "b", "app", "app_extracted", "c_d", "a_b", "a_c_d", "k"]), 0..4,
        ),
        rest in prop::sample::select(vec!["", "| label_format k=a", "| b!=\"1\"", "| drop a", "| logfmt"]),
    ) {
        let stream = Labels::new([("app", "x")]);
        for (parser, line) in [("json", &lines.0), ("logfmt", &lines.1)] {
            let entry = Entry { time_ns: 1, line, stream: &stream, structured: &[("b", "meta"), ("k", "v")] };
            let Ok(Expr::Log(log)) = compile(&format!("{{}} | {parser} {rest}")) else { panic!("{rest}") };
            let all = Pipeline::new(&log, 0).expect("a pipeline");
            let few = Pipeline::with_wanted(&log, 0, Wanted::only(&wanted)).expect("a pipeline");
            let (mut all_row, mut few_row) = (Row::default(), Row::default());
            let is_kept = all.run(&entry, &mut all_row).is_some();
            prop_assert_eq!(few.run(&entry, &mut few_row).is_some(), is_kept);
            for name in wanted.iter().filter(|_| is_kept) {
                prop_assert_eq!(few_row.get(name), all_row.get(name), "{} of {} {}", name, line, rest);
            }
        }
    }
}
