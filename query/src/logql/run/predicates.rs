//! Conditions of a query as predicates of a scan.
//!
//! Every predicate keeps at least the records that the condition keeps. Where all say exactly the same
//! as the selector and the line filters at the front, an index may count without the records.

use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::{SpanId, TraceId};

use super::super::ast::{LabelFilter, LineFilter, LineOp, MatchOp, Matcher, Needle};
use super::super::error::Result;
use super::super::pipeline::{TextTest, regex, searched};
use super::super::pushdown::Pushdown;
use super::names::LEVEL_UNKNOWN;
use super::place::{Place, Places};
use crate::logs::language::Level;

/// The highest severity number of OpenTelemetry.
const SEVERITY_MAX: i32 = 24;

/// What a scan is asked.
#[derive(Debug, Default)]
pub struct Pushed {
    /// Conditions of the scan.
    pub predicates: Vec<Predicate>,
    /// Whether the predicates leave records that the matchers or line filters drop.
    pub is_wider: bool,
    /// Whether no record can meet the conditions.
    pub is_nothing: bool,
}

impl Pushed {
    /// The conditions of a query.
    pub fn new(pushdown: &Pushdown, places: &Places) -> Result<Self> {
        let mut pushed = Self::default();
        for matcher in &pushdown.matchers {
            pushed.push_matcher(matcher, places)?;
        }
        for filter in &pushdown.line_filters {
            pushed.push_line_filter(filter)?;
        }
        // Whether these are exact says nothing: they are no part of what may be counted.
        let is_wider = pushed.is_wider;
        for filter in &pushdown.label_filters {
            pushed.push_label_filter(filter, places)?;
        }
        pushed.is_wider = is_wider;
        Ok(pushed)
    }

    fn push(&mut self, target: Target, op: Op) {
        self.predicates.push(Predicate { target, op });
    }

    fn push_column(&mut self, name: &str, op: Op) {
        self.push(Target::Column(name.to_owned()), op);
    }

    fn push_label_filter(&mut self, filter: &LabelFilter, places: &Places) -> Result<()> {
        match filter {
            LabelFilter::Match(matcher) => self.push_matcher(matcher, places),
            LabelFilter::Number { name, .. } | LabelFilter::Ip { name, .. } => {
                match places.of(name) {
                    Place::Attribute(target) => self.push(target, Op::Exists),
                    Place::Nowhere => self.is_nothing = true,
                    _ => {}
                }
                Ok(())
            }
            LabelFilter::And(..) | LabelFilter::Or(..) => Ok(()),
        }
    }

    fn push_matcher(&mut self, matcher: &Matcher, places: &Places) -> Result<()> {
        let test = TextTest::new(matcher)?;
        match places.of(&matcher.name) {
            Place::Nowhere => self.is_nothing |= !test.passes(""),
            Place::Rows => self.is_wider = true,
            Place::Level => self.push_level(&test),
            Place::Attribute(target) => self.push_attribute(target, matcher, &test),
            Place::Column(name @ (col::TRACE_ID | col::SPAN_ID)) => {
                self.push_id(name, matcher, &test);
            }
            Place::Column(col::SEVERITY_NUMBER) => self.push_number(matcher, &test),
            Place::Column(col::FLAGS) => self.is_wider = true,
            Place::Column(name) => self.push_text(name, matcher),
        }
        Ok(())
    }

    // A column of texts in which a label that is missing is the empty text.
    fn push_text(&mut self, name: &str, matcher: &Matcher) {
        let operand = || Operand::Str(matcher.value.clone());
        match matcher.op {
            MatchOp::Matches if matcher.value == ".*" => {}
            MatchOp::Matches if matcher.value == ".+" && name == col::SERVICE_NAME => {}
            MatchOp::NotEqual if matcher.value.is_empty() && name == col::SERVICE_NAME => {}
            MatchOp::Equal => self.push_column(name, Op::Eq(operand())),
            MatchOp::NotEqual => self.push_column(name, Op::Ne(operand())),
            MatchOp::Matches => self.push_column(name, Op::Matches(whole(&matcher.value))),
            MatchOp::NotMatches => self.push_column(name, Op::NotMatches(whole(&matcher.value))),
        }
    }

    fn push_attribute(&mut self, target: Target, matcher: &Matcher, test: &TextTest) {
        let value = &matcher.value;
        let passes_empty = test.passes("");
        match matcher.op {
            MatchOp::Equal if !value.is_empty() => {
                self.push(target, Op::Eq(Operand::Text(value.clone())));
            }
            MatchOp::NotEqual if !value.is_empty() => {
                self.push(target, Op::Ne(Operand::Text(value.clone())));
            }
            MatchOp::Matches if !passes_empty => self.push(target, Op::Matches(whole(value))),
            MatchOp::Matches if value == ".*" => {}
            MatchOp::NotMatches => {
                if !passes_empty {
                    self.push(target.clone(), Op::Exists);
                }
                self.push(target, Op::NotMatches(whole(value)));
            }
            // An attribute may be there and be empty, which is no label.
            MatchOp::NotEqual => {
                self.push(target, Op::Exists);
                self.is_wider = true;
            }
            MatchOp::Equal | MatchOp::Matches => self.is_wider = true,
        }
    }

