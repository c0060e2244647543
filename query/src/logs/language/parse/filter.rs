//! The filter bar: `or := and (OR and)*`, `and := unary ([AND] unary)*`, `unary := (NOT | - | !) unary |
//! primary`. Inside `field:( … )` the terms are values of that field.

use super::super::ast::{
    CompareOp, Comparison, Condition, FieldName, Filter, Literal, Order, Part, Test,
};
use super::super::error::{Error, Result};
use super::super::lex::Mode;
use super::{Expect, Parser, check_regex};

const COMPARISONS: &[(&str, CompareOp)] = &[
    (">=", CompareOp::Order(Order::GreaterOrEqual)),
    ("<=", CompareOp::Order(Order::LessOrEqual)),
    ("!=", CompareOp::NotEqual),
    ("==", CompareOp::Equal),
    ("=", CompareOp::Equal),
    (">", CompareOp::Order(Order::Greater)),
    ("<", CompareOp::Order(Order::Less)),
];

impl Parser<'_> {
    /// A filter; of a field's values where one is given.
    pub(super) fn or(&mut self, field: Option<&FieldName>) -> Result<Filter> {
        self.enter()?;
        let mut parts = vec![self.and(field)?];
        while self.operator("OR") || self.take("||") {
            parts.push(self.and(field)?);
        }
        self.leave();
        Ok(joined(parts, Filter::Or))
    }

    fn and(&mut self, field: Option<&FieldName>) -> Result<Filter> {
        let mut parts = vec![self.unary(field)?];
        loop {
            self.note_term(field);
            self.note(Expect::Keyword(&["AND", "OR"]));
            let explicit = self.operator("AND") || self.take("&&");
            self.scanner.skip_space();
            if !explicit && (matches!(self.scanner.peek(), None | Some(')' | '|')) || self.at_or())
            {
                return Ok(joined(parts, Filter::And));
            }
            let part = self.unary(field)?;
            if let (Some(field), false, Some(Filter::Is(before)), Filter::Is(next)) =
                (field, explicit, parts.last(), &part)
                && is_whole_value(&before.test)
                && is_whole_value(&next.test)
            {
                let message = format!("write OR between the values of '{}'", field.text);
                return Err(Error::new(next.place, message));
            }
            parts.push(part);
        }
    }

    fn note_term(&mut self, field: Option<&FieldName>) {
        self.note(match field {
            Some(field) => Expect::ValueOf(field.text.clone()),
            None => Expect::Term,
        });
    }

    // `AND`, `OR` or `NOT`: in the filter bar, which is mostly words, in upper case alone.
    fn operator(&mut self, word: &'static str) -> bool {
        let mut ahead = self.scanner.clone();
        ahead.skip_space();
        let is_next = match self.in_pipe {
            true => ahead.eat_word(word),
            false => ahead.eat(word),
        };
        let found = is_next && ahead.is_stop();
        if found {
            self.scanner = ahead;
        }
        found
    }

    fn is_operator(&self, word: &str) -> bool {
        let is = |operator: &str| match self.in_pipe {
            true => operator.eq_ignore_ascii_case(word),
            false => operator == word,
        };
        ["AND", "OR", "NOT"].into_iter().any(is)
    }

    fn at_or(&mut self) -> bool {
        let before = self.scanner.at;
        let found = self.operator("OR");
        self.scanner.at = before;
        found
    }

    fn unary(&mut self, field: Option<&FieldName>) -> Result<Filter> {
        self.note_term(field);
        self.scanner.skip_space();
        let next = self.scanner.peek();
        let second = self.scanner.peek_second();
        let glued = second.is_some_and(|char| !char.is_whitespace() && char != ')' && char != '|');
        let is_minus = next == Some('-')
            && glued
            && !(field.is_some() && second.is_some_and(|char| char.is_ascii_digit()));
        let filter = if is_minus || (next == Some('!') && second.is_some()) {
            self.scanner.bump();
            self.negated(field)?
        } else if self.operator("NOT") {
            self.negated(field)?
        } else {
            if next == Some('+') && glued {
                self.scanner.bump(); // every term is required already
            }
            self.primary(field)?
        };
        Ok(filter)
    }

    fn negated(&mut self, field: Option<&FieldName>) -> Result<Filter> {
        self.enter()?;
        let inner = self.unary(field)?;
        self.leave();
        Ok(Filter::Not(Box::new(inner)))
    }

    fn primary(&mut self, field: Option<&FieldName>) -> Result<Filter> {
        if self.take("(") {
            let inner = self.or(field)?;
            self.note(Expect::Symbol(&[")"]));
            self.expect(")")?;
            return Ok(inner);
        }
        match field {
            Some(field) => self.value(field, true),
            None => self.term(),
        }
    }

    fn term(&mut self) -> Result<Filter> {
        self.count_condition()?;
        self.scanner.skip_space();
        let start = self.scanner.at;
        if self.scanner.is_quoted() {
            return self.quoted_term(start);
        }
        let opens = matches!(self.scanner.peek_second(), Some('"' | '`'));
        match self.scanner.peek() {
            Some('~') if opens => {
                self.scanner.bump();
                let pattern = self.scanner.quoted_regex()?;
                check_regex(&pattern, self.scanner.place_from(start))?;
                return Ok(self.condition(None, Test::Matches(pattern), start));
            }
            Some('=') if opens => {
                self.scanner.bump();
                let text = self.scanner.quoted()?;
                let place = self.scanner.place_from(start);
                let body = FieldName { text: "body".to_owned(), place };
                return Ok(self.condition(Some(body), Test::Exact(text), start));
            }
            _ => {}
        }
        let mode = if self.in_pipe { Mode::PipeTerm } else { Mode::Term };
        let is_escaped = self.scanner.peek() == Some('\\');
        let parts = self.scanner.bare(mode)?;
        match parts.as_slice() {
            [] => Err(self.unexpected("a condition")),
            [Part::Text(name)] if self.scanner.peek() == Some(':') => {
                let is_special = name == "_exists_";
                self.named(name.clone(), is_special, start)
            }
            [Part::Any] if self.scanner.eat(":*") => Ok(Filter::All),
            _ if self.scanner.peek() == Some(':') => {
                Err(Error::at(start, "the name of a field has no wildcards"))
            }
            [Part::Text(name)] => self.bare_term(name.clone(), is_escaped, start),
            [Part::Any] => Ok(Filter::All),
            _ => Ok(self.condition(None, Test::Pattern(parts), start)),
        }
    }

    fn bare_term(&mut self, name: String, is_escaped: bool, start: usize) -> Result<Filter> {
        if let Some(op) = self.comparison() {
            let place = self.scanner.place_from(start);
            return self.compared(FieldName { text: name, place }, op, start);
        }
        if !is_escaped && self.is_operator(&name) {
            let message =
                format!("a condition was expected, found {name}: quote it to find the word");
            return Err(Error::at(start, message));
        }
        Ok(self.condition(None, Test::Words(name), start))
    }

    fn quoted_term(&mut self, start: usize) -> Result<Filter> {
        let text = self.scanner.quoted()?;
        if text.is_empty() {
            return Err(Error::at(start, "a text was expected in the quotes, found none"));
        }
        if self.scanner.peek() == Some(':') {
            return self.named(text, false, start);
        }
        if let Some(op) = self.comparison() {
            let place = self.scanner.place_from(start);
            return self.compared(FieldName { text, place }, op, start);
        }
        let test = match self.scanner.eat("*") {
            true => Test::Pattern(vec![Part::Text(text), Part::Any]),
            false => Test::Words(text),
        };
        Ok(self.condition(None, test, start))
    }

    // At the colon behind a name.
    fn named(&mut self, name: String, asks_existence: bool, start: usize) -> Result<Filter> {
        let place = self.scanner.place_from(start);
        self.scanner.bump();
        if !asks_existence {
            return self.value(&FieldName { text: name, place }, false);
        }
        self.note(Expect::Field);
        let start = self.scanner.at;
        let text = match self.scanner.is_quoted() {
            true => self.scanner.quoted()?,
            false => self.scanner.plain(Mode::Value)?,
        };
        if text.is_empty() {
            return Err(self.unexpected("the name of a field"));
        }
        let field = FieldName { text, place: self.scanner.place_from(start) };
        Ok(self.condition(Some(field), Test::Exists, start))
    }

    // An operator between a field and a value or field, in pipes only.
    fn comparison(&mut self) -> Option<CompareOp> {
        if !self.in_pipe {
            return None;
        }
        self.note(Expect::Symbol(&["=", "!=", ">", ">=", "<", "<="]));
        let mut ahead = self.scanner.clone();
        ahead.skip_space();
        let (_, op) = COMPARISONS.iter().find(|(symbol, _)| ahead.eat(symbol))?;
        self.scanner = ahead;
        Some(*op)
    }

    // Behind an operator.
    fn compared(&mut self, left: FieldName, op: CompareOp, start: usize) -> Result<Filter> {
        self.note(Expect::ValueOf(left.text.clone()));
        self.note(Expect::Field);
        self.scanner.skip_space();
        let right_start = self.scanner.at;
        let quoted = self.scanner.is_quoted();
        let is_escaped = self.scanner.peek() == Some('\\');
        let text = if quoted { self.scanner.quoted()? } else { self.scanner.plain(Mode::Value)? };
        if text.is_empty() && !quoted {
            return Err(self.unexpected("a value or a field"));
        }
        if !quoted && (is_escaped || !looks_like_value(&text)) {
            let right = FieldName { text, place: self.scanner.place_from(right_start) };
            return Ok(Filter::Compare(Comparison { left, op, right }));
        }
        let test = match op {
            CompareOp::Order(order) => Test::Compare(order, Literal { text, quoted }),
            _ => Test::Exact(text),
        };
        let condition = self.condition(Some(left), test, start);
        Ok(match op {
            CompareOp::NotEqual => Filter::Not(Box::new(condition)),
            _ => condition,
        })
    }

    pub(super) fn condition(&self, field: Option<FieldName>, test: Test, start: usize) -> Filter {
        Filter::Is(Condition { field, test, place: self.scanner.place_from(start) })
    }
}

// A test that no value with another one meets.
fn is_whole_value(test: &Test) -> bool {
    matches!(test, Test::Words(_) | Test::Exact(_))
}

/// Whether a bare word on the right of a comparison is a value; any other names a field.
pub fn looks_like_value(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+', '.']);
    digits.starts_with(|c: char| c.is_ascii_digit())
        || matches!(text, "true" | "false" | "now")
        || text.starts_with("now-")
        || text.starts_with("now+")
}

/// Filters of one kind side by side, those of the same kind taken apart.
fn joined(mut parts: Vec<Filter>, of: fn(Vec<Filter>) -> Filter) -> Filter {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    let is_and = matches!(of(Vec::new()), Filter::And(_));
    let mut flat = Vec::new();
    for part in parts {
        match part {
            Filter::And(inner) if is_and => flat.extend(inner),
            Filter::Or(inner) if !is_and => flat.extend(inner),
            other => flat.push(other),
        }
    }
    of(flat)
}
