//! The words and ranks of TraceQL, once: the parser, the printer and the completion read them.

use super::ast::{AggregateOp, BinaryOp, Intrinsic, KINDS, STATUSES, Scope, SpansetOp, Static};

/// Characters of a query at most.
pub const QUERY_CHARS_MAX: usize = 64 * 1024;
/// How deep parentheses, prefixes and operands may nest.
pub const DEPTH_MAX: usize = 100;
/// Binary operators of a query at most, which bounds the depth of the tree with [`DEPTH_MAX`].
pub const OPERATORS_MAX: usize = 1000;
/// Fields of a `by` or `select` at most.
pub const FIELDS_MAX: usize = 64;
/// Quantiles of one function at most.
pub const QUANTILES_MAX: usize = 64;
/// Series that `topk` and `bottomk` may keep, and values that `compare` may list.
pub const TOP_MAX: usize = 10_000;

/// An intrinsic with its spelling alone and behind a scope.
pub type IntrinsicWords = (Intrinsic, Option<&'static str>, Option<&'static str>);

/// All intrinsics.
pub const INTRINSICS: &[IntrinsicWords] = &[
    (Intrinsic::Duration, Some("duration"), Some("span:duration")),
    (Intrinsic::Name, Some("name"), Some("span:name")),
    (Intrinsic::Status, Some("status"), Some("span:status")),
    (Intrinsic::StatusMessage, Some("statusMessage"), Some("span:statusMessage")),
    (Intrinsic::Kind, Some("kind"), Some("span:kind")),
    (Intrinsic::Parent, Some("parent"), None),
    (Intrinsic::RootName, Some("rootName"), Some("trace:rootName")),
    (Intrinsic::RootServiceName, Some("rootServiceName"), Some("trace:rootService")),
    (Intrinsic::TraceDuration, Some("traceDuration"), Some("trace:duration")),
    (Intrinsic::TraceId, None, Some("trace:id")),
    (Intrinsic::SpanId, None, Some("span:id")),
    (Intrinsic::ParentId, None, Some("span:parentID")),
    (Intrinsic::ChildCount, None, Some("span:childCount")),
    (Intrinsic::NestedSetLeft, Some("nestedSetLeft"), None),
    (Intrinsic::NestedSetRight, Some("nestedSetRight"), None),
    (Intrinsic::NestedSetParent, Some("nestedSetParent"), None),
    (Intrinsic::EventName, None, Some("event:name")),
    (Intrinsic::EventTimeSinceStart, None, Some("event:timeSinceStart")),
    (Intrinsic::LinkTraceId, None, Some("link:traceID")),
    (Intrinsic::LinkSpanId, None, Some("link:spanID")),
    (Intrinsic::InstrumentationName, None, Some("instrumentation:name")),
    (Intrinsic::InstrumentationVersion, None, Some("instrumentation:version")),
];

/// Scopes of attributes by name.
pub const SCOPES: &[(&str, Scope)] = &[
    ("span", Scope::Span),
    ("resource", Scope::Resource),
    ("event", Scope::Event),
    ("link", Scope::Link),
    ("instrumentation", Scope::Instrumentation),
];

/// What stands before the colon of an intrinsic.
pub const INTRINSIC_SCOPES: &[&str] = &["span", "trace", "event", "link", "instrumentation"];

/// The aggregates by name.
pub const AGGREGATES: &[AggregateOp] =
    &[AggregateOp::Count, AggregateOp::Min, AggregateOp::Max, AggregateOp::Avg, AggregateOp::Sum];

/// Stages of a pipeline that are calls.
pub const STAGES: &[&str] = &["by", "coalesce", "select"];

/// The functions that turn spans into numbers.
pub const METRICS_FUNCTIONS: &[&str] = &[
    "rate",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "histogram_over_time",
    "compare",
];

/// Stages after them that are calls.
pub const SECOND_STAGES: &[&str] = &["topk", "bottomk"];

/// Literals that are words, besides statuses and kinds.
pub const LITERALS: &[&str] = &["true", "false", "nil", "minInt", "maxInt"];

/// Hints that have a meaning here.
pub const HINTS: &[&str] = &["exemplars", "most_recent", "sample"];
/// Hints by which Tempo is tuned; taken, with no effect here.
pub const TUNING_HINTS: &[&str] = &[
    "concurrent_blocks",
    "concurrent_jobs",
    "dedupe_spans",
    "job_interval",
    "job_size",
    "skip_optimization",
    "skip_optimizations",
    "time_overlap_cutoff",
];
/// Begins the names of Tempo's hints for debugging.
pub const DEBUG_HINTS: &str = "debug";

/// Comparisons that series and aggregates know.
pub const COMPARISONS: &[&str] = &["=", "!=", "<", "<=", ">", ">="];

/// Operators between numbers.
pub const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "^"];

