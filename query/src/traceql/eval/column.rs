//! A field of all spans of a batch.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, UInt32Type};
use hashbrown::HashMap;
use throughline_model::codec::Reader;
use throughline_model::{attrs, origin};

use super::value::Val;
use crate::traceql::ast::Scope;
use crate::{Error, Result};

/// The number of a row without a value.
pub(crate) const NIL: u32 = u32::MAX;

/// Values by row.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    /// One value for all.
    Same(Val),
    /// Numbers of values; [`NIL`] for none. No value is nil.
    Numbered { numbers: Vec<u32>, values: Vec<Val> },
    /// Durations in nanoseconds.
    Durations(Vec<i64>),
    /// Anything.
    Mixed(Vec<Val>),
}

impl Column {
    /// The value of a row.
    pub fn get(&self, row: usize) -> Val {
        match self {
            Column::Same(value) => value.clone(),
            Column::Numbered { numbers, values } => match numbers[row] {
                NIL => Val::Nil,
                number => values[number as usize].clone(),
            },
            Column::Durations(values) => Val::Duration(values[row]),
            Column::Mixed(values) => values[row].clone(),
        }
    }

    /// The number of a row's value, of its list's first element.
    pub fn number(&self, row: usize) -> Option<f64> {
        match self {
            Column::Same(value) => value.first().number(),
            Column::Numbered { numbers, values } => match numbers[row] {
                NIL => None,
                number => values[number as usize].first().number(),
            },
            Column::Durations(values) => Some(values[row] as f64),
            Column::Mixed(values) => values[row].first().number(),
        }
    }

    /// Applies a function to every value, once a distinct one where values are numbered.
    pub fn map(&self, rows: usize, apply: impl Fn(&Val) -> Val) -> Column {
        match self {
            Column::Same(value) => Column::Same(apply(value)),
            // A nil may become a value.
            Column::Numbered { numbers, values } if apply(&Val::Nil).is_nil() => {
                let values = values.iter().map(apply).collect::<Vec<_>>();
                let number = |number: &u32| match values.get(*number as usize) {
                    Some(value) if !value.is_nil() => *number,
                    _ => NIL,
                };
                Column::Numbered { numbers: numbers.iter().map(number).collect(), values }
            }
            column => Column::Mixed((0..rows).map(|row| apply(&column.get(row))).collect()),
        }
    }

    /// Whether each row meets a condition, decided once a distinct value where values are numbered.
    pub fn test(&self, rows: usize, holds: impl Fn(&Val) -> bool) -> Vec<bool> {
        match self {
            Column::Same(value) => vec![holds(value); rows],
            Column::Numbered { numbers, values } => {
                let verdicts = values.iter().map(&holds).collect::<Vec<_>>();
                let absent = holds(&Val::Nil);
                let verdict = |number: &u32| match *number {
                    NIL => absent,
                    number => verdicts[number as usize],
                };
                numbers.iter().map(verdict).collect()
            }
            Column::Durations(values) => {
                values.iter().map(|ns| holds(&Val::Duration(*ns))).collect()
            }
            Column::Mixed(values) => values.iter().map(holds).collect(),
        }
    }

    /// The value that each row takes from another row; none for rows past the end.
    pub fn taken(&self, from: &[u32]) -> Column {
        let rows = match self {
            Column::Same(_) => usize::MAX,
            Column::Numbered { numbers, .. } => numbers.len(),
            Column::Durations(values) => values.len(),
            Column::Mixed(values) => values.len(),
        };
        let inside = |row: &u32| (*row as usize) < rows.min(from.len());
        match self {
            Column::Numbered { numbers, values } => Column::Numbered {
                numbers: from
                    .iter()
                    .map(|row| if inside(row) { numbers[*row as usize] } else { NIL })
                    .collect(),
                values: values.clone(),
            },
            column => {
                let value =
                    |row: &u32| if inside(row) { column.get(*row as usize) } else { Val::Nil };
                Column::Mixed(from.iter().map(value).collect())
            }
        }
    }

