//! Pipelines and what stands between their bars. Parentheses may hold a spanset, a pipeline, a number
//! of a trace or series, and only what they hold tells which; so one loop reads all operators at this
//! level, and [`Parser::combine`] says which sides fit.

use super::super::Result;
use super::super::ast::{
    Aggregate, AggregateOp, BinaryOp, MetricsExpr, Pipeline, Place, ScalarExpr, ScalarFilter,
    SpansetExpr, Stage,
};
use super::super::complete::Expect;
use super::super::grammar::{
    self, AGGREGATES, ARITHMETIC, COMPARISONS, METRICS_FUNCTIONS, RANK_NEGATE, RELATIONS,
    SECOND_STAGES, STAGES,
};
use super::super::lex::{Token, error};
use super::{Parser, metrics};

/// A pipeline, and what it turned out to be.
pub(super) enum Parsed {
    /// One that gives spansets.
    Pipeline(Pipeline),
    /// One that ends in a number: `{…} | count()`; without stages the number alone.
    Scalar { stages: Vec<Stage>, scalar: ScalarExpr, place: Place },
    /// One that gives series.
    Metrics(MetricsExpr),
}

/// An operand between bars.
enum Item {
    Spans(SpansetExpr),
    Filter(ScalarFilter),
    Scalar(ScalarExpr),
    Metrics(MetricsExpr),
}

impl Item {
    fn what(&self) -> &'static str {
        match self {
            Item::Spans(_) => "spans",
            Item::Filter(_) => "a condition on a number",
            Item::Scalar(_) => "a number",
            Item::Metrics(_) => "series",
        }
    }

    // What may follow it.
    fn operators(&self) -> Vec<&'static str> {
        match self {
            Item::Spans(_) => RELATIONS.to_vec(),
            Item::Filter(_) => Vec::new(),
            Item::Scalar(_) => [ARITHMETIC, COMPARISONS].concat(),
            Item::Metrics(_) => ARITHMETIC.to_vec(),
        }
    }
}

impl Parser {
    /// Stages between bars, up to what cannot continue them.
    pub(super) fn pipeline(&mut self) -> Result<Parsed> {
        self.nested(Self::stages)
    }

    fn stages(&mut self) -> Result<Parsed> {
        let mut stages = Vec::new();
        loop {
            let start = self.place().start;
            self.note(|| Expect::Function(STAGES.to_vec()));
            if !stages.is_empty() {
                self.note(|| Expect::Function(METRICS_FUNCTIONS.to_vec()));
            }
            if self.word_at(0).is_some_and(|word| METRICS_FUNCTIONS.contains(&word)) {
                let metrics = self.metrics_query(stages)?;
                return self.second_stages(metrics).map(Parsed::Metrics);
            }
            if let Some(stage) = self.call_stage()? {
                stages.push(stage);
            } else {
                match self.expression(0)? {
                    Item::Spans(spans) => stages.push(Stage::Spans(spans)),
                    Item::Filter(filter) => stages.push(Stage::Scalar(filter)),
                    Item::Scalar(scalar) => {
                        let place = Place { start, end: self.last_end() };
                        return Ok(Parsed::Scalar { stages, scalar, place });
                    }
                    Item::Metrics(metrics) if stages.is_empty() => {
                        return self.second_stages(metrics).map(Parsed::Metrics);
                    }
                    Item::Metrics(_) => {
                        let message = "series in parentheses can only begin a query";
                        return Err(error(start, message));
                    }
                }
            }
            if !self.take("|") {
                return Ok(Parsed::Pipeline(Pipeline { stages }));
            }
        }
    }

    // A stage that is a call, where one stands.
    fn call_stage(&mut self) -> Result<Option<Stage>> {
        let Some(word) = self.word_at(0).filter(|word| STAGES.contains(word)) else {
            return Ok(None);
        };
        let word = word.to_owned();
        self.at += 1;
        self.expect("(", &format!("'(' behind {word}"))?;
        Ok(Some(match word.as_str() {
            "by" => {
                let by = self.field_expr(0)?;
                self.expect(")", "an operator or ')'")?;
                Stage::By(by)
            }
            "select" => Stage::Select(self.fields()?),
            _ => {
                self.expect(")", "')', for coalesce takes nothing,")?;
                Stage::Coalesce
            }
        }))
    }

    fn expression(&mut self, rank_min: u8) -> Result<Item> {
        self.nested(|parser| parser.binary_items(rank_min))
    }

