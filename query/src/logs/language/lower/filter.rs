//! Filters: negations move down to the tests, so that AND and OR stand above tests alone and a test that
//! is negated can count rows without a value among those that it finds.

use super::super::ast::{CompareOp, Comparison, Condition, FieldName, Filter};
use super::super::error::{Error, Result};
use super::super::grammar::ValueKind;
use super::super::level::Level;
use super::scope::{Scope, Value};
use super::text::strings;
use super::{Lowering, condition, level};

/// How tight a piece of SQL binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Or,
    And,
    Test,
    Call,
}

/// A condition in SQL.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    /// Its text.
    pub text: String,
    rank: Rank,
}

impl Sql {
    /// A piece of SQL.
    pub fn new(text: impl Into<String>, rank: Rank) -> Self {
        Self { text: text.into(), rank }
    }

    /// The text where what binds less tight than this needs parentheses.
    pub fn inside(self, rank: Rank) -> String {
        if self.rank < rank { format!("({})", self.text) } else { self.text }
    }

    /// The opposite of what is never null.
    pub fn not(self) -> Self {
        Self::new(format!("NOT {}", self.inside(Rank::Call)), Rank::Test)
    }

    /// The opposite, null being false.
    pub fn or_null_not(self) -> Self {
        Self::new(format!("{} IS NOT TRUE", self.inside(Rank::Call)), Rank::Test)
    }

    /// Whether two values, of which null is one, differ. In parentheses, because the parser takes all
    /// that follows, ANDs too, for the right side.
    pub fn distinct(left: &str, right: &str, negated: bool) -> Self {
        let not = if negated { "NOT " } else { "" };
        Self::new(format!("({left} IS {not}DISTINCT FROM {right})"), Rank::Call)
    }

    /// All of these.
    pub fn all(parts: Vec<Self>) -> Self {
        Self::joined(parts, " AND ", Rank::And)
    }

    /// One of these.
    pub fn any(parts: Vec<Self>) -> Self {
        Self::joined(parts, " OR ", Rank::Or)
    }

    fn joined(mut parts: Vec<Self>, operator: &str, rank: Rank) -> Self {
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return only;
        }
        // Of mixed ones parentheses say what is meant.
        let inner = if rank == Rank::Or { Rank::Test } else { rank };
        let parts = parts.into_iter().map(|part| part.inside(inner)).collect::<Vec<_>>();
        Self::new(parts.join(operator), rank)
    }
}

impl Lowering<'_> {
    /// Keeps the rows that meet a filter.
    pub(super) fn keep(&mut self, filter: &Filter) -> Result<()> {
        let parts = match filter {
            Filter::All => return Ok(()),
            Filter::And(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        for part in parts {
            let sql = self.filter(part)?.inside(Rank::And);
            if !self.select.conditions.contains(&sql) {
                self.select.conditions.push(sql);
            }
        }
        Ok(())
    }

    /// A filter on what the SELECT reads.
    pub(super) fn filter(&self, filter: &Filter) -> Result<Sql> {
        Conditions { scope: &self.scope, now_ns: self.bounds.now_ns }.filter(filter, false)
    }
}

/// What conditions are lowered with.
pub(super) struct Conditions<'s> {
    /// What names mean.
    pub scope: &'s Scope,
    /// What `now` is.
    pub now_ns: i64,
}