    /// Puts equal values under one number.
    pub fn numbered(&self, rows: usize) -> (Vec<u32>, Vec<Val>) {
        if let Column::Numbered { numbers, values } = self {
            return (numbers.clone(), values.clone());
        }
        if let Column::Same(value) = self {
            return match value {
                Val::Nil => (vec![NIL; rows], Vec::new()),
                value => (vec![0; rows], vec![value.clone()]),
            };
        }
        let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
        let (mut numbers, mut values) = (Vec::with_capacity(rows), Vec::new());
        for row in 0..rows {
            let value = self.get(row);
            if value.is_nil() {
                numbers.push(NIL);
                continue;
            }
            let next = values.len() as u32;
            let number = *known.entry(group_key(&value)).or_insert(next);
            if number == next {
                values.push(value);
            }
            numbers.push(number);
        }
        (numbers, values)
    }
}

/// Bytes that are equal for values of one group only.
pub(crate) fn group_key(value: &Val) -> Vec<u8> {
    let kind = match value {
        Val::Nil => 0,
        Val::Opaque(_) => 1,
        Val::Str(_) => 2,
        Val::Int(_) => 3,
        Val::Float(_) => 4,
        Val::Bool(_) => 5,
        Val::Duration(_) => 6,
        Val::Status(_) => 7,
        Val::Kind(_) => 8,
        Val::List(_) => 9,
    };
    let mut key = vec![kind];
    match value {
        // Statuses and kinds without a name are shown alike.
        Val::Status(number) | Val::Kind(number) => key.extend_from_slice(&number.to_le_bytes()),
        Val::List(elements) => elements.iter().for_each(|element| {
            let inner = group_key(element);
            key.extend_from_slice(&(inner.len() as u32).to_le_bytes());
            key.extend_from_slice(&inner);
        }),
        value => value.shown().encode(&mut key),
    }
    key
}

/// A `Dictionary<UInt32, Binary>` of encoded values.
pub(super) fn attribute(array: &ArrayRef) -> Result<Column> {
    let dictionary = array.as_dictionary::<UInt32Type>();
    let encoded = dictionary.values().as_binary::<i32>();
    let values =
        (0..encoded.len()).map(|i| Val::read(encoded.value(i))).collect::<Result<Vec<_>>>()?;
    Ok(from_keys(array, dictionary.keys().values(), values))
}

/// A `Dictionary<UInt32, Utf8>`; `empty` says whether an empty text is a value.
pub(super) fn text(array: &ArrayRef, empty: bool) -> Column {
    let dictionary = array.as_dictionary::<UInt32Type>();
    let texts = dictionary.values().as_string::<i32>();
    let value = |i: usize| match texts.value(i) {
        "" if !empty => Val::Nil,
        text => Val::Str(text.into()),
    };
    from_keys(array, dictionary.keys().values(), (0..texts.len()).map(value).collect())
}

/// What is asked of a scope.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopePart {
    Name,
    Version,
}

