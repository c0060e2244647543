//! Conditions on rows, as `query` pushes them down and `storage` evaluates them.
//!
//! A list of predicates is their conjunction. What cannot be said here stays above the scan.

use crate::words::Phrase;

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A fixed column of the item schema (a name of [`crate::schema::col`]).
    Column(String),
    /// An attribute of the item itself.
    Attribute(String),
    /// An attribute of the item's resource.
    ResourceAttribute(String),
    /// An attribute of the item's scope.
    ScopeAttribute(String),
    /// An attribute of the item or else, where the item has none of that name, of its resource.
    AnyAttribute(String),
    /// The same, where an attribute of the item that is there and empty counts as none: SQL's
    /// `coalesce` of the two.
    PresentAttribute(String),
}

/// How a value is compared. A target without a value satisfies only [`Op::Missing`] and, since
/// "not equal" is asked by people who want the rest, the negated operators [`Op::Ne`],
/// [`Op::NotMatches`], [`Op::NotContains`] and [`Op::NotPhrase`].
#[derive(Clone, Debug)]
pub enum Op {
    /// Equal to the operand.
    Eq(Operand),
    /// Not equal, or absent.
    Ne(Operand),
    /// Less than.
    Lt(Operand),
    /// Less than or equal.
    Le(Operand),
    /// Greater than.
    Gt(Operand),
    /// Greater than or equal.
    Ge(Operand),
    /// Equal to one of the operands.
    In(Vec<Operand>),
    /// The text matches this regular expression somewhere (anchor it for a whole match).
    Matches(String),
    /// A string, or a string in an array, matches this regular expression; no other value does.
    StringMatches(String),
    /// The text does not match, or is absent.
    NotMatches(String),
    /// The text contains this string.
    Contains(String),
    /// The text does not contain this string, or is absent.
    NotContains(String),
    /// The text has these words side by side, in either case.
    Phrase(Phrase),
    /// The text does not have them so, or is absent.
    NotPhrase(Phrase),
    /// There is a value.
    Exists,
    /// There is no value.
    Missing,
}

/// A literal to compare with.
///
/// `Text` compares with the text of any value (SQL's view: the integer 500 equals '500'); the other
/// kinds compare by type: `Str` with strings only, `Int` and `Float` with any number, `Bool` with
/// booleans; with them an array is compared element by element, and one that holds is enough. Order
/// comparisons of `Text` and `Str` are by bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Text of any value.
    Text(String),
    /// A string value.
    Str(String),
    /// A number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// An id.
    Bytes(Vec<u8>),
}

/// One condition.
#[derive(Clone, Debug)]
pub struct Predicate {
    /// What to look at.
    pub target: Target,
    /// How to compare it.
    pub op: Op,
}
