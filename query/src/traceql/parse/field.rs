//! Expressions over one span: what stands between braces, and in the parentheses of aggregates.

use super::super::Result;
use super::super::ast::{BinaryOp, FieldExpr, FieldExprKind, KINDS, Place, STATUSES};
use super::super::complete::Expect;
use super::super::grammar::{self, BINARY_OPS, LITERALS, RANK_NEGATE, RANK_NOT};
use super::super::lex::Token;
use super::Parser;

impl Parser {
    /// An expression whose operators all bind at least as tight as `rank_min`.
    pub(super) fn field_expr(&mut self, rank_min: u8) -> Result<FieldExpr> {
        self.nested(|parser| parser.binary(rank_min))
    }

    fn binary(&mut self, rank_min: u8) -> Result<FieldExpr> {
        let mut left = self.prefixed()?;
        self.note(|| Expect::Operator(BINARY_OPS.iter().map(|op| op.text()).collect()));
        while let Some(op) = self.symbol().and_then(grammar::binary_op) {
            let rank = grammar::rank(op);
            if rank < rank_min {
                break;
            }
            self.pass_operator()?;
            if let FieldExprKind::Field(field) = &left.kind
                && op.is_comparison()
            {
                self.note(|| Expect::Value { field: field.clone(), op });
            }
            let right = self.field_expr(if op == BinaryOp::Pow { rank } else { rank + 1 })?;
            let place = Place { start: left.place.start, end: right.place.end };
            let (left_side, right) = (Box::new(left), Box::new(right));
            left = FieldExpr { kind: FieldExprKind::Binary { op, left: left_side, right }, place };
            self.note(|| Expect::Operator(BINARY_OPS.iter().map(|op| op.text()).collect()));
        }
        Ok(left)
    }

    fn prefixed(&mut self) -> Result<FieldExpr> {
        let start = self.place().start;
        self.note(|| Expect::Field { scope: None, parent: false });
        self.note(|| Expect::Keyword([LITERALS, &STATUSES, &KINDS].concat()));
        if let Some(literal) = self.literal()? {
            let place = Place { start, end: self.last_end() };
            return Ok(FieldExpr { kind: FieldExprKind::Static(literal), place });
        }
        let kind = if self.take("!") {
            FieldExprKind::Not(Box::new(self.field_expr(RANK_NOT)?))
        } else if self.take("-") {
            FieldExprKind::Negate(Box::new(self.field_expr(RANK_NEGATE)?))
        } else if self.take("(") {
            let inner = self.field_expr(0)?;
            self.expect(")", "an operator or ')'")?;
            inner.kind
        } else if matches!(self.peek(), Token::Word(_) | Token::Field(_)) {
            FieldExprKind::Field(self.field()?)
        } else {
            return Err(self.unexpected("a value"));
        };
        Ok(FieldExpr { kind, place: Place { start, end: self.last_end() } })
    }
}
