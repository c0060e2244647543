//! Writes the two files of a bundle: row groups as they come, then the footer and the index.
//!
//! [`super::spans`] and [`super::logs`] decide which rows make a row group and in what order; this
//! file turns an order into columns, one at a time, so that only one uncompressed column is alive.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, SchemaRef};
use hashbrown::{HashMap, HashSet};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use throughline_model::Signal;

use super::attributes::{AttributeCounts, AttributeValues, Routed, route};
use super::gather::Gather;
use super::index::filter::{Filter, value_hash};
use super::index::summary::RowGroupSummary;
use super::index::{FORMAT_VERSION, IndexBuilder};
use super::layout::{AttributeColumn, Layout, REST, file_schema, fixed_fields, properties};
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
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
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

    /// Writes the rows of `gather`, in its order. `special` gives the columns that are not simply
    /// those of the item schema, by name.
    pub(crate) fn write_row_group(
        &mut self,
        gather: &Gather<'_>,
        mut special: HashMap<&'static str, ArrayRef>,
        summary: RowGroupSummary,
    ) -> Result<()> {
        let routed = route(gather, &self.columns)?;
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
        let number = file.writer.flushed_row_groups().len();
        let mut writers = file.factory.create_column_writers(number)?.into_iter();
        let mut group = file.writer.next_row_group()?;
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
            if matches!(field.data_type(), arrow::datatypes::DataType::Binary)
                || matches!(field.data_type(), arrow::datatypes::DataType::Utf8)
            {
                raw_bytes += array.get_buffer_memory_size() as u64;
            }
            append(&mut group, &mut writers, &field, array)?;
        }
        let fixed = file.schema.fields().len() - columns.len();
        for (values, field) in columns.into_iter().zip(&file.schema.fields()[fixed..]) {
            let array = values.finish(gather.order.len())?;
            append(&mut group, &mut writers, field, array)?;
        }
        group.close()?;
        self.index.summary.raw_bytes += raw_bytes;
        Ok(())
    }

    // The encodings of a file are decided by the values of its first row group.
    fn open(&mut self, values: &[AttributeValues]) -> Result<()> {
        for (column, values) in self.columns.iter_mut().zip(values) {
            column.repeats = values.repeats();
        }
        let schema = file_schema(self.signal, &self.columns, false);
        let parquet_schema = ArrowSchemaConverter::new().convert(&schema)?;
        let properties =
            Arc::new(properties(self.signal, &self.columns, self.layout, self.options.level)?);
        let sink = self.data.take().ok_or_else(|| Error::invalid("a segment is open already"))?;
        let writer = SerializedFileWriter::new(sink, parquet_schema.root_schema_ptr(), properties)?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, schema.clone());
        self.file = Some(OpenFile { writer, factory, schema });
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

fn append(
    group: &mut SerializedRowGroupWriter<'_, &mut SegmentSink>,
    writers: &mut impl Iterator<Item = ArrowColumnWriter>,
    field: &Field,
    array: ArrayRef,
) -> Result<()> {
    for leaf in compute_leaves(field, &array)? {
        let mut writer = writers
            .next()
            .ok_or_else(|| Error::invalid(format!("no writer for column '{}'", field.name())))?;
        writer.write(&leaf)?;
        writer.close()?.append_to_row_group(group)?;
    }
    Ok(())
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
