//! Conditions against values: compiled once a scan, decided once a distinct value where a column has
//! a dictionary, the same for heads and segments.
//!
//! A value that is present but empty counts as absent (SQL shows it as null), yet keeps
//! [`Target::AnyAttribute`](throughline_model::predicate::Target::AnyAttribute) from looking further.

use std::borrow::Cow;
use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, MapArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{
    DataType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type,
};
use memchr::memmem::Finder;
use regex::Regex;
use throughline_model::predicate::{Op, Operand, Target};
use throughline_model::value::ValueRef;
use throughline_model::words::Phrase;
use throughline_model::{attrs, origin};

use super::single::key_number;
use crate::segment::rows::ValueReader;
use crate::{Error, Result};

/// Bytes that a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A value as conditions see it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Value(ValueRef<'a>),
    /// A trace or span id, whose text is hex.
    Id(&'a [u8]),
}

/// A compiled [`Op`].
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    test: Test,
    negated: bool,
}

#[derive(Clone, Debug)]
enum Test {
    Compare(Operand, fn(Ordering) -> bool),
    In(Vec<Operand>),
    Matches(Regex),
    StringMatches(Regex),
    Contains(Box<Finder<'static>>),
    Phrase(Phrase),
    Exists,
}

impl Condition {
    pub(crate) fn new(op: &Op) -> Result<Self> {
        let compare = |operand: &Operand, accept: fn(Ordering) -> bool| {
            Test::Compare(operand.clone(), accept)
        };
        let contains =
            |text: &String| Test::Contains(Box::new(Finder::new(text.as_bytes()).into_owned()));
        let (test, negated) = match op {
            Op::Eq(operand) => (compare(operand, Ordering::is_eq), false),
            Op::Ne(operand) => (compare(operand, Ordering::is_eq), true),
            Op::Lt(operand) => (compare(operand, Ordering::is_lt), false),
            Op::Le(operand) => (compare(operand, Ordering::is_le), false),
            Op::Gt(operand) => (compare(operand, Ordering::is_gt), false),
            Op::Ge(operand) => (compare(operand, Ordering::is_ge), false),
            Op::In(operands) => (Test::In(operands.clone()), false),
            Op::Matches(pattern) => (Test::Matches(regex(pattern)?), false),
            Op::StringMatches(pattern) => (Test::StringMatches(regex(pattern)?), false),
            Op::NotMatches(pattern) => (Test::Matches(regex(pattern)?), true),
            Op::Contains(text) => (contains(text), false),
            Op::NotContains(text) => (contains(text), true),
            Op::Phrase(phrase) => (Test::Phrase(phrase.clone()), false),
            Op::NotPhrase(phrase) => (Test::Phrase(phrase.clone()), true),
            Op::Exists => (Test::Exists, false),
            Op::Missing => (Test::Exists, true),
        };
        Ok(Self { test, negated })
    }

    /// Whether a row without a value meets the condition.
    pub(crate) fn absent(&self) -> bool {
        self.negated
    }

    /// Whether a row with this value meets the condition.
    pub(crate) fn value(&self, scalar: Scalar<'_>) -> Result<bool> {
        if matches!(scalar, Scalar::Value(ValueRef::Empty)) {
            return Ok(self.absent());
        }
        Ok(self.test.met(scalar)? != self.negated)
    }

