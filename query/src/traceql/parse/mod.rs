//! Tokens into a tree, by recursive descent with one loop for each kind of binary operator.
//!
//! - here: the cursor over the tokens, literals, hints, and the whole query
//! - [`field`]: expressions over one span
//! - [`pipeline`]: stages, relations between spansets, aggregates and numbers
//! - [`metrics`]: functions that make numbers, and what may follow them

mod field;
mod metrics;
mod pipeline;

use super::ast::{self, Field, Hint, Place, Query, Root, Static};
use super::complete::Expect;
use super::grammar::{self, DEPTH_MAX, FIELDS_MAX, HINTS, LITERALS, OPERATORS_MAX};
use super::lex::{self, Lexed, Token, error};
use super::{Error, Result};
use pipeline::Parsed;

/// The longest piece of the query that an error repeats.
const FOUND_CHARS_MAX: usize = 40;

/// The tree of a query. Only its form is looked at; [`super::check`] asks whether it can mean
/// anything.
pub fn parse(text: &str) -> Result<Query> {
    let mut parser = Parser::new(text, lex::lex(text)?);
    let root = parser.root()?;
    let hints = parser.hints()?;
    if *parser.peek() != Token::End {
        return Err(parser.behind(&root));
    }
    Ok(Query { root, hints })
}

/// What fits behind these tokens, which begin a query.
pub(super) fn expected_behind(text: &str, tokens: Vec<Lexed>) -> Vec<Expect> {
    let mut parser = Parser::new(text, tokens);
    if parser.root().is_ok() {
        // Its result does not matter: what it looked for is noted.
        _ = parser.hints();
    }
    parser.expects
}

/// The expression that these tokens are, all of them.
pub(super) fn whole_field_expr(text: &str, tokens: &[Lexed]) -> Result<ast::FieldExpr> {
    let mut parser = Parser::new(text, tokens.to_vec());
    let expr = parser.field_expr(0)?;
    if parser.at < tokens.len() { Err(parser.unexpected("an operator")) } else { Ok(expr) }
}

struct Parser {
    chars: Vec<char>,
    tokens: Vec<Lexed>,
    at: usize,
    depth: usize,
    operators: usize,
    /// What was looked for where the tokens end.
    expects: Vec<Expect>,
}