/// A text of each distinct scope; nil where it is empty.
pub(super) fn scope(array: &ArrayRef, part: ScopePart) -> Result<Column> {
    let dictionary = array.as_dictionary::<UInt32Type>();
    let scopes = dictionary.values().as_binary::<i32>();
    let values = (0..scopes.len())
        .map(|i| {
            let (name, version, ..) = origin::scope_parts(scopes.value(i))?;
            Ok(match if part == ScopePart::Name { name } else { version } {
                "" => Val::Nil,
                text => Val::Str(text.into()),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(from_keys(array, dictionary.keys().values(), values))
}

fn from_keys(array: &ArrayRef, keys: &[u32], values: Vec<Val>) -> Column {
    let number = |(row, key): (usize, &u32)| match array.is_valid(row) {
        true if !values[*key as usize].is_nil() => *key,
        _ => NIL,
    };
    Column::Numbered { numbers: keys.iter().enumerate().map(number).collect(), values }
}

/// A column of small numbers, each of which `value` gives a meaning.
pub(super) fn small(array: &ArrayRef, value: fn(i32) -> Val) -> Column {
    let numbers = array.as_primitive::<Int32Type>().values();
    let mut values: Vec<(i32, Val)> = Vec::new();
    let mut number = |wanted: i32| {
        if let Some(at) = values.iter().position(|(known, _)| *known == wanted) {
            return at as u32;
        }
        values.push((wanted, value(wanted)));
        values.len() as u32 - 1
    };
    let numbers = numbers.iter().map(|wanted| number(*wanted)).collect();
    Column::Numbered { numbers, values: values.into_iter().map(|(_, value)| value).collect() }
}

/// Durations.
pub(crate) fn durations(array: &ArrayRef) -> Column {
    Column::Durations(array.as_primitive::<Int64Type>().values().to_vec())
}

/// Ids as hex; nil where there is none.
pub(super) fn ids(array: &ArrayRef) -> Column {
    let ids = array.as_fixed_size_binary();
    let value = |row: usize| match ids.is_valid(row) {
        true => Val::Str(hex(ids.value(row)).into()),
        false => Val::Nil,
    };
    Column::Mixed((0..ids.len()).map(value).collect())
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a string takes everything
        text
    })
}

/// What is asked of each event or link.
pub(super) enum Part<'a> {
    EventName,
    /// Event time minus the start of the span.
    EventOffset,
    LinkTrace,
    LinkSpan,
    /// An attribute, of events or links.
    Attribute(Scope, &'a str),
}

/// Lists made of a span's encoded events or links.
pub(super) fn parts(array: &ArrayRef, starts: &[i64], part: &Part<'_>) -> Result<Column> {
    let encoded = array.as_binary::<i32>();
    let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
    let (mut numbers, mut values) = (Vec::with_capacity(encoded.len()), Vec::new());
    for row in 0..encoded.len() {
        if encoded.is_null(row) {
            numbers.push(NIL);
            continue;
        }
        let mut list = Vec::new();
        let mut reader = Reader::new(encoded.value(row));
        while !reader.is_empty() {
            let value = one(reader.bytes()?, starts.get(row).copied().unwrap_or(0), part)?;
            list.extend(value.filter(|value| !value.is_nil()));
        }
        let value = Val::list(list);
        if value.is_nil() {
            numbers.push(NIL);
            continue;
        }
        let next = values.len() as u32;
        let number = *known.entry(group_key(&value)).or_insert(next);
        if number == next {
            values.push(value);
        }
        numbers.push(number);
    }
    Ok(Column::Numbered { numbers, values })
}

// The layouts of events and links are drawn in `model::origin`.
fn one(bytes: &[u8], start_ns: i64, part: &Part<'_>) -> Result<Option<Val>> {
    let mut reader = Reader::new(bytes);
    let attribute = |set: &[u8], key: &str| attrs::get(set, key).map(Val::element).transpose();
    match part {
        Part::EventName | Part::EventOffset | Part::Attribute(Scope::Event, _) => {
            let time_ns = i64::from_le_bytes(reader.array()?);
            let name = reader.str()?;
            reader.varint()?;
            match part {
                Part::EventName => Ok(Some(Val::Str(name.into()))),
                Part::Attribute(_, key) => attribute(reader.rest(), key),
                _ => Ok(Some(Val::Duration(time_ns.saturating_sub(start_ns)))),
            }
        }
        Part::LinkTrace => Ok(Some(Val::Str(hex(&reader.array::<16>()?).into()))),
        Part::LinkSpan => {
            reader.array::<16>()?;
            Ok(Some(Val::Str(hex(&reader.array::<8>()?).into())))
        }
        Part::Attribute(Scope::Link, key) => {
            reader.array::<24>()?;
            reader.varint()?;
            reader.str()?;
            reader.varint()?;
            attribute(reader.rest(), key)
        }
        Part::Attribute(..) => Err(Error::internal("an attribute of neither event nor link")),
    }
}