    /// Which rows of a column meet the condition, where that is quicker than row by row: numbers
    /// against a number, and columns with a dictionary.
    pub(crate) fn mask(&self, array: &ArrayRef) -> Result<Option<BooleanBuffer>> {
        let nulls = array.nulls();
        let rows = array.len();
        if let DataType::Dictionary(..) = array.data_type() {
            let Some(dictionary) = array.as_dictionary_opt::<UInt32Type>() else { return Ok(None) };
            let Some(texts) = dictionary.values().as_string_opt::<i32>() else { return Ok(None) };
            let keys = dictionary.keys().values();
            let mut answers = vec![OPEN; texts.len()];
            for row in (0..rows).filter(|row| nulls.is_none_or(|nulls| nulls.is_valid(*row))) {
                let answer = &mut answers[keys[row] as usize];
                if *answer == OPEN {
                    let text = ValueRef::String(texts.value(keys[row] as usize));
                    *answer = if self.value(Scalar::Value(text))? { YES } else { NO };
                }
            }
            return Ok(Some(BooleanBuffer::collect_bool(rows, |row| {
                match nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                    true => answers[keys[row] as usize] == YES,
                    false => self.absent(),
                }
            })));
        }
        let Test::Compare(Operand::Int(wanted), accept) = &self.test else { return Ok(None) };
        let (wanted, negated) = (*wanted, self.negated);
        let met = |number: i64| accept(number.cmp(&wanted)) != negated;
        let mask = |met: &dyn Fn(usize) -> bool| match nulls {
            None => BooleanBuffer::collect_bool(rows, met),
            Some(nulls) => BooleanBuffer::collect_bool(rows, |row| match nulls.is_valid(row) {
                true => met(row),
                false => self.absent(),
            }),
        };
        Ok(match array.data_type() {
            DataType::Int64 => {
                let numbers = array.as_primitive::<Int64Type>().values();
                Some(mask(&|row| met(numbers[row])))
            }
            DataType::Timestamp(..) => {
                let numbers = array.as_primitive::<TimestampNanosecondType>().values();
                Some(mask(&|row| met(numbers[row])))
            }
            DataType::Int32 => {
                let numbers = array.as_primitive::<Int32Type>().values();
                Some(mask(&|row| met(i64::from(numbers[row]))))
            }
            _ => None,
        })
    }

    fn encoded(&self, value: &[u8]) -> Result<bool> {
        self.value(Scalar::Value(ValueRef::read(value)?))
    }
}

impl Test {
    fn met(&self, scalar: Scalar<'_>) -> Result<bool> {
        if let Scalar::Value(value) = scalar
            && value.is_array()
            && self.looks_at_elements()
        {
            for element in value.elements() {
                if self.met_by_one(Scalar::Value(element?))? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        self.met_by_one(scalar)
    }

    fn looks_at_elements(&self) -> bool {
        let is_text = |operand: &Operand| matches!(operand, Operand::Text(_));
        match self {
            Test::Compare(operand, _) => !is_text(operand),
            Test::In(operands) => !operands.iter().any(is_text),
            Test::StringMatches(_) => true,
            Test::Matches(_) | Test::Contains(_) | Test::Phrase(_) | Test::Exists => false,
        }
    }

    fn met_by_one(&self, scalar: Scalar<'_>) -> Result<bool> {
        Ok(match self {
            Test::Exists => true,
            Test::Compare(operand, accept) => compare(scalar, operand)?.is_some_and(*accept),
            Test::In(operands) => {
                let mut any = false;
                for operand in operands {
                    any = any || compare(scalar, operand)?.is_some_and(Ordering::is_eq);
                }
                any
            }
            Test::Matches(pattern) => text(scalar)?.is_some_and(|text| pattern.is_match(&text)),
            Test::StringMatches(pattern) => match scalar {
                Scalar::Value(ValueRef::String(text)) => pattern.is_match(text),
                _ => false,
            },
            Test::Contains(finder) => {
                text(scalar)?.is_some_and(|text| finder.find(text.as_bytes()).is_some())
            }
            Test::Phrase(phrase) => text(scalar)?.is_some_and(|text| phrase.is_in(&text)),
        })
    }
}

fn regex(pattern: &str) -> Result<Regex> {
    regex::RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|err| Error::invalid(format!("'{pattern}' is no regular expression: {err}")))
}

fn text(scalar: Scalar<'_>) -> Result<Option<Cow<'_, str>>> {
    Ok(match scalar {
        Scalar::Value(value) => value.text()?,
        Scalar::Id(id) => Some(Cow::Owned(id.iter().map(|byte| format!("{byte:02x}")).collect())),
    })
}

// None where the two cannot be compared.
fn compare(scalar: Scalar<'_>, operand: &Operand) -> Result<Option<Ordering>> {
    let Scalar::Value(value) = scalar else {
        return Ok(match (scalar, operand) {
            (Scalar::Id(id), Operand::Bytes(bytes)) => Some(id.cmp(bytes.as_slice())),
            (_, Operand::Text(wanted)) => text(scalar)?.map(|text| text.as_ref().cmp(wanted)),
            _ => None,
        });
    };
    Ok(match (value, operand) {
        (ValueRef::String(text), Operand::Text(wanted) | Operand::Str(wanted)) => {
            Some(text.cmp(wanted))
        }
        (value, Operand::Text(wanted)) => value.text()?.map(|text| text.as_ref().cmp(wanted)),
        (ValueRef::Int(number), Operand::Int(wanted)) => Some(number.cmp(wanted)),
        (ValueRef::Int(number), Operand::Float(wanted)) => compare_int(number, *wanted),
        (ValueRef::Double(number), Operand::Int(wanted)) => {
            compare_int(*wanted, number).map(Ordering::reverse)
        }
        (ValueRef::Double(number), Operand::Float(wanted)) => number.partial_cmp(wanted),
        (ValueRef::Bool(flag), Operand::Bool(wanted)) => Some(flag.cmp(wanted)),
        (ValueRef::Bytes(bytes), Operand::Bytes(wanted)) => Some(bytes.cmp(wanted.as_slice())),
        _ => None,
    })
}

// Exact, also where a double cannot hold the integer.
fn compare_int(number: i64, other: f64) -> Option<Ordering> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if other.is_nan() {
        return None;
    }
    if other >= TWO_TO_63 {
        return Some(Ordering::Less);
    }
    if other < -TWO_TO_63 {
        return Some(Ordering::Greater);
    }
    let whole = other.trunc();
    let fraction = 0.0f64.partial_cmp(&(other - whole)).unwrap_or(Ordering::Equal);
    Some(number.cmp(&(whole as i64)).then(fraction))
}

const OPEN: u8 = 0;
const NO: u8 = 1;
const YES: u8 = 2;

/// The answers for the rows of a batch; sources are added by precedence, and a row is decided by the
/// first that has a value.
pub(crate) struct Verdicts<'c> {
    condition: &'c Condition,
    // Whether an empty attribute of the item leaves its row open.
    passes_empty: bool,
    rows: Vec<u8>,
}

