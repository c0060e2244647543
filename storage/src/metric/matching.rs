//! Which series of a table meet conditions.
//!
//! A condition on a name, a resource or a scope is asked once for each distinct one, not for each
//! series.

use throughline_model::metric::MetricKind;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::value::ValueRef;
use throughline_model::{attrs, origin};

use super::series::{DictColumn, SeriesColumns};
use crate::scan::evaluate::{Condition, Scalar};
use crate::{Error, Result};

/// Rows of a table that meet all conditions; true for each that does.
pub fn matching(series: &SeriesColumns<'_>, predicates: &[Predicate]) -> Result<Vec<bool>> {
    let mut rows = vec![true; series.len()];
    for predicate in predicates {
        let test = Test::new(&predicate.op)?;
        narrow(series, &predicate.target, &test, &mut rows)?;
    }
    Ok(rows)
}

fn narrow(
    series: &SeriesColumns<'_>,
    target: &Target,
    test: &Test,
    rows: &mut [bool],
) -> Result<()> {
    let each = |rows: &mut [bool], of: &dyn Fn(usize) -> Result<bool>| -> Result<()> {
        for (row, wanted) in rows.iter_mut().enumerate().filter(|(_, wanted)| **wanted) {
            *wanted = of(row)?;
        }
        Ok(())
    };
    match target {
        Target::Column(name) => match series.dict(name) {
            Some(dict) if name != col::RESOURCE && name != col::SCOPE => {
                let found = by_value(dict, |text| {
                    test.holds(ValueRef::String(std::str::from_utf8(text).unwrap_or_default()))
                })?;
                each(rows, &|row| Ok(found[dict.key(row)]))
            }
            _ => match name.as_str() {
                col::METRIC_KIND => each(rows, &|row| test.kind(series.kinds[row])),
                col::TEMPORALITY => {
                    each(rows, &|row| test.holds(ValueRef::Int(series.temporalities[row].into())))
                }
                col::IS_MONOTONIC => {
                    each(rows, &|row| test.holds(ValueRef::Bool(series.are_monotonic.value(row))))
                }
                col::SERIES_ID => each(rows, &|row| test.id(series.ids.value(row))),
                other => Err(Error::invalid(format!("series have no column '{other}' to compare"))),
            },
        },
        Target::Attribute(key) => each(rows, &|row| test.in_set(series.attributes.value(row), key)),
        Target::ResourceAttribute(key) => {
            let resources = series.resources();
            let found =
                by_value(resources, |bytes| test.in_set(origin::resource_attrs(bytes)?, key))?;
            each(rows, &|row| Ok(found[resources.key(row)]))
        }
        Target::ScopeAttribute(key) => {
            let scopes = series.scopes();
            let found = by_value(scopes, |bytes| test.in_set(origin::scope_parts(bytes)?.3, key))?;
            each(rows, &|row| Ok(found[scopes.key(row)]))
        }
        Target::AnyAttribute(key) | Target::PresentAttribute(key) => {
            let resources = series.resources();
            let found =
                by_value(resources, |bytes| test.in_set(origin::resource_attrs(bytes)?, key))?;
            each(rows, &|row| match attrs::get(series.attributes.value(row), key) {
                Some(value) => match (target, ValueRef::read(value)?) {
                    (Target::PresentAttribute(_), ValueRef::Empty) => Ok(found[resources.key(row)]),
                    (_, value) => test.holds(value),
                },
                None => Ok(found[resources.key(row)]),
            })
        }
    }
}

fn by_value(dict: DictColumn<'_>, of: impl Fn(&[u8]) -> Result<bool>) -> Result<Vec<bool>> {
    (0..dict.values()).map(|key| of(dict.value(key))).collect()
}

/// A condition on one target.
struct Test {
    condition: Condition,
    /// Whether a metric kind is compared with its number, rather than with its name.
    is_of_number: bool,
}

impl Test {
    fn new(op: &Op) -> Result<Self> {
        let is_number = |operand: &Operand| matches!(operand, Operand::Int(_) | Operand::Float(_));
        let is_of_number = match op {
            Op::Eq(operand) | Op::Ne(operand) | Op::Lt(operand) => is_number(operand),
            Op::Le(operand) | Op::Gt(operand) | Op::Ge(operand) => is_number(operand),
            Op::In(operands) => operands.iter().all(is_number),
            _ => false,
        };
        Ok(Self { condition: Condition::new(op)?, is_of_number })
    }

    fn holds(&self, value: ValueRef<'_>) -> Result<bool> {
        self.condition.value(Scalar::Value(value))
    }

    fn in_set(&self, set: &[u8], key: &str) -> Result<bool> {
        match attrs::get(set, key) {
            Some(value) => self.holds(ValueRef::read(value)?),
            None => Ok(self.condition.absent()),
        }
    }

    fn kind(&self, number: i32) -> Result<bool> {
        match MetricKind::from_i32(number) {
            Some(kind) if !self.is_of_number => self.holds(ValueRef::String(kind.name())),
            _ => self.holds(ValueRef::Int(number.into())),
        }
    }

    fn id(&self, id: &[u8]) -> Result<bool> {
        self.condition.value(Scalar::Id(id))
    }
}
