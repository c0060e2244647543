//! The tree of a LogQL query, as [`super::parse`] builds it and everything else reads it.

use super::grammar::{BinaryOp, RangeOp, VectorOp};

/// The byte where a node stands in its query. All spots are equal: where a node was written is no
/// part of what it is, so that a printed tree parses into an equal one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spot(pub usize);

impl PartialEq for Spot {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Spot {}

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Asks for log lines.
    Log(LogExpr),
    /// Asks for numbers.
    Metric(MetricExpr),
}

/// A selector and what its lines pass through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogExpr {
    /// Which streams; none of them means all.
    pub matchers: Vec<Matcher>,
    /// Stages, in order.
    pub stages: Vec<Stage>,
    /// Where the selector stands.
    pub at: Spot,
}

/// A condition on the text of a label; a label that is missing has the empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// How it is compared.
    pub op: MatchOp,
    /// With what.
    pub value: String,
    /// Where the value stands.
    pub at: Spot,
}

/// How a [`Matcher`] compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends.
    Matches,
    /// `!~`
    NotMatches,
}

/// A stage of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// `|= "text"` and its relatives.
    Line(LineFilter),
    /// `| json`: all values, or those that are listed.
    Json(Vec<Extraction>),
    /// `| logfmt`: all pairs, or those that are listed.
    Logfmt {
        /// `--strict`: what is no logfmt is an error.
        strict: bool,
        /// `--keep-empty`: keys without a value become labels too.
        keep_empty: bool,
        /// The labels that are listed.
        extractions: Vec<Extraction>,
    },
    /// `| regexp "…(?P<name>…)…"`.
    Regexp(Text),
    /// `| pattern "<name> … <_>"`.
    Pattern(Text),
    /// `| unpack`
    Unpack,
    /// `| decolorize`
    Decolorize,
    /// `| line_format "{{.x}}"`
    LineFormat(Text),
    /// `| label_format a=b, c="{{.x}}"`
    LabelFormat(Vec<LabelFormat>),
    /// `| drop a, b="x"`
    Drop(Vec<LabelPick>),
    /// `| keep a, b="x"`
    Keep(Vec<LabelPick>),
    /// `| a="x" and b > 5s`
    Filter(LabelFilter),
}

/// A string of the query and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Unquoted.
    pub value: String,
    /// Where its quote stands.
    pub at: Spot,
}

/// A condition on the line; `or` gives it more than one needle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFilter {
    /// How the needles are looked for.
    pub op: LineOp,
    /// At least one. A positive filter asks for any of them, a negative one for none.
    pub needles: Vec<Needle>,
}

/// How a [`LineFilter`] looks at the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`, anywhere in the line.
    Matches,
    /// `!~`
    NotMatches,
    /// `|>`
    Pattern,
    /// `!>`
    NotPattern,
}

/// What a [`LineFilter`] looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needle {
    /// A substring, regular expression or pattern, by the operator.
    Text(Text),
    /// `ip("10.0.0.0/8")`: an address in that range anywhere in the line.
    Ip(Text),
}

/// `label="path"` of `json` and `logfmt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extraction {
    /// The label that is made.
    pub label: String,
    /// Where its value is found; the same as the label where only that is written.
    pub path: Text,
}

/// One assignment of `label_format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelFormat {
    /// The label that is made.
    pub label: String,
    /// Out of what.
    pub source: LabelSource,
    /// Where the assignment stands.
    pub at: Spot,
}

/// What `label_format` takes a value from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelSource {
    /// Another label, which is gone afterwards.
    Rename(String),
    /// A template.
    Template(Text),
}

/// A label that `drop` or `keep` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelPick {
    /// Whatever its value.
    Name(String),
    /// Only with this value.
    Match(Matcher),
}

/// A condition on labels.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelFilter {
    /// On the text.
    Match(Matcher),
    /// On the text as a number.
    Number {
        /// The label.
        name: String,
        /// How it is compared.
        op: CompareOp,
        /// With what.
        value: Quantity,
    },
    /// On the text as an IP address.
    Ip {
        /// The label.
        name: String,
        /// Whether the address must be outside.
        negated: bool,
        /// An address, a range or a network.
        range: Text,
    },
    /// Both.
    And(Box<LabelFilter>, Box<LabelFilter>),
    /// Either.
    Or(Box<LabelFilter>, Box<LabelFilter>),
}