impl<'c> Verdicts<'c> {
    pub(crate) fn new(condition: &'c Condition, target: &Target, rows: usize) -> Self {
        let passes_empty = matches!(target, Target::PresentAttribute(_));
        Self { condition, passes_empty, rows: vec![OPEN; rows] }
    }

    // What an attribute of the item decides about its row.
    fn verdict(&self, value: &[u8]) -> Result<u8> {
        if self.passes_empty && matches!(ValueRef::read(value)?, ValueRef::Empty) {
            return Ok(OPEN);
        }
        Ok(if self.condition.encoded(value)? { YES } else { NO })
    }

    /// Which rows meet the condition.
    pub(crate) fn finish(self) -> BooleanBuffer {
        let absent = if self.condition.absent() { YES } else { NO };
        let met = |row: usize| match self.rows[row] {
            OPEN => absent == YES,
            decided => decided == YES,
        };
        BooleanBuffer::collect_bool(self.rows.len(), met)
    }

    // Decides the open rows that `number` gives a number, once a number.
    fn decide_numbered(
        &mut self,
        numbers: usize,
        number: impl Fn(usize) -> Option<usize>,
        answer: impl Fn(usize) -> Result<bool>,
    ) -> Result<()> {
        let mut answers = vec![OPEN; numbers];
        for row in 0..self.rows.len() {
            if self.rows[row] != OPEN {
                continue;
            }
            let Some(number) = number(row) else { continue };
            if answers[number] == OPEN {
                answers[number] = if answer(number)? { YES } else { NO };
            }
            self.rows[row] = answers[number];
        }
        Ok(())
    }

