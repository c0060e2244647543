//! The tree of a query.

/// A piece of the query's text, in bytes. It says where a node stood and not what it means: trees that
/// differ in nothing else are equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Its first byte.
    pub start: usize,
    /// Behind its last byte.
    pub end: usize,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The filter bar.
    pub filter: Filter,
    /// What is done with the records that it leaves.
    pub pipes: Vec<Pipe>,
}

/// A condition on a record or row.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// `*`: any.
    All,
    /// All of these; no member is itself an `And`.
    And(Vec<Filter>),
    /// One of these; no member is itself an `Or`.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// A test of one field.
    Is(Condition),
    /// Two fields compared, in a pipe only.
    Compare(Comparison),
}

/// A test of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The field; none for the body of a record, by a bare term.
    pub field: Option<FieldName>,
    /// What its value must meet.
    pub test: Test,
    /// Where it stands.
    pub place: Place,
}

/// The name of a field as it is written, without quotes and escapes.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldName {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// What a value must meet.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `word`, `"some words"`: words of the body; of other fields the whole value.
    Words(String),
    /// The same with wildcards.
    Pattern(Vec<Part>),
    /// `="Text"`: in this case; a part of the body, or the whole value of another field.
    Exact(String),
    /// `~"regex"`, somewhere in the value.
    Matches(String),
    /// `>=500`.
    Compare(Order, Literal),
    /// `[400 TO 500}`.
    Range {
        /// The lower end.
        low: Bound,
        /// The upper end.
        high: Bound,
    },
    /// `*`: there is a value.
    Exists,
}

/// A piece of a text with wildcards.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text as it is.
    Text(String),
    /// `*`: any characters, also none.
    Any,
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value to compare with. What it is, a number, a duration, a time, depends on the field.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// The text.
    pub text: String,
    /// Whether it stood in quotes, and so is text whatever it looks like.
    pub quoted: bool,
}

/// An end of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The value; none for `*`.
    pub value: Option<Literal>,
    /// Whether the value itself belongs to the range.
    pub inclusive: bool,
}

/// Two fields compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The left field.
    pub left: FieldName,
    /// The operator.
    pub op: CompareOp,
    /// The right field.
    pub right: FieldName,
}

/// How two fields are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// An order.
    Order(Order),
}

/// A pipe with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipe {
    /// What it does.
    pub kind: PipeKind,
    /// Where it stands.
    pub place: Place,
}

/// What a pipe does.
#[derive(Clone, Debug, PartialEq)]
pub enum PipeKind {
    /// Keeps rows.
    Where(Filter),
    /// Keeps fields.
    Fields(Vec<FieldName>),
    /// Leaves fields out.
    Delete(Vec<FieldName>),
    /// Names fields anew: from, to.
    Rename(Vec<(FieldName, FieldName)>),
    /// Gives fields a second name: from, to.
    Copy(Vec<(FieldName, FieldName)>),
    /// Groups rows and computes.
    Stats(Stats),
    /// Sorts.
    Sort(Sort),
    /// The most (or least) frequent values.
    Top {
        /// How many.
        count: u64,
        /// Of these fields together.
        fields: Vec<FieldName>,
        /// Whether the least frequent are asked for.
        rare: bool,
    },
    /// The distinct values.
    Uniq {
        /// Of these fields together.
        fields: Vec<FieldName>,
        /// Whether they are counted.
        hits: bool,
        /// How many at most.
        limit: Option<u64>,
    },
    /// The first row of each distinct value.
    Dedup(Vec<FieldName>),
    /// Rows at most.
    Limit(u64),
    /// Rows left out at the start.
    Offset(u64),
    /// Fields out of a text by a pattern or a regular expression.
    Extract(Extract),
    /// Fields out of a JSON object or logfmt.
    Unpack(Unpack),
    /// Computed fields.
    Math(Vec<Assignment>),
    /// A text made of fields.
    Format {
        /// `<field>` stands for the field's value.
        template: String,
        /// The new field.
        to: FieldName,
    },
    /// A text replaced in a field.
    Replace(Replace),
    /// The records around each record, of the same stream.
    Context {
        /// Records before.
        before: u64,
        /// Records after.
        after: u64,
    },
    /// The patterns of the bodies with their counts.
    Patterns(Option<u64>),
    /// The patterns that came and went between two windows.
    Diff(Diff),
    /// All records of the traces of the records.
    Trace,
    /// Counts over time.
    Hits {
        /// The step in nanoseconds; none for one that fits the range.
        step_ns: Option<i64>,
        /// Fields by which they are split.
        by: Vec<FieldName>,
    },
}

