//! Writes the two files of a bundle: row groups as they come, then the footer and the index.
//!
//! [`super::spans`] and [`super::logs`] decide which rows make a row group and in what order; this
//! file turns an order into columns, one at a time, so that only one uncompressed column is alive.
//! Columns of numbered values are encoded by [`super::chunk`], the others by Parquet's own writers.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use hashbrown::{HashMap, HashSet};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::ColumnDescPtr;
use throughline_model::Signal;

use super::attributes::{AttributeCounts, AttributeValues, Routed};
use super::chunk;
use super::dictionary::DictionaryColumn;
use super::gather::Gather;
use super::index::filter::{Filter, value_hash};
use super::index::summary::RowGroupSummary;
use super::index::{FORMAT_VERSION, IndexBuilder};
use super::layout::{
    AttributeColumn, Dictionary, Layout, REST, attribute_dictionary, file_schema, fixed_dictionary,
    fixed_fields, properties,
};
use super::{SegmentMeta, Sinks, WriteOptions};
use crate::io::SegmentSink;
use crate::{Error, ErrorKind, Result};

/// Segments of this level and above have filters; younger ones live too briefly.
const FILTER_LEVEL_MIN: u8 = 1;

/// A segment being written.
pub(crate) struct SegmentWriter<'a> {
    signal: Signal,
    options: &'a WriteOptions,
    layout: &'a Layout,
    counts: AttributeCounts,
    columns: Vec<AttributeColumn>,
    rest_keys: HashSet<String>,
    data: Option<&'a mut SegmentSink>,
    index_sink: &'a mut SegmentSink,
    file: Option<OpenFile<'a>>,
    /// What the index will hold.
    pub index: IndexBuilder,
}

struct OpenFile<'a> {
    writer: SerializedFileWriter<&'a mut SegmentSink>,
    schema: SchemaRef,
    descriptors: Vec<ColumnDescPtr>,
    columns: PlainColumns,
    page_rows: usize,
}

/// Parquet's writers of single columns, made when one is needed: each claims megabytes of buffers.
struct PlainColumns {
    properties: WriterPropertiesPtr,
    factories: Vec<Option<ArrowRowGroupWriterFactory>>,
}

impl PlainColumns {
    fn factory(&mut self, schema: &SchemaRef, at: usize) -> Result<&ArrowRowGroupWriterFactory> {
        let factory = match self.factories[at].take() {
            Some(factory) => factory,
            None => {
                let single = Arc::new(Schema::new(vec![schema.field(at).clone()]));
                let root = ArrowSchemaConverter::new().convert(&single)?.root_schema_ptr();
                let properties = self.properties.clone();
                let file = SerializedFileWriter::new(std::io::sink(), root, properties)?;
                ArrowRowGroupWriterFactory::new(&file, single)
            }
        };
        Ok(self.factories[at].insert(factory))
    }
}

impl<'a> SegmentWriter<'a> {
    /// Starts a segment whose rows have so many attributes of each key.
    pub(crate) fn new(
        signal: Signal,
        options: &'a WriteOptions,
        layout: &'a Layout,
        sinks: &'a mut Sinks,
        rows: u64,
        counts: AttributeCounts,
    ) -> Self {
        Self {
            signal,
            options,
            layout,
            columns: counts.columns(rows, layout.attribute_columns_max),
            counts,
            rest_keys: HashSet::new(),
            data: Some(&mut sinks.data),
            index_sink: &mut sinks.index,
            file: None,
            index: IndexBuilder::default(),
        }
    }

    /// The level of the segment.
    pub(crate) fn level(&self) -> u8 {
        self.options.level
    }

    /// The columns for attributes.
    pub(crate) fn columns(&self) -> &[AttributeColumn] {
        &self.columns
    }

    /// Writes the rows of `gather`, in its order. `special` gives the columns that are not simply
    /// those of the item schema, by name; `routed` gives the attributes.
    pub(crate) fn write_row_group(
        &mut self,
        gather: &Gather<'_>,
        mut special: HashMap<&'static str, ArrayRef>,
        routed: Routed,
        summary: RowGroupSummary,
    ) -> Result<()> {
        if self.file.is_none() {
            self.open(&routed.columns)?;
        }
        if self.options.level >= FILTER_LEVEL_MIN {
            self.index.filters.extend(routed.columns.iter().map(filter_of));
        }
        let Routed { columns, rest, rest_keys } = routed;
        self.rest_keys.extend(rest_keys);
        self.index.summary.row_groups.push(summary);
        let Some(file) = &mut self.file else {
            return Err(Error::invalid("a segment file is not open"));
        };
        let mut group = RowGroup {
            group: file.writer.next_row_group()?,
            schema: &file.schema,
            descriptors: &file.descriptors,
            plain: &mut file.columns,
            page_rows: file.page_rows,
            rows: gather.order.len(),
            next: 0,
        };
        let mut raw_bytes = 0;
        let mut rest = Some(rest);
        for field in fixed_fields(self.signal) {
            let array = match (special.remove(field.name().as_str()), field.name().as_str()) {
                (Some(array), _) => array,
                (None, REST) => {
                    let rest = rest.take().unwrap_or_default();
                    Arc::new(rest.finish_optional())
                }
                (None, _) => gather.column(&field)?,
            };
            if matches!(field.data_type(), DataType::Binary | DataType::Utf8) {
                raw_bytes += array.get_buffer_memory_size() as u64;
            }
            group.append_fixed(array, fixed_dictionary(field.name(), self.layout))?;
        }
        for (column, values) in self.columns.iter().zip(columns) {
            group.append_attribute(values, attribute_dictionary(column, self.layout))?;
        }
        group.group.close()?;
        self.index.summary.raw_bytes += raw_bytes;
        Ok(())
    }

