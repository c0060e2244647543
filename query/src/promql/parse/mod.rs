//! From text to tree.
//!
//! Operators by precedence climbing; modifiers (`[..]`, `offset`, `@`, `anchored`, `smoothed`) bind to
//! the selector before them. What the grammar allows but types forbid is found by [`super::check`].

mod duration;
mod selector;

use std::sync::Arc;

use super::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Cardinality, Expr, Matching, Number, Paren,
    Span, Text, Unary,
};
use super::error::ParseError;
use super::lex::{self, Kind, Token};
use super::matcher::Matcher;
use super::{check, duration as durations, functions};

type Result<T> = std::result::Result<T, ParseError>;

/// Operators and parentheses inside each other, at most: the parser recurses.
const DEPTH_MAX: usize = 250;

/// The expression of a text, its types checked.
pub fn expression(text: &str) -> Result<Expr> {
    let mut parser = Parser::new(text)?;
    if parser.peek().kind == Kind::End {
        return Err(parser.error_at(parser.peek().span, "no expression found in input"));
    }
    let mut expr = parser.binary(0)?;
    parser.finished()?;
    check::types(text, &mut expr)?;
    Ok(expr)
}

/// The matchers of a selector such as `match[]` has: a vector selector without modifiers.
pub fn selector(text: &str) -> Result<Vec<Matcher>> {
    let mut parser = Parser::new(text)?;
    let selector = parser.vector_selector()?;
    parser.finished()?;
    check::selector(text, &selector)?;
    Ok(selector.matchers)
}

