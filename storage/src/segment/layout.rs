//! Which Parquet columns a segment has, and how each is encoded.
//!
//! Fixed columns carry the names of the item schema, except where the file holds something shorter:
//!
//! | item column | in the file |
//! |---|---|
//! | `trace_id` | `trace`: the trace's ordinal in the side table of the `.idx` |
//! | `parent_span_id` (spans) | `parent`: 0 none, 1 see `parent_span_id`, k + 2 the k-th row of the trace in its slab |
//! | `observed_time` (log records) | `observed_delay`: nanoseconds behind `time`, null for zero |
//! | `attributes` | one typed column a frequent key, `attr.<key>:<type>`; the rest as an encoded set in `attributes_rest` |
//!
//! Page sizes are limited by bytes rather than rows, so that a point lookup inflates little of a
//! heavy column and a light column has few pages.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use throughline_model::Signal;
use throughline_model::schema::{self, col};
use throughline_model::value::tag;

use crate::{Error, Result};

/// Ordinal of the trace in the side table.
pub(crate) const TRACE: &str = "trace";
/// How to find the parent of a span.
pub(crate) const PARENT: &str = "parent";
/// How long after its time a log record was observed, in nanoseconds, and wrapping; none if it was not said.
pub(crate) const DELAY: &str = "observed_delay";
/// The attributes that have no column of their own.
pub(crate) const REST: &str = "attributes_rest";

/// `parent` of a span without one.
pub(crate) const PARENT_NONE: u32 = 0;
/// `parent` of a span whose parent is not among the rows of its trace in this slab.
pub(crate) const PARENT_ELSEWHERE: u32 = 1;
/// `parent` of a span whose parent is the first row of its trace; the k-th is k more.
pub(crate) const PARENT_FIRST: u32 = 2;

/// How a writer arranges rows and pages. The defaults are measured (`docs/adr/0002`).
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Order of span rows.
    pub order: SpanOrder,
    /// Rows of a slab (a row group).
    pub slab_rows: usize,
    /// Bytes of a data page before compression.
    pub page_bytes: usize,
    /// The same of a page of bodies: the smaller, the less is inflated for a row here and there, and the larger the file.
    pub body_page_bytes: usize,
    /// Rows of a data page.
    pub page_rows: usize,
    /// Bytes of a string dictionary before it falls back.
    pub dictionary_bytes: usize,
    /// Most attribute columns; further frequent keys stay in the rest.
    pub attribute_columns_max: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            order: SpanOrder::ServiceInSlab,
            slab_rows: 64 * 1024,
            page_bytes: 16 * 1024,
            body_page_bytes: 16 * 1024,
            page_rows: 8 * 1024,
            dictionary_bytes: 64 * 1024,
            attribute_columns_max: 256,
        }
    }
}

/// In which order the spans of a slab lie. Slabs always hold whole traces in the order of their
/// first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanOrder {
    /// By (service, name, start).
    ServiceInSlab,
    /// Trace after trace, by start inside each.
    TraceInSlab,
}

/// The type of an attribute column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum AttributeKind {
    String = tag::STRING,
    Bool = tag::BOOL,
    Int = tag::INT,
    Double = tag::DOUBLE,
}

impl AttributeKind {
    pub(crate) fn from_tag(number: u8) -> Option<Self> {
        Some(match number {
            tag::STRING => Self::String,
            tag::BOOL => Self::Bool,
            tag::INT => Self::Int,
            tag::DOUBLE => Self::Double,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
        }
    }
}

/// A column for the values of one type of one attribute key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttributeColumn {
    pub key: String,
    pub kind: AttributeKind,
    /// Whether values repeat enough for a dictionary.
    pub repeats: bool,
}

impl AttributeColumn {
    /// The column's name in the file.
    pub(crate) fn name(&self) -> String {
        format!("attr.{}:{}", self.key, self.kind.name())
    }
}

/// The fixed columns of a file, in order.
pub(crate) fn fixed_fields(signal: Signal) -> Vec<Field> {
    let item = match signal {
        Signal::Logs => schema::logs(),
        _ => schema::spans(),
    };
    let mut fields = Vec::with_capacity(item.fields().len() + 2);
    for field in item.fields() {
        match field.name().as_str() {
            col::TRACE_ID => {
                fields.push(Field::new(TRACE, DataType::UInt32, field.is_nullable()));
            }
            col::PARENT_SPAN_ID => {
                fields.push(Field::new(PARENT, DataType::UInt32, false));
                fields.push(field.as_ref().clone());
            }
            col::ATTRIBUTES => fields.push(Field::new(REST, DataType::Binary, true)),
            col::OBSERVED_TIME => fields.push(Field::new(DELAY, DataType::Int64, true)),
            _ => fields.push(field.as_ref().clone()),
        }
    }
    fields
}

/// The Arrow schema with which a file is written, or (with dictionaries for strings that repeat)
/// read.
pub(crate) fn file_schema(signal: Signal, columns: &[AttributeColumn], reading: bool) -> SchemaRef {
    let mut fields = fixed_fields(signal);
    for column in columns {
        let data_type = match column.kind {
            AttributeKind::String if reading && column.repeats => schema::dict_utf8(),
            AttributeKind::String => DataType::Utf8,
            AttributeKind::Bool => DataType::Boolean,
            AttributeKind::Int => DataType::Int64,
            AttributeKind::Double => DataType::Float64,
        };
        fields.push(Field::new(column.name(), data_type, true));
    }
    Arc::new(Schema::new(Fields::from(fields)))
}

