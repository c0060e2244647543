//! The tree of a TraceQL query, as [`super::parse`] builds it and everything else reads it.
//!
//! Positions are in characters of the query, from zero. What the nodes mean, down to ties and
//! missing values, is written in `docs/traceql.md`.

use std::fmt;

/// Where a node stands in the query: characters `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// First character.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
}

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What it asks for.
    pub root: Root,
    /// `with(name=static, …)`.
    pub hints: Vec<Hint>,
}

/// What a query asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Root {
    /// Traces and their spans.
    Search(Pipeline),
    /// Series of numbers.
    Metrics(MetricsExpr),
}

/// One hint.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Static,
    /// Where it stands.
    pub place: Place,
}

/// Stages, each fed with the spansets of the one before; the first gets all spans of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipeline {
    /// The stages; at least one.
    pub stages: Vec<Stage>,
}

/// A stage of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Keeps spans.
    Spans(SpansetExpr),
    /// Keeps spansets: `count() > 2`, `avg(duration) > max(duration) / 2`.
    Scalar(ScalarFilter),
    /// `by(expr)`: splits spansets.
    By(FieldExpr),
    /// `coalesce()`: joins the spansets of a trace again.
    Coalesce,
    /// `select(a, b)`: fetches, filters nothing.
    Select(Vec<Field>),
}

/// An expression over spansets.
#[derive(Clone, Debug, PartialEq)]
pub enum SpansetExpr {
    /// `{ expr }`; `{}` keeps every span.
    Filter(Option<FieldExpr>),
    /// Two sides and how their spans relate.
    Binary {
        /// The relation.
        op: SpansetOp,
        /// Whether it stands with `!` (`!>>`): the right side's spans that have no such relation.
        negated: bool,
        /// Whether it stands with `&` (`&>>`): the spans of both sides that are related.
        union: bool,
        /// Left side.
        left: Box<SpansetExpr>,
        /// Right side.
        right: Box<SpansetExpr>,
    },
    /// `( pipeline )` as an operand: `({…} | count() > 2) && {…}`.
    Pipeline(Box<Pipeline>),
}

/// How spans of two sides relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpansetOp {
    /// `&&`: both sides are there.
    And,
    /// `||`: either side is there.
    Or,
    /// `>`: the right is a child of the left.
    Child,
    /// `>>`: the right is a descendant of the left.
    Descendant,
    /// `<`: the right is the parent of the left.
    Parent,
    /// `<<`: the right is an ancestor of the left.
    Ancestor,
    /// `~`: the two have one parent.
    Sibling,
}

/// `left cmp right`, where at least one side holds an aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarFilter {
    /// A comparison, not a regular one.
    pub op: BinaryOp,
    /// Left side.
    pub left: ScalarExpr,
    /// Right side.
    pub right: ScalarExpr,
    /// Where it stands.
    pub place: Place,
}

/// A number for each spanset.
#[derive(Clone, Debug, PartialEq)]
pub enum ScalarExpr {
    /// A literal.
    Static(Static),
    /// `count()`, `avg(duration)`.
    Aggregate(Aggregate),
    /// Arithmetic.
    Binary {
        /// One of `+ - * / % ^`.
        op: BinaryOp,
        /// Left side.
        left: Box<ScalarExpr>,
        /// Right side.
        right: Box<ScalarExpr>,
    },
    /// `-x`.
    Negate(Box<ScalarExpr>),
    /// `({…} | … | count())` as a side: a number of the trace, whatever the spanset.
    Pipeline {
        /// What comes before the number.
        pipeline: Box<Pipeline>,
        /// The number over all spans that the pipeline leaves.
        scalar: Box<ScalarExpr>,
    },
}

/// An aggregate over the spans of a spanset.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Which.
    pub op: AggregateOp,
    /// Over what; none for `count()`.
    pub of: Option<FieldExpr>,
    /// Where it stands.
    pub place: Place,
}

/// The aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum AggregateOp {
    Count,
    Min,
    Max,
    Avg,
    Sum,
}

/// An expression over one span.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldExpr {
    /// What it is.
    pub kind: FieldExprKind,
    /// Where it stands.
    pub place: Place,
}

/// The kinds of [`FieldExpr`].
#[derive(Clone, Debug, PartialEq)]
pub enum FieldExprKind {
    /// A literal.
    Static(Static),
    /// An attribute or intrinsic.
    Field(Field),
    /// `-x`.
    Negate(Box<FieldExpr>),
    /// `!x`.
    Not(Box<FieldExpr>),
    /// Two sides. `x = nil` and `x != nil` ask whether there is a value.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left side.
        left: Box<FieldExpr>,
        /// Right side.
        right: Box<FieldExpr>,
    },
}

/// Binary operators of field and scalar expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOp {
    And,
    Or,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `=~`, anchored at both ends.
    Matches,
    /// `!~`.
    NotMatches,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

