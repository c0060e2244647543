//! What stands behind a colon: `word`, `"text"`, `val*`, `=text`, `~"regex"`, `>=500`, `[1 TO 5}`, `*`,
//! `(a OR b)`.

use super::super::ast::{Bound, FieldName, Filter, Literal, Order, Part, Test};
use super::super::error::{Error, Result};
use super::super::lex::Mode;
use super::{Expect, Parser, check_regex};

const ORDERS: &[(&str, Order)] = &[
    (">=", Order::GreaterOrEqual),
    ("<=", Order::LessOrEqual),
    (">", Order::Greater),
    ("<", Order::Less),
];

impl Parser<'_> {
    /// A test of a field's value, or several in parentheses.
    pub(super) fn value(&mut self, field: &FieldName, in_group: bool) -> Result<Filter> {
        self.note(Expect::ValueOf(field.text.clone()));
        self.scanner.skip_space();
        if !in_group && self.scanner.eat("(") {
            let group = self.or(Some(field))?;
            self.note(Expect::Symbol(&[")"]));
            self.expect(")")?;
            return Ok(group);
        }
        if in_group {
            self.count_condition()?; // any other is counted as the term that it is of
        }
        let start = self.scanner.at;
        let test = self.test(field)?;
        let start = if in_group { start } else { field.place.start };
        if in_group && self.scanner.peek() == Some(':') {
            return Err(self.unexpected("')' or another value"));
        }
        Ok(self.condition(Some(field.clone()), test, start))
    }

    fn test(&mut self, field: &FieldName) -> Result<Test> {
        let start = self.scanner.at;
        match self.scanner.peek() {
            Some('"' | '`') => {
                let text = self.scanner.quoted()?;
                return Ok(match self.scanner.eat("*") {
                    true => Test::Pattern(vec![Part::Text(text), Part::Any]),
                    false => Test::Words(text),
                });
            }
            Some('[' | '{') => return self.range(),
            Some('~') => {
                self.scanner.bump();
                let pattern = match self.scanner.is_quoted() {
                    true => self.scanner.quoted_regex()?,
                    false => self.bare_regex()?,
                };
                check_regex(&pattern, self.scanner.place_from(start))?;
                return Ok(Test::Matches(pattern));
            }
            Some('=') => {
                self.scanner.bump();
                return self.literal(Mode::Value).map(|literal| Test::Exact(literal.text));
            }
            _ => {}
        }
        if let Some((_, order)) = ORDERS.iter().find(|(symbol, _)| self.scanner.eat(symbol)) {
            self.note(Expect::ValueOf(field.text.clone()));
            self.scanner.skip_space();
            return Ok(Test::Compare(*order, self.literal(Mode::Value)?));
        }
        let parts = self.scanner.bare(Mode::Value)?;
        match parts.as_slice() {
            [] => Err(self.unexpected(&format!("a value of '{}'", field.text))),
            [Part::Any] => Ok(Test::Exists),
            [Part::Text(text)] => match text.as_str() {
                "AND" | "OR" | "NOT" if !self.scanner.rest().is_empty() => Err(Error::at(
                    start,
                    format!("a value of '{}' was expected, found {text}: quote it", field.text),
                )),
                _ => Ok(Test::Words(text.clone())),
            },
            _ => Ok(Test::Pattern(parts)),
        }
    }

    // Up to white space or a parenthesis that it did not open.
    fn bare_regex(&mut self) -> Result<String> {
        let rest = self.scanner.rest();
        let (mut open, mut escaped, mut end) = (0usize, false, rest.len());
        for (at, char) in rest.char_indices() {
            let closes = char == ')' && open == 0 && !escaped;
            if char.is_whitespace() || closes || (char == '|' && open == 0) {
                end = at;
                break;
            }
            if !escaped {
                open = (open + usize::from(char == '(')).saturating_sub(usize::from(char == ')'));
            }
            escaped = char == '\\' && !escaped;
        }
        if end == 0 {
            return Err(self.unexpected("a regular expression"));
        }
        self.scanner.at += end;
        Ok(rest[..end].to_owned())
    }

    /// A value in quotes or without.
    pub(super) fn literal(&mut self, mode: Mode) -> Result<Literal> {
        let quoted = self.scanner.is_quoted();
        let text = if quoted { self.scanner.quoted()? } else { self.scanner.plain(mode)? };
        if text.is_empty() && !quoted {
            return Err(self.unexpected("a value"));
        }
        Ok(Literal { text, quoted })
    }

    fn range(&mut self) -> Result<Test> {
        let start = self.scanner.at;
        let includes_low = self.scanner.bump() == Some('[');
        let low = self.range_end(includes_low)?;
        if !self.word(&["TO"]) && !self.take(",") {
            return Err(self.unexpected("TO between the ends of the range"));
        }
        let mut high = self.range_end(false)?;
        high.inclusive = self.take("]");
        if !high.inclusive && !self.take("}") {
            return Err(self.unexpected("']' or '}'"));
        }
        if low.value.is_none() && high.value.is_none() {
            return Err(Error::new(
                self.scanner.place_from(start),
                "a range needs an end: for any value write field:*",
            ));
        }
        Ok(Test::Range { low, high })
    }

    fn range_end(&mut self, inclusive: bool) -> Result<Bound> {
        self.scanner.skip_space();
        let literal = self.literal(Mode::End)?;
        let is_open = !literal.quoted && literal.text == "*";
        Ok(Bound { value: (!is_open).then_some(literal), inclusive })
    }
}