/// The labels of a series as `name{label="value"}`, and the rest of the text.
pub fn labels(text: &str) -> Result<Vec<(String, String)>> {
    let mut parser = Parser::new(text)?;
    let selector = parser.vector_selector()?;
    parser.finished()?;
    let pairs = selector.matchers.iter();
    Ok(pairs.map(|matcher| (matcher.name.to_string(), matcher.value.to_string())).collect())
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self> {
        Ok(Self { text, tokens: lex::tokens(text)?, at: 0, depth: 0 })
    }

    fn peek(&self) -> Token {
        self.tokens[self.at]
    }

    fn peek_after(&self, tokens: usize) -> Token {
        self.tokens[(self.at + tokens).min(self.tokens.len() - 1)]
    }

    fn advance(&mut self) -> Token {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn word_of(&self, token: Token) -> &'a str {
        &self.text[token.span.start..token.span.end]
    }

    fn is_sign(&self, sign: &str) -> bool {
        self.is_sign_after(0, sign)
    }

    fn is_sign_after(&self, tokens: usize, sign: &str) -> bool {
        matches!(self.peek_after(tokens).kind, Kind::Sign(found) if found == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        self.peek().kind == Kind::Word && self.word_of(self.peek()).eq_ignore_ascii_case(word)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let is_there = self.is_sign(sign);
        if is_there {
            self.advance();
        }
        is_there
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_there = self.is_word(word);
        if is_there {
            self.advance();
        }
        is_there
    }

    fn expect_sign(&mut self, sign: &str, context: &str) -> Result<Token> {
        match self.is_sign(sign) {
            true => Ok(self.advance()),
            false => Err(self.unexpected(context, &format!("{sign:?}"))),
        }
    }

    fn error_at(&self, span: Span, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, span, message)
    }

    /// An error about the next token.
    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let token = self.peek();
        let word = self.word_of(token);
        let mut message = "unexpected ".to_owned();
        message.push_str(&match token.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Word => format!("identifier {word:?}"),
            Kind::Number => format!("number {word:?}"),
            Kind::Duration => format!("duration {word:?}"),
            Kind::Text => format!("string {word:?}"),
            Kind::Sign(sign) => format!("{sign:?}"),
        });
        if !context.is_empty() {
            message.push_str(&format!(" in {context}"));
        }
        if !expected.is_empty() {
            message.push_str(&format!(", expected {expected}"));
        }
        self.error_at(token.span, message)
    }

    fn finished(&self) -> Result<()> {
        match self.peek().kind {
            Kind::End => Ok(()),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let message = format!("expressions are nested deeper than {DEPTH_MAX}");
            return Err(self.error_at(self.peek().span, message));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Operators that bind at least as strongly as `floor`.
    fn binary(&mut self, floor: u8) -> Result<Expr> {
        let mut left = self.deeper(Self::unary)?;
        while let Some(op) = self.operator() {
            let precedence = op.precedence();
            if precedence < floor {
                break;
            }
            self.advance();
            let (returns_bool, matching) = self.matching()?;
            // `^` binds to the right, the others to the left.
            let floor = if op == BinaryOp::Pow { precedence } else { precedence + 1 };
            let right = self.deeper(|parser| parser.binary(floor))?;
            let matching = Some(matching);
            left = Expr::Binary(Box::new(Binary { op, left, right, matching, returns_bool }));
        }
        Ok(left)
    }

    fn operator(&self) -> Option<BinaryOp> {
        let token = self.peek();
        Some(match token.kind {
            Kind::Sign(sign) => match sign {
                "+" => BinaryOp::Add,
                "-" => BinaryOp::Sub,
                "*" => BinaryOp::Mul,
                "/" => BinaryOp::Div,
                "%" => BinaryOp::Mod,
                "^" => BinaryOp::Pow,
                "==" => BinaryOp::Eq,
                "!=" => BinaryOp::Ne,
                ">" => BinaryOp::Gt,
                "<" => BinaryOp::Lt,
                ">=" => BinaryOp::Ge,
                "<=" => BinaryOp::Le,
                "</" => BinaryOp::TrimUpper,
                ">/" => BinaryOp::TrimLower,
                _ => return None,
            },
            Kind::Word => match self.word_of(token).to_ascii_lowercase().as_str() {
                "and" => BinaryOp::And,
                "or" => BinaryOp::Or,
                "unless" => BinaryOp::Unless,
                "atan2" => BinaryOp::Atan2,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// `bool`, `on (…)`, `group_left (…)`, `fill (…)`.
    fn matching(&mut self) -> Result<(bool, Matching)> {
        let returns_bool = self.take_word("bool");
        let mut matching = Matching::default();
        let is_matched = self.is_word("on") || self.is_word("ignoring");
        if is_matched {
            matching.is_on = self.is_word("on");
            self.advance();
            matching.labels = self.grouping()?;
            for (word, cardinality) in
                [("group_left", Cardinality::ManyToOne), ("group_right", Cardinality::OneToMany)]
            {
                if matching.cardinality == Cardinality::OneToOne && self.take_word(word) {
                    matching.cardinality = cardinality;
                    if self.is_sign("(") {
                        matching.include = self.grouping()?;
                    }
                }
            }
        }
        while self.is_sign_after(1, "(") {
            let (sets_left, sets_right) = match () {
                () if self.is_word("fill") => (true, true),
                () if self.is_word("fill_left") => (true, false),
                () if self.is_word("fill_right") => (false, true),
                () => break,
            };
            let span = self.advance().span;
            let value = Some(self.fill_value()?);
            let is_set = sets_left && matching.fill_left.is_some()
                || sets_right && matching.fill_right.is_some();
            if is_set {
                return Err(self.error_at(span, "a fill value may not be set twice"));
            }
            matching.fill_left = if sets_left { value } else { matching.fill_left };
            matching.fill_right = if sets_right { value } else { matching.fill_right };
        }
        Ok((returns_bool, matching))
    }

    fn fill_value(&mut self) -> Result<f64> {
        self.expect_sign("(", "fill value")?;
        let is_negative = self.is_sign("-");
        if is_negative || self.is_sign("+") {
            self.advance();
        }
        let number = self.number()?;
        self.expect_sign(")", "fill value")?;
        Ok(if is_negative { -number.value } else { number.value })
    }

    /// `(label, "label")`.
    fn grouping(&mut self) -> Result<Vec<Arc<str>>> {
        const CONTEXT: &str = "grouping opts";
        self.expect_sign("(", CONTEXT)?;
        let mut labels = Vec::new();
        while !self.is_sign(")") {
            let token = self.peek();
            let label = match token.kind {
                Kind::Word => self.word_of(token).to_owned(),
                Kind::Text => self.unquoted(token)?,
                _ => return Err(self.unexpected(CONTEXT, "label")),
            };
            if label.is_empty() || label.contains(':') && token.kind == Kind::Word {
                let message = format!("invalid label name for grouping: {label:?}");
                return Err(self.error_at(token.span, message));
            }
            self.advance();
            labels.push(label.into());
            if !self.take_sign(",") && !self.is_sign(")") {
                return Err(self.unexpected(CONTEXT, "\",\" or \")\""));
            }
        }
        self.advance();
        Ok(labels)
    }

    fn unquoted(&self, token: Token) -> Result<String> {
        let quoted = self.word_of(token);
        lex::unquote(quoted).map_err(|message| {
            self.error_at(token.span, format!("error unquoting string {quoted}: {message}"))
        })
    }

    fn unary(&mut self) -> Result<Expr> {
        let is_negative = self.is_sign("-");
        if !is_negative && !self.is_sign("+") {
            return self.modified();
        }
        let start = self.advance().span.start;
        let operand = self.deeper(|parser| parser.binary(BinaryOp::Pow.precedence()))?;
        Ok(match operand {
            Expr::Number(number) => Expr::Number(Number {
                value: if is_negative { -number.value } else { number.value },
                span: Span { start, end: number.span.end },
                ..number
            }),
            operand => Expr::Unary(Box::new(Unary { is_negative, operand, start })),
        })
    }

    fn primary(&mut self) -> Result<Expr> {
        let token = self.peek();
        match token.kind {
            Kind::Number | Kind::Duration => Ok(Expr::Number(self.number()?)),
            Kind::Text => {
                let value = self.unquoted(token)?;
                self.advance();
                Ok(Expr::Text(Text { value, span: token.span }))
            }
            Kind::Sign("(") => {
                self.advance();
                let inner = self.deeper(|parser| parser.binary(0))?;
                let end = self.expect_sign(")", "parentheses")?.span.end;
                let span = Span { start: token.span.start, end };
                Ok(Expr::Paren(Box::new(Paren { inner, span })))
            }
            Kind::Sign("{") => Ok(Expr::Vector(Box::new(self.vector_selector()?))),
            Kind::Word => self.word(token),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn word(&mut self, token: Token) -> Result<Expr> {
        let word = self.word_of(token);
        let next = self.peek_after(1);
        let is_called = matches!(next.kind, Kind::Sign("("));
        if let Some(op) = AggregateOp::find(word) {
            let next = if next.kind == Kind::Word { self.word_of(next) } else { "" };
            let is_grouped =
                next.eq_ignore_ascii_case("by") || next.eq_ignore_ascii_case("without");
            if is_called || is_grouped {
                return self.aggregate(op, token);
            }
        }
        if is_called {
            return self.call(token);
        }
        Ok(Expr::Vector(Box::new(self.vector_selector()?)))
    }

    fn number(&mut self) -> Result<Number> {
        let token = self.peek();
        let text = self.word_of(token);
        let value = match token.kind {
            Kind::Number => lex::number_value(text).ok_or_else(|| {
                self.error_at(token.span, format!("error parsing number: {text:?}"))
            })?,
            Kind::Duration => {
                let ms = durations::parse_ms(text).map_err(|err| self.error_at(token.span, err))?;
                ms as f64 / 1e3
            }
            _ => return Err(self.unexpected("", "number or duration")),
        };
        self.advance();
        Ok(Number { value, is_duration: token.kind == Kind::Duration, span: token.span })
    }

    fn aggregate(&mut self, op: AggregateOp, token: Token) -> Result<Expr> {
        self.advance();
        let mut modifier = self.aggregate_modifier()?;
        let (mut arguments, mut end) = self.arguments()?;
        if modifier.is_none() && (self.is_word("by") || self.is_word("without")) {
            modifier = self.aggregate_modifier()?;
            end = self.tokens[self.at - 1].span.end;
        }
        let (is_without, grouping) = modifier.unwrap_or_default();
        let span = Span { start: token.span.start, end };
        let wanted = 1 + usize::from(op.has_parameter());
        if arguments.is_empty() {
            let message = "no arguments for aggregate expression provided";
            return Err(self.error_at(span, message));
        }
        if arguments.len() != wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, \
                 got {}",
                arguments.len()
            );
            return Err(self.error_at(span, message));
        }
        let operand = arguments.remove(wanted - 1);
        let parameter = arguments.pop();
        let aggregate = Aggregate { op, operand, parameter, grouping, is_without, span };
        Ok(Expr::Aggregate(Box::new(aggregate)))
    }

    fn aggregate_modifier(&mut self) -> Result<Option<(bool, Vec<Arc<str>>)>> {
        let is_without = self.is_word("without");
        if !is_without && !self.is_word("by") {
            return Ok(None);
        }
        self.advance();
        Ok(Some((is_without, self.grouping()?)))
    }

    fn call(&mut self, token: Token) -> Result<Expr> {
        let word = self.word_of(token);
        let function = functions::find(word).or_else(|| {
            // These are keywords, and so of any case.
            let keyword = word.to_ascii_lowercase();
            let is_keyword = ["start", "end", "step", "range", "max_of", "min_of"];
            is_keyword.contains(&keyword.as_str()).then(|| functions::find(&keyword)).flatten()
        });
        let Some(function) = function else {
            let message = format!("unknown function with name {word:?}");
            return Err(self.error_at(token.span, message));
        };
        self.advance();
        let (arguments, end) = self.arguments()?;
        let span = Span { start: token.span.start, end };
        Ok(Expr::Call(Box::new(Call { function, arguments, span })))
    }

    /// `(expr, expr)`, and where it ends.
    fn arguments(&mut self) -> Result<(Vec<Expr>, usize)> {
        self.expect_sign("(", "aggregation")?;
        let mut arguments = Vec::new();
        while !self.is_sign(")") {
            arguments.push(self.deeper(|parser| parser.binary(0))?);
            if self.is_sign(",") && self.is_sign_after(1, ")") {
                let message = "trailing commas not allowed in function call args";
                return Err(self.error_at(self.peek().span, message));
            }
            if !self.take_sign(",") && !self.is_sign(")") {
                return Err(self.unexpected("function call", "\",\" or \")\""));
            }
        }
        let end = self.advance().span.end;
        Ok((arguments, end))
    }
}