impl Conditions<'_> {
    fn filter(&self, filter: &Filter, negated: bool) -> Result<Sql> {
        match (filter, negated) {
            (Filter::All, _) => Ok(Sql::new(if negated { "false" } else { "true" }, Rank::Call)),
            (Filter::Not(inner), _) => self.filter(inner, !negated),
            (Filter::And(parts), false) => self.each(parts, false).map(Sql::all),
            (Filter::And(parts), true) => self.each(parts, true).map(Sql::any),
            (Filter::Or(parts), false) => self.one_of(parts),
            (Filter::Or(parts), true) => self.each(parts, true).map(Sql::all),
            (Filter::Is(condition), _) => self.condition(condition, negated),
            (Filter::Compare(comparison), _) => self.compare(comparison, negated),
        }
    }

    fn each(&self, parts: &[Filter], negated: bool) -> Result<Vec<Sql>> {
        parts.iter().map(|part| self.filter(part, negated)).collect()
    }

    // Values of one field become one list, its levels one set.
    fn one_of(&self, parts: &[Filter]) -> Result<Sql> {
        let mut alternatives = Vec::<Alternative>::new();
        for part in parts {
            let new = match part {
                Filter::Is(condition) => self.alternative(condition)?,
                other => Alternative::Other(self.filter(other, false)?),
            };
            let merged = alternatives.iter_mut().any(|known| known.merge(&new));
            if !merged {
                alternatives.push(new);
            }
        }
        Ok(Sql::any(alternatives.into_iter().map(Alternative::sql).collect()))
    }

    fn alternative(&self, condition: &Condition) -> Result<Alternative> {
        let (name, value) = self.field(condition)?;
        if value.kind == ValueKind::Level
            && let Some(levels) = level::levels(&name, &condition.test)?
        {
            return Ok(Alternative::Levels(value, levels));
        }
        Ok(match condition::equal_to(&name, &value, &condition.test)? {
            Some(text) => Alternative::Texts(value, vec![text]),
            None => Alternative::Other(self.condition(condition, false)?),
        })
    }

    fn field(&self, condition: &Condition) -> Result<(FieldName, Value)> {
        let name = match &condition.field {
            Some(name) => name.clone(),
            None => FieldName { text: "body".to_owned(), place: condition.place },
        };
        let value = self.scope.resolve(&name).map_err(|err| match condition.field {
            Some(_) => err,
            None => Error::new(
                condition.place,
                "a word without a field is looked for in the body, which pipes before left out",
            ),
        })?;
        Ok((name, value))
    }

    fn condition(&self, condition: &Condition, negated: bool) -> Result<Sql> {
        let (name, value) = self.field(condition)?;
        condition::lower(&name, &value, &condition.test, self.now_ns, negated)
    }

    fn compare(&self, comparison: &Comparison, negated: bool) -> Result<Sql> {
        let Comparison { left: left_name, op, right: right_name } = comparison;
        let (left, right) = (self.scope.resolve(left_name)?, self.scope.resolve(right_name)?);
        let is_time = [&left, &right].map(|value| value.kind == ValueKind::Time);
        if is_time[0] != is_time[1] {
            let message =
                format!("'{}' and '{}' are not both times", left_name.text, right_name.text);
            return Err(Error::new(right_name.place, message));
        }
        let is_number = [&left, &right].iter().any(|value| value.kind == ValueKind::Number);
        let is_equality = matches!(op, CompareOp::Equal | CompareOp::NotEqual);
        let [left, right] =
            [left, right].map(|value| match (is_time[0], is_number || !is_equality) {
                (true, _) => value.sql,
                (false, true) => value.number(),
                (false, false) => value.text(),
            });
        let test = |operator: &str| Sql::new(format!("{left} {operator} {right}"), Rank::Test);
        Ok(match (op, negated) {
            (CompareOp::Equal, false) => test("="),
            (CompareOp::NotEqual, negated) => Sql::distinct(&left, &right, negated),
            (CompareOp::Equal, true) => test("=").or_null_not(),
            (CompareOp::Order(order), false) => test(order.text()),
            (CompareOp::Order(order), true) => test(order.text()).or_null_not(),
        })
    }
}

/// A member of an OR.
enum Alternative {
    Levels(Value, Vec<Level>),
    Texts(Value, Vec<String>),
    Other(Sql),
}

impl Alternative {
    // Takes in what is said of the same value in the same way.
    fn merge(&mut self, new: &Self) -> bool {
        match (self, new) {
            (Self::Levels(value, levels), Self::Levels(same, more)) if value.sql == same.sql => {
                levels.extend(more);
                levels.sort();
                levels.dedup();
                true
            }
            (Self::Texts(value, texts), Self::Texts(same, more)) if value.sql == same.sql => {
                let new = more.iter().filter(|text| !texts.contains(text)).cloned();
                let new = new.collect::<Vec<_>>();
                texts.extend(new);
                true
            }
            _ => false,
        }
    }

    fn sql(self) -> Sql {
        match self {
            Self::Levels(value, levels) if value.is_fixed => level::of_record(&levels, false),
            Self::Levels(value, levels) => level::of_column(&value, &levels, false),
            Self::Texts(value, texts) => match texts.as_slice() {
                [only] => condition::equal(&value, only, false),
                texts => {
                    let list = strings(texts.iter().map(String::as_str));
                    Sql::new(format!("{} IN {list}", value.sql), Rank::Test)
                }
            },
            Self::Other(sql) => sql,
        }
    }
}
