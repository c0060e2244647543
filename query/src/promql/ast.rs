//! The syntax tree of PromQL.
//!
//! Every node knows where it stands in the text, since warnings name the place of the expression they
//! are about. Durations are milliseconds; those that are written as expressions are kept as such until
//! [`super::prepare`] knows the query's step and range.

use std::sync::Arc;

use super::functions::Function;
use super::matcher::Matcher;
pub use super::operators::{AGGREGATES, AggregateOp, BinaryOp};

/// Bytes of the text, from `start` to before `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// After the last byte.
    pub end: usize,
}

/// The four types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number at every step.
    Scalar,
    /// Series with at most one value at a step.
    Vector,
    /// Series with the values of a range of time.
    Matrix,
    /// A text.
    Text,
}

impl Type {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Type::Scalar => "scalar",
            Type::Vector => "instant vector",
            Type::Matrix => "range vector",
            Type::Text => "string",
        }
    }
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each is described at its type
pub enum Expr {
    Aggregate(Box<Aggregate>),
    Binary(Box<Binary>),
    Call(Box<Call>),
    Matrix(Box<MatrixSelector>),
    Number(Number),
    Paren(Box<Paren>),
    Subquery(Box<Subquery>),
    Text(Text),
    Unary(Box<Unary>),
    Vector(Box<VectorSelector>),
    /// An expression with the same value at every step; made by [`super::prepare`].
    Invariant(Box<Expr>),
}

/// A number or a duration in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The value.
    pub value: f64,
    /// Whether it was written as a duration.
    pub is_duration: bool,
    /// Its place.
    pub span: Span,
}

/// A quoted text.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// Without quotes and escapes.
    pub value: String,
    /// Its place.
    pub span: Span,
}

/// `(expr)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Paren {
    /// What stands inside.
    pub inner: Expr,
    /// Its place.
    pub span: Span,
}

/// `-expr` or `+expr`.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// Whether the sign is a minus.
    pub is_negative: bool,
    /// The operand.
    pub operand: Expr,
    /// Where the sign stands.
    pub start: usize,
}

/// `name(arguments)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function.
    pub function: &'static Function,
    /// The arguments.
    pub arguments: Vec<Expr>,
    /// Its place.
    pub span: Span,
}

/// `op by (labels) (parameter, operand)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The operator.
    pub op: AggregateOp,
    /// What is aggregated.
    pub operand: Expr,
    /// `k`, a quantile or a label name.
    pub parameter: Option<Expr>,
    /// The labels of `by` or `without`.
    pub grouping: Vec<Arc<str>>,
    /// Whether the labels are those to leave out.
    pub is_without: bool,
    /// Its place.
    pub span: Span,
}

/// How many series of one side match how many of the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
    /// Set operators.
    ManyToMany,
}

/// How series of two vectors find each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matching {
    /// How many match how many.
    pub cardinality: Cardinality,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<Arc<str>>,
    /// Whether they are those of `on`.
    pub is_on: bool,
    /// Labels that `group_left` or `group_right` takes from the other side.
    pub include: Vec<Arc<str>>,
    /// The value of a left series that is missing.
    pub fill_left: Option<f64>,
    /// The value of a right series that is missing.
    pub fill_right: Option<f64>,
}

/// `left op right`.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// The left operand.
    pub left: Expr,
    /// The right operand.
    pub right: Expr,
    /// For two vectors.
    pub matching: Option<Matching>,
    /// Whether a comparison answers 0 and 1.
    pub returns_bool: bool,
}

/// The time of an `@` modifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    /// Milliseconds since the epoch.
    Time(i64),
    /// The query's start.
    Start,
    /// The query's end.
    End,
}

/// `[1m] anchored` and `[1m] smoothed`: how the edges of a range are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edges {
    /// The samples inside.
    #[default]
    Plain,
    /// The last sample before the range counts as its left edge.
    Anchored,
    /// Both edges are interpolated.
    Smoothed,
}

/// A length of time: milliseconds, or an expression that is not evaluated yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Length {
    /// The milliseconds, once known.
    pub ms: i64,
    /// The expression, if it is more than a literal.
    pub expr: Option<Box<Duration>>,
}

impl Length {
    /// A length that is known.
    pub fn of_ms(ms: i64) -> Self {
        Self { ms, expr: None }
    }
}

/// Operators of duration expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DurationOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    MinOf,
    MaxOf,
}

/// A duration expression.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Duration {
    Literal(Number),
    /// `step()`.
    Step(Span),
    /// `range()`.
    Range(Span),
    Negative {
        operand: Box<Duration>,
        start: usize,
    },
    Paren {
        inner: Box<Duration>,
        span: Span,
    },
    Binary {
        op: DurationOp,
        left: Box<Duration>,
        right: Box<Duration>,
        span: Span,
    },
}