/// Something that a span has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `span.http.method`, `.foo`, `parent.resource.x`.
    Attribute {
        /// Where it is looked for.
        scope: Scope,
        /// Whether the span's parent is asked instead of the span.
        parent: bool,
        /// The key, unquoted.
        name: String,
    },
    /// `duration`, `span:childCount`, `parent.span:name`.
    Intrinsic {
        /// Which.
        which: Intrinsic,
        /// Whether the span's parent is asked instead of the span.
        parent: bool,
    },
}

/// Where an attribute is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Scope {
    /// `.x`: the span's own, else its resource's.
    Any,
    Span,
    Resource,
    Event,
    Link,
    Instrumentation,
}

/// The intrinsic fields; where two spellings exist, both give the same node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Intrinsic {
    Duration,
    Name,
    Status,
    StatusMessage,
    Kind,
    /// `parent`: only compared with nil.
    Parent,
    RootName,
    RootServiceName,
    TraceDuration,
    TraceId,
    SpanId,
    ParentId,
    ChildCount,
    NestedSetLeft,
    NestedSetRight,
    NestedSetParent,
    EventName,
    EventTimeSinceStart,
    LinkTraceId,
    LinkSpanId,
    InstrumentationName,
    InstrumentationVersion,
}

/// A literal, and the value of a field of one span.
#[derive(Clone, Debug, PartialEq)]
pub enum Static {
    /// No value.
    Nil,
    /// Text.
    String(String),
    /// An integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    /// A span's status: 0 unset, 1 ok, 2 error.
    Status(i32),
    /// A span's kind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    Kind(i32),
}

/// A query for numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricsExpr {
    /// `pipeline | rate() by(…)`.
    Query(Box<MetricsQuery>),
    /// A number.
    Scalar(f64),
    /// Arithmetic between series of equal labels, or a series and a number.
    Binary {
        /// One of `+ - * / % ^`.
        op: BinaryOp,
        /// Left side.
        left: Box<MetricsExpr>,
        /// Right side.
        right: Box<MetricsExpr>,
    },
    /// `-x`.
    Negate(Box<MetricsExpr>),
    /// `expr | topk(5) | > 3`.
    Staged {
        /// What the stages work on.
        input: Box<MetricsExpr>,
        /// The stages, in order.
        stages: Vec<SecondStage>,
    },
}

/// One query for numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsQuery {
    /// The spans.
    pub pipeline: Pipeline,
    /// The numbers.
    pub function: MetricsFunction,
    /// `by(a, b)`.
    pub by: Vec<Field>,
    /// Where the function stands.
    pub place: Place,
}

/// The functions that turn spans into numbers.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum MetricsFunction {
    Rate,
    CountOverTime,
    MinOverTime(Field),
    MaxOverTime(Field),
    AvgOverTime(Field),
    SumOverTime(Field),
    QuantileOverTime(Field, Vec<f64>),
    HistogramOverTime(Field),
    Compare {
        /// The spans that are compared with the rest.
        selection: Box<SpansetExpr>,
        /// Values of each attribute, 10 unless said.
        top: usize,
        /// Spans that start before are never selected, nanoseconds since the epoch.
        start_ns: Option<i64>,
        /// Spans that start at this time or later are never selected.
        end_ns: Option<i64>,
    },
}

/// Stages after a function.
#[derive(Clone, Debug, PartialEq)]
pub enum SecondStage {
    /// Keeps the n largest values of each time.
    TopK(usize),
    /// Keeps the n smallest values of each time.
    BottomK(usize),
    /// Keeps the values for which the comparison holds.
    Filter(BinaryOp, f64),
}

impl BinaryOp {
    /// Whether it compares: `= != < <= > >= =~ !~`.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Eq
                | Self::Ne
                | Self::Lt
                | Self::Le
                | Self::Gt
                | Self::Ge
                | Self::Matches
                | Self::NotMatches
        )
    }

    /// Whether it calculates: `+ - * / % ^`.
    pub fn is_arithmetic(self) -> bool {
        matches!(self, Self::Add | Self::Sub | Self::Mul | Self::Div | Self::Mod | Self::Pow)
    }

    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Matches => "=~",
            Self::NotMatches => "!~",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
        }
    }
}

impl SpansetOp {
    /// How it is written without `!` and `&`.
    pub fn text(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Child => ">",
            Self::Descendant => ">>",
            Self::Parent => "<",
            Self::Ancestor => "<<",
            Self::Sibling => "~",
        }
    }
}

impl AggregateOp {
    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
            Self::Sum => "sum",
        }
    }
}

impl Static {
    /// The number, of the kinds that are numbers: integers, doubles and durations.
    pub fn number(&self) -> Option<f64> {
        match self {
            Static::Int(number) | Static::Duration(number) => Some(*number as f64),
            Static::Float(number) => Some(*number),
            _ => None,
        }
    }
}

/// Names of [`Static::Status`] by number.
pub const STATUSES: [&str; 3] = ["unset", "ok", "error"];
/// Names of [`Static::Kind`] by number.
pub const KINDS: [&str; 6] =
    ["unspecified", "internal", "server", "client", "producer", "consumer"];

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
