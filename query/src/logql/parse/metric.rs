//! Functions over lines and series, binary operators and their modifiers.

use super::super::ast::{
    Binary, Expr, Grouping, LabelReplace, Many, Matching, MetricExpr, RangeAggregate, Spot,
    VectorAggregate,
};
use super::super::error::Result;
use super::super::grammar::{self, BinaryOp, RangeOp, VectorOp};
use super::super::lex::Token;
use super::Parser;

impl Parser<'_> {
    /// An expression whose operators bind at least this tight.
    pub(super) fn expr(&mut self, rank_min: u8) -> Result<Expr> {
        self.nested(|parser| {
            let start = parser.spot();
            let mut left = parser.operand()?;
            while let Some(op) = parser.binary_op().filter(|op| op.rank() >= rank_min) {
                let at = parser.spot();
                parser.at += 1;
                parser.note_operator()?;
                let to_bool = parser.take_word("bool");
                let matching = parser.matching()?;
                let right_at = parser.spot();
                let rank = op.rank() + u8::from(!op.is_right_associative());
                let right = parser.expr(rank)?;
                let what = format!("'{}'", op.text());
                left = Expr::Metric(MetricExpr::Binary(Box::new(Binary {
                    op,
                    to_bool,
                    matching,
                    left: parser.metric(left, start, &what)?,
                    right: parser.metric(right, right_at, &what)?,
                    at,
                })));
            }
            Ok(left)
        })
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        match self.peek() {
            Token::Symbol(symbol) => grammar::binary_op(symbol),
            Token::Word(word) => grammar::binary_op(word),
            _ => None,
        }
    }

    fn operand(&mut self) -> Result<Expr> {
        let at = self.spot();
        match self.peek() {
            Token::Symbol("{") => self.log().map(Expr::Log),
            Token::Symbol("(") => {
                self.at += 1;
                let mut expr = self.expr(0)?;
                self.expect(")", "')' or an operator")?;
                if let Expr::Log(log) = &mut expr {
                    self.stages(log)?;
                }
                Ok(expr)
            }
            Token::Symbol("+" | "-") | Token::Number(_) => {
                let literal = self.number("a number behind the sign")?;
                Ok(Expr::Metric(MetricExpr::Literal(literal)))
            }
            Token::Word(word) => {
                let word = word.clone();
                self.call(&word, at).map(Expr::Metric)
            }
            _ => Err(self.unexpected("a log selector, a function or a number")),
        }
    }

    fn call(&mut self, word: &str, at: Spot) -> Result<MetricExpr> {
        if let Some(op) = grammar::range_op(word) {
            self.at += 1;
            return self.range_aggregate(op, at);
        }
        if let Some(op) = grammar::vector_op(word) {
            self.at += 1;
            return self.vector_aggregate(op, at);
        }
        match word {
            "vector" => {
                self.at += 1;
                self.expect("(", "'(' behind vector")?;
                let value = self.number("a number")?;
                self.expect(")", "')' behind the number")?;
                Ok(MetricExpr::Vector(value))
            }
            "label_replace" => {
                self.at += 1;
                self.label_replace(at)
            }
            _ => Err(self.fail(format!(
                "unknown function '{word}': a log selector, a function or a number was expected"
            ))),
        }
    }

    fn range_aggregate(&mut self, op: RangeOp, at: Spot) -> Result<MetricExpr> {
        self.expect("(", &format!("'(' behind {}", op.name()))?;
        let parameter = match self.peek() {
            Token::Number(_) | Token::Symbol("-" | "+") => {
                let number = self.number("a number")?;
                self.expect(",", "',' behind the number")?;
                Some(number)
            }
            _ => None,
        };
        let range = self.range()?;
        self.expect(")", "')' behind the window")?;
        let grouping = self.grouping()?;
        Ok(MetricExpr::Range(RangeAggregate { op, parameter, range, grouping, at }))
    }

    fn vector_aggregate(&mut self, op: VectorOp, at: Spot) -> Result<MetricExpr> {
        let before = self.grouping()?;
        self.expect("(", &format!("'(' behind {}", op.name()))?;
        let is_parameter = match self.peek() {
            Token::Number(_) => matches!(self.peek_at(1), Token::Symbol(",")),
            Token::Symbol("-" | "+") => matches!(self.peek_at(2), Token::Symbol(",")),
            _ => false,
        };
        let mut parameter = None;
        if is_parameter {
            parameter = Some(self.number("a number")?);
            self.expect(",", "',' behind the number")?;
        }
        let of_at = self.spot();
        let of = self.expr(0)?;
        let of = Box::new(self.metric(of, of_at, op.name())?);
        self.expect(")", "')' or an operator")?;
        let again = self.spot();
        let behind = self.grouping()?;
        if before.is_some() && behind.is_some() {
            self.at = self.tokens.partition_point(|lexed| lexed.start < again.0);
            return Err(self.fail(format!("{} is grouped twice", op.name())));
        }
        let grouping = before.or(behind);
        Ok(MetricExpr::Aggregate(VectorAggregate { op, parameter, grouping, of, at }))
    }

    fn grouping(&mut self) -> Result<Option<Grouping>> {
        let without = match self.word() {
            Some("by") => false,
            Some("without") => true,
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(Grouping { without, labels: self.labels()? }))
    }

    fn matching(&mut self) -> Result<Option<Matching>> {
        let on = match self.word() {
            Some("on") => true,
            Some("ignoring") => false,
            Some(word @ ("group_left" | "group_right")) => {
                let message = format!("'{word}' needs 'on (…)' or 'ignoring (…)' before it");
                return Err(self.fail(message));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        let labels = self.labels()?;
        let left = match self.word() {
            Some("group_left") => true,
            Some("group_right") => false,
            _ => return Ok(Some(Matching { on, labels, many: None })),
        };
        self.at += 1;
        // A parenthesis with anything but labels in it is the right side.
        let is_list = match (self.peek(), self.peek_at(1), self.peek_at(2)) {
            (Token::Symbol("("), Token::Symbol(")"), _) => true,
            (Token::Symbol("("), Token::Word(_), Token::Symbol(symbol)) => {
                matches!(*symbol, "," | ")")
            }
            _ => false,
        };
        let include = if is_list { self.labels()? } else { Vec::new() };
        Ok(Some(Matching { on, labels, many: Some(Many { left, include }) }))
    }

    fn label_replace(&mut self, at: Spot) -> Result<MetricExpr> {
        self.expect("(", "'(' behind label_replace")?;
        let of_at = self.spot();
        let of = self.expr(0)?;
        let of = self.metric(of, of_at, "label_replace")?;
        let comma = "',' and a string in quotes";
        self.expect(",", comma)?;
        let target = self.string("the label that is made, in quotes")?.value;
        self.expect(",", comma)?;
        let replacement = self.string("the replacement, in quotes")?.value;
        self.expect(",", comma)?;
        let source = self.string("the label that is looked at, in quotes")?.value;
        self.expect(",", comma)?;
        let pattern = self.string("a regular expression in quotes")?;
        self.expect(")", "')'")?;
        let replace = LabelReplace { of, target, replacement, source, pattern, at };
        Ok(MetricExpr::LabelReplace(Box::new(replace)))
    }
}