impl Duration {
    /// Its place.
    pub fn span(&self) -> Span {
        match self {
            Duration::Literal(number) => number.span,
            Duration::Step(span) | Duration::Range(span) | Duration::Paren { span, .. } => *span,
            Duration::Negative { operand, start } => {
                Span { start: *start, end: operand.span().end }
            }
            Duration::Binary { span, .. } => *span,
        }
    }
}

/// Which instant or series of instants a selector or subquery reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    /// How long before the step.
    pub offset: Length,
    /// A fixed time instead of the step's.
    pub at: Option<At>,
}

impl Default for Shift {
    fn default() -> Self {
        Self { offset: Length::of_ms(0), at: None }
    }
}

/// `name{matchers}`.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSelector {
    /// The name before the braces.
    pub name: Option<Arc<str>>,
    /// The matchers, that of the name among them (as the last).
    pub matchers: Vec<Matcher>,
    /// `offset` and `@`.
    pub shift: Shift,
    /// `anchored`, `smoothed`.
    pub edges: Edges,
    /// Whether only counts and sums of histograms are asked for; set by [`super::prepare`].
    pub only_totals: bool,
    /// Its place.
    pub span: Span,
}

/// `selector[range]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    /// The series; its shift and edges are those of the whole.
    pub selector: VectorSelector,
    /// The length of the range.
    pub range: Length,
    /// After its last byte.
    pub end: usize,
}

/// `expr[range:step]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub inner: Expr,
    /// The length of the range.
    pub range: Length,
    /// The step; none for the default.
    pub step: Option<Length>,
    /// `offset` and `@`.
    pub shift: Shift,
    /// After its last byte.
    pub end: usize,
}

impl Expr {
    /// The type of its value.
    pub fn value_type(&self) -> Type {
        match self {
            Expr::Aggregate(_) | Expr::Vector(_) => Type::Vector,
            Expr::Binary(binary) => match (binary.left.value_type(), binary.right.value_type()) {
                (Type::Scalar, Type::Scalar) => Type::Scalar,
                _ => Type::Vector,
            },
            Expr::Call(call) => call.function.returns,
            Expr::Matrix(_) | Expr::Subquery(_) => Type::Matrix,
            Expr::Number(_) => Type::Scalar,
            Expr::Paren(paren) => paren.inner.value_type(),
            Expr::Text(_) => Type::Text,
            Expr::Unary(unary) => unary.operand.value_type(),
            Expr::Invariant(inner) => inner.value_type(),
        }
    }

    /// Its place.
    pub fn span(&self) -> Span {
        match self {
            Expr::Aggregate(aggregate) => aggregate.span,
            Expr::Binary(binary) => {
                Span { start: binary.left.span().start, end: binary.right.span().end }
            }
            Expr::Call(call) => call.span,
            Expr::Matrix(matrix) => Span { start: matrix.selector.span.start, end: matrix.end },
            Expr::Number(number) => number.span,
            Expr::Paren(paren) => paren.span,
            Expr::Subquery(subquery) => {
                Span { start: subquery.inner.span().start, end: subquery.end }
            }
            Expr::Text(text) => text.span,
            Expr::Unary(unary) => Span { start: unary.start, end: unary.operand.span().end },
            Expr::Vector(vector) => vector.span,
            Expr::Invariant(inner) => inner.span(),
        }
    }

    /// The expressions directly inside.
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Expr::Aggregate(aggregate) => {
                let parameter = aggregate.parameter.as_mut();
                parameter.into_iter().chain([&mut aggregate.operand]).collect()
            }
            Expr::Binary(binary) => vec![&mut binary.left, &mut binary.right],
            Expr::Call(call) => call.arguments.iter_mut().collect(),
            Expr::Paren(paren) => vec![&mut paren.inner],
            Expr::Subquery(subquery) => vec![&mut subquery.inner],
            Expr::Unary(unary) => vec![&mut unary.operand],
            Expr::Invariant(inner) => vec![inner],
            Expr::Matrix(_) | Expr::Number(_) | Expr::Text(_) | Expr::Vector(_) => Vec::new(),
        }
    }

    /// The expressions directly inside.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Aggregate(aggregate) => {
                aggregate.parameter.iter().chain([&aggregate.operand]).collect()
            }
            Expr::Binary(binary) => vec![&binary.left, &binary.right],
            Expr::Call(call) => call.arguments.iter().collect(),
            Expr::Paren(paren) => vec![&paren.inner],
            Expr::Subquery(subquery) => vec![&subquery.inner],
            Expr::Unary(unary) => vec![&unary.operand],
            Expr::Invariant(inner) => vec![inner],
            Expr::Matrix(_) | Expr::Number(_) | Expr::Text(_) | Expr::Vector(_) => Vec::new(),
        }
    }

    /// Without the parentheses around it.
    pub fn without_parens(&self) -> &Expr {
        match self {
            Expr::Paren(paren) => paren.inner.without_parens(),
            other => other,
        }
    }
}