/// How a column of numbered values may be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dictionary {
    /// Bytes of the dictionary; a row group with a larger one has the column in its other encoding.
    pub bytes_max: usize,
    /// Whether pages say between which values theirs lie.
    pub bounds: bool,
}

/// Whether, and how, the values of a fixed column are numbered.
pub(crate) fn fixed_dictionary(name: &str, layout: &Layout) -> Option<Dictionary> {
    let bytes_max = layout.dictionary_bytes;
    match name {
        TRACE | DELAY | col::START_TIME | col::TIME | col::DURATION_NS => None,
        col::SPAN_ID | col::PARENT_SPAN_ID => None,
        col::BODY | col::EVENTS | col::LINKS | REST | col::BODY_VALUE => None,
        // An origin is long and repeats, and nothing asks for one by its bytes.
        col::RESOURCE | col::SCOPE => Some(Dictionary { bytes_max: bytes_max * 64, bounds: false }),
        _ => Some(Dictionary { bytes_max, bounds: true }),
    }
}

/// Whether, and how, the values of an attribute column are numbered.
pub(crate) fn attribute_dictionary(
    column: &AttributeColumn,
    layout: &Layout,
) -> Option<Dictionary> {
    let numbered = column.repeats && column.kind != AttributeKind::Bool;
    numbered.then_some(Dictionary { bytes_max: layout.dictionary_bytes, bounds: true })
}

/// The settings for columns, or row groups of columns, whose values are not numbered.
pub(crate) fn properties(
    signal: Signal,
    columns: &[AttributeColumn],
    layout: &Layout,
    level: u8,
) -> Result<WriterProperties> {
    let zstd = ZstdLevel::try_new(1).map_err(|err| Error::invalid(err.to_string()))?;
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(zstd))
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(layout.page_rows)
        .set_data_page_size_limit(layout.page_bytes)
        .set_write_batch_size(512)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_index_truncate_length(Some(16))
        .set_statistics_truncate_length(Some(16))
        .set_created_by("throughline".to_owned());
    let path = |name: &str| ColumnPath::new(vec![name.to_owned()]);
    let none = EnabledStatistics::None;
    for field in fixed_fields(signal) {
        let column = path(field.name());
        let encoding = match field.name().as_str() {
            TRACE | DELAY | col::START_TIME | col::TIME | col::DURATION_NS => {
                Encoding::DELTA_BINARY_PACKED
            }
            col::BODY | col::EVENTS | col::LINKS | REST | col::BODY_VALUE => Encoding::PLAIN,
            col::RESOURCE | col::SCOPE => {
                builder = builder.set_column_statistics_enabled(column.clone(), none);
                Encoding::PLAIN
            }
            _ => fallback_encoding(field.data_type()),
        };
        if field.name() == col::SPAN_ID {
            builder = builder
                .set_column_statistics_enabled(column.clone(), none)
                .set_column_compression(column.clone(), Compression::UNCOMPRESSED);
        }
        if field.name() == col::BODY {
            builder =
                builder.set_column_data_page_size_limit(column.clone(), layout.body_page_bytes);
        }
        builder = builder.set_column_encoding(column, encoding);
    }
    for attribute in columns {
        let column = path(&attribute.name());
        let encoding = match attribute.kind {
            AttributeKind::String => Encoding::DELTA_BYTE_ARRAY,
            AttributeKind::Int => Encoding::DELTA_BINARY_PACKED,
            AttributeKind::Bool | AttributeKind::Double => Encoding::PLAIN,
        };
        if level == 0 && attribute.kind == AttributeKind::String {
            // Comparing every text costs more than a segment that lives for minutes gains from it.
            builder = builder.set_column_statistics_enabled(column.clone(), none);
        }
        builder = builder.set_column_encoding(column, encoding);
    }
    Ok(builder.build())
}

fn fallback_encoding(data_type: &DataType) -> Encoding {
    match data_type {
        DataType::Dictionary(..) | DataType::Utf8 => Encoding::DELTA_BYTE_ARRAY,
        DataType::Int32 | DataType::Int64 | DataType::UInt32 => Encoding::DELTA_BINARY_PACKED,
        _ => Encoding::PLAIN,
    }
}

/// The tag of an encoded value, for counting.
pub(crate) fn value_tag(value: &[u8]) -> u8 {
    value.first().copied().unwrap_or(tag::EMPTY)
}

/// Whether a value stays what it is in a column of its type: its bytes must be exactly those that
/// reading the column back produces.
pub(crate) fn fits_column(value: &[u8], kind: AttributeKind) -> bool {
    match kind {
        AttributeKind::String => std::str::from_utf8(&value[1..]).is_ok(),
        AttributeKind::Bool => value.len() == 2 && value[1] <= 1,
        AttributeKind::Int => value.len() == 9,
        // Bounds of pages take negative zero for zero.
        AttributeKind::Double => value.len() == 9 && value[1..] != (-0.0f64).to_le_bytes(),
    }
}