/// How numbers of labels are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// A number with what it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// Anything.
    Number(f64),
    /// Nanoseconds.
    Duration(i64),
    /// Bytes.
    Bytes(u64),
}

/// A query for numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricExpr {
    /// A number.
    Literal(f64),
    /// `vector(n)`: one series without labels.
    Vector(f64),
    /// Lines into numbers.
    Range(RangeAggregate),
    /// Series into fewer series.
    Aggregate(VectorAggregate),
    /// Two sides.
    Binary(Box<Binary>),
    /// `label_replace(…)`.
    LabelReplace(Box<LabelReplace>),
}

/// `rate({…} [5m])` and its relatives.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeAggregate {
    /// The function.
    pub op: RangeOp,
    /// The quantile.
    pub parameter: Option<f64>,
    /// Which lines, and how far back.
    pub range: RangeExpr,
    /// `by` or `without`.
    pub grouping: Option<Grouping>,
    /// Where it stands.
    pub at: Spot,
}

/// Lines of a window of time.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeExpr {
    /// The lines.
    pub log: LogExpr,
    /// The label that is the number.
    pub unwrap: Option<Unwrap>,
    /// Length of the window in nanoseconds, above zero.
    pub range_ns: i64,
    /// How much earlier the window lies.
    pub offset_ns: i64,
}

/// `| unwrap duration(took) | took > 0`.
#[derive(Clone, Debug, PartialEq)]
pub struct Unwrap {
    /// The label.
    pub label: String,
    /// How its text becomes a number.
    pub conversion: Conversion,
    /// Conditions behind it.
    pub filters: Vec<LabelFilter>,
    /// Where it stands.
    pub at: Spot,
}

/// How the text of a label becomes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// A number as it stands.
    Number,
    /// `bytes(x)`: `5KB` is 5000.
    Bytes,
    /// `duration(x)`: `1m` is 60.
    Duration,
    /// `duration_seconds(x)`: the same.
    DurationSeconds,
}

/// `by (a, b)` or `without (a, b)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// Whether the labels are those that go.
    pub without: bool,
    /// The labels.
    pub labels: Vec<String>,
}

/// `sum by (a) (…)` and its relatives.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorAggregate {
    /// The function.
    pub op: VectorOp,
    /// How many, for `topk` and its relatives.
    pub parameter: Option<f64>,
    /// By which labels; without any, all series become one.
    pub grouping: Option<Grouping>,
    /// Of what.
    pub of: Box<MetricExpr>,
    /// Where it stands.
    pub at: Spot,
}

/// Two sides and an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// `bool`: 0 or 1 where a comparison would keep or drop.
    pub to_bool: bool,
    /// Which series of the sides belong together.
    pub matching: Option<Matching>,
    /// Left side.
    pub left: MetricExpr,
    /// Right side.
    pub right: MetricExpr,
    /// Where the operator stands.
    pub at: Spot,
}

/// `on (a) group_left (b)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// `on`, not `ignoring`.
    pub on: bool,
    /// The labels.
    pub labels: Vec<String>,
    /// The side that may have many series for one of the other.
    pub many: Option<Many>,
}

/// `group_left (labels)` or `group_right (labels)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Many {
    /// Whether the left side is the one with many series.
    pub left: bool,
    /// Labels that are taken over from the other side.
    pub include: Vec<String>,
}

/// `label_replace(v, "dst", "$1", "src", "(.*)")`.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelReplace {
    /// The series.
    pub of: MetricExpr,
    /// The label that is made.
    pub target: String,
    /// Its value, with `$1` for groups.
    pub replacement: String,
    /// The label that is looked at.
    pub source: String,
    /// What the whole of it must match.
    pub pattern: Text,
    /// Where it stands.
    pub at: Spot,
}

impl LineOp {
    /// Whether it asks for lines that do not have it.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotContains | Self::NotMatches | Self::NotPattern)
    }

    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::Contains => "|=",
            Self::NotContains => "!=",
            Self::Matches => "|~",
            Self::NotMatches => "!~",
            Self::Pattern => "|>",
            Self::NotPattern => "!>",
        }
    }
}

impl MatchOp {
    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::NotMatches => "!~",
        }
    }
}

impl CompareOp {
    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        }
    }

    /// Whether the comparison holds.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterEqual => left >= right,
        }
    }
}

impl Conversion {
    /// The function's name; none for a number as it stands.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Number => None,
            Self::Bytes => Some("bytes"),
            Self::Duration => Some("duration"),
            Self::DurationSeconds => Some("duration_seconds"),
        }
    }
}
