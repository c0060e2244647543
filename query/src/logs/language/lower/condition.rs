//! Tests of one value.

use super::super::ast::{Bound, FieldName, Literal, Order, Part, Test};
use super::super::error::{Error, Result};
use super::super::grammar::ValueKind;
use super::super::units::{self, Period, timestamp};
use super::filter::{Rank, Sql};
use super::level;
use super::scope::Value;
use super::text::{like_part, number, string};
use throughline_model::words::words;

/// A test in SQL, or its opposite, which rows without the value meet.
pub(super) fn lower(
    name: &FieldName,
    value: &Value,
    test: &Test,
    now_ns: i64,
    negated: bool,
) -> Result<Sql> {
    let subject = Subject { name, value, now_ns, negated };
    if *test == Test::Exists {
        return Ok(subject.exists());
    }
    match value.kind {
        ValueKind::Body => subject.of_body(test),
        ValueKind::Text => subject.of_text(test),
        ValueKind::Number => subject.of_number(test),
        ValueKind::Time => subject.of_time(test),
        ValueKind::Id(_) => subject.of_id(test),
        ValueKind::Level => subject.of_level(test),
        ValueKind::List => Err(subject.wrong("is a list, of which only '*' can be asked")),
    }
}

/// The text that a test wants a value to equal, where it is such a test of text or an id.
pub(super) fn equal_to(name: &FieldName, value: &Value, test: &Test) -> Result<Option<String>> {
    let (Test::Words(text) | Test::Exact(text)) = test else { return Ok(None) };
    match value.kind {
        ValueKind::Text => Ok(Some(text.clone())),
        ValueKind::Id(digits) => id(name, text, digits).map(Some),
        _ => Ok(None),
    }
}

/// Whether a value equals a text.
pub(super) fn equal(value: &Value, text: &str, negated: bool) -> Sql {
    let (sql, text) = (&value.sql, string(text));
    match (negated, value.nullable) {
        (false, _) => Sql::new(format!("{sql} = {text}"), Rank::Test),
        (true, true) => Sql::distinct(sql, &text, false),
        (true, false) => Sql::new(format!("{sql} <> {text}"), Rank::Test),
    }
}

fn id(name: &FieldName, text: &str, digits: usize) -> Result<String> {
    let is_id = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        let message = format!("'{}' has {digits} hexadecimal digits, found '{text}'", name.text);
        return Err(Error::new(name.place, message));
    }
    Ok(text.to_lowercase())
}

/// What an amount is compared as.
#[derive(Clone, Copy, PartialEq)]
enum Amount {
    Number(f64),
    Duration(f64),
    Size(f64),
}

fn amount(literal: &Literal) -> Option<Amount> {
    if literal.quoted {
        return None;
    }
    let text = literal.text.as_str();
    units::number(text)
        .map(Amount::Number)
        .or_else(|| units::duration_ns(text).map(Amount::Duration))
        .or_else(|| units::size_bytes(text).map(Amount::Size))
}

struct Subject<'a> {
    name: &'a FieldName,
    value: &'a Value,
    now_ns: i64,
    negated: bool,
}

