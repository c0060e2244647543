//! Groups and functions: `stats by (service, 1m) count() if (level:error) as errors, p99(duration)`.

use super::super::ast::{Aggregate, FieldName, Filter, Function, Group, PipeKind, Stats};
use super::super::error::{Error, Result};
use super::super::grammar::{self, COUNT_IF, FUNCTIONS, Field, Fixed};
use super::super::lex::Mode;
use super::super::units;
use super::{Expect, Parser};

impl Parser<'_> {
    /// Behind `stats`.
    pub(super) fn stats(&mut self) -> Result<PipeKind> {
        let mut by = self.groups()?;
        let functions = self.list(Self::aggregate)?;
        if by.is_empty() {
            by = self.groups()?;
        }
        Ok(PipeKind::Stats(Stats { by, functions }))
    }

    /// Behind `timechart`.
    pub(super) fn timechart(&mut self) -> Result<PipeKind> {
        let step = self.span()?;
        let functions = self.list(Self::aggregate)?;
        let mut by = vec![Group::Time(step)];
        by.extend(self.groups()?);
        Ok(PipeKind::Stats(Stats { by, functions }))
    }

    /// `span=1m`, if it is next.
    pub(super) fn span(&mut self) -> Result<Option<i64>> {
        if !self.word(&["span"]) {
            return Ok(None);
        }
        self.expect("=")?;
        let start = self.scanner.at;
        let text = self.scanner.plain(Mode::Name)?;
        self.step(&text, start).map(Some)
    }

    /// The nanoseconds of a step.
    pub(super) fn step(&self, text: &str, start: usize) -> Result<i64> {
        let message = || format!("a step such as 1m was expected, found '{text}'");
        units::step_ns(text).ok_or_else(|| Error::new(self.scanner.place_from(start), message()))
    }

    fn groups(&mut self) -> Result<Vec<Group>> {
        if !self.word(&["by"]) {
            return Ok(Vec::new());
        }
        self.list_in_parens(Self::group)
    }

    fn group(&mut self) -> Result<Group> {
        self.note(Expect::Keyword(&["bucket"]));
        let is_quoted = self.scanner.rest().trim_start().starts_with(['"', '`']);
        let field = self.field(Mode::Name)?;
        if is_quoted {
            return Ok(Group::Field(field));
        }
        if field.text == "bucket" && self.take("(") {
            return self.bucket();
        }
        if field.text.starts_with(|c: char| c.is_ascii_digit())
            && let Some(step) = units::step_ns(&field.text)
        {
            return Ok(Group::Time(Some(step)));
        }
        if !self.scanner.eat(":") {
            return Ok(Group::Field(field));
        }
        let start = self.scanner.at;
        let text = self.scanner.plain(Mode::Name)?;
        if Field::of(&field.text) == Field::Fixed(Fixed::Time) {
            return match text.as_str() {
                "auto" => Ok(Group::Time(None)),
                _ => self.step(&text, start).map(|step| Group::Time(Some(step))),
            };
        }
        self.bucket_of(field, &text, start)
    }

    // Behind `bucket(`.
    fn bucket(&mut self) -> Result<Group> {
        let field = self.field(Mode::Name)?;
        self.expect(",")?;
        self.scanner.skip_space();
        let start = self.scanner.at;
        let text = self.scanner.plain(Mode::Name)?;
        let group = match Field::of(&field.text) == Field::Fixed(Fixed::Time) {
            true => Group::Time(Some(self.step(&text, start)?)),
            false => self.bucket_of(field, &text, start)?,
        };
        self.expect(")")?;
        Ok(group)
    }

    fn bucket_of(&self, field: FieldName, text: &str, start: usize) -> Result<Group> {
        let size = units::number(text).filter(|size| *size > 0.0).ok_or_else(|| {
            let message = format!("the size of a bucket was expected, found '{text}'");
            Error::new(self.scanner.place_from(start), message)
        })?;
        Ok(Group::Bucket { field, size })
    }

    fn aggregate(&mut self) -> Result<Aggregate> {
        self.note(Expect::Function);
        self.scanner.skip_space();
        let start = self.scanner.at;
        let name = self.scanner.plain(Mode::MathName)?;
        if name.is_empty() {
            return Err(self.unexpected("a function such as count()"));
        }
        if name == COUNT_IF {
            self.expect("(")?;
            let condition = Some(self.or(None)?);
            self.expect(")")?;
            return self.named_aggregate(Function::Count, None, condition, start);
        }
        let (function, field) = self.call(&name, start)?;
        let mut condition = None;
        if self.word(&["if"]) {
            self.expect("(")?;
            condition = Some(self.or(None)?);
            self.expect(")")?;
        }
        self.named_aggregate(function, field, condition, start)
    }

    fn named_aggregate(
        &mut self,
        function: Function,
        field: Option<FieldName>,
        condition: Option<Filter>,
        start: usize,
    ) -> Result<Aggregate> {
        let place = self.scanner.place_from(start);
        let name = if self.word(&["as"]) { Some(self.field(Mode::Name)?) } else { None };
        Ok(Aggregate { function, field, condition, name, place })
    }

    fn call(&mut self, name: &str, start: usize) -> Result<(Function, Option<FieldName>)> {
        let function = match quantile_name(name) {
            Some(quantile) => Some(Function::Quantile(quantile)),
            None => FUNCTIONS
                .iter()
                .find(|(_, names, _)| names.contains(&name))
                .map(|(function, ..)| *function),
        };
        let Some(function) = function else {
            let names = FUNCTIONS.iter().flat_map(|(_, names, _)| names.iter().copied());
            let hint = grammar::did_you_mean(name, names.chain([COUNT_IF]));
            let all = || FUNCTIONS.iter().filter_map(|(_, names, _)| names.first().copied());
            let hint = hint
                .unwrap_or_else(|| format!("there are {}", all().collect::<Vec<_>>().join(", ")));
            return Err(Error::at(start, format!("unknown function '{name}': {hint}")));
        };
        let without_field = matches!(function, Function::Count | Function::Rate);
        if !self.take("(") {
            // Splunk's `stats count by host`.
            return match without_field {
                true => Ok((function, None)),
                false => Err(self.unexpected(&format!("'(' behind {name}"))),
            };
        }
        let function = match function {
            Function::Quantile(_) if quantile_name(name).is_none() => {
                Function::Quantile(self.quantile(name)?)
            }
            other => other,
        };
        if without_field && (self.take(")") || (self.take("*") && self.take(")"))) {
            return Ok((function, None));
        }
        if function == Function::Rate {
            return Err(self.unexpected("')'"));
        }
        let field = self.field(Mode::Name)?;
        self.expect(")")?;
        Ok((function, Some(field)))
    }

    fn quantile(&mut self, name: &str) -> Result<f64> {
        self.scanner.skip_space();
        let start = self.scanner.at;
        let given = self.number()?;
        let is_percent = name == "percentile";
        let quantile = if is_percent { hundredth(given).unwrap_or(given) } else { given };
        if !(0.0..=1.0).contains(&quantile) {
            let message =
                format!("{name} takes a number from 0 to 1 (percentile to 100), not {given}");
            return Err(Error::at(start, message));
        }
        self.expect(",")?;
        Ok(quantile)
    }
}

// `p99`, `p99.9`, Splunk's `perc95`.
fn quantile_name(name: &str) -> Option<f64> {
    let digits = name.strip_prefix("perc").or_else(|| name.strip_prefix('p'))?;
    hundredth(units::number(digits)?).filter(|quantile| (0.0..=1.0).contains(quantile))
}

// Read as digits, because 99.9 / 100 is not 0.999 to a double.
fn hundredth(percent: f64) -> Option<f64> {
    units::number(&format!("{percent}e-2"))
}