    fn binary_items(&mut self, rank_min: u8) -> Result<Item> {
        let start = self.place().start;
        let mut left = self.item()?;
        self.note(|| Expect::Operator(left.operators()));
        while let Some(symbol) = self.symbol() {
            let op = grammar::binary_op(symbol);
            let relation = grammar::spanset_op(symbol);
            let rank = match (op, relation) {
                (Some(op), _) => grammar::rank(op),
                (None, Some((relation, ..))) => grammar::spanset_rank(relation),
                (None, None) if symbol == "!~" => grammar::RANK_COMPARE,
                (None, None) => break,
            };
            // What follows series behind a comparison is a stage: `A / B > 5`.
            let filters_series = matches!(left, Item::Metrics(_)) && rank <= grammar::RANK_COMPARE;
            if rank < rank_min || filters_series {
                break;
            }
            let place = self.place();
            self.pass_operator()?;
            let right = self.expression(if op == Some(BinaryOp::Pow) { rank } else { rank + 1 })?;
            left = self.combine(symbol, place, left, right, start)?;
            self.note(|| Expect::Operator(left.operators()));
        }
        Ok(left)
    }

    // Two sides with an operator at `place`; the left one starts at `start`.
    fn combine(
        &self,
        symbol: &str,
        place: Place,
        left: Item,
        right: Item,
        start: usize,
    ) -> Result<Item> {
        let op = grammar::binary_op(symbol);
        let op = |fits: fn(BinaryOp) -> bool| op.filter(|op| fits(*op));
        let message = match (left, right) {
            (Item::Spans(left), Item::Spans(right)) => {
                let relation = grammar::spanset_op(symbol);
                if let Some((op, negated, union)) = relation {
                    let (left, right) = (Box::new(left), Box::new(right));
                    return Ok(Item::Spans(SpansetExpr::Binary {
                        op,
                        negated,
                        union,
                        left,
                        right,
                    }));
                }
                format!("'{symbol}' is no relation between spans")
            }
            (Item::Scalar(left), Item::Scalar(right)) => {
                if let Some(op) = op(BinaryOp::is_arithmetic) {
                    let (left, right) = (Box::new(left), Box::new(right));
                    return Ok(Item::Scalar(ScalarExpr::Binary { op, left, right }));
                }
                let is_plain = COMPARISONS.contains(&symbol);
                if let Some(op) = op(BinaryOp::is_comparison).filter(|_| is_plain) {
                    let place = Place { start, end: self.last_end() };
                    return scalar_filter(op, left, right, place);
                }
                format!("'{symbol}' cannot stand between numbers")
            }
            (Item::Metrics(left), Item::Metrics(right)) => {
                return arithmetic(op(BinaryOp::is_arithmetic), symbol, place, left, right);
            }
            (Item::Metrics(left), Item::Scalar(right)) => {
                let right = metrics::constant(right, place)?;
                return arithmetic(op(BinaryOp::is_arithmetic), symbol, place, left, right);
            }
            (Item::Scalar(left), Item::Metrics(right)) => {
                let left = metrics::constant(left, place)?;
                return arithmetic(op(BinaryOp::is_arithmetic), symbol, place, left, right);
            }
            (Item::Filter(_), _) | (_, Item::Filter(_)) if matches!(symbol, "&&" | "||") => {
                format!(
                    "'{symbol}' joins spans, not conditions on numbers: put each side in parentheses, \
                 or use '|' between conditions that must all hold"
                )
            }
            (left, right) => {
                format!("'{symbol}' cannot stand between {} and {}", left.what(), right.what())
            }
        };
        Err(error(place.start, message))
    }

    fn item(&mut self) -> Result<Item> {
        self.note(|| Expect::Symbol(vec!["{", "("]));
        self.note(|| Expect::Function(AGGREGATES.iter().map(|op| op.text()).collect()));
        if let Some(literal) = self.literal()? {
            return Ok(Item::Scalar(ScalarExpr::Static(literal)));
        }
        match self.peek() {
            Token::Symbol("{") => self.filter().map(Item::Spans),
            Token::Symbol("(") => {
                self.at += 1;
                let parsed = self.pipeline()?;
                self.expect(")", "'|', an operator or ')'")?;
                Ok(grouped(parsed))
            }
            Token::Symbol("-") => self.negated(),
            Token::Word(word) => match grammar::aggregate(word) {
                Some(op) => self.aggregate(op).map(|it| Item::Scalar(ScalarExpr::Aggregate(it))),
                None => Err(self.unknown_function()),
            },
            Token::Field(_) => Err(self.fail(format!(
                "found {} where spans or a function were expected: conditions stand in braces, as in \
                 {{ {} = 1 }}",
                self.found(),
                self.text(self.place())
            ))),
            _ => Err(self.unexpected("'{', '(' or a function")),
        }
    }

    fn negated(&mut self) -> Result<Item> {
        let place = self.place();
        self.at += 1;
        match self.expression(RANK_NEGATE)? {
            Item::Scalar(scalar) => Ok(Item::Scalar(ScalarExpr::Negate(Box::new(scalar)))),
            Item::Metrics(metrics) => Ok(Item::Metrics(MetricsExpr::Negate(Box::new(metrics)))),
            other => Err(error(place.start, format!("'-' cannot stand before {}", other.what()))),
        }
    }

