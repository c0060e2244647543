//! Tokens into a tree, by recursive descent.
//!
//! - here: the cursor over the tokens, lists, and the whole query
//! - [`selector`]: matchers, lines and windows of lines
//! - [`stage`]: the stages of a pipeline
//! - [`filter`]: conditions on labels
//! - [`metric`]: functions, operators and their modifiers

mod filter;
mod metric;
mod selector;
mod stage;

use super::ast::{Expr, LogExpr, MetricExpr, Spot, Text};
use super::error::{Error, ErrorKind, Result};
use super::grammar::{DEPTH_MAX, LIST_MAX, OPERATORS_MAX};
use super::lex::{self, Lexed, Token};

/// The longest piece of the query that an error repeats.
const FOUND_CHARS_MAX: usize = 40;

/// The tree of a query. Only its form is looked at; [`super::check`] asks whether it can mean
/// anything.
pub fn parse(text: &str) -> Result<Expr> {
    whole(text, Parser::top).map_err(|err| err.located(text))
}

/// A selector with or without stages, as `series` and `labels` take it.
pub fn parse_log(text: &str) -> Result<LogExpr> {
    match parse(text)? {
        Expr::Log(log) => Ok(log),
        Expr::Metric(_) => {
            let message = "a log selector was expected, and found a query for numbers";
            Err(Error::new(ErrorKind::Syntax, message))
        }
    }
}

fn whole<'a>(text: &'a str, run: impl FnOnce(&mut Parser<'a>) -> Result<Expr>) -> Result<Expr> {
    let tokens = lex::lex(text)?;
    let mut parser = Parser { text, tokens, at: 0, depth: 0, operators: 0 };
    let expr = run(&mut parser)?;
    match parser.peek() {
        Token::End => Ok(expr),
        Token::Symbol(close @ (")" | "}" | "]")) => {
            Err(parser.fail(format!("found '{close}' that closes nothing")))
        }
        _ => Err(parser.unexpected(match expr {
            Expr::Log(_) => "a stage or the end of the query",
            Expr::Metric(_) => "an operator or the end of the query",
        })),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Lexed>,
    at: usize,
    depth: usize,
    operators: usize,
}

impl Parser<'_> {
    fn top(&mut self) -> Result<Expr> {
        self.expr(0)
    }

    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        self.tokens.get(self.at + ahead).map_or(&Token::End, |lexed| &lexed.token)
    }

    /// The byte where the next token stands.
    fn offset(&self) -> usize {
        self.tokens.get(self.at).map_or(self.text.len(), |lexed| lexed.start)
    }

    fn spot(&self) -> Spot {
        Spot(self.offset())
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    fn word(&self) -> Option<&str> {
        match self.peek() {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.word() == Some(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str, expected: &str) -> Result<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn found(&self) -> String {
        let Some(lexed) = self.tokens.get(self.at).filter(|lexed| lexed.token != Token::End) else {
            return "the end of the query".to_owned();
        };
        let text = self.text[lexed.start..lexed.end].chars().take(FOUND_CHARS_MAX);
        format!("'{}'", text.collect::<String>())
    }

    fn unexpected(&self, expected: &str) -> Error {
        self.fail(format!("found {} where {expected} was expected", self.found()))
    }

    fn fail(&self, message: impl Into<String>) -> Error {
        Error::syntax(self.offset(), message)
    }

    /// Runs one level deeper; every recursion of the parser passes here.
    fn nested<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH_MAX {
            return Err(self.fail(format!("query nests deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    /// Notes an operator, which makes the tree deeper even where the parser does not recurse.
    fn note_operator(&mut self) -> Result<()> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            return Err(self.fail(format!("query has more than {OPERATORS_MAX} operators")));
        }
        Ok(())
    }

    fn name(&mut self, expected: &str) -> Result<String> {
        let Some(word) = self.word() else { return Err(self.unexpected(expected)) };
        let word = word.to_owned();
        self.at += 1;
        Ok(word)
    }

    fn string(&mut self, expected: &str) -> Result<Text> {
        let at = self.spot();
        let Token::String(value) = self.peek() else { return Err(self.unexpected(expected)) };
        let value = value.clone();
        self.at += 1;
        Ok(Text { value, at })
    }

    fn is_string(&self) -> bool {
        matches!(self.peek(), Token::String(_))
    }

    /// A number with or without a sign.
    fn number(&mut self, expected: &str) -> Result<f64> {
        let is_signed = self.is("-") || self.is("+");
        let negative = self.is("-");
        let Token::Number(number) = *self.peek_at(usize::from(is_signed)) else {
            return Err(self.unexpected(expected));
        };
        self.at += 1 + usize::from(is_signed);
        Ok(if negative { -number } else { number })
    }

    /// Entries between commas; at least one.
    fn list<T>(&mut self, mut entry: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut entries = vec![entry(self)?];
        while self.take(",") {
            if entries.len() == LIST_MAX {
                return Err(self.fail(format!("a list has more than {LIST_MAX} entries")));
            }
            entries.push(entry(self)?);
        }
        Ok(entries)
    }

    /// `(a, b)`; may be empty.
    fn labels(&mut self) -> Result<Vec<String>> {
        self.expect("(", "'(' before labels")?;
        if self.take(")") {
            return Ok(Vec::new());
        }
        let labels = self.list(|parser| parser.name("a label"))?;
        self.expect(")", "',' or ')' behind a label")?;
        Ok(labels)
    }

    /// The expression as one for numbers.
    fn metric(&self, expr: Expr, at: Spot, what: &str) -> Result<MetricExpr> {
        match expr {
            Expr::Metric(metric) => Ok(metric),
            Expr::Log(_) => {
                let message = format!(
                    "{what} takes numbers and found log lines: count them, \
                     as in count_over_time({{…}} [5m])"
                );
                Err(Error::syntax(at.0, message))
            }
        }
    }
}
