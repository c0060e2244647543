//! Selectors and their modifiers.

use std::sync::Arc;

use super::{Kind, Parser, Result};
use crate::promql::ast::{
    At, Edges, Expr, Length, MatrixSelector, Shift, Span, Subquery, VectorSelector,
};
use crate::promql::matcher::{MatchOp, Matcher};

const OFFSET_PLACE: &str = "offset modifier must be preceded by an instant vector selector or range \
     vector selector or a subquery";
const AT_PLACE: &str = "@ modifier must be preceded by an instant vector selector or range vector \
     selector or a subquery";
/// The name of the label that holds a metric's name.
const NAME: &str = "__name__";

impl Parser<'_> {
    /// `name{matchers}`.
    pub(super) fn vector_selector(&mut self) -> Result<VectorSelector> {
        let start = self.peek().span;
        let mut name: Option<Arc<str>> = None;
        if self.peek().kind == Kind::Word {
            let word = self.word_of(self.peek());
            const RESERVED: [&str; 6] =
                ["bool", "on", "ignoring", "group_left", "group_right", "atan2"];
            if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word)) {
                return Err(self.unexpected("", ""));
            }
            name = Some(word.into());
            self.advance();
        }
        let mut end = start.end;
        let mut matchers = Vec::new();
        if self.is_sign("{") {
            self.advance();
            while !self.is_sign("}") {
                matchers.push(self.matcher()?);
                if !self.take_sign(",") && !self.is_sign("}") {
                    return Err(self.unexpected("label matching", "\",\" or \"}\""));
                }
            }
            end = self.advance().span.end;
        } else if name.is_none() {
            return Err(self.unexpected("", "a selector"));
        }
        if let Some(name) = &name {
            matchers.push(Matcher::equal(NAME, name));
        }
        let span = Span { start: start.start, end };
        let (shift, edges) = (Shift::default(), Edges::Plain);
        Ok(VectorSelector { name, matchers, shift, edges, only_totals: false, span })
    }

    fn matcher(&mut self) -> Result<Matcher> {
        const CONTEXT: &str = "label matching";
        let token = self.peek();
        let name = match token.kind {
            Kind::Word => self.word_of(token).to_owned(),
            Kind::Text => self.unquoted(token)?,
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        self.advance();
        let op = match self.peek().kind {
            Kind::Sign("=") => MatchOp::Equal,
            Kind::Sign("!=") => MatchOp::NotEqual,
            Kind::Sign("=~") => MatchOp::Matches,
            Kind::Sign("!~") => MatchOp::NotMatches,
            // A quoted name alone is the metric's.
            _ if token.kind == Kind::Text => return Ok(Matcher::equal(NAME, &name)),
            _ => return Err(self.unexpected(CONTEXT, "label matching operator")),
        };
        self.advance();
        let value = self.peek();
        if value.kind != Kind::Text {
            return Err(self.unexpected(CONTEXT, "string"));
        }
        let text = self.unquoted(value)?;
        self.advance();
        let span = Span { start: token.span.start, end: value.span.end };
        Matcher::new(&name, op, &text).map_err(|err| self.error_at(span, err))
    }

    /// A primary expression with the modifiers that follow it.
    pub(super) fn modified(&mut self) -> Result<Expr> {
        let mut expr = self.primary()?;
        loop {
            if self.is_sign("[") {
                expr = self.bracket(expr)?;
            } else if self.is_word("offset") {
                self.offset(&mut expr)?;
            } else if self.is_sign("@") {
                self.at(&mut expr)?;
            } else if self.is_word("anchored") {
                self.edges(&mut expr, Edges::Anchored)?;
            } else if self.is_word("smoothed") {
                self.edges(&mut expr, Edges::Smoothed)?;
            } else {
                return Ok(expr);
            }
        }
    }

    /// `[range]` or `[range:step]`.
    fn bracket(&mut self, expr: Expr) -> Result<Expr> {
        let start = self.advance().span.start;
        let range = self.positive_length()?;
        if self.take_sign(":") {
            let step = if self.is_sign("]") { None } else { Some(self.positive_length()?) };
            let end = self.expect_sign("]", "subquery selector")?.span.end;
            let shift = Shift::default();
            return Ok(Expr::Subquery(Box::new(Subquery { inner: expr, range, step, shift, end })));
        }
        if !self.is_sign("]") {
            return Err(self.unexpected("subquery or range", "\":\" or \"]\""));
        }
        let end = self.advance().span.end;
        let span = Span { start, end };
        let wrong = |message: &str| Err(self.error_at(span, message));
        let Expr::Vector(selector) = expr else {
            return wrong("ranges only allowed for vector selectors");
        };
        if selector.shift.offset != Length::of_ms(0) {
            return wrong("no offset modifiers allowed before range");
        }
        if selector.shift.at.is_some() {
            return wrong("no @ modifiers allowed before range");
        }
        Ok(Expr::Matrix(Box::new(MatrixSelector { selector: *selector, range, end })))
    }

    fn offset(&mut self, expr: &mut Expr) -> Result<()> {
        let span = expr.span();
        self.advance();
        let offset = self.offset_length()?;
        let end = self.tokens[self.at - 1].span.end;
        let Some(shift) = shift_of(expr, end) else {
            return Err(self.error_at(span, OFFSET_PLACE));
        };
        if shift.offset != Length::of_ms(0) {
            return Err(self.error_at(span, "offset may not be set multiple times"));
        }
        shift.offset = offset;
        Ok(())
    }

    fn at(&mut self, expr: &mut Expr) -> Result<()> {
        let span = expr.span();
        self.advance();
        let at = if self.is_word("start") || self.is_word("end") {
            let at = if self.is_word("start") { At::Start } else { At::End };
            self.advance();
            self.expect_sign("(", "@")?;
            self.expect_sign(")", "@")?;
            at
        } else {
            let is_negative = self.is_sign("-");
            if is_negative || self.is_sign("+") {
                self.advance();
            }
            if !matches!(self.peek().kind, Kind::Number | Kind::Duration) {
                return Err(self.unexpected("@", "timestamp"));
            }
            let seconds = self.number()?.value * if is_negative { -1.0 } else { 1.0 };
            if !seconds.is_finite() || seconds.abs() >= i64::MAX as f64 / 1e3 {
                let message = format!("timestamp out of bounds for @ modifier: {seconds}");
                return Err(self.error_at(span, message));
            }
            At::Time((seconds * 1e3).round() as i64)
        };
        let end = self.tokens[self.at - 1].span.end;
        let Some(shift) = shift_of(expr, end) else {
            return Err(self.error_at(span, AT_PLACE));
        };
        if shift.at.is_some() {
            return Err(self.error_at(span, "@ <timestamp> may not be set multiple times"));
        }
        shift.at = Some(at);
        Ok(())
    }

    fn edges(&mut self, expr: &mut Expr, edges: Edges) -> Result<()> {
        let span = expr.span();
        let token = self.advance();
        let word = self.word_of(token).to_ascii_lowercase();
        let place = match expr {
            Expr::Vector(vector) => &mut vector.edges,
            Expr::Matrix(matrix) => &mut matrix.selector.edges,
            Expr::Subquery(_) => {
                let message = format!("{word} modifier is not supported for subqueries");
                return Err(self.error_at(span, message));
            }
            _ => return Err(self.error_at(span, format!("{word} modifier not implemented"))),
        };
        if *place != Edges::Plain && *place != edges {
            let message = "anchored and smoothed modifiers cannot be used together";
            return Err(self.error_at(span, message));
        }
        *place = edges;
        Ok(())
    }
}

/// The shift of an expression that may have one; the expression then ends at `end`.
fn shift_of(expr: &mut Expr, end: usize) -> Option<&mut Shift> {
    match expr {
        Expr::Vector(vector) => {
            vector.span.end = end;
            Some(&mut vector.shift)
        }
        Expr::Matrix(matrix) => {
            matrix.end = end;
            Some(&mut matrix.selector.shift)
        }
        Expr::Subquery(subquery) => {
            subquery.end = end;
            Some(&mut subquery.shift)
        }
        _ => None,
    }
}