    /// `{ expr }`.
    pub(super) fn filter(&mut self) -> Result<SpansetExpr> {
        self.expect("{", "'{'")?;
        if self.take("}") {
            return Ok(SpansetExpr::Filter(None));
        }
        let expr = self.field_expr(0)?;
        self.expect("}", "an operator or '}'")?;
        Ok(SpansetExpr::Filter(Some(expr)))
    }

    fn aggregate(&mut self, op: AggregateOp) -> Result<Aggregate> {
        let start = self.place().start;
        let name = op.text();
        self.at += 1;
        self.expect("(", &format!("'(' behind {name}"))?;
        let of = match op {
            AggregateOp::Count => None,
            _ if self.symbol() == Some(")") => {
                let message = format!("{name}() needs a field, as in {name}(duration)");
                return Err(error(start, message));
            }
            _ => Some(self.field_expr(0)?),
        };
        let expected =
            if of.is_none() { "')', for count takes nothing," } else { "an operator or ')'" };
        self.expect(")", expected)?;
        Ok(Aggregate { op, of, place: Place { start, end: self.last_end() } })
    }

    // At a word where a stage or number was expected.
    fn unknown_function(&self) -> super::super::Error {
        let word = self.word_at(0).unwrap_or_default();
        if METRICS_FUNCTIONS.contains(&word) || STAGES.contains(&word) {
            let message = format!("{word}() is a stage of its own: write '|' before it");
            return self.fail(message);
        }
        if SECOND_STAGES.contains(&word) {
            return self.fail(format!(
                "{word}() needs series before it, as in {{ … }} | rate() | {word}(5)"
            ));
        }
        if grammar::intrinsic(word).is_some() {
            return self.fail(format!(
                "found '{word}' where spans or a function were expected: conditions stand in braces, \
                 as in {{ {word} = … }}"
            ));
        }
        let aggregates = AGGREGATES.iter().map(|op| op.text());
        let others = [STAGES, METRICS_FUNCTIONS, SECOND_STAGES].concat();
        let hint =
            grammar::did_you_mean(word, aggregates.clone().chain(others)).unwrap_or_else(|| {
                let known = aggregates.chain(STAGES.iter().copied()).collect::<Vec<_>>().join(", ");
                format!("there are {known} and functions such as rate")
            });
        self.fail(format!("unknown function '{word}': {hint}"))
    }
}

// What parentheses hold. A spanset alone needs none in the tree.
fn grouped(parsed: Parsed) -> Item {
    match parsed {
        Parsed::Pipeline(mut pipeline) => match (pipeline.stages.pop(), pipeline.stages.len()) {
            (Some(Stage::Spans(spans)), 0) => Item::Spans(spans),
            (last, _) => {
                pipeline.stages.extend(last);
                Item::Spans(SpansetExpr::Pipeline(Box::new(pipeline)))
            }
        },
        Parsed::Scalar { stages, scalar, .. } if stages.is_empty() => Item::Scalar(scalar),
        Parsed::Scalar { stages, scalar, .. } => Item::Scalar(ScalarExpr::Pipeline {
            pipeline: Box::new(Pipeline { stages }),
            scalar: Box::new(scalar),
        }),
        Parsed::Metrics(metrics) => Item::Metrics(metrics),
    }
}

fn scalar_filter(op: BinaryOp, left: ScalarExpr, right: ScalarExpr, place: Place) -> Result<Item> {
    if !has_aggregate(&left) && !has_aggregate(&right) {
        let message = "a condition on numbers needs an aggregate, such as count() or avg(duration)";
        return Err(error(place.start, message));
    }
    Ok(Item::Filter(ScalarFilter { op, left, right, place }))
}

/// Whether it depends on spans.
pub(super) fn has_aggregate(scalar: &ScalarExpr) -> bool {
    match scalar {
        ScalarExpr::Static(_) => false,
        ScalarExpr::Aggregate(_) | ScalarExpr::Pipeline { .. } => true,
        ScalarExpr::Binary { left, right, .. } => has_aggregate(left) || has_aggregate(right),
        ScalarExpr::Negate(inner) => has_aggregate(inner),
    }
}

fn arithmetic(
    op: Option<BinaryOp>,
    symbol: &str,
    place: Place,
    left: MetricsExpr,
    right: MetricsExpr,
) -> Result<Item> {
    let message = || format!("'{symbol}' cannot stand between series");
    let op = op.ok_or_else(|| error(place.start, message()))?;
    let (left, right) = (Box::new(left), Box::new(right));
    Ok(Item::Metrics(MetricsExpr::Binary { op, left, right }))
}
