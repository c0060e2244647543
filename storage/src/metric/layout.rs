//! The Parquet file of a metric segment: one row a chunk, sorted by series and time.
//!
//! | column | |
//! |---|---|
//! | `series` | row of the series in the table of the index file |
//! | `form` | 0 numbers, 1 complex points |
//! | `count` | points in the chunk |
//! | `times`, `start_times` | numbers of sequences in the index file |
//! | `min_time`, `max_time` | first and last time, inclusive |
//! | `first`, `last`, `min`, `max`, `sum`, `increase` | see [`super::chunk::Aggregates`]; null where there are none |
//! | `data` | kinds, flags and values: [`super::chunk`], [`super::complex`] |

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use throughline_model::schema;

use crate::{Error, Result};

/// Version of the layout of metric segments.
pub const FORMAT_VERSION: u16 = 1;

/// `form` of a chunk of numbers.
pub const FORM_NUMBERS: u8 = 0;
/// `form` of a chunk of complex points.
pub const FORM_COMPLEX: u8 = 1;

/// Chunks of a row group; bounds what a writer holds.
pub const ROW_GROUP_CHUNKS: usize = 16 * 1024;
/// Bytes of a page before compression: what reading one series inflates.
const PAGE_BYTES: usize = 64 * 1024;
const PAGE_CHUNKS: usize = 2048;

/// Columns that hold [`super::chunk::Aggregates`], in its order.
pub const AGGREGATES: [&str; 6] = ["first", "last", "min", "max", "sum", "increase"];

/// Positions of the columns.
pub mod at {
    #![allow(missing_docs)]
    pub const SERIES: usize = 0;
    pub const FORM: usize = 1;
    pub const COUNT: usize = 2;
    pub const TIMES: usize = 3;
    pub const START_TIMES: usize = 4;
    pub const MIN_TIME: usize = 5;
    pub const MAX_TIME: usize = 6;
    // The aggregates stand between.
    pub const DATA: usize = 13;
}

static CHUNKS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let required = |name: &str, data_type| Field::new(name, data_type, false);
    let mut fields = vec![
        required("series", DataType::UInt32),
        required("form", DataType::UInt8),
        required("count", DataType::UInt32),
        required("times", DataType::UInt32),
        required("start_times", DataType::UInt32),
        required("min_time", schema::timestamp()),
        required("max_time", schema::timestamp()),
    ];
    fields.extend(AGGREGATES.map(|name| Field::new(name, DataType::Float64, true)));
    fields.push(required("data", DataType::Binary));
    Arc::new(Schema::new(fields))
});

/// The schema of the Parquet file.
pub fn chunks() -> SchemaRef {
    CHUNKS.clone()
}

/// The compression level of both files: segments that will soon be merged are compressed quickly.
pub fn zstd_level(segment_level: u8) -> i32 {
    if segment_level == 0 { 1 } else { 3 }
}

/// How the Parquet file is written.
pub fn properties(segment_level: u8) -> Result<WriterProperties> {
    let zstd = ZstdLevel::try_new(zstd_level(segment_level))
        .map_err(|err| Error::invalid(err.to_string()))?;
    let path = |name: &str| ColumnPath::new(vec![name.to_owned()]);
    let mut properties = WriterProperties::builder()
        .set_created_by("throughline".to_owned())
        .set_compression(Compression::ZSTD(zstd))
        .set_max_row_group_row_count(Some(ROW_GROUP_CHUNKS))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(PAGE_CHUNKS)
        .set_write_batch_size(256)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_dictionary_enabled(path("series"), false)
        .set_column_encoding(path("series"), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(path("data"), false)
        .set_column_encoding(path("data"), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_column_statistics_enabled(path("data"), EnabledStatistics::None);
    for name in AGGREGATES {
        properties = properties
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::BYTE_STREAM_SPLIT)
            .set_column_statistics_enabled(path(name), EnabledStatistics::None);
    }
    Ok(properties.build())
}
