//! Conditions on labels: `a="x" and (b > 5s or c != ip("10.0.0.0/8"))`.
//!
//! `and` binds tighter than `or`; a comma or nothing at all between two conditions is `and`.

use super::super::ast::{CompareOp, LabelFilter, MatchOp, Matcher, Quantity};
use super::super::error::Result;
use super::super::lex::Token;
use super::Parser;

impl Parser<'_> {
    pub(super) fn label_filter(&mut self) -> Result<LabelFilter> {
        self.nested(|parser| {
            let mut left = parser.conjunction()?;
            while parser.take_word("or") {
                parser.note_operator()?;
                let right = parser.conjunction()?;
                left = LabelFilter::Or(Box::new(left), Box::new(right));
            }
            Ok(left)
        })
    }

    fn conjunction(&mut self) -> Result<LabelFilter> {
        let mut left = self.condition()?;
        loop {
            let follows = match self.peek() {
                Token::Symbol("(") => true,
                Token::Symbol(",") => true,
                Token::Word(word) => word != "or" && !self.is_offset(),
                _ => false,
            };
            if !follows {
                return Ok(left);
            }
            if !self.take(",") {
                self.take_word("and");
            }
            self.note_operator()?;
            let right = self.condition()?;
            left = LabelFilter::And(Box::new(left), Box::new(right));
        }
    }

    // `offset 5m` behind a pipeline whose window stands before it.
    fn is_offset(&self) -> bool {
        self.word() == Some("offset")
            && matches!(self.peek_at(1), Token::Duration(_) | Token::Symbol("-"))
    }

    fn condition(&mut self) -> Result<LabelFilter> {
        if self.take("(") {
            let filter = self.label_filter()?;
            self.expect(")", "')', 'and' or 'or' behind a condition")?;
            return Ok(filter);
        }
        let name = self.name("a condition on a label")?;
        let text_op = self.match_op();
        let Some(number_op) = self.compare_op().or(text_op.map(|_| CompareOp::Equal)) else {
            return Err(self.unexpected("a comparison behind the label"));
        };
        self.at += 1;
        if let Some(op) = text_op
            && let Token::String(value) = self.peek()
        {
            let (value, at) = (value.clone(), self.spot());
            self.at += 1;
            return Ok(LabelFilter::Match(Matcher { name, op, value, at }));
        }
        let is_equality = matches!(text_op, Some(MatchOp::Equal | MatchOp::NotEqual));
        if is_equality && self.word() == Some("ip") {
            let range = self.ip()?;
            let negated = text_op == Some(MatchOp::NotEqual);
            return Ok(LabelFilter::Ip { name, negated, range });
        }
        if text_op.is_some() && !is_equality {
            return Err(self.unexpected("a regular expression in quotes"));
        }
        let expected = match is_equality {
            true => "a string, number, duration, amount of bytes or ip()",
            false => "a number, duration or amount of bytes",
        };
        let value = self.quantity(expected)?;
        Ok(LabelFilter::Number { name, op: number_op, value })
    }

    fn compare_op(&self) -> Option<CompareOp> {
        match self.peek() {
            Token::Symbol("=" | "==") => Some(CompareOp::Equal),
            Token::Symbol("!=") => Some(CompareOp::NotEqual),
            Token::Symbol("<") => Some(CompareOp::Less),
            Token::Symbol("<=") => Some(CompareOp::LessEqual),
            Token::Symbol(">") => Some(CompareOp::Greater),
            Token::Symbol(">=") => Some(CompareOp::GreaterEqual),
            _ => None,
        }
    }

    fn quantity(&mut self, expected: &str) -> Result<Quantity> {
        let negative = self.is("-");
        let value = match *self.peek_at(usize::from(negative)) {
            Token::Number(number) => Quantity::Number(if negative { -number } else { number }),
            Token::Duration(ns) => Quantity::Duration(if negative { -ns } else { ns }),
            Token::Bytes(bytes) if !negative => Quantity::Bytes(bytes),
            _ => return Err(self.unexpected(expected)),
        };
        self.at += 1 + usize::from(negative);
        Ok(value)
    }
}
