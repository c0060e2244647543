//! The words of the language and its limits, once: parser, printer, completion and lowering read them.

use super::ast::{Function, MathFunction};

/// Bytes of a query at most.
pub const QUERY_BYTES_MAX: usize = 64 * 1024;
/// How deep parentheses and negations may nest. SQL nests no deeper, and its parser has a limit too.
pub const DEPTH_MAX: usize = 12;
/// Conditions of a query at most.
pub const CONDITIONS_MAX: usize = 100;
/// Pipes of a query at most.
pub const PIPES_MAX: usize = 32;
/// Fields, functions or assignments of one pipe at most.
pub const LIST_MAX: usize = 64;
/// Operators of one `math` pipe at most.
pub const MATH_OPERATORS_MAX: usize = 50;
/// Rows that `limit`, `top` and the like may ask for.
pub const ROWS_MAX: u64 = 1_000_000;
/// Records on each side that `stream_context` may ask for.
pub const CONTEXT_MAX: u64 = 1000;
/// Rows of `top` and `patterns` that do not say how many.
pub const TOP_DEFAULT: u64 = 10;
/// Bytes of a compiled regular expression at most.
pub const REGEX_BYTES_MAX: usize = 1 << 20;

/// A fixed field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fixed {
    /// Its time.
    Time,
    /// When it was observed.
    ObservedTime,
    /// Its service.
    Service,
    /// Its level: the class of its severity.
    Level,
    /// Its severity as a number.
    SeverityNumber,
    /// Its severity as the sender wrote it.
    SeverityText,
    /// Its body as text.
    Body,
    /// The name of the event.
    Event,
    /// The trace it belongs to.
    TraceId,
    /// The span it belongs to.
    SpanId,
    /// The name of its scope.
    Scope,
    /// The version of its scope.
    ScopeVersion,
    /// Its trace flags.
    Flags,
    /// What its body looks like.
    Template,
    /// The same as 16 hexadecimal digits.
    TemplateId,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Text; a number in it is compared as a number where one is asked for.
    Text,
    /// The text of a body, looked at by its words.
    Body,
    /// A number.
    Number,
    /// A time.
    Time,
    /// An id of this many hexadecimal digits.
    Id(usize),
    /// A level.
    Level,
    /// A list.
    List,
}

/// A fixed field: its names, its column of the table `logs`, and what it is.
#[derive(Debug)]
pub struct FixedField {
    /// Which it is.
    pub field: Fixed,
    /// Its names, the usual one first.
    pub names: &'static [&'static str],
    /// Its SQL: a column, quoted where it has to be, or an expression.
    pub sql: &'static str,
    /// What it is.
    pub kind: ValueKind,
    /// Whether records may lack it; text that records need not lack is empty instead.
    pub nullable: bool,
    /// What it is, in a few words.
    pub detail: &'static str,
}

macro_rules! fixed {
    ($field:ident, $names:expr, $sql:expr, $kind:expr, $nullable:expr, $detail:expr) => {
        FixedField {
            field: Fixed::$field,
            names: &$names,
            sql: $sql,
            kind: $kind,
            nullable: $nullable,
            detail: $detail,
        }
    };
}

