//! Which series of a table meet conditions.
//!
//! A condition on a name, a resource or a scope is asked once for each distinct one, not for each
//! series.

use std::borrow::Cow;
use std::cmp::Ordering;

use regex::Regex;
use throughline_model::metric::MetricKind;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::value::ValueRef;
use throughline_model::{attrs, origin};

use super::series::{DictColumn, SeriesColumns};
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
    test: &Test<'_>,
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
                    test.holds(Some(ValueRef::String(
                        std::str::from_utf8(text).unwrap_or_default(),
                    )))
                })?;
                each(rows, &|row| Ok(found[dict.key(row)]))
            }
            _ => match name.as_str() {
                col::METRIC_KIND => each(rows, &|row| test.kind(series.kinds[row])),
                col::TEMPORALITY => each(rows, &|row| {
                    test.holds(Some(ValueRef::Int(series.temporalities[row].into())))
                }),
                col::IS_MONOTONIC => each(rows, &|row| {
                    test.holds(Some(ValueRef::Bool(series.are_monotonic.value(row))))
                }),
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
        Target::AnyAttribute(key) => {
            let resources = series.resources();
            let found =
                by_value(resources, |bytes| test.in_set(origin::resource_attrs(bytes)?, key))?;
            each(rows, &|row| match attrs::get(series.attributes.value(row), key) {
                Some(value) => test.encoded(Some(value)),
                None => Ok(found[resources.key(row)]),
            })
        }
    }
}

fn by_value(dict: DictColumn<'_>, of: impl Fn(&[u8]) -> Result<bool>) -> Result<Vec<bool>> {
    (0..dict.values()).map(|key| of(dict.value(key))).collect()
}

/// An operator, ready to be asked often.
struct Test<'a> {
    op: &'a Op,
    regex: Option<Regex>,
}

impl<'a> Test<'a> {
    fn new(op: &'a Op) -> Result<Self> {
        let regex = match op {
            Op::Matches(pattern) | Op::NotMatches(pattern) => {
                Some(Regex::new(pattern).map_err(|err| Error::invalid(err.to_string()))?)
            }
            _ => None,
        };
        Ok(Self { op, regex })
    }

    fn in_set(&self, set: &[u8], key: &str) -> Result<bool> {
        self.encoded(attrs::get(set, key))
    }

    fn encoded(&self, value: Option<&[u8]>) -> Result<bool> {
        self.holds(value.map(ValueRef::read).transpose()?)
    }

    /// A kind is compared by its name, or by its number.
    fn kind(&self, number: i32) -> Result<bool> {
        let is_number = match self.op {
            Op::Eq(operand)
            | Op::Ne(operand)
            | Op::Lt(operand)
            | Op::Le(operand)
            | Op::Gt(operand)
            | Op::Ge(operand) => is_number(operand),
            Op::In(operands) => operands.iter().all(is_number),
            _ => false,
        };
        match MetricKind::from_i32(number) {
            Some(kind) if !is_number => self.holds(Some(ValueRef::String(kind.name()))),
            _ => self.holds(Some(ValueRef::Int(number.into()))),
        }
    }

    fn id(&self, id: &[u8]) -> Result<bool> {
        self.holds(Some(ValueRef::Bytes(id)))
    }

    fn holds(&self, value: Option<ValueRef<'_>>) -> Result<bool> {
        // A value that is present but empty counts as absent.
        let Some(value) = value.filter(|value| *value != ValueRef::Empty) else {
            return Ok(matches!(
                self.op,
                Op::Missing | Op::Ne(_) | Op::NotMatches(_) | Op::NotContains(_)
            ));
        };
        let text = || -> Result<Cow<'_, str>> { Ok(value.text()?.unwrap_or_default()) };
        let regex = |text: &str| self.regex.as_ref().is_some_and(|regex| regex.is_match(text));
        Ok(match self.op {
            Op::Eq(operand) => compare(&value, operand)? == Some(Ordering::Equal),
            Op::Ne(operand) => compare(&value, operand)? != Some(Ordering::Equal),
            Op::Lt(operand) => compare(&value, operand)? == Some(Ordering::Less),
            Op::Gt(operand) => compare(&value, operand)? == Some(Ordering::Greater),
            Op::Le(operand) => compare(&value, operand)?.is_some_and(Ordering::is_le),
            Op::Ge(operand) => compare(&value, operand)?.is_some_and(Ordering::is_ge),
            Op::In(operands) => {
                for operand in operands {
                    if compare(&value, operand)? == Some(Ordering::Equal) {
                        return Ok(true);
                    }
                }
                false
            }
            Op::Matches(_) => regex(&text()?),
            Op::NotMatches(_) => !regex(&text()?),
            Op::Contains(part) => text()?.contains(part.as_str()),
            Op::NotContains(part) => !text()?.contains(part.as_str()),
            Op::Exists => true,
            Op::Missing => false,
        })
    }
}

fn is_number(operand: &Operand) -> bool {
    matches!(operand, Operand::Int(_) | Operand::Float(_))
}

/// The order of a value and an operand; nothing if they cannot be compared.
fn compare(value: &ValueRef<'_>, operand: &Operand) -> Result<Option<Ordering>> {
    Ok(match (operand, value) {
        (Operand::Text(text), value) => value.text()?.map(|own| own.as_ref().cmp(text.as_str())),
        (Operand::Str(text), ValueRef::String(own)) => Some((*own).cmp(text.as_str())),
        (Operand::Bool(flag), ValueRef::Bool(own)) => Some(own.cmp(flag)),
        (Operand::Int(number), ValueRef::Int(own)) => Some(own.cmp(number)),
        (Operand::Int(number), ValueRef::Double(own)) => own.partial_cmp(&(*number as f64)),
        (Operand::Float(number), ValueRef::Int(own)) => (*own as f64).partial_cmp(number),
        (Operand::Float(number), ValueRef::Double(own)) => own.partial_cmp(number),
        (Operand::Bytes(bytes), ValueRef::Bytes(own)) => Some((*own).cmp(bytes.as_slice())),
        _ => None,
    })
}
