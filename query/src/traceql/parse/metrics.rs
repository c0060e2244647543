//! Functions that make numbers of spans, and the stages behind them.

use super::super::Result;
use super::super::ast::{
    Field, MetricsExpr, MetricsFunction, MetricsQuery, Pipeline, Place, ScalarExpr, SecondStage,
    Stage, Static,
};
use super::super::complete::Expect;
use super::super::grammar::{self, COMPARISONS, QUANTILES_MAX, SECOND_STAGES, TOP_MAX};
use super::super::lex::error;
use super::Parser;

/// Values of each attribute that `compare` gives unless said.
const COMPARE_TOP: usize = 10;
/// Nanoseconds of a second.
const SECOND_NS: f64 = 1e9;

impl Parser {
    /// A function with its `by`, at its name; `stages` come before it.
    pub(super) fn metrics_query(&mut self, stages: Vec<Stage>) -> Result<MetricsExpr> {
        let start = self.place().start;
        let name = self.word_at(0).unwrap_or_default().to_owned();
        if stages.is_empty() {
            let message = format!("{name}() needs spans before it, as in {{ … }} | {name}()");
            return Err(self.fail(message));
        }
        self.at += 1;
        self.expect("(", &format!("'(' behind {name}"))?;
        let function = self.function(&name)?;
        let place = Place { start, end: self.last_end() };
        self.note(|| Expect::Function(vec!["by"]));
        let by = if self.word_at(0) == Some("by") {
            self.at += 1;
            self.expect("(", "'(' behind by")?;
            self.fields()?
        } else {
            Vec::new()
        };
        let pipeline = Pipeline { stages };
        Ok(MetricsExpr::Query(Box::new(MetricsQuery { pipeline, function, by, place })))
    }

    // Behind its opening parenthesis, up to the closing one and with it.
    fn function(&mut self, name: &str) -> Result<MetricsFunction> {
        let function = match name {
            "rate" => MetricsFunction::Rate,
            "count_over_time" => MetricsFunction::CountOverTime,
            "min_over_time" => MetricsFunction::MinOverTime(self.function_field(name)?),
            "max_over_time" => MetricsFunction::MaxOverTime(self.function_field(name)?),
            "avg_over_time" => MetricsFunction::AvgOverTime(self.function_field(name)?),
            "sum_over_time" => MetricsFunction::SumOverTime(self.function_field(name)?),
            "histogram_over_time" => MetricsFunction::HistogramOverTime(self.function_field(name)?),
            "quantile_over_time" => {
                let field = self.function_field(name)?;
                MetricsFunction::QuantileOverTime(field, self.quantiles()?)
            }
            _ => self.compare()?,
        };
        let expected = match function {
            MetricsFunction::Rate | MetricsFunction::CountOverTime => {
                format!("')', for {name} takes nothing,")
            }
            MetricsFunction::QuantileOverTime(..) => "',' or ')' behind a quantile".to_owned(),
            MetricsFunction::Compare { .. } => "',' or ')'".to_owned(),
            _ => "')' behind the field".to_owned(),
        };
        self.expect(")", &expected)?;
        Ok(function)
    }

    fn function_field(&mut self, name: &str) -> Result<Field> {
        if self.symbol() == Some(")") {
            return Err(self.fail(format!("{name}() needs a field, as in {name}(duration)")));
        }
        self.field()
    }

    fn quantiles(&mut self) -> Result<Vec<f64>> {
        let mut quantiles = Vec::new();
        while self.take(",") {
            let start = self.place().start;
            let quantile = self.plain_number("a quantile such as 0.9")?;
            if !(0.0..=1.0).contains(&quantile) {
                return Err(error(start, format!("quantile {quantile} is not between 0 and 1")));
            }
            quantiles.push(quantile);
            if quantiles.len() > QUANTILES_MAX {
                return Err(error(start, format!("more than {QUANTILES_MAX} quantiles")));
            }
        }
        if quantiles.is_empty() {
            return Err(
                self.unexpected("',' and a quantile, as in quantile_over_time(duration, 0.9),")
            );
        }
        Ok(quantiles)
    }

    fn compare(&mut self) -> Result<MetricsFunction> {
        let selection = Box::new(self.filter()?);
        let mut numbers = Vec::new();
        while numbers.len() < 3 && self.take(",") {
            numbers.push((self.place(), self.int("a whole number")?));
        }
        let top = match numbers.first() {
            Some((place, top)) => top_count("compare", *top, *place)?,
            None => COMPARE_TOP,
        };
        if let [_, (_, start_ns), (place, end_ns)] = &numbers[..]
            && end_ns <= start_ns
        {
            let message = format!("compare's end {end_ns} is not behind its start {start_ns}");
            return Err(error(place.start, message));
        }
        let mut times_ns = numbers.into_iter().skip(1).map(|(_, number)| number);
        Ok(MetricsFunction::Compare {
            selection,
            top,
            start_ns: times_ns.next(),
            end_ns: times_ns.next(),
        })
    }

