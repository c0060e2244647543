//! Lengths of time: literals, and expressions of them.

use super::{Kind, Parser, Result};
use crate::promql::ast::{Duration, DurationOp, Length, Number, Span};

/// Seconds that fit into 64 bits of nanoseconds.
const SECONDS_MAX: f64 = (1u64 << 63) as f64 / 1e9;
const CONTEXT: &str = "offset";
const EXPECTED: &str = "number, duration, step(), or range()";
/// How strongly a sign binds: as `*`.
const SIGN: u8 = 2;

impl Parser<'_> {
    /// The length in brackets, which must be more than zero.
    pub(super) fn positive_length(&mut self) -> Result<Length> {
        let length = self.duration(0)?;
        if let Duration::Literal(number) = &length
            && number.value <= 0.0
        {
            return Err(self.error_at(number.span, "duration must be greater than 0"));
        }
        Ok(known(length))
    }

    /// The length after `offset`: operators that follow it belong to the expression outside, unless
    /// it stands in parentheses.
    pub(super) fn offset_length(&mut self) -> Result<Length> {
        let start = self.peek().span.start;
        let is_negative = self.is_sign("-");
        let is_signed = is_negative || self.is_sign("+");
        if is_signed {
            self.advance();
        }
        let is_paren = self.is_sign("(");
        let mut length = self.duration_primary()?;
        if is_negative {
            length = self.negative(length, start)?;
        }
        if is_paren && !is_signed {
            length = self.duration_after(length, 0)?;
        }
        Ok(known(length))
    }

    fn duration(&mut self, floor: u8) -> Result<Duration> {
        let start = self.peek().span.start;
        let is_negative = self.is_sign("-");
        let first = if is_negative || self.is_sign("+") {
            self.advance();
            let operand = self.deeper(|parser| parser.duration(SIGN + 1))?;
            if is_negative { self.negative(operand, start)? } else { operand }
        } else {
            self.duration_primary()?
        };
        self.duration_after(first, floor)
    }

    fn duration_after(&mut self, first: Duration, floor: u8) -> Result<Duration> {
        let mut left = first;
        loop {
            let (op, precedence) = match self.peek().kind {
                Kind::Sign("+") => (DurationOp::Add, 1),
                Kind::Sign("-") => (DurationOp::Sub, 1),
                Kind::Sign("*") => (DurationOp::Mul, 2),
                Kind::Sign("/") => (DurationOp::Div, 2),
                Kind::Sign("%") => (DurationOp::Mod, 2),
                Kind::Sign("^") => (DurationOp::Pow, 3),
                _ => return Ok(left),
            };
            if precedence < floor || !self.is_duration_after_operator() {
                return Ok(left);
            }
            let operator = self.advance().span;
            let floor = if op == DurationOp::Pow { precedence } else { precedence + 1 };
            let right = self.deeper(|parser| parser.duration(floor))?;
            if let Duration::Literal(number) = &right
                && number.value == 0.0
            {
                match op {
                    DurationOp::Div => return Err(self.error_at(operator, "division by zero")),
                    DurationOp::Mod => return Err(self.error_at(operator, "modulo by zero")),
                    _ => {}
                }
            }
            let span = Span { start: left.span().start, end: right.span().end };
            left = Duration::Binary { op, left: Box::new(left), right: Box::new(right), span };
        }
    }

    fn is_duration_after_operator(&self) -> bool {
        let token = self.peek_after(1);
        match token.kind {
            Kind::Number | Kind::Duration | Kind::Sign("(" | "+" | "-") => true,
            Kind::Word => is_function(self.word_of(token)),
            _ => false,
        }
    }

    fn duration_primary(&mut self) -> Result<Duration> {
        let token = self.peek();
        match token.kind {
            Kind::Number | Kind::Duration => {
                let number = self.number()?;
                self.checked(number)
            }
            Kind::Sign("(") => {
                self.advance();
                let inner = Box::new(self.deeper(|parser| parser.duration(0))?);
                let end = self.expect_sign(")", CONTEXT)?.span.end;
                Ok(Duration::Paren { inner, span: Span { start: token.span.start, end } })
            }
            Kind::Word if is_function(self.word_of(token)) => self.duration_function(),
            _ => Err(self.unexpected(CONTEXT, EXPECTED)),
        }
    }

    fn duration_function(&mut self) -> Result<Duration> {
        let token = self.advance();
        let word = self.word_of(token).to_ascii_lowercase();
        self.expect_sign("(", CONTEXT)?;
        let operands = if word.ends_with("_of") {
            let left = self.deeper(|parser| parser.duration(0))?;
            self.expect_sign(",", CONTEXT)?;
            Some((left, self.deeper(|parser| parser.duration(0))?))
        } else {
            None
        };
        let end = self.expect_sign(")", CONTEXT)?.span.end;
        let span = Span { start: token.span.start, end };
        Ok(match operands {
            Some((left, right)) => {
                let op = if word == "min_of" { DurationOp::MinOf } else { DurationOp::MaxOf };
                Duration::Binary { op, left: Box::new(left), right: Box::new(right), span }
            }
            None if word == "step" => Duration::Step(span),
            None => Duration::Range(span),
        })
    }

    fn negative(&self, operand: Duration, start: usize) -> Result<Duration> {
        match operand {
            Duration::Literal(number) => self.checked(Number {
                value: -number.value,
                span: Span { start, end: number.span.end },
                ..number
            }),
            operand => Ok(Duration::Negative { operand: Box::new(operand), start }),
        }
    }

    fn checked(&self, number: Number) -> Result<Duration> {
        if number.value.abs() > SECONDS_MAX || number.value.is_nan() {
            return Err(self.error_at(number.span, "duration out of range"));
        }
        Ok(Duration::Literal(number))
    }
}

fn is_function(word: &str) -> bool {
    ["step", "range", "min_of", "max_of"].iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// A literal is known at once; the rest when the query's step is.
fn known(duration: Duration) -> Length {
    match duration {
        Duration::Literal(number) => Length::of_ms(milliseconds(number.value)),
        expr => Length { ms: 0, expr: Some(Box::new(expr)) },
    }
}

/// Whole milliseconds of seconds.
pub fn milliseconds(seconds: f64) -> i64 {
    // By way of whole nanoseconds, so that 0.3 s is 300 ms.
    (seconds * 1e9).round() as i64 / 1_000_000
}