/// Groups and what is computed of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// What makes a group.
    pub by: Vec<Group>,
    /// What is computed.
    pub functions: Vec<Aggregate>,
}

/// A part of a group's key.
#[derive(Clone, Debug, PartialEq)]
pub enum Group {
    /// A field.
    Field(FieldName),
    /// The time in steps of nanoseconds; none for steps that fit the range.
    Time(Option<i64>),
    /// A number in steps.
    Bucket {
        /// The field.
        field: FieldName,
        /// The step.
        size: f64,
    },
}

/// A function over a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The function.
    pub function: Function,
    /// Its field.
    pub field: Option<FieldName>,
    /// Which rows it looks at.
    pub condition: Option<Filter>,
    /// The name of its result.
    pub name: Option<FieldName>,
    /// Where it stands.
    pub place: Place,
}

/// What is computed of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// Rows, or rows with the field.
    Count,
    /// Distinct values.
    CountUniq,
    /// The sum.
    Sum,
    /// The mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The median.
    Median,
    /// A quantile, from 0 to 1.
    Quantile(f64),
    /// The standard deviation of the sample.
    StdDev,
    /// The list of distinct values.
    Values,
    /// The value of the oldest row.
    First,
    /// The value of the newest row.
    Last,
    /// Rows a second.
    Rate,
    /// The sum of a field a second.
    RateSum,
}

/// An order of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// The first key decides first.
    pub keys: Vec<SortKey>,
    /// Rows at most.
    pub limit: Option<u64>,
    /// Rows left out at the start.
    pub offset: Option<u64>,
}

/// A key of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// The field.
    pub field: FieldName,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// Fields out of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Extract {
    /// A pattern `… <name> …`, or a regular expression with named groups.
    pub pattern: String,
    /// Whether it is a regular expression.
    pub regexp: bool,
    /// The text; none for the body.
    pub from: Option<FieldName>,
}

/// Fields out of a structured text.
#[derive(Clone, Debug, PartialEq)]
pub struct Unpack {
    /// How the text is written.
    pub format: UnpackFormat,
    /// The text; none for the body.
    pub from: Option<FieldName>,
    /// The fields that become columns; none named: all that later pipes ask for.
    pub fields: Vec<FieldName>,
}

/// How a structured text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpackFormat {
    /// A JSON object.
    Json,
    /// `key=value key="a value"`.
    Logfmt,
}

/// A text replaced in a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Replace {
    /// The field.
    pub field: FieldName,
    /// What is replaced, everywhere.
    pub old: String,
    /// By what; a regular expression's groups are `$1` or `${name}`.
    pub new: String,
    /// Whether it is a regular expression.
    pub regexp: bool,
}

/// A computed field.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The new field.
    pub name: FieldName,
    /// Its value.
    pub value: MathExpr,
}

/// An expression over numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum MathExpr {
    /// A number, not negative.
    Number(f64),
    /// The number in a field.
    Field(FieldName),
    /// `-x`
    Negate(Box<MathExpr>),
    /// `a + b`
    Binary {
        /// The operator.
        op: MathOp,
        /// The left side.
        left: Box<MathExpr>,
        /// The right side.
        right: Box<MathExpr>,
    },
    /// `round(a)`
    Call {
        /// The function.
        function: MathFunction,
        /// Its arguments.
        arguments: Vec<MathExpr>,
    },
}

/// An operator between numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MathOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
    /// `^`
    Pow,
}

/// A function of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MathFunction {
    /// To whole numbers, or to digits.
    Round,
    /// Without its sign.
    Abs,
    /// The least argument.
    Min,
    /// The greatest argument.
    Max,
    /// Down.
    Floor,
    /// Up.
    Ceil,
    /// The natural logarithm.
    Ln,
    /// The decimal logarithm.
    Log10,
    /// The square root.
    Sqrt,
    /// The exponential.
    Exp,
}

/// Which windows are compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Diff {
    /// The last of this many nanoseconds, and as many before them.
    Window(i64),
    /// Two ranges: before, and after.
    Ranges(TimeSpan, TimeSpan),
}

/// A range of time as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeSpan {
    /// Its start.
    pub start: Literal,
    /// Its end.
    pub end: Literal,
    /// Where it stands.
    pub place: Place,
}