    fn push_id(&mut self, name: &str, matcher: &Matcher, test: &TextTest) {
        let value = matcher.value.as_str();
        let id = match name {
            col::TRACE_ID => TraceId::parse(value).ok().map(|id| (id.to_string(), id.0.to_vec())),
            _ => SpanId::parse(value).ok().map(|id| (id.to_string(), id.0.to_vec())),
        };
        // Labels are written in one way only.
        let id = id.filter(|(text, _)| text == value).map(|(_, bytes)| Operand::Bytes(bytes));
        match (matcher.op, id) {
            (MatchOp::Equal, Some(id)) => self.push_column(name, Op::Eq(id)),
            (MatchOp::NotEqual, Some(id)) => self.push_column(name, Op::Ne(id)),
            (MatchOp::Equal, None) if value.is_empty() => self.push_column(name, Op::Missing),
            (MatchOp::NotEqual, None) if value.is_empty() => self.push_column(name, Op::Exists),
            (MatchOp::Equal, None) => self.is_nothing = true,
            (MatchOp::NotEqual, None) => {}
            (MatchOp::Matches | MatchOp::NotMatches, _) => {
                if !test.passes("") {
                    self.push_column(name, Op::Exists);
                }
                self.is_wider = true;
            }
        }
    }

    fn push_number(&mut self, matcher: &Matcher, test: &TextTest) {
        let number = match matcher.value.as_str() {
            "" => Some(0),
            value => value.parse::<i64>().ok().filter(|n| *n != 0 && n.to_string() == value),
        };
        let (op, number) = (matcher.op, number.map(Operand::Int));
        match (op, number) {
            (MatchOp::Equal, Some(n)) => self.push_column(col::SEVERITY_NUMBER, Op::Eq(n)),
            (MatchOp::NotEqual, Some(n)) => self.push_column(col::SEVERITY_NUMBER, Op::Ne(n)),
            (MatchOp::Equal, None) => self.is_nothing = true,
            (MatchOp::NotEqual, None) => {}
            (MatchOp::Matches | MatchOp::NotMatches, _) => {
                if !test.passes("") {
                    self.push_column(col::SEVERITY_NUMBER, Op::Ne(Operand::Int(0)));
                }
                self.is_wider = true;
            }
        }
    }

    // A number of zero leaves the level to the text.
    fn push_level(&mut self, test: &TextTest) {
        self.is_wider = true;
        let name = |n| Level::of_number(n).map_or(LEVEL_UNKNOWN, Level::name);
        let passes = |n: &i32| *n == 0 || test.passes(name(*n));
        let numbers: Vec<_> = (0..=SEVERITY_MAX).filter(passes).collect();
        if numbers.len() <= SEVERITY_MAX as usize && !passes(&i32::MAX) && !passes(&-1) {
            let numbers = numbers.into_iter().map(|n| Operand::Int(i64::from(n)));
            self.push_column(col::SEVERITY_NUMBER, Op::In(numbers.collect()));
        }
    }

    fn push_line_filter(&mut self, filter: &LineFilter) -> Result<()> {
        let mut alternatives = Vec::new();
        for needle in &filter.needles {
            let Needle::Text(text) = needle else {
                self.is_wider = true;
                return Ok(());
            };
            let searched = match filter.op {
                LineOp::Contains | LineOp::NotContains => Searched::Text(text.value.clone()),
                LineOp::Matches | LineOp::NotMatches => {
                    let (core, is_literal) = searched(&text.value);
                    match is_literal {
                        true => Searched::Text(core.to_owned()),
                        // What matches the empty text is found in records without a body too.
                        false if regex(core, text.at.0)?.is_match("") => {
                            self.is_wider = true;
                            return Ok(());
                        }
                        false => Searched::Regex(core.to_owned()),
                    }
                }
                LineOp::Pattern if filter.needles.len() == 1 => {
                    self.is_wider = true;
                    for part in text.value.split("<_>").filter(|part| !part.is_empty()) {
                        self.push_column(col::BODY, Op::Contains(part.to_owned()));
                    }
                    return Ok(());
                }
                LineOp::Pattern | LineOp::NotPattern => {
                    self.is_wider = true;
                    return Ok(());
                }
            };
            alternatives.push(searched);
        }
        let finds_all = alternatives.iter().any(|one| *one == Searched::Text(String::new()));
        match (filter.op.is_negative(), finds_all) {
            (true, true) => self.is_nothing = true,
            (false, true) => {}
            (true, false) => {
                for one in alternatives {
                    self.push_column(col::BODY, one.absent());
                }
            }
            (false, false) => self.push_column(col::BODY, any_of(alternatives)),
        }
        Ok(())
    }
}

// What is looked for in a body.
#[derive(PartialEq)]
enum Searched {
    Text(String),
    Regex(String),
}

impl Searched {
    fn absent(self) -> Op {
        match self {
            Self::Text(text) => Op::NotContains(text),
            Self::Regex(pattern) => Op::NotMatches(pattern),
        }
    }
}

fn any_of(mut alternatives: Vec<Searched>) -> Op {
    if alternatives.len() == 1 {
        match alternatives.remove(0) {
            Searched::Text(text) => return Op::Contains(text),
            Searched::Regex(pattern) => return Op::Matches(pattern),
        }
    }
    let patterns = alternatives.into_iter().map(|one| match one {
        Searched::Text(text) => regex::escape(&text),
        Searched::Regex(pattern) => format!("(?:{pattern})"),
    });
    Op::Matches(patterns.collect::<Vec<_>>().join("|"))
}

// A pattern that must match the whole text.
fn whole(pattern: &str) -> String {
    format!("^(?s:{pattern})$")
}
