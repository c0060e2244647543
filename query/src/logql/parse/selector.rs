//! Matchers in braces, pipelines behind them, and windows of time: `{a="b"} |= "c" [5m] offset 1h`.

use super::super::ast::{LogExpr, MatchOp, Matcher, RangeExpr, Unwrap};
use super::super::error::{Error, Result};
use super::super::grammar::STAGES_MAX;
use super::super::lex::Token;
use super::Parser;

/// What a window consists of, in whatever order it is written.
#[derive(Default)]
struct Parts {
    log: Option<LogExpr>,
    unwrap: Option<Unwrap>,
    range_ns: Option<i64>,
    offset_ns: Option<i64>,
}

impl Parser<'_> {
    /// A selector and its stages; at `{`.
    pub(super) fn log(&mut self) -> Result<LogExpr> {
        let mut log = self.selector()?;
        self.stages(&mut log)?;
        Ok(log)
    }

    /// Stages as long as there are any; `unwrap` is no stage here.
    pub(super) fn stages(&mut self, log: &mut LogExpr) -> Result<()> {
        while self.is_stage() && !self.is_unwrap() {
            if log.stages.len() == STAGES_MAX {
                return Err(self.fail(format!("a pipeline has more than {STAGES_MAX} stages")));
            }
            let stage = self.stage()?;
            log.stages.push(stage);
        }
        Ok(())
    }

    fn selector(&mut self) -> Result<LogExpr> {
        let at = self.spot();
        self.expect("{", "'{' of a selector")?;
        if self.take("}") {
            return Ok(LogExpr { at, ..LogExpr::default() });
        }
        let matchers = self.list(Self::matcher)?;
        self.expect("}", "',' or '}' behind a matcher")?;
        Ok(LogExpr { matchers, stages: Vec::new(), at })
    }

    fn matcher(&mut self) -> Result<Matcher> {
        let name = self.name("a label")?;
        let Some(op) = self.match_op() else {
            return Err(self.unexpected("'=', '!=', '=~' or '!~'"));
        };
        self.at += 1;
        let text = self.string("a string to compare with")?;
        Ok(Matcher { name, op, value: text.value, at: text.at })
    }

    /// The operator of a matcher that stands here; it is not passed.
    pub(super) fn match_op(&self) -> Option<MatchOp> {
        match self.peek() {
            Token::Symbol("=") => Some(MatchOp::Equal),
            Token::Symbol("!=") => Some(MatchOp::NotEqual),
            Token::Symbol("=~") => Some(MatchOp::Matches),
            Token::Symbol("!~") => Some(MatchOp::NotMatches),
            _ => None,
        }
    }

    pub(super) fn is_unwrap(&self) -> bool {
        self.is("|") && matches!(self.peek_at(1), Token::Word(word) if word == "unwrap")
    }

    /// A window of lines, with `unwrap` or without.
    pub(super) fn range(&mut self) -> Result<RangeExpr> {
        let at = self.spot();
        let mut parts = Parts::default();
        self.range_parts(&mut parts)?;
        let Some(log) = parts.log else { return Err(self.unexpected("a log selector")) };
        let Some(range_ns) = parts.range_ns else {
            return Err(self.unexpected("a window as [5m]"));
        };
        if range_ns <= 0 {
            return Err(Error::syntax(at.0, "the window must be longer than zero"));
        }
        let offset_ns = parts.offset_ns.unwrap_or(0);
        Ok(RangeExpr { log, unwrap: parts.unwrap, range_ns, offset_ns })
    }

    // Selector, stages, unwrap and window; the window may stand before the stages, and any part that
    // begins with the selector may stand in parentheses.
    fn range_parts(&mut self, parts: &mut Parts) -> Result<()> {
        if self.take("(") {
            self.nested(|parser| parser.range_parts(parts))?;
            self.expect(")", "')'")?;
        } else if self.is("{") {
            parts.log = Some(self.selector()?);
        } else {
            return Err(self.unexpected("a log selector as {app=\"x\"}"));
        }
        loop {
            if self.is("[") && parts.range_ns.is_none() {
                parts.range_ns = Some(self.window()?);
                parts.offset_ns = self.offset_modifier()?;
            } else if self.is_unwrap() && parts.unwrap.is_none() {
                parts.unwrap = Some(self.unwrap()?);
            } else if self.is_stage() && !self.is_unwrap() {
                self.late_stages(parts)?;
            } else {
                return Ok(());
            }
        }
    }

    // Behind `unwrap` only conditions on labels may follow.
    fn late_stages(&mut self, parts: &mut Parts) -> Result<()> {
        if let Some(unwrap) = &mut parts.unwrap {
            if !self.is("|") || self.is_keyword_stage() {
                return Err(self.unexpected("a window or a condition on labels behind unwrap"));
            }
            self.at += 1;
            let filter = self.label_filter()?;
            if unwrap.filters.len() == STAGES_MAX {
                return Err(self.fail(format!("a pipeline has more than {STAGES_MAX} stages")));
            }
            unwrap.filters.push(filter);
            return Ok(());
        }
        match &mut parts.log {
            Some(log) => self.stages(log),
            None => Err(self.unexpected("a log selector")),
        }
    }

    fn window(&mut self) -> Result<i64> {
        self.expect("[", "'['")?;
        let duration = self.duration("a duration as 5m")?;
        self.expect("]", "']' behind the window")?;
        Ok(duration)
    }

    fn offset_modifier(&mut self) -> Result<Option<i64>> {
        if !self.take_word("offset") {
            return Ok(None);
        }
        let negative = self.take("-");
        let duration = self.duration("a duration as 5m behind offset")?;
        Ok(Some(if negative { -duration } else { duration }))
    }

    fn duration(&mut self, expected: &str) -> Result<i64> {
        match *self.peek() {
            Token::Duration(duration) => {
                self.at += 1;
                Ok(duration)
            }
            Token::Number(0.0) => {
                self.at += 1;
                Ok(0)
            }
            _ => Err(self.unexpected(expected)),
        }
    }
}
