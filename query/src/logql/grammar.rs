//! The words, ranks and bounds of LogQL, once: lexer, parser, printer and check read them.

/// Bytes of a query at most.
pub const QUERY_BYTES_MAX: usize = 64 * 1024;
/// How deep parentheses and calls may nest.
pub const DEPTH_MAX: usize = 64;
/// Binary operators of a query at most, of numbers and of label filters alike; bounds the depth of
/// the tree together with [`DEPTH_MAX`].
pub const OPERATORS_MAX: usize = 256;
/// Stages of a pipeline at most.
pub const STAGES_MAX: usize = 128;
/// Entries of one list at most: matchers, labels, needles, extractions.
pub const LIST_MAX: usize = 256;
/// Bytes of a compiled regular expression at most.
pub const REGEX_BYTES_MAX: usize = 4 << 20;
/// What `topk` and its relatives may keep.
pub const TOP_MAX: f64 = 100_000.0;

/// Whether a selector must have a matcher that the empty text does not satisfy. Loki asks for it
/// because its index cannot find streams otherwise; ours takes any selector.
pub const SELECTOR_NEEDS_VALUE: bool = false;

/// The label that holds what went wrong with a line.
pub const ERROR: &str = "__error__";
/// The label that says more about it.
pub const ERROR_DETAILS: &str = "__error_details__";
/// What a label of a line is called behind its name where the stream has one of that name.
pub const EXTRACTED: &str = "_extracted";

/// Stages that need nothing behind their word.
pub const STAGES_ALONE: &[&str] = &["json", "logfmt", "unpack", "decolorize"];

/// The functions that turn lines into numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RangeOp {
    Rate,
    RateCounter,
    Count,
    BytesRate,
    Bytes,
    Avg,
    Sum,
    Min,
    Max,
    Stdvar,
    Stddev,
    Quantile,
    First,
    Last,
    Absent,
}

/// [`RangeOp`] by name.
pub const RANGE_OPS: &[(&str, RangeOp)] = &[
    ("rate", RangeOp::Rate),
    ("rate_counter", RangeOp::RateCounter),
    ("count_over_time", RangeOp::Count),
    ("bytes_rate", RangeOp::BytesRate),
    ("bytes_over_time", RangeOp::Bytes),
    ("avg_over_time", RangeOp::Avg),
    ("sum_over_time", RangeOp::Sum),
    ("min_over_time", RangeOp::Min),
    ("max_over_time", RangeOp::Max),
    ("stdvar_over_time", RangeOp::Stdvar),
    ("stddev_over_time", RangeOp::Stddev),
    ("quantile_over_time", RangeOp::Quantile),
    ("first_over_time", RangeOp::First),
    ("last_over_time", RangeOp::Last),
    ("absent_over_time", RangeOp::Absent),
];

/// The functions that turn series into fewer or other series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum VectorOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Stddev,
    Stdvar,
    TopK,
    BottomK,
    ApproxTopK,
    Sort,
    SortDesc,
}

/// [`VectorOp`] by name.
pub const VECTOR_OPS: &[(&str, VectorOp)] = &[
    ("sum", VectorOp::Sum),
    ("avg", VectorOp::Avg),
    ("count", VectorOp::Count),
    ("min", VectorOp::Min),
    ("max", VectorOp::Max),
    ("stddev", VectorOp::Stddev),
    ("stdvar", VectorOp::Stdvar),
    ("topk", VectorOp::TopK),
    ("bottomk", VectorOp::BottomK),
    ("approx_topk", VectorOp::ApproxTopK),
    ("sort", VectorOp::Sort),
    ("sort_desc", VectorOp::SortDesc),
];

/// Operators between two sides of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Or,
    And,
    Unless,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

/// [`BinaryOp`] with its text and rank; a higher rank binds tighter.
pub const BINARY_OPS: &[(&str, BinaryOp, u8)] = &[
    ("or", BinaryOp::Or, 1),
    ("and", BinaryOp::And, 2),
    ("unless", BinaryOp::Unless, 2),
    ("==", BinaryOp::Equal, 3),
    ("!=", BinaryOp::NotEqual, 3),
    (">", BinaryOp::Greater, 3),
    (">=", BinaryOp::GreaterEqual, 3),
    ("<", BinaryOp::Less, 3),
    ("<=", BinaryOp::LessEqual, 3),
    ("+", BinaryOp::Add, 4),
    ("-", BinaryOp::Sub, 4),
    ("*", BinaryOp::Mul, 5),
    ("/", BinaryOp::Div, 5),
    ("%", BinaryOp::Mod, 5),
    ("^", BinaryOp::Pow, 6),
];

impl RangeOp {
    /// How it is written.
    pub fn name(self) -> &'static str {
        RANGE_OPS.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }

    /// Whether it may stand over `unwrap`.
    pub fn takes_unwrap(self) -> bool {
        !matches!(self, Self::Count | Self::BytesRate | Self::Bytes)
    }

    /// Whether it may stand over lines as they are.
    pub fn takes_lines(self) -> bool {
        matches!(self, Self::Rate | Self::Count | Self::BytesRate | Self::Bytes | Self::Absent)
    }

    /// Whether `by` or `without` may follow.
    pub fn takes_grouping(self) -> bool {
        matches!(
            self,
            Self::Avg
                | Self::Min
                | Self::Max
                | Self::Stdvar
                | Self::Stddev
                | Self::Quantile
                | Self::First
                | Self::Last
        )
    }
}

impl VectorOp {
    /// How it is written.
    pub fn name(self) -> &'static str {
        VECTOR_OPS.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }

    /// Whether its first argument is a number.
    pub fn takes_parameter(self) -> bool {
        matches!(self, Self::TopK | Self::BottomK | Self::ApproxTopK)
    }

    /// Whether it only orders.
    pub fn is_sort(self) -> bool {
        matches!(self, Self::Sort | Self::SortDesc)
    }
}

impl BinaryOp {
    /// How it is written.
    pub fn text(self) -> &'static str {
        BINARY_OPS.iter().find(|(_, op, _)| *op == self).map_or("", |(text, _, _)| text)
    }

    /// How tight it binds.
    pub fn rank(self) -> u8 {
        BINARY_OPS.iter().find(|(_, op, _)| *op == self).map_or(0, |(_, _, rank)| *rank)
    }

    /// Whether it groups to the right: `2 ^ 3 ^ 2` is 512.
    pub fn is_right_associative(self) -> bool {
        self == Self::Pow
    }

    /// Whether it is about which series there are, not about their values.
    pub fn is_set(self) -> bool {
        matches!(self, Self::Or | Self::And | Self::Unless)
    }

    /// Whether it compares.
    pub fn is_comparison(self) -> bool {
        self.rank() == 3
    }
}

/// The function of this name.
pub fn range_op(name: &str) -> Option<RangeOp> {
    RANGE_OPS.iter().find(|(text, _)| *text == name).map(|(_, op)| *op)
}

/// The aggregation of this name.
pub fn vector_op(name: &str) -> Option<VectorOp> {
    VECTOR_OPS.iter().find(|(text, _)| *text == name).map(|(_, op)| *op)
}

/// The operator of this text.
pub fn binary_op(text: &str) -> Option<BinaryOp> {
    BINARY_OPS.iter().find(|(own, _, _)| *own == text).map(|(_, op, _)| *op)
}
