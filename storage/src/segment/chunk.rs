//! Writes a column whose values are numbered as a Parquet column chunk: a dictionary page, then data
//! pages of numbers.
//!
//! ```text
//! chunk           := dictionary page, data page*          each: Parquet's page header, zstd or plain bytes
//! dictionary page := value*                               PLAIN
//! data page       := [u32 LE length, definition levels], width u8, numbers       see super::hybrid
//! ```
//! Bounds of pages come from the ranks of the values, so no value of a row is compared. A chunk that
//! hardly shrinks stays uncompressed.

use std::cell::RefCell;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::dictionary::{DictionaryColumn, Values};
use super::hybrid::{bit_width, put_levels, put_numbers};
use crate::{Error, Result};

/// Bytes of a bound of a page; longer values are cut.
const BOUND_BYTES_MAX: usize = 16;
/// A chunk that would save less than one byte of so many stays as it is.
const SAVES_ONE_OF: usize = 16;
const ZSTD_LEVEL: i32 = 1;

thread_local! {
    static DEFLATE: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// A column chunk, ready to be appended to a row group.
pub(super) struct Chunk {
    pub bytes: Bytes,
    pub close: ColumnCloseResult,
}

/// Encodes a column of `rows` rows with `page_rows` rows a page.
pub(super) fn encode(
    column: &DictionaryColumn,
    descr: &ColumnDescPtr,
    rows: usize,
    page_rows: usize,
    bounds: bool,
) -> Result<Chunk> {
    let pages = plain_pages(column, descr, rows, page_rows);
    let plain = pages.iter().map(|page| page.bytes.len()).sum::<usize>();
    let packed = pages.iter().map(|page| deflate(&page.bytes)).collect::<Result<Vec<_>>>()?;
    let shrunk = packed.iter().map(Vec::len).sum::<usize>();
    let (compression, bodies) = if shrunk + plain / SAVES_ONE_OF < plain {
        (Compression::ZSTD(zstd_level()?), packed)
    } else {
        (Compression::UNCOMPRESSED, pages.iter().map(|page| page.bytes.clone()).collect())
    };
    let order = bounds.then(|| Order::of(&column.values));
    let mut index = ColumnIndexBuilder::new(descr.physical_type());
    let mut offsets = OffsetIndexBuilder::new();
    let mut sink = TrackedWrite::new(Vec::new());
    let (mut unpacked, mut dictionary_len) = (0, 0);
    let mut writer = SerializedPageWriter::new(&mut sink);
    for (number, (page, body)) in pages.iter().zip(bodies).enumerate() {
        let spec = writer.write_page(page.compressed(body.into(), column.values.len()))?;
        unpacked += spec.uncompressed_size as i64;
        if number == 0 {
            dictionary_len = spec.bytes_written as i64;
            continue;
        }
        offsets.append_row_count(page.rows as i64);
        offsets.append_offset_and_size(spec.offset as i64, spec.compressed_size as i32);
        if let Some(order) = &order {
            let numbers = &column.numbers[page.numbers.clone()];
            let nulls = (page.rows - numbers.len()) as i64;
            match order.bounds(numbers) {
                Some((low, high)) => {
                    let (low, high) = (lower_bound(&column.values, low), upper(column, high));
                    index.append(false, low, high, nulls);
                }
                None if numbers.is_empty() => index.append(true, Vec::new(), Vec::new(), nulls),
                None => index.to_invalid(),
            }
        }
    }
    let bytes = sink.into_inner()?;
    let mut metadata = ColumnChunkMetaData::builder(descr.clone())
        .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
        .set_compression(compression)
        .set_num_values(rows as i64)
        .set_total_compressed_size(bytes.len() as i64)
        .set_total_uncompressed_size(unpacked)
        .set_dictionary_page_offset(Some(0))
        .set_data_page_offset(dictionary_len);
    if let Some(order) = &order
        && let Some((low, high)) = order.bounds(&column.numbers)
    {
        let nulls = (rows - column.numbers.len()) as u64;
        metadata = metadata.set_statistics(statistics(column, low, high, nulls));
    }
    let valid = order.is_some() && index.valid();
    let close = ColumnCloseResult {
        bytes_written: bytes.len() as u64,
        rows_written: rows as u64,
        metadata: metadata.build()?,
        bloom_filter: None,
        column_index: if valid { Some(index.build()?) } else { None },
        offset_index: Some(offsets.build()),
    };
    Ok(Chunk { bytes: bytes.into(), close })
}

/// A page before compression.
struct PlainPage {
    bytes: Vec<u8>,
    rows: usize,
    /// Which of the column's numbers it holds.
    numbers: std::ops::Range<usize>,
    is_dictionary: bool,
}

impl PlainPage {
    fn compressed(&self, buf: Bytes, values: usize) -> CompressedPage {
        let page = if self.is_dictionary {
            Page::DictionaryPage {
                buf,
                num_values: values as u32,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            }
        } else {
            Page::DataPage {
                buf,
                num_values: self.rows as u32,
                encoding: Encoding::RLE_DICTIONARY,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            }
        };
        CompressedPage::new(page, self.bytes.len())
    }
}

fn plain_pages(
    column: &DictionaryColumn,
    descr: &ColumnDescPtr,
    rows: usize,
    page_rows: usize,
) -> Vec<PlainPage> {
    let mut dictionary = Vec::new();
    put_values(&column.values, &mut dictionary);
    let mut pages =
        vec![PlainPage { bytes: dictionary, rows: 0, numbers: 0..0, is_dictionary: true }];
    let width = bit_width(column.values.len());
    let nullable = descr.max_def_level() > 0;
    let mut next = 0;
    for first in (0..rows).step_by(page_rows.max(1)) {
        let end = rows.min(first + page_rows);
        let start = next;
        next = match &column.rows {
            Some(present) => start + present[start..].partition_point(|row| (*row as usize) < end),
            None => end,
        };
        let mut bytes = Vec::new();
        if nullable {
            bytes.extend_from_slice(&[0; 4]);
            match &column.rows {
                Some(present) => {
                    let present = present[start..next].iter().map(|row| *row as usize - first);
                    put_levels(present, end - first, &mut bytes);
                }
                None => put_levels(0..end - first, end - first, &mut bytes),
            }
            let len = bytes.len() as u32 - 4;
            bytes[..4].copy_from_slice(&len.to_le_bytes());
        }
        bytes.push(width);
        put_numbers(&column.numbers[start..next], width, &mut bytes);
        let numbers = start..next;
        pages.push(PlainPage { bytes, rows: end - first, numbers, is_dictionary: false });
    }
    pages
}

fn put_values(values: &Values, out: &mut Vec<u8>) {
    match values {
        Values::Bytes(values) => {
            for number in 0..values.len() as u32 {
                let value = values.get(number);
                out.extend_from_slice(&(value.len() as u32).to_le_bytes());
                out.extend_from_slice(value);
            }
        }
        Values::Int32(values) => {
            values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        }
        Values::UInt32(values) => {
            values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        }
        Values::Int64(values) => {
            values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        }
        Values::Double(values) => {
            values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        }
    }
}

fn zstd_level() -> Result<ZstdLevel> {
    Ok(ZstdLevel::try_new(ZSTD_LEVEL)?)
}

fn deflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let failed = |err: std::io::Error| Error::invalid(format!("a page does not compress: {err}"));
    DEFLATE.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            None => context.insert(Compressor::new(ZSTD_LEVEL).map_err(failed)?),
        };
        context.compress(bytes).map_err(failed)
    })
}

