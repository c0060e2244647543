//! Expressions over numbers: `+ -`, then `* / %`, then unary minus, then `^` (to the right).

use super::super::ast::{Assignment, MathExpr, MathOp};
use super::super::error::{Error, Result};
use super::super::grammar::{self, MATH_FUNCTIONS, MATH_OPERATORS_MAX};
use super::super::lex::Mode;
use super::{Expect, Parser};

impl Parser<'_> {
    /// `x = a + b` or `a + b as x`.
    pub(super) fn assignment(&mut self) -> Result<Assignment> {
        let before = self.scanner.clone();
        if let Ok(name) = self.field(Mode::MathName)
            && self.take("=")
        {
            let value = self.sum()?;
            return Ok(Assignment { name, value });
        }
        self.scanner = before;
        let value = self.sum()?;
        if !self.word(&["as"]) {
            return Err(self.unexpected("an operator, or 'as' and a name"));
        }
        let name = self.field(Mode::Name)?;
        Ok(Assignment { name, value })
    }

    fn sum(&mut self) -> Result<MathExpr> {
        self.enter()?;
        let mut left = self.product()?;
        while let Some(op) = self.math_op(&[("+", MathOp::Add), ("-", MathOp::Sub)])? {
            left = binary(op, left, self.product()?);
        }
        self.leave();
        Ok(left)
    }

    fn product(&mut self) -> Result<MathExpr> {
        let mut left = self.signed()?;
        let ops = [("*", MathOp::Mul), ("/", MathOp::Div), ("%", MathOp::Rem)];
        while let Some(op) = self.math_op(&ops)? {
            left = binary(op, left, self.signed()?);
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<MathExpr> {
        if !self.take("-") {
            return self.power();
        }
        self.enter()?;
        let inner = self.signed()?;
        self.leave();
        Ok(MathExpr::Negate(Box::new(inner)))
    }

    fn power(&mut self) -> Result<MathExpr> {
        let base = self.atom()?;
        match self.math_op(&[("^", MathOp::Pow)])? {
            None => Ok(base),
            Some(op) => {
                self.enter()?;
                let exponent = self.signed()?;
                self.leave();
                Ok(binary(op, base, exponent))
            }
        }
    }

    fn math_op(&mut self, ops: &[(&'static str, MathOp)]) -> Result<Option<MathOp>> {
        self.note(Expect::Symbol(&["+", "-", "*", "/", "%", "^"]));
        let Some((_, op)) = ops.iter().find(|(symbol, _)| self.take(symbol)) else {
            return Ok(None);
        };
        self.math_operators += 1;
        if self.math_operators > MATH_OPERATORS_MAX {
            return Err(self.fail(format!("more than {MATH_OPERATORS_MAX} operators")));
        }
        Ok(Some(*op))
    }

    fn atom(&mut self) -> Result<MathExpr> {
        self.note(Expect::MathFunction);
        if self.take("(") {
            let inner = self.sum()?;
            self.expect(")")?;
            return Ok(inner);
        }
        self.scanner.skip_space();
        let start = self.scanner.at;
        if self.scanner.peek().is_some_and(|char| char.is_ascii_digit() || char == '.') {
            return self.number().map(MathExpr::Number);
        }
        let is_quoted = self.scanner.is_quoted();
        let field = self.field(Mode::MathName)?;
        if is_quoted || !self.take("(") {
            return Ok(MathExpr::Field(field));
        }
        let known = MATH_FUNCTIONS.iter().find(|(_, name, ..)| *name == field.text);
        let Some((function, name, least, most)) = known else {
            let names = MATH_FUNCTIONS.iter().map(|(_, name, ..)| *name);
            let hint = grammar::did_you_mean(&field.text, names.clone())
                .unwrap_or_else(|| format!("there are {}", names.collect::<Vec<_>>().join(", ")));
            let message = format!("unknown function '{}': {hint}", field.text);
            return Err(Error::at(start, message));
        };
        let arguments = self.list(Self::sum)?;
        self.expect(")")?;
        if arguments.len() < *least || arguments.len() > *most {
            let message =
                format!("{name} takes {least} to {most} arguments, not {}", arguments.len());
            return Err(Error::at(start, message));
        }
        Ok(MathExpr::Call { function: *function, arguments })
    }

    /// A number without a sign.
    pub(super) fn number(&mut self) -> Result<f64> {
        self.scanner.skip_space();
        let start = self.scanner.at;
        let text = self.scanner.plain(Mode::MathName)?;
        let mut text = text.as_str().to_owned();
        // An exponent's sign ends a name.
        if text.ends_with(['e', 'E']) && matches!(self.scanner.peek(), Some('-' | '+')) {
            text.extend(self.scanner.bump());
            text.push_str(self.scanner.identifier());
        }
        super::super::units::number(&text)
            .ok_or_else(|| Error::at(start, format!("a number was expected, found '{text}'")))
    }
}

fn binary(op: MathOp, left: MathExpr, right: MathExpr) -> MathExpr {
    MathExpr::Binary { op, left: Box::new(left), right: Box::new(right) }
}