impl Parser {
    fn new(text: &str, tokens: Vec<Lexed>) -> Self {
        let chars = text.chars().collect();
        Self { chars, tokens, at: 0, depth: 0, operators: 0, expects: Vec::new() }
    }

    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        self.tokens.get(self.at + ahead).map_or(&Token::End, |lexed| &lexed.token)
    }

    fn place(&self) -> Place {
        let end = Place { start: self.chars.len(), end: self.chars.len() };
        self.tokens.get(self.at).map_or(end, |lexed| lexed.place)
    }

    // Where the token before ends.
    fn last_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |last| last.place.end)
    }

    fn symbol(&self) -> Option<&'static str> {
        match self.peek() {
            Token::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    fn symbol_at(&self, ahead: usize) -> Option<&'static str> {
        match self.peek_at(ahead) {
            Token::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    fn word_at(&self, ahead: usize) -> Option<&str> {
        match self.peek_at(ahead) {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Notes what would fit here, if the tokens end here.
    fn note(&mut self, expect: impl FnOnce() -> Expect) {
        if *self.peek() == Token::End {
            self.expects.push(expect());
        }
    }

    fn take(&mut self, symbol: &'static str) -> bool {
        self.note(|| Expect::Symbol(vec![symbol]));
        let found = self.symbol() == Some(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &'static str, expected: &str) -> Result<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    // What stands in a place as an error repeats it.
    fn text(&self, place: Place) -> String {
        let text = &self.chars[place.start..place.end.min(place.start + FOUND_CHARS_MAX)];
        text.iter().collect()
    }

    fn found(&self) -> String {
        match self.peek() {
            Token::End => "the end of the query".to_owned(),
            _ => format!("'{}'", self.text(self.place())),
        }
    }

    fn unexpected(&self, expected: &str) -> Error {
        self.fail(format!("found {} where {expected} was expected", self.found()))
    }

    fn fail(&self, message: impl Into<String>) -> Error {
        error(self.place().start, message)
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

    /// Passes an operator, which makes the tree deeper even where the parser does not recurse.
    fn pass_operator(&mut self) -> Result<()> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            return Err(self.fail(format!("query has more than {OPERATORS_MAX} operators")));
        }
        self.at += 1;
        Ok(())
    }

    fn root(&mut self) -> Result<Root> {
        match self.pipeline()? {
            Parsed::Pipeline(pipeline) => Ok(Root::Search(pipeline)),
            Parsed::Metrics(metrics) => Ok(Root::Metrics(metrics)),
            Parsed::Scalar { scalar, place, .. } if !pipeline::has_aggregate(&scalar) => {
                Err(error(place.start, "a query needs spans, as in { … }"))
            }
            Parsed::Scalar { place, .. } => {
                let text = self.text(place);
                let message = format!("'{text}' is no condition: compare it, as in {text} > 2");
                Err(error(place.start, message))
            }
        }
    }

    // The error where a query should have ended.
    fn behind(&self, root: &Root) -> Error {
        match (self.peek(), root) {
            (Token::Symbol(")"), _) => self.fail("found ')' that closes nothing"),
            (Token::Symbol("}"), _) => self.fail("found '}' that closes nothing"),
            (Token::Symbol(symbol), Root::Metrics(_)) if is_arithmetic(symbol) => self.fail(format!(
                "found '{symbol}' behind series: put them in parentheses, as in ({{ … }} | rate()) {symbol} 2"
            )),
            (_, Root::Search(_)) => self.unexpected("'|', an operator or the end of the query"),
            _ => self.unexpected("'|', a comparison or the end of the query"),
        }
    }

    /// `with(name=value, …)`, where it follows.
    fn hints(&mut self) -> Result<Vec<Hint>> {
        let mut hints = Vec::new();
        self.note(|| Expect::Keyword(vec!["with"]));
        if self.word_at(0) != Some("with") {
            return Ok(hints);
        }
        self.at += 1;
        self.expect("(", "'(' behind with")?;
        loop {
            let start = self.place().start;
            self.note(|| Expect::Keyword(HINTS.to_vec()));
            let Some(name) = self.word_at(0).map(str::to_owned) else {
                return Err(self.unexpected("the name of a hint"));
            };
            self.at += 1;
            self.expect("=", "'=' behind the name of a hint")?;
            self.note(|| Expect::Keyword(LITERALS.to_vec()));
            self.note(|| Expect::Number);
            let value = self.literal()?;
            let value = value.ok_or_else(|| self.unexpected("a literal as value of the hint"))?;
            let place = Place { start, end: self.last_end() };
            hints.push(Hint { name, value, place });
            if !self.take(",") {
                break;
            }
        }
        self.expect(")", "',' or ')' behind a hint")?;
        Ok(hints)
    }

    /// A literal, where one stands; a minus directly before a number belongs to it.
    fn literal(&mut self) -> Result<Option<Static>> {
        let negative = self.symbol() == Some("-");
        let literal = match self.peek_at(usize::from(negative)) {
            Token::Int(number) => self.signed(*number, negative).map(Static::Int)?,
            Token::Duration(number) => self.signed(*number, negative).map(Static::Duration)?,
            Token::Float(number) => Static::Float(if negative { -number } else { *number }),
            _ if negative => return Ok(None),
            Token::String(text) => Static::String(text.clone()),
            Token::Word(word) => match grammar::literal(word) {
                Some(literal) => literal,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.at += 1 + usize::from(negative);
        Ok(Some(literal))
    }

    fn signed(&self, number: u64, negative: bool) -> Result<i64> {
        let signed = if negative { -i128::from(number) } else { i128::from(number) };
        let out_of_range = |_| self.fail(format!("'{number}' is out of range"));
        i64::try_from(signed).map_err(out_of_range)
    }

    /// An attribute or intrinsic.
    fn field(&mut self) -> Result<Field> {
        self.note(|| Expect::Field { scope: None, parent: false });
        let field = match self.peek() {
            Token::Field(field) => field.clone(),
            Token::Word(word) => match grammar::intrinsic(word) {
                Some(which) => Field::Intrinsic { which, parent: false },
                None => return Err(self.unknown_word()),
            },
            _ => return Err(self.unexpected("a field")),
        };
        self.at += 1;
        Ok(field)
    }

    /// Fields between commas, up to the closing parenthesis and with it.
    fn fields(&mut self) -> Result<Vec<Field>> {
        let mut fields = vec![self.field()?];
        while self.take(",") {
            if fields.len() == FIELDS_MAX {
                return Err(self.fail(format!("more than {FIELDS_MAX} fields")));
            }
            fields.push(self.field()?);
        }
        self.expect(")", "',' or ')' behind a field")?;
        Ok(fields)
    }

    // At a word that is no field.
    fn unknown_word(&self) -> Error {
        let word = self.word_at(0).unwrap_or_default();
        if grammar::literal(word).is_some() {
            return self.unexpected("a field");
        }
        let hint = grammar::did_you_mean(word, grammar::value_words())
            .unwrap_or_else(|| format!("write .{word}, span.{word} or resource.{word}"));
        self.fail(format!("unknown field '{word}': {hint}"))
    }
}

fn is_arithmetic(symbol: &str) -> bool {
    grammar::binary_op(symbol).is_some_and(|op| op.is_arithmetic())
}
