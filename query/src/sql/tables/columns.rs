//! The columns of our tables: name, type, and how each is made of the columns of a scan.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, DictionaryArray, RecordBatch, StringArray, StringBuilder,
    TimestampNanosecondArray, UInt32Array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimestampNanosecondType, UInt32Type,
};
use throughline_model::origin;
use throughline_model::predicate::Target;
use throughline_model::schema::{self, col};
use throughline_storage::scan::ScanColumn;

use crate::sql::attribute_use::AttributeUse;
use crate::sql::sets;
use crate::{Error, Result};

/// `SpanKind`, by number.
pub(crate) const KINDS: &[&str] =
    &["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
/// `StatusCode`, by number.
pub(crate) const STATUS_CODES: &[&str] = &["UNSET", "OK", "ERROR"];

/// A column of a table.
#[derive(Clone, Debug)]
pub(crate) struct SqlColumn {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub data_type: DataType,
    /// Whether rows may lack it.
    pub nullable: bool,
    /// How it is made.
    pub make: Make,
}

/// How a column is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// Bytes of an id.
    Id(&'static str),
    /// Text of a string column.
    Text(&'static str),
    /// A number, as it is.
    Number(&'static str),
    /// A time, as it is.
    Time(&'static str),
    /// A time where zero means that none was set.
    TimeOrNull(&'static str),
    /// The end of a span.
    EndTime,
    /// The name of a number.
    Named(&'static str, &'static [&'static str]),
    /// Attributes of the item.
    ItemSet,
    /// Attributes of the resource.
    ResourceSet,
    /// Attributes of the scope.
    ScopeSet,
    /// Name of the scope.
    ScopeName,
    /// Version of the scope.
    ScopeVersion,
    /// A column that [`super::explode`] adds.
    Exploded,
}

impl Make {
    /// The fixed scan column it is made of, if it is one.
    pub fn source(&self) -> Option<&'static str> {
        Some(match self {
            Make::Id(name)
            | Make::Text(name)
            | Make::Number(name)
            | Make::Time(name)
            | Make::TimeOrNull(name)
            | Make::Named(name, _) => name,
            Make::EndTime => col::START_TIME,
            Make::ResourceSet => col::RESOURCE,
            Make::ScopeSet | Make::ScopeName | Make::ScopeVersion => col::SCOPE,
            Make::ItemSet | Make::Exploded => return None,
        })
    }

    fn data_type(&self) -> DataType {
        match self {
            Make::Id(_) => DataType::Binary,
            Make::Text(_) | Make::Named(..) | Make::ScopeName | Make::ScopeVersion => {
                DataType::Utf8View
            }
            Make::Number(col::FLAGS) => DataType::UInt32,
            Make::Number(col::DURATION_NS) => DataType::Int64,
            Make::Number(name) if name.starts_with("dropped_") => DataType::UInt32,
            Make::Number(_) | Make::Exploded => DataType::Int32,
            Make::Time(_) | Make::TimeOrNull(_) | Make::EndTime => schema::timestamp(),
            Make::ItemSet | Make::ResourceSet | Make::ScopeSet => sets::set_type(),
        }
    }
}

/// A column that every row has.
pub(crate) fn required(name: &'static str, make: Make) -> SqlColumn {
    SqlColumn { name, data_type: make.data_type(), nullable: false, make }
}

/// A column that rows may lack.
pub(crate) fn optional(name: &'static str, make: Make) -> SqlColumn {
    SqlColumn { nullable: true, ..required(name, make) }
}

/// A column that comes out of a span's events or links.
pub(crate) fn exploded(name: &'static str, data_type: DataType) -> SqlColumn {
    SqlColumn { name, data_type, nullable: false, make: Make::Exploded }
}

/// The columns as a schema.
pub(crate) fn schema_of(columns: &[SqlColumn]) -> SchemaRef {
    let field = |c: &SqlColumn| Field::new(c.name, c.data_type.clone(), c.nullable);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// The columns that a scan must read for these.
pub(crate) fn scan_columns(columns: &[SqlColumn], attributes: &AttributeUse) -> Vec<ScanColumn> {
    let mut needed = Vec::new();
    let mut need = |column: ScanColumn| {
        if !needed.contains(&column) {
            needed.push(column);
        }
    };
    for column in columns {
        if let Some(source) = column.make.source() {
            need(ScanColumn::Fixed(source.to_owned()));
        }
        match column.make {
            Make::EndTime => need(ScanColumn::Fixed(col::DURATION_NS.to_owned())),
            Make::ItemSet if attributes.whole => need(ScanColumn::Attributes),
            Make::ItemSet => {
                attributes.keys.iter().for_each(|key| need(one_attribute(key)));
            }
            _ => {}
        }
    }
    needed
}

fn one_attribute(key: &str) -> ScanColumn {
    ScanColumn::Attribute(Target::Attribute(key.to_owned()))
}

/// Makes one column out of a scan's batch.
pub(crate) fn make(
    column: &SqlColumn,
    batch: &RecordBatch,
    attributes: &AttributeUse,
) -> Result<ArrayRef> {
    let source = match column.make.source() {
        Some(name) => Some(scanned(batch, name)?),
        None => None,
    };
    let fixed = || source.ok_or_else(|| Error::internal(format!("no source of {}", column.name)));
    Ok(match &column.make {
        Make::Id(_) => cast(fixed()?, &DataType::Binary)?,
        Make::Text(_) => cast(fixed()?, &DataType::Utf8View)?,
        Make::Number(_) | Make::Time(_) => fixed()?.clone(),
        Make::TimeOrNull(_) => time_or_null(fixed()?),
        Make::EndTime => end_time(fixed()?, scanned(batch, col::DURATION_NS)?),
        Make::Named(_, names) => named(fixed()?, names)?,
        Make::ResourceSet => sets::from_dictionary(fixed()?, origin::resource_attrs)?,
        Make::ScopeSet => {
            sets::from_dictionary(fixed()?, |scope| Ok(origin::scope_parts(scope)?.3))?
        }
        Make::ScopeName => scope_text(fixed()?, |scope| Ok(origin::scope_parts(scope)?.0))?,
        Make::ScopeVersion => scope_text(fixed()?, |scope| Ok(origin::scope_parts(scope)?.1))?,
        Make::ItemSet if attributes.whole => {
            sets::from_map(scanned(batch, &ScanColumn::Attributes.name())?.as_map())
        }
        Make::ItemSet => {
            let columns = attributes
                .keys
                .iter()
                .map(|key| {
                    let values = scanned(batch, &one_attribute(key).name())?;
                    Ok((key.as_str(), values.clone()))
                })
                .collect::<Result<Vec<_>>>()?;
            sets::from_keys(&columns, batch.num_rows())
        }
        Make::Exploded => {
            return Err(Error::internal(format!("{} is no scan column", column.name)));
        }
    })
}

fn scanned<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Error::internal(format!("a scan answered without its column '{name}'")))
}

fn time_or_null(times: &ArrayRef) -> ArrayRef {
    let times = times.as_primitive::<TimestampNanosecondType>();
    let set = times.iter().map(|t| t.filter(|t| *t != 0)).collect::<TimestampNanosecondArray>();
    Arc::new(set.with_timezone("UTC"))
}

fn end_time(start: &ArrayRef, duration: &ArrayRef) -> ArrayRef {
    let start = start.as_primitive::<TimestampNanosecondType>().values();
    let duration = duration.as_primitive::<Int64Type>().values();
    let ends = start.iter().zip(duration).map(|(start, length)| start.saturating_add(*length));
    Arc::new(TimestampNanosecondArray::from_iter_values(ends).with_timezone("UTC"))
}

// Numbers that the specification does not name are shown as digits.
fn named(numbers: &ArrayRef, names: &[&str]) -> Result<ArrayRef> {
    let numbers = numbers.as_primitive::<Int32Type>();
    let mut known = HashMap::<i32, u32>::new();
    let mut texts = StringBuilder::new();
    let keys = numbers.values().iter().map(|number| {
        let next = known.len() as u32;
        *known.entry(*number).or_insert_with(|| {
            match usize::try_from(*number).ok().and_then(|i| names.get(i)) {
                Some(name) => texts.append_value(name),
                None => texts.append_value(number.to_string()),
            }
            next
        })
    });
    let keys = keys.collect::<Vec<_>>();
    dictionary_text(UInt32Array::from(keys), texts.finish())
}

fn scope_text(
    scopes: &ArrayRef,
    part: impl Fn(&[u8]) -> throughline_model::Result<&str>,
) -> Result<ArrayRef> {
    let scopes = scopes.as_dictionary::<UInt32Type>();
    let mut texts = StringBuilder::new();
    for scope in scopes.values().as_binary::<i32>() {
        texts.append_value(part(scope.unwrap_or_default())?);
    }
    dictionary_text(scopes.keys().clone(), texts.finish())
}

fn dictionary_text(keys: UInt32Array, texts: StringArray) -> Result<ArrayRef> {
    let texts = DictionaryArray::<UInt32Type>::try_new(keys, Arc::new(texts))?;
    Ok(cast(&texts, &DataType::Utf8View)?)
}

/// Ids as bytes of any length.
pub(crate) fn ids<'a>(ids: impl Iterator<Item = &'a [u8]>) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(ids))
}