    fn decide<'a>(&mut self, scalar: impl Fn(usize) -> Option<Scalar<'a>>) -> Result<()> {
        for row in 0..self.rows.len() {
            if self.rows[row] == OPEN
                && let Some(scalar) = scalar(row)
            {
                self.rows[row] = if self.condition.value(scalar)? { YES } else { NO };
            }
        }
        Ok(())
    }

    /// A column of the item schema, or an attribute column.
    pub(crate) fn add_column(&mut self, array: &ArrayRef) -> Result<()> {
        let nulls = array.nulls();
        let valid = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
        let value = |row: usize, value| valid(row).then_some(Scalar::Value(value));
        match array.data_type() {
            DataType::Dictionary(_, _) => {
                let dictionary = array.as_dictionary::<UInt32Type>();
                let (keys, values) = (dictionary.keys().values(), dictionary.values());
                let condition = self.condition;
                let number = |row: usize| valid(row).then(|| keys[row] as usize);
                self.decide_numbered(values.len(), number, |i| {
                    let value = match values.as_string_opt::<i32>() {
                        Some(strings) => ValueRef::String(strings.value(i)),
                        None => ValueRef::Bytes(values.as_binary::<i32>().value(i)),
                    };
                    condition.value(Scalar::Value(value))
                })
            }
            DataType::Utf8 => {
                let strings = array.as_string::<i32>();
                self.decide(|row| value(row, ValueRef::String(strings.value(row))))
            }
            DataType::Binary => {
                let bytes = array.as_binary::<i32>();
                self.decide(|row| value(row, ValueRef::Bytes(bytes.value(row))))
            }
            DataType::FixedSizeBinary(_) => {
                let ids = array.as_fixed_size_binary();
                self.decide(|row| valid(row).then(|| Scalar::Id(ids.value(row))))
            }
            DataType::Boolean => {
                let flags = array.as_boolean();
                self.decide(|row| value(row, ValueRef::Bool(flags.value(row))))
            }
            DataType::Float64 => {
                let numbers = array.as_primitive::<Float64Type>().values();
                self.decide(|row| value(row, ValueRef::Double(numbers[row])))
            }
            _ => self.add_ints(array),
        }
    }

    fn add_ints(&mut self, array: &ArrayRef) -> Result<()> {
        let nulls = array.nulls();
        let value = |row: usize, number: i64| {
            let valid = nulls.is_none_or(|nulls| nulls.is_valid(row));
            valid.then_some(Scalar::Value(ValueRef::Int(number)))
        };
        match array.data_type() {
            DataType::Int64 => {
                let numbers = array.as_primitive::<Int64Type>().values();
                self.decide(|row| value(row, numbers[row]))
            }
            DataType::Timestamp(..) => {
                let numbers = array.as_primitive::<TimestampNanosecondType>().values();
                self.decide(|row| value(row, numbers[row]))
            }
            DataType::Int32 => {
                let numbers = array.as_primitive::<Int32Type>().values();
                self.decide(|row| value(row, i64::from(numbers[row])))
            }
            DataType::UInt32 => {
                let numbers = array.as_primitive::<UInt32Type>().values();
                self.decide(|row| value(row, i64::from(numbers[row])))
            }
            other => Err(Error::invalid(format!("a column of {other} cannot be compared"))),
        }
    }

    /// Values of an attribute column of a segment.
    pub(crate) fn add_values(&mut self, reader: &ValueReader<'_>) -> Result<()> {
        self.add_column(reader.array)
    }

    /// Values inside encoded sets.
    pub(crate) fn add_sets(&mut self, sets: &BinaryArray, key: &str) -> Result<()> {
        for row in 0..self.rows.len() {
            if self.rows[row] == OPEN
                && sets.is_valid(row)
                && let Some(value) = attrs::get(sets.value(row), key)
            {
                self.rows[row] = self.verdict(value)?;
            }
        }
        Ok(())
    }

    /// Values inside a map of attributes.
    pub(crate) fn add_map(&mut self, map: &MapArray, key: &str) -> Result<()> {
        let Some(wanted) = key_number(map, key) else { return Ok(()) };
        let keys = map.keys().as_dictionary::<UInt32Type>().keys().values();
        let values = map.values().as_binary::<i32>();
        let offsets = map.value_offsets();
        for row in 0..self.rows.len() {
            let mut entries = offsets[row] as usize..offsets[row + 1] as usize;
            let found = entries.find(|i| keys[*i] == wanted);
            if let (OPEN, Some(found)) = (self.rows[row], found) {
                self.rows[row] = self.verdict(values.value(found))?;
            }
        }
        Ok(())
    }

    /// Values of resources.
    pub(crate) fn add_resource(&mut self, column: &ArrayRef, key: &str) -> Result<()> {
        self.add_origin(column, |bytes| Ok(attrs::get(origin::resource_attrs(bytes)?, key)))
    }

    /// Values of scopes.
    pub(crate) fn add_scope(&mut self, column: &ArrayRef, key: &str) -> Result<()> {
        self.add_origin(column, |bytes| Ok(attrs::get(origin::scope_parts(bytes)?.3, key)))
    }

    fn add_origin(
        &mut self,
        column: &ArrayRef,
        value: impl Fn(&[u8]) -> Result<Option<&[u8]>>,
    ) -> Result<()> {
        let column = column.as_dictionary::<UInt32Type>();
        let (keys, origins) = (column.keys().values(), column.values().as_binary::<i32>());
        let condition = self.condition;
        // An origin without the key leaves its rows open, which is the same as deciding them absent:
        // origins come last.
        self.decide_numbered(
            origins.len(),
            |row| Some(keys[row] as usize),
            |i| match value(origins.value(i))? {
                Some(value) => condition.encoded(value),
                None => Ok(condition.absent()),
            },
        )
    }
}
