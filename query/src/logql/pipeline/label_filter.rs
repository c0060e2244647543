//! Conditions on labels, ready to run.

use regex::Regex;

use super::super::ast::{CompareOp, LabelFilter, LabelPick, MatchOp, Matcher, Quantity};
use super::super::error::Result;
use super::super::lex::units;
use super::ip::IpRange;
use super::line::{anchored, ip_range};
use super::row::Row;
use super::wanted::{Name, Wanted};

/// What went wrong with a line whose label is not the number that a condition asks for.
pub const FILTER_ERROR: &str = "LabelFilterErr";

/// A condition on a text.
pub enum TextTest {
    /// The text must be this, or must not.
    Equal(String, bool),
    /// All of the text must match, or must not.
    Regex(Box<Regex>, bool),
}

impl TextTest {
    /// Prepares a matcher.
    pub fn new(matcher: &Matcher) -> Result<Self> {
        let (value, at) = (&matcher.value, matcher.at.0);
        Ok(match matcher.op {
            MatchOp::Equal => Self::Equal(value.clone(), true),
            MatchOp::NotEqual => Self::Equal(value.clone(), false),
            MatchOp::Matches => Self::Regex(Box::new(anchored(value, at)?), true),
            MatchOp::NotMatches => Self::Regex(Box::new(anchored(value, at)?), false),
        })
    }

    /// Whether a text passes; of a label that is missing it is empty.
    pub fn passes(&self, text: &str) -> bool {
        match self {
            Self::Equal(value, asked) => (value == text) == *asked,
            Self::Regex(regex, asked) => regex.is_match(text) == *asked,
        }
    }
}

/// A condition on labels.
pub enum Filter {
    Text(Name, TextTest),
    Number(Name, CompareOp, Quantity),
    Ip(Name, bool, IpRange),
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
}

impl Filter {
    /// Prepares a condition.
    pub fn new(filter: &LabelFilter) -> Result<Self> {
        let boxed = |filter: &LabelFilter| Self::new(filter).map(Box::new);
        Ok(match filter {
            LabelFilter::Match(matcher) => {
                Self::Text(Name::new(&matcher.name), TextTest::new(matcher)?)
            }
            LabelFilter::Number { name, op, value } => Self::Number(Name::new(name), *op, *value),
            LabelFilter::Ip { name, negated, range } => {
                Self::Ip(Name::new(name), *negated, ip_range(range)?)
            }
            LabelFilter::And(left, right) => Self::And(boxed(left)?, boxed(right)?),
            LabelFilter::Or(left, right) => Self::Or(boxed(left)?, boxed(right)?),
        })
    }

    /// Whether the row stays. A row with an error passes every condition but those on text: only
    /// they can tell what to do with it.
    pub fn keeps(&self, row: &mut Row) -> bool {
        match self {
            Self::Text(name, test) => test.passes(row.get_name(name).unwrap_or_default()),
            Self::And(left, right) => left.keeps(row) && right.keeps(row),
            Self::Or(left, right) => left.keeps(row) || right.keeps(row),
            Self::Number(..) | Self::Ip(..) if row.error().is_some() => true,
            Self::Ip(name, negated, range) => {
                row.get_name(name).is_some_and(|text| range.is_in(text) != *negated)
            }
            Self::Number(name, op, value) => {
                let Some(text) = row.get_name(name) else { return false };
                match compare(text, *op, value) {
                    Some(holds) => holds,
                    None => {
                        let details = format!("'{text}' of '{}' is no {}", name.text, kind(value));
                        row.fail(FILTER_ERROR, details);
                        true
                    }
                }
            }
        }
    }

    /// Notes the labels that are looked at.
    pub(super) fn add_wanted(&self, wanted: &mut Wanted) {
        match self {
            Self::Text(name, _) | Self::Number(name, _, _) | Self::Ip(name, _, _) => {
                wanted.add(&name.text);
            }
            Self::And(left, right) | Self::Or(left, right) => {
                left.add_wanted(wanted);
                right.add_wanted(wanted);
            }
        }
    }
}

fn kind(value: &Quantity) -> &'static str {
    match value {
        Quantity::Number(_) => "number",
        Quantity::Duration(_) => "duration",
        Quantity::Bytes(_) => "amount of bytes",
    }
}

/// Whether a text compares so with a value; none where it is not of the value's kind.
pub fn compare(text: &str, op: CompareOp, value: &Quantity) -> Option<bool> {
    match value {
        Quantity::Number(number) => number_of(text).map(|own| op.holds(own, *number)),
        Quantity::Duration(ns) => {
            units::duration(text.trim()).map(|own| op.holds(own as f64, *ns as f64))
        }
        Quantity::Bytes(bytes) => {
            units::bytes(text.trim()).map(|own| op.holds(own as f64, *bytes as f64))
        }
    }
}

/// The number that a text is.
pub fn number_of(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// A label that `drop` or `keep` names.
pub struct Pick {
    pub(super) name: Name,
    pub(super) test: Option<TextTest>,
}

impl Pick {
    /// Prepares it.
    pub fn new(pick: &LabelPick) -> Result<Self> {
        Ok(match pick {
            LabelPick::Name(name) => Self { name: Name::new(name), test: None },
            LabelPick::Match(matcher) => {
                Self { name: Name::new(&matcher.name), test: Some(TextTest::new(matcher)?) }
            }
        })
    }

    /// Whether it means a label of this name and value.
    pub fn means(&self, name: &str, value: &str) -> bool {
        *self.name.text == *name && self.test.as_ref().is_none_or(|test| test.passes(value))
    }
}
