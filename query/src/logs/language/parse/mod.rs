//! Text into a tree, by recursive descent over the characters.
//!
//! - here: the cursor, the whole query, lists of fields
//! - [`filter`]: AND, OR, NOT, parentheses and terms; [`value`]: what stands behind a colon
//! - [`pipe`]: the pipes; [`stats`]: groups and functions; [`math`]: expressions

mod filter;
mod math;
mod pipe;
mod shape;
mod stats;
mod value;

use super::ast::{FieldName, Filter, Place, Query};
use super::error::{Error, Result};
use super::grammar::{CONDITIONS_MAX, DEPTH_MAX, LIST_MAX, PIPES_MAX, REGEX_BYTES_MAX};
use super::lex::{Mode, Scanner};

pub(super) use filter::looks_like_value;

/// A kind of text that fits where a query ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expect {
    /// The name of a field.
    Field,
    /// A value of the field.
    ValueOf(String),
    /// A term of the filter bar.
    Term,
    /// The name of a pipe.
    Pipe,
    /// A function of `stats`.
    Function,
    /// A function of `math`.
    MathFunction,
    /// Words.
    Keyword(&'static [&'static str]),
    /// Operators and punctuation.
    Symbol(&'static [&'static str]),
}

/// The tree of a query. Only its form is looked at; [`super::check`] asks whether it can mean anything.
pub fn parse(text: &str) -> Result<Query> {
    Parser::new(text)?.query()
}

/// What fits behind a text that begins a query.
pub(super) fn expected_behind(text: &str) -> Vec<Expect> {
    let Ok(mut parser) = Parser::new(text) else { return Vec::new() };
    // Its result does not matter: what it looked for is noted.
    _ = parser.query();
    parser.expects
}

struct Parser<'t> {
    scanner: Scanner<'t>,
    depth: usize,
    conditions: usize,
    math_operators: usize,
    /// Whether a pipe is read, where fields are compared.
    in_pipe: bool,
    /// What was looked for where the text ends.
    expects: Vec<Expect>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self> {
        let scanner = Scanner::new(text)?;
        let (depth, conditions, math_operators) = (0, 0, 0);
        Ok(Self { scanner, depth, conditions, math_operators, in_pipe: false, expects: Vec::new() })
    }

    fn query(&mut self) -> Result<Query> {
        self.scanner.skip_space();
        let is_bare = matches!(self.scanner.peek(), None | Some('|'));
        self.note(Expect::Term);
        let filter = if is_bare { Filter::All } else { self.or(None)? };
        self.in_pipe = true;
        let mut pipes = Vec::new();
        loop {
            self.note(Expect::Symbol(&["|"]));
            self.scanner.skip_space();
            if self.scanner.is_end() {
                return Ok(Query { filter, pipes });
            }
            if !self.scanner.eat("|") {
                return Err(self.unexpected(if pipes.is_empty() {
                    "a condition or '|'"
                } else {
                    "'|' or the end"
                }));
            }
            if pipes.len() == PIPES_MAX {
                return Err(self.fail(format!("more than {PIPES_MAX} pipes")));
            }
            pipes.push(self.pipe()?);
        }
    }

    /// Notes what would fit here, if the text ends here.
    fn note(&mut self, expect: Expect) {
        if self.scanner.rest().trim_start().is_empty() && !self.expects.contains(&expect) {
            self.expects.push(expect);
        }
    }

    fn fail(&self, message: impl Into<String>) -> Error {
        let mut ahead = self.scanner.clone();
        ahead.skip_space();
        Error::at(ahead.at, message)
    }

    fn unexpected(&self, expected: &str) -> Error {
        self.fail(format!("{expected} was expected, found {}", self.scanner.found()))
    }

    /// Reads a symbol after white space, if it is next.
    fn take(&mut self, symbol: &'static str) -> bool {
        let before = self.scanner.at;
        self.scanner.skip_space();
        let found = self.scanner.eat(symbol);
        if !found {
            self.scanner.at = before;
        }
        found
    }

    fn expect(&mut self, symbol: &'static str) -> Result<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    /// Reads a word of the language after white space, in any case.
    fn word(&mut self, words: &'static [&'static str]) -> bool {
        self.note(Expect::Keyword(words));
        words.iter().any(|word| self.scanner.eat_word(word))
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.fail(format!("parentheses nest deeper than {DEPTH_MAX}")));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn count_condition(&mut self) -> Result<()> {
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            return Err(self.fail(format!("more than {CONDITIONS_MAX} conditions")));
        }
        Ok(())
    }

    /// The name of a field in a pipe.
    fn field(&mut self, mode: Mode) -> Result<FieldName> {
        self.note(Expect::Field);
        self.scanner.skip_space();
        let start = self.scanner.at;
        let text = match self.scanner.is_quoted() {
            true => self.scanner.quoted()?,
            false => self.scanner.plain(mode)?,
        };
        if text.is_empty() {
            self.scanner.at = start;
            return Err(self.unexpected("the name of a field"));
        }
        Ok(FieldName { text, place: self.scanner.place_from(start) })
    }

    /// Items with commas between them, at least one.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            if items.len() > LIST_MAX {
                return Err(self.fail(format!("a list of more than {LIST_MAX}")));
            }
            self.note(Expect::Symbol(&[","]));
            if !self.take(",") {
                return Ok(items);
            }
        }
    }

    /// The same, perhaps in parentheses.
    fn list_in_parens<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        if !self.take("(") {
            return self.list(item);
        }
        let items = self.list(item)?;
        self.note(Expect::Symbol(&[")"]));
        self.expect(")")?;
        Ok(items)
    }

    fn fields(&mut self) -> Result<Vec<FieldName>> {
        self.list_in_parens(|parser| parser.field(Mode::Name))
    }

    /// A text in quotes.
    fn text(&mut self, what: &str) -> Result<String> {
        self.scanner.skip_space();
        if !self.scanner.is_quoted() {
            return Err(self.unexpected(&format!("{what} in quotes")));
        }
        self.scanner.quoted()
    }
}

/// Compiles a regular expression, so that one that is wrong has a place.
fn check_regex(pattern: &str, place: Place) -> Result<regex::Regex> {
    let built = regex::RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|err| {
        let message = err.to_string();
        let last = message.lines().last().unwrap_or_default();
        let why = last.strip_prefix("error: ").unwrap_or(last);
        Error::new(place, format!("the regular expression '{pattern}' is wrong: {why}"))
    })
}