    // Whether values are numbered is decided by the values of the first row group.
    fn open(&mut self, values: &[AttributeValues]) -> Result<()> {
        for (column, values) in self.columns.iter_mut().zip(values) {
            column.repeats = values.repeats();
        }
        let schema = file_schema(self.signal, &self.columns, false);
        let parquet_schema = ArrowSchemaConverter::new().convert(&schema)?;
        let properties =
            Arc::new(properties(self.signal, &self.columns, self.layout, self.options.level)?);
        let sink = self.data.take().ok_or_else(|| Error::invalid("a segment is open already"))?;
        let root = parquet_schema.root_schema_ptr();
        let writer = SerializedFileWriter::new(sink, root, properties.clone())?;
        let factories = schema.fields().iter().map(|_| None).collect();
        let columns = PlainColumns { properties, factories };
        let descriptors = parquet_schema.columns().to_vec();
        let page_rows = self.layout.page_rows;
        self.file = Some(OpenFile { writer, schema, descriptors, columns, page_rows });
        Ok(())
    }

    /// Writes the footer and the index. What reaches the sinks is not synced here.
    pub(crate) fn finish(mut self) -> Result<SegmentMeta> {
        let Some(file) = self.file.take() else {
            return Err(Error::invalid("a segment needs a row"));
        };
        let sink = file.writer.into_inner()?;
        let (data_bytes, data_crc32c) = (sink.bytes(), sink.crc32c());
        let summary = &mut self.index.summary;
        summary.raw_bytes += self.counts.bytes;
        summary.rows = summary.row_groups.iter().map(|group| u64::from(group.rows)).sum();
        summary.columns = self.columns;
        let rest_keys = &self.rest_keys;
        summary.set_keys(&self.counts, &|key| rest_keys.contains(key));
        let rows = summary.rows;
        let times = summary.row_groups.iter();
        let min_time_ns = times.clone().map(|group| group.min_time_ns).min().unwrap_or_default();
        let max_time_ns =
            times.map(|group| group.max_time_ns.max(group.max_end_ns)).max().unwrap_or_default();
        let bytes = self.index.encode()?;
        std::io::Write::write_all(self.index_sink, &bytes).map_err(write_error)?;
        Ok(SegmentMeta {
            id: self.options.id,
            signal: self.signal,
            tenant: self.options.tenant.clone(),
            level: self.options.level,
            window_start_ns: self.options.window.start_ns,
            window_end_ns: self.options.window.end_ns,
            min_time_ns,
            max_time_ns,
            rows,
            data_bytes,
            index_bytes: self.index_sink.bytes(),
            data_crc32c,
            index_crc32c: self.index_sink.crc32c(),
            format_version: FORMAT_VERSION,
            created_at_ns: self.options.created_at_ns,
        })
    }
}

fn write_error(err: std::io::Error) -> Error {
    let kind = match err.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ErrorKind::Overloaded
        }
        _ => ErrorKind::Io,
    };
    Error::new(kind, format!("could not write a segment: {err}"))
}

/// A row group whose columns are written one after the other.
struct RowGroup<'f, 'a> {
    group: SerializedRowGroupWriter<'f, &'a mut SegmentSink>,
    schema: &'f SchemaRef,
    descriptors: &'f [ColumnDescPtr],
    plain: &'f mut PlainColumns,
    page_rows: usize,
    rows: usize,
    next: usize,
}

impl RowGroup<'_, '_> {
    fn append_fixed(&mut self, array: ArrayRef, dictionary: Option<Dictionary>) -> Result<()> {
        let numbered = match dictionary {
            Some(rule) => DictionaryColumn::of_array(&array, rule.bytes_max)?,
            None => None,
        };
        match (numbered, dictionary) {
            (Some(column), Some(rule)) => self.append_numbered(&column, rule),
            _ => self.append_plain(&array),
        }
    }

    fn append_attribute(
        &mut self,
        values: AttributeValues,
        dictionary: Option<Dictionary>,
    ) -> Result<()> {
        if let Some(rule) = dictionary
            && let Some(column) = values.numbered(rule.bytes_max)?
        {
            return self.append_numbered(&column, rule);
        }
        self.append_plain(&values.finish(self.rows)?)
    }

    fn append_numbered(&mut self, column: &DictionaryColumn, rule: Dictionary) -> Result<()> {
        let descr = &self.descriptors[self.next];
        let chunk = chunk::encode(column, descr, self.rows, self.page_rows, rule.bounds)?;
        self.group.append_column(&chunk.bytes, chunk.close)?;
        self.next += 1;
        Ok(())
    }

    fn append_plain(&mut self, array: &ArrayRef) -> Result<()> {
        let field = self.schema.field(self.next);
        let factory = self.plain.factory(self.schema, self.next)?;
        let mut writers = factory.create_column_writers(0)?.into_iter();
        for leaf in compute_leaves(field, array)? {
            let mut writer = writers
                .next()
                .ok_or_else(|| Error::invalid(format!("no writer for '{}'", field.name())))?;
            writer.write(&leaf)?;
            writer.close()?.append_to_row_group(&mut self.group)?;
        }
        self.next += 1;
        Ok(())
    }
}

fn filter_of(values: &AttributeValues) -> Option<Filter> {
    let mut hashes = HashSet::new();
    let mut last: &[u8] = &[];
    for text in values.texts()? {
        // Neighbours are often equal, since rows are sorted.
        if text != last || hashes.is_empty() {
            hashes.insert(value_hash(text));
            last = text;
        }
    }
    Some(Filter::of(&hashes))
}