/// The order of a dictionary's values.
struct Order {
    /// By number; none for a value without order (NaN).
    ranks: Vec<Option<u32>>,
}

impl Order {
    fn of(values: &Values) -> Self {
        let mut sorted = (0..values.len() as u32).collect::<Vec<_>>();
        match values {
            Values::Bytes(v) => sorted.sort_unstable_by(|a, b| v.get(*a).cmp(v.get(*b))),
            Values::Int32(v) => sorted.sort_unstable_by_key(|i| v[*i as usize]),
            Values::UInt32(v) => sorted.sort_unstable_by_key(|i| v[*i as usize]),
            Values::Int64(v) => sorted.sort_unstable_by_key(|i| v[*i as usize]),
            Values::Double(v) => {
                sorted.sort_unstable_by(|a, b| v[*a as usize].total_cmp(&v[*b as usize]));
            }
        }
        let ordered = |number: u32| match values {
            Values::Double(v) => !v[number as usize].is_nan(),
            _ => true,
        };
        let mut ranks = vec![None; sorted.len()];
        for (rank, number) in sorted.into_iter().enumerate().filter(|(_, n)| ordered(*n)) {
            ranks[number as usize] = Some(rank as u32);
        }
        Self { ranks }
    }

    /// The numbers of the least and the greatest value; none if one has no order or there is none.
    fn bounds(&self, numbers: &[u32]) -> Option<(u32, u32)> {
        let first = *numbers.first()?;
        let rank = |number: u32| self.ranks[number as usize];
        let (mut low, mut high) = ((rank(first)?, first), (rank(first)?, first));
        let mut last = first;
        for number in numbers {
            if *number == last {
                continue;
            }
            last = *number;
            let rank = rank(last)?;
            low = low.min((rank, last));
            high = high.max((rank, last));
        }
        Some((low.1, high.1))
    }
}