    fn int(&mut self, expected: &str) -> Result<i64> {
        let at = self.at;
        self.note(|| Expect::Number);
        match self.literal()? {
            Some(Static::Int(number)) => Ok(number),
            _ => {
                self.at = at;
                Err(self.unexpected(expected))
            }
        }
    }

    // A number or duration with its sign; durations in seconds.
    fn plain_number(&mut self, expected: &str) -> Result<f64> {
        let at = self.at;
        self.note(|| Expect::Number);
        match self.literal()?.as_ref().and_then(number) {
            Some(number) => Ok(number),
            None => {
                self.at = at;
                Err(self.unexpected(expected))
            }
        }
    }

    /// `| topk(5) | > 3`, where they follow; a comparison may stand without its bar.
    pub(super) fn second_stages(&mut self, input: MetricsExpr) -> Result<MetricsExpr> {
        let mut stages = Vec::new();
        while let Some(bar) = self.second_stage_ahead() {
            self.at += usize::from(bar);
            stages.push(self.second_stage()?);
        }
        self.note(|| Expect::Operator(COMPARISONS.to_vec()));
        if self.take("|") {
            self.note(|| Expect::Operator(COMPARISONS.to_vec()));
            self.note(|| Expect::Function(SECOND_STAGES.to_vec()));
            return Err(self.unexpected("topk, bottomk or a comparison"));
        }
        if stages.is_empty() {
            return Ok(input);
        }
        Ok(MetricsExpr::Staged { input: Box::new(input), stages })
    }

    // Whether a stage follows, and whether a bar comes before it.
    fn second_stage_ahead(&self) -> Option<bool> {
        let bar = self.symbol() == Some("|");
        let ahead = usize::from(bar);
        let compares = self.symbol_at(ahead).is_some_and(|symbol| COMPARISONS.contains(&symbol));
        let calls = bar && self.word_at(ahead).is_some_and(|word| SECOND_STAGES.contains(&word));
        (compares || calls).then_some(bar)
    }

    fn second_stage(&mut self) -> Result<SecondStage> {
        if let Some(op) = self.symbol().and_then(grammar::binary_op) {
            self.at += 1;
            return Ok(SecondStage::Filter(op, self.plain_number("a number")?));
        }
        let is_top = self.word_at(0) == Some("topk");
        self.at += 1;
        let name = if is_top { "topk" } else { "bottomk" };
        self.expect("(", &format!("'(' behind {name}"))?;
        let place = self.place();
        let count = top_count(name, self.int("how many series to keep")?, place)?;
        self.expect(")", "')'")?;
        Ok(if is_top { SecondStage::TopK(count) } else { SecondStage::BottomK(count) })
    }
}

fn top_count(name: &str, count: i64, place: Place) -> Result<usize> {
    let allowed = usize::try_from(count).ok().filter(|count| (1..=TOP_MAX).contains(count));
    let message = || format!("{name} takes a number from 1 to {TOP_MAX}, not {count}");
    allowed.ok_or_else(|| error(place.start, message()))
}

/// A number beside series; `place` is that of the operator between them.
pub(super) fn constant(scalar: ScalarExpr, place: Place) -> Result<MetricsExpr> {
    let message = "beside series there can be numbers and other series, but no aggregates";
    Ok(match scalar {
        ScalarExpr::Static(literal) => {
            let number = number(&literal).ok_or_else(|| error(place.start, message))?;
            MetricsExpr::Scalar(number)
        }
        ScalarExpr::Binary { op, left, right } => {
            let (left, right) = (constant(*left, place)?, constant(*right, place)?);
            MetricsExpr::Binary { op, left: Box::new(left), right: Box::new(right) }
        }
        ScalarExpr::Negate(inner) => MetricsExpr::Negate(Box::new(constant(*inner, place)?)),
        ScalarExpr::Aggregate(_) | ScalarExpr::Pipeline { .. } => {
            return Err(error(place.start, message));
        }
    })
}

fn number(literal: &Static) -> Option<f64> {
    match literal {
        Static::Duration(ns) => Some(*ns as f64 / SECOND_NS),
        other => other.number(),
    }
}