/// All fixed fields.
pub const FIXED: &[FixedField] = &[
    fixed!(
        Time,
        ["time", "timestamp", "@timestamp", "_time"],
        "\"time\"",
        ValueKind::Time,
        false,
        "time of the record"
    ),
    fixed!(
        Service,
        ["service", "service_name", "service.name"],
        "service_name",
        ValueKind::Text,
        false,
        "service"
    ),
    fixed!(
        Level,
        ["level", "severity"],
        "severity_level(severity_number, severity_text)",
        ValueKind::Level,
        true,
        "trace, debug, info, warn, error or fatal"
    ),
    fixed!(
        Body,
        ["body", "message", "msg", "_msg"],
        "body",
        ValueKind::Body,
        true,
        "text of the record"
    ),
    fixed!(
        SeverityNumber,
        ["severity_number"],
        "severity_number",
        ValueKind::Number,
        false,
        "severity, 1 to 24"
    ),
    fixed!(
        SeverityText,
        ["severity_text"],
        "severity_text",
        ValueKind::Text,
        false,
        "severity as it was sent"
    ),
    fixed!(
        Event,
        ["event", "event_name"],
        "event_name",
        ValueKind::Text,
        false,
        "name of the event"
    ),
    fixed!(TraceId, ["trace_id", "trace"], "trace_id", ValueKind::Id(32), true, "trace"),
    fixed!(SpanId, ["span_id", "span"], "span_id", ValueKind::Id(16), true, "span"),
    fixed!(
        Scope,
        ["scope", "scope_name", "scope.name"],
        "scope_name",
        ValueKind::Text,
        false,
        "name of the instrumentation scope"
    ),
    fixed!(
        ScopeVersion,
        ["scope_version", "scope.version"],
        "scope_version",
        ValueKind::Text,
        false,
        "version of the instrumentation scope"
    ),
    fixed!(Template, ["template"], "template", ValueKind::Text, true, "pattern of the body"),
    fixed!(
        TemplateId,
        ["template_id"],
        "template_id",
        ValueKind::Text,
        true,
        "id of the body's pattern"
    ),
    fixed!(
        ObservedTime,
        ["observed_time"],
        "observed_time",
        ValueKind::Time,
        true,
        "when the record was observed"
    ),
    fixed!(Flags, ["flags"], "flags", ValueKind::Number, false, "trace flags"),
];

/// Where an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The record, or where it has none of that name, its resource.
    Any,
    /// The record.
    Record,
    /// Its resource.
    Resource,
    /// Its scope.
    Scope,
}

/// Prefixes of names that say where an attribute is, with the columns of the sets.
pub const OWNERS: &[(&str, Owner)] = &[
    ("attributes.", Owner::Record),
    ("resource.", Owner::Resource),
    ("resource_attributes.", Owner::Resource),
    ("scope.", Owner::Scope),
    ("scope_attributes.", Owner::Scope),
];

/// What a name stands for on a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// A fixed field.
    Fixed(Fixed),
    /// An attribute.
    Attribute(Owner, String),
}

/// Attributes that hold prose and are looked at by their words, as bodies are.
pub const PROSE_ATTRIBUTES: &[&str] = &["exception.message", "exception.stacktrace"];

impl Field {
    /// What a name stands for.
    pub fn of(name: &str) -> Self {
        if let Some(known) = FIXED.iter().find(|known| known.names.contains(&name)) {
            return Self::Fixed(known.field);
        }
        for (prefix, owner) in OWNERS {
            if let Some(key) = name.strip_prefix(prefix).filter(|key| !key.is_empty()) {
                return Self::Attribute(*owner, key.to_owned());
            }
        }
        Self::Attribute(Owner::Any, name.to_owned())
    }
}

/// A word with what it does.
#[derive(Debug)]
pub struct Word {
    /// The word, and after it other spellings.
    pub names: &'static [&'static str],
    /// What it does, in a few words.
    pub detail: &'static str,
}

macro_rules! words {
    ($($names:expr => $detail:expr),* $(,)?) => { &[$(Word { names: &$names, detail: $detail }),*] };
}

/// The pipes. The first name is printed.
pub const PIPES: &[Word] = words![
    ["where", "filter", "search"] => "keep rows that meet a condition",
    ["fields", "keep", "table"] => "keep these fields",
    ["delete", "drop"] => "leave fields out",
    ["rename", "mv"] => "rename a as b",
    ["copy", "cp"] => "copy a as b",
    ["stats"] => "stats by (field, 1m) count() as n",
    ["timechart"] => "timechart span=1m count() by field",
    ["sort", "order"] => "sort by (field desc) limit 10",
    ["top"] => "the most frequent values: top 10 by (field)",
    ["rare"] => "the least frequent values: rare 10 by (field)",
    ["uniq"] => "the distinct values: uniq by (field) with hits",
    ["dedup"] => "the newest row of each value: dedup field",
    ["limit", "head"] => "rows at most",
    ["offset", "skip"] => "rows to leave out",
    ["extract"] => "extract \"user=<user> \" from body",
    ["extract_regexp", "rex"] => "extract_regexp \"(?P<user>\\w+)\" from body",
    ["unpack_json"] => "fields of a JSON object: unpack_json fields (a, b)",
    ["unpack_logfmt"] => "fields of key=value pairs: unpack_logfmt fields (a, b)",
    ["math", "eval"] => "math total = a + b * 2",
    ["format"] => "format \"<a>: <b>\" as c",
    ["replace"] => "replace (\"old\", \"new\") at field",
    ["replace_regexp"] => "replace_regexp (\"o.d\", \"$0\") at field",
    ["stream_context"] => "the records around: stream_context before 5 after 5",
    ["patterns"] => "what the bodies look like, with counts",
    ["diff"] => "patterns that came and went: diff 1h",
    ["trace"] => "all records of the traces found",
    ["hits", "histogram"] => "counts over time: hits 1m by (level)",
];