/// Relations between spansets.
pub const RELATIONS: &[&str] = &[
    "&&", "||", ">", ">>", "<", "<<", "~", "!>", "!>>", "!<", "!<<", "!~", "&>", "&>>", "&<",
    "&<<", "&~",
];

/// Binary operators between fields.
pub const BINARY_OPS: &[BinaryOp] = &[
    BinaryOp::And,
    BinaryOp::Or,
    BinaryOp::Eq,
    BinaryOp::Ne,
    BinaryOp::Lt,
    BinaryOp::Le,
    BinaryOp::Gt,
    BinaryOp::Ge,
    BinaryOp::Matches,
    BinaryOp::NotMatches,
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::Mod,
    BinaryOp::Pow,
];

/// Rank of `!`; a higher one binds tighter.
pub const RANK_NOT: u8 = 4;
/// Rank of unary minus.
pub const RANK_NEGATE: u8 = 7;
/// Rank of what needs no parentheses anywhere.
pub const RANK_ATOM: u8 = 8;
/// Rank of comparisons and of the relations between spans.
pub const RANK_COMPARE: u8 = 2;

/// How tight an operator binds.
pub fn rank(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::And | BinaryOp::Or => 1,
        BinaryOp::Add | BinaryOp::Sub => 3,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => 5,
        BinaryOp::Pow => 6,
        _ => RANK_COMPARE,
    }
}

/// How tight a relation between spansets binds.
pub fn spanset_rank(op: SpansetOp) -> u8 {
    match op {
        SpansetOp::And | SpansetOp::Or => 1,
        _ => RANK_COMPARE,
    }
}

/// The operator of this spelling.
pub fn binary_op(symbol: &str) -> Option<BinaryOp> {
    BINARY_OPS.iter().copied().find(|op| op.text() == symbol)
}

/// The relation of this spelling, whether it is negated, and whether it is a union.
pub fn spanset_op(symbol: &str) -> Option<(SpansetOp, bool, bool)> {
    let op = match symbol {
        "&&" => return Some((SpansetOp::And, false, false)),
        "||" => return Some((SpansetOp::Or, false, false)),
        _ => symbol.trim_start_matches(['!', '&']),
    };
    let op = match op {
        ">" => SpansetOp::Child,
        ">>" => SpansetOp::Descendant,
        "<" => SpansetOp::Parent,
        "<<" => SpansetOp::Ancestor,
        "~" => SpansetOp::Sibling,
        _ => return None,
    };
    Some((op, symbol.starts_with('!'), symbol.starts_with('&')))
}

/// The literal that is this word.
pub fn literal(word: &str) -> Option<Static> {
    let number = |names: &[&str]| names.iter().position(|name| *name == word);
    Some(match word {
        "true" => Static::Bool(true),
        "false" => Static::Bool(false),
        "nil" => Static::Nil,
        "minInt" => Static::Int(i64::MIN),
        "maxInt" => Static::Int(i64::MAX),
        _ => match (number(&STATUSES), number(&KINDS)) {
            (Some(status), _) => Static::Status(status as i32),
            (_, Some(kind)) => Static::Kind(kind as i32),
            _ => return None,
        },
    })
}

/// The intrinsic that is this word, without a scope.
pub fn intrinsic(word: &str) -> Option<Intrinsic> {
    INTRINSICS.iter().find(|(_, alone, _)| *alone == Some(word)).map(|(which, ..)| *which)
}

/// The intrinsic of this spelling behind a scope: `span:name`.
pub fn scoped_intrinsic(text: &str) -> Option<Intrinsic> {
    INTRINSICS.iter().find(|(.., scoped)| *scoped == Some(text)).map(|(which, ..)| *which)
}

/// The aggregate of this name.
pub fn aggregate(word: &str) -> Option<AggregateOp> {
    AGGREGATES.iter().copied().find(|op| op.text() == word)
}

/// Every word that can stand for a value of a span.
pub fn value_words() -> impl Iterator<Item = &'static str> {
    let alone = INTRINSICS.iter().filter_map(|(_, alone, _)| *alone);
    alone.chain(LITERALS.iter().chain(&STATUSES).chain(&KINDS).copied())
}

/// `: did you mean 'x'?` where one of the words is near.
pub fn did_you_mean(found: &str, words: impl Iterator<Item = &'static str>) -> Option<String> {
    let near = words
        .map(|word| (distance(&found.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= word.len() / 3)
        .min_by_key(|(distance, _)| *distance);
    near.map(|(_, word)| format!("did you mean '{word}'?"))
}

/// Letters longer than this are no misspelling of a word of ours.
const WORD_CHARS_MAX: usize = 32;

// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > WORD_CHARS_MAX {
        return usize::MAX;
    }
    let mut row = (0..=b.chars().count()).collect::<Vec<_>>();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