impl Subject<'_> {
    fn wrong(&self, what: &str) -> Error {
        Error::new(self.name.place, format!("'{}' {what}", self.name.text))
    }

    fn test(&self, text: String) -> Sql {
        Sql::new(text, Rank::Test)
    }

    // A test that is null where the value is.
    fn nullable(&self, test: Sql) -> Sql {
        match (self.negated, self.value.nullable) {
            (false, _) => test,
            (true, true) => test.or_null_not(),
            (true, false) => test.not(),
        }
    }

    // A comparison by what may be null even where the value is not: no number, no duration.
    fn computed(&self, test: Sql) -> Sql {
        if self.negated { test.or_null_not() } else { test }
    }

    fn call(&self, function: &str, argument: &str) -> Sql {
        Sql::new(format!("{function}({}, {})", self.value.sql, string(argument)), Rank::Call)
    }

    // A function that is false for null.
    fn has(&self, function: &str, argument: &str) -> Sql {
        let call = self.call(function, argument);
        if self.negated { call.not() } else { call }
    }

    fn exists(&self) -> Sql {
        let sql = &self.value.sql;
        let is_text = self.value.kind == ValueKind::Text;
        self.test(match (self.value.nullable, self.negated) {
            (false, negated) if is_text => format!("{sql} {} ''", if negated { "=" } else { "<>" }),
            (_, false) => format!("{sql} IS NOT NULL"),
            (_, true) => format!("{sql} IS NULL"),
        })
    }

    fn of_body(&self, test: &Test) -> Result<Sql> {
        Ok(match test {
            Test::Words(text) => {
                let mut found = words(text);
                match (found.next(), found.next()) {
                    (Some(word), None) => self.has("has_word", word),
                    _ => self.has("has_phrase", text),
                }
            }
            Test::Pattern(parts) => match parts.as_slice() {
                [Part::Text(text), Part::Any] => self.has("has_prefix", text),
                parts => self.has("has_wildcard", &wildcard(parts)),
            },
            Test::Exact(text) => self.nullable(self.call("contains", text)),
            Test::Matches(regex) => self.nullable(self.call("regexp_like", regex)),
            other => return self.of_text(other),
        })
    }

    fn of_text(&self, test: &Test) -> Result<Sql> {
        let sql = &self.value.sql;
        match test {
            Test::Words(text) | Test::Exact(text) => Ok(equal(self.value, text, self.negated)),
            Test::Pattern(parts) => {
                let operator = match self.negated && !self.value.nullable {
                    true => "NOT LIKE",
                    false => "LIKE",
                };
                let like = self.test(format!("{sql} {operator} {}", string(&like(parts))));
                let is_open = self.negated && self.value.nullable;
                Ok(if is_open { like.or_null_not() } else { like })
            }
            Test::Matches(regex) => Ok(self.nullable(self.call("regexp_like", regex))),
            Test::Compare(order, literal) => {
                let (left, right) = self.sides(literal)?;
                Ok(self.computed(self.test(format!("{left} {} {right}", order.text()))))
            }
            Test::Range { low, high } => self.range(low, high).map(|test| self.computed(test)),
            Test::Exists => Ok(self.exists()),
        }
    }

    // The two sides of a comparison: as amounts where the literal is one, as texts where it is none.
    fn sides(&self, literal: &Literal) -> Result<(String, String)> {
        let sql = &self.value.sql;
        Ok(match amount(literal) {
            None => (sql.clone(), string(&literal.text)),
            Some(Amount::Number(amount)) => (self.value.number(), number(amount)),
            Some(Amount::Duration(duration)) => {
                let unit = units::unit_of_name(&self.name.text);
                let amount = number(units::in_unit(duration, unit));
                (format!("duration_in({sql}, {})", string(unit)), amount)
            }
            Some(Amount::Size(bytes)) => (format!("bytes_of({sql})"), number(bytes)),
        })
    }

    fn range(&self, low: &Bound, high: &Bound) -> Result<Sql> {
        let ends = [low, high].map(|end| end.value.as_ref().map(|end| self.sides(end)).transpose());
        let [low_sides, high_sides] = ends;
        let (low_sides, high_sides) = (low_sides?, high_sides?);
        if let (Some((left, from)), Some((same, to))) = (&low_sides, &high_sides) {
            if left != same {
                return Err(
                    self.wrong("is compared as two kinds of values by the ends of the range")
                );
            }
            if low.inclusive && high.inclusive {
                return Ok(self.test(format!("{left} BETWEEN {from} AND {to}")));
            }
        }
        let side = |sides: Option<(String, String)>, order: Order| {
            sides.map(|(left, right)| self.test(format!("{left} {} {right}", order.text())))
        };
        let above = if low.inclusive { Order::GreaterOrEqual } else { Order::Greater };
        let below = if high.inclusive { Order::LessOrEqual } else { Order::Less };
        let parts = [side(low_sides, above), side(high_sides, below)];
        Ok(Sql::all(parts.into_iter().flatten().collect()))
    }

    fn of_number(&self, test: &Test) -> Result<Sql> {
        let sql = &self.value.sql;
        let parsed = |literal: &Literal| {
            let unit = units::unit_of_name(&self.name.text);
            match amount(literal) {
                Some(Amount::Number(amount)) => Ok(number(amount)),
                Some(Amount::Duration(duration)) => Ok(number(units::in_unit(duration, unit))),
                Some(Amount::Size(bytes)) => Ok(number(bytes)),
                None => Err(self.wrong(&format!("is a number, found '{}'", literal.text))),
            }
        };
        let plain = |text: &String| Literal { text: text.clone(), quoted: false };
        let test = match test {
            Test::Words(text) | Test::Exact(text) => format!("{sql} = {}", parsed(&plain(text))?),
            Test::Compare(order, literal) => {
                format!("{sql} {} {}", order.text(), parsed(literal)?)
            }
            Test::Range { low, high } => {
                for end in [low, high].into_iter().flat_map(|end| &end.value) {
                    parsed(end)?;
                }
                let numbers = [low, high].map(|end| Bound {
                    value: end.value.as_ref().and_then(|end| parsed(end).ok()).map(|t| plain(&t)),
                    ..end.clone()
                });
                let [low, high] = &numbers;
                return self.range(low, high).map(|test| self.nullable(test));
            }
            Test::Pattern(_) | Test::Matches(_) => {
                return Err(self.wrong("is a number, which has no wildcards and patterns"));
            }
            Test::Exists => return Ok(self.exists()),
        };
        Ok(self.nullable(self.test(test)))
    }

    fn of_time(&self, test: &Test) -> Result<Sql> {
        let sql = &self.value.sql;
        let at = |order: Order, literal: &Literal| {
            self.period(&literal.text).map(|period| edge(sql, order, period))
        };
        let plain = |text: &String| Literal { text: text.clone(), quoted: false };
        let mut parts = Vec::new();
        match test {
            Test::Words(text) | Test::Exact(text) => {
                if let Some(length) = units::step_ns(text) {
                    // The last five minutes: `time:5m`.
                    let start = self.now_ns.saturating_sub(length);
                    parts.push(format!("{sql} >= {}", timestamp(start)));
                    parts.push(format!("{sql} < {}", timestamp(self.now_ns)));
                } else {
                    parts.push(at(Order::GreaterOrEqual, &plain(text))?);
                    parts.push(at(Order::LessOrEqual, &plain(text))?);
                }
            }
            Test::Compare(order, literal) => parts.push(at(*order, literal)?),
            Test::Range { low, high } => {
                let above = if low.inclusive { Order::GreaterOrEqual } else { Order::Greater };
                let below = if high.inclusive { Order::LessOrEqual } else { Order::Less };
                for (end, order) in [(low, above), (high, below)] {
                    parts.extend(end.value.as_ref().map(|end| at(order, end)).transpose()?);
                }
            }
            Test::Pattern(_) | Test::Matches(_) => {
                return Err(self.wrong("is a time, which has no wildcards and patterns"));
            }
            Test::Exists => return Ok(self.exists()),
        }
        let test = Sql::all(parts.into_iter().map(|part| self.test(part)).collect());
        Ok(self.nullable(test))
    }

    fn period(&self, text: &str) -> Result<Period> {
        units::period(text, self.now_ns).ok_or_else(|| {
            self.wrong(&format!(
                "is a time such as 2026-11-20, 2026-11-20T12:00Z or now-1h, found '{text}'"
            ))
        })
    }

    fn of_id(&self, test: &Test) -> Result<Sql> {
        let text = Value { sql: self.value.text(), kind: ValueKind::Text, ..self.value.clone() };
        if let Some(id) = equal_to(self.name, self.value, test)? {
            return Ok(equal(self.value, &id, self.negated));
        }
        match test {
            Test::Pattern(_) | Test::Matches(_) => Subject { value: &text, ..*self }.of_text(test),
            _ => Err(self.wrong("is an id, which has no order")),
        }
    }

    fn of_level(&self, test: &Test) -> Result<Sql> {
        if let Some(levels) = level::levels(self.name, test)? {
            return Ok(match self.value.is_fixed {
                true => level::of_record(&levels, self.negated),
                false => level::of_column(self.value, &levels, self.negated),
            });
        }
        if !self.value.is_fixed {
            return Err(self.wrong("is a level such as error, not a number"));
        }
        // `level:>=17`
        let sql = "severity_number".to_owned();
        let number = Value { sql, kind: ValueKind::Number, nullable: false, is_fixed: true };
        Subject { value: &number, ..*self }.of_number(test)
    }
}

// What lies on one side of a period, or with it: `>2026-11-20` is behind that day.
fn edge(sql: &str, order: Order, period: Period) -> String {
    let (operator, at) = match order {
        Order::Less => ("<", period.start_ns),
        Order::LessOrEqual => ("<", period.end_ns),
        Order::Greater => (">=", period.end_ns),
        Order::GreaterOrEqual => (">=", period.start_ns),
    };
    format!("{sql} {operator} {}", timestamp(at))
}

fn wildcard(parts: &[Part]) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.replace('\\', "\\\\").replace('*', "\\*"),
        Part::Any => "*".to_owned(),
    };
    parts.iter().map(part).collect()
}

fn like(parts: &[Part]) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => like_part(text),
        Part::Any => "%".to_owned(),
    };
    parts.iter().map(part).collect()
}