/// The first name of a pipe.
pub fn pipe_name(word: &str) -> Option<&'static str> {
    let known = PIPES.iter().find(|known| known.names.contains(&word))?;
    known.names.first().copied()
}

/// The functions of `stats`. `p50` to `p99` are known besides.
pub const FUNCTIONS: &[(Function, &[&str], &str)] = &[
    (Function::Count, &["count"], "rows, or rows that have the field"),
    (Function::CountUniq, &["count_uniq", "dc", "count_distinct"], "distinct values"),
    (Function::Sum, &["sum"], "sum"),
    (Function::Avg, &["avg", "mean"], "mean"),
    (Function::Min, &["min"], "least"),
    (Function::Max, &["max"], "greatest"),
    (Function::Median, &["median"], "median"),
    (Function::Quantile(0.0), &["quantile", "percentile"], "quantile(0.99, field)"),
    (Function::StdDev, &["stddev", "stdev"], "standard deviation"),
    (Function::Values, &["values", "uniq_values"], "list of the distinct values"),
    (Function::First, &["first", "earliest"], "value of the oldest row"),
    (Function::Last, &["last", "latest"], "value of the newest row"),
    (Function::Rate, &["rate"], "rows a second"),
    (Function::RateSum, &["rate_sum"], "sum a second"),
];

/// Counts the rows that meet a condition: `count_if(filter)`.
pub const COUNT_IF: &str = "count_if";

/// The name of a function of `stats`, but for [`Function::Quantile`].
pub fn function_name(function: Function) -> &'static str {
    let same =
        |known: Function| std::mem::discriminant(&known) == std::mem::discriminant(&function);
    let known = FUNCTIONS.iter().find(|(known, ..)| same(*known));
    known.and_then(|(_, names, _)| names.first().copied()).unwrap_or("count")
}

/// The functions of `math` with the least and greatest number of their arguments.
pub const MATH_FUNCTIONS: &[(MathFunction, &str, usize, usize)] = &[
    (MathFunction::Round, "round", 1, 2),
    (MathFunction::Abs, "abs", 1, 1),
    (MathFunction::Min, "min", 1, LIST_MAX),
    (MathFunction::Max, "max", 1, LIST_MAX),
    (MathFunction::Floor, "floor", 1, 1),
    (MathFunction::Ceil, "ceil", 1, 1),
    (MathFunction::Ln, "ln", 1, 1),
    (MathFunction::Log10, "log10", 1, 1),
    (MathFunction::Sqrt, "sqrt", 1, 1),
    (MathFunction::Exp, "exp", 1, 1),
];

/// `did you mean 'x'?` where one of the words is near.
pub fn did_you_mean<'w>(found: &str, words: impl Iterator<Item = &'w str>) -> Option<String> {
    let near = words
        .map(|word| (distance(&found.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= (word.chars().count() + 1) / 3)
        .min_by_key(|(distance, _)| *distance);
    near.map(|(_, word)| format!("did you mean '{word}'?"))
}

/// Letters longer than this are no misspelling of a word of ours.
const WORD_BYTES_MAX: usize = 48;

// Levenshtein's distance, where two letters that changed places count as one.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > WORD_BYTES_MAX || b.len() > WORD_BYTES_MAX {
        return usize::MAX;
    }
    let (a, b) = (a.chars().collect::<Vec<_>>(), b.chars().collect::<Vec<_>>());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(usize::MAX)
}