fn lower_bound(values: &Values, number: u32) -> Vec<u8> {
    match values {
        Values::Bytes(values) => shortened(values.get(number)).to_vec(),
        Values::Double(values) if values[number as usize] == 0.0 => (-0.0f64).to_le_bytes().into(),
        _ => fixed(values, number),
    }
}

fn upper(column: &DictionaryColumn, number: u32) -> Vec<u8> {
    match &column.values {
        Values::Bytes(values) => upper_bound(values.get(number)),
        Values::Double(values) if values[number as usize] == 0.0 => 0.0f64.to_le_bytes().into(),
        values => fixed(values, number),
    }
}

fn fixed(values: &Values, number: u32) -> Vec<u8> {
    let i = number as usize;
    match values {
        Values::Bytes(values) => values.get(number).to_vec(),
        Values::Int32(values) => values[i].to_le_bytes().into(),
        Values::UInt32(values) => values[i].to_le_bytes().into(),
        Values::Int64(values) => values[i].to_le_bytes().into(),
        Values::Double(values) => values[i].to_le_bytes().into(),
    }
}

// A prefix that ends with a character, if the value is text.
fn shortened(value: &[u8]) -> &[u8] {
    if value.len() <= BOUND_BYTES_MAX {
        return value;
    }
    let cut = (BOUND_BYTES_MAX - 3..=BOUND_BYTES_MAX).rev();
    let mut ends = cut.filter(|end| value[*end] & 0xc0 != 0x80);
    &value[..ends.next().unwrap_or(BOUND_BYTES_MAX)]
}

// A short value that is not less than any value that starts as this one does.
fn upper_bound(value: &[u8]) -> Vec<u8> {
    let short = shortened(value);
    if short.len() == value.len() {
        return value.to_vec();
    }
    let Ok(text) = std::str::from_utf8(short) else { return value.to_vec() };
    let mut text = text.to_owned();
    while let Some(last) = text.pop() {
        if let Some(next) = char::from_u32(last as u32 + 1) {
            text.push(next);
            return text.into_bytes();
        }
    }
    value.to_vec()
}

fn statistics(column: &DictionaryColumn, low: u32, high: u32, nulls: u64) -> Statistics {
    let (l, h) = (low as usize, high as usize);
    let nulls = Some(nulls);
    match &column.values {
        Values::Bytes(values) => {
            let exact = |number: u32, bound: &[u8]| values.get(number) == bound;
            let (min, max) = (shortened(values.get(low)).to_vec(), upper_bound(values.get(high)));
            let (min_exact, max_exact) = (exact(low, &min), exact(high, &max));
            let (min, max) = (ByteArray::from(min), ByteArray::from(max));
            Statistics::ByteArray(
                ValueStatistics::new(Some(min), Some(max), None, nulls, false)
                    .with_min_is_exact(min_exact)
                    .with_max_is_exact(max_exact),
            )
        }
        Values::Int32(v) => Statistics::int32(Some(v[l]), Some(v[h]), None, nulls, false),
        Values::UInt32(v) => {
            Statistics::int32(Some(v[l] as i32), Some(v[h] as i32), None, nulls, false)
        }
        Values::Int64(v) => Statistics::int64(Some(v[l]), Some(v[h]), None, nulls, false),
        Values::Double(v) => {
            let (min, max) = (if v[l] == 0.0 { -0.0 } else { v[l] }, v[h] + 0.0);
            Statistics::double(Some(min), Some(max), None, nulls, false)
        }
    }
}
