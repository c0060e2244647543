//! Column chunks that we encode, read back by Parquet's own reader, with the bounds of their pages.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, UInt32Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, UInt32Type};
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::writer::SerializedFileWriter;
use proptest::prelude::*;

use crate::segment::chunk;
use crate::segment::dictionary::DictionaryColumn;

const PAGE_ROWS: usize = 16;
const DICTIONARY_BYTES: usize = 64 * 1024;

fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
    let text = prop_oneof![
        "[a-c]{0,2}",
        "\\PC{0,12}",
        Just("a text that is longer than a bound and ends in ünïcode".to_owned()),
        Just("a text that is longer than a bound and ends otherwise".to_owned()),
        Just("\u{10ffff}".repeat(9)),
    ];
    runs(prop_oneof![4 => text.prop_map(Some), 1 => Just(None)])
}

fn doubles() -> impl Strategy<Value = Vec<Option<f64>>> {
    let odd = prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::MIN, 1.5]);
    runs(prop_oneof![6 => odd.prop_map(Some), 2 => Just(None), 1 => any::<f64>().prop_map(Some)])
}

fn ints() -> impl Strategy<Value = Vec<Option<i64>>> {
    runs(
        prop_oneof![4 => (-3i64..3).prop_map(Some), 1 => any::<i64>().prop_map(Some), 2 => Just(None)],
    )
}

// Values that repeat, as sorted rows have them.
fn runs<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec((value, 1usize..40), 1..12).prop_map(|runs| {
        runs.into_iter().flat_map(|(value, count)| std::iter::repeat_n(value, count)).collect()
    })
}

// Writes the array as the only column of a file; none if a dictionary would not serve.
fn write(array: &ArrayRef) -> Option<Bytes> {
    let nullable = array.null_count() > 0 || array.len().is_multiple_of(2);
    let field = Field::new("column", array.data_type().clone(), nullable);
    let schema = Schema::new(vec![field]);
    let converted = ArrowSchemaConverter::new().convert(&schema).expect("converts");
    let descr = converted.column(0);
    let column = if array.data_type() == &DataType::Utf8 {
        let strings = array.as_string::<i32>();
        let rows = (0..array.len() as u32).filter(|row| array.is_valid(*row as usize));
        let rows = rows.collect::<Vec<_>>();
        let texts = rows.iter().map(|row| strings.value(*row as usize).as_bytes());
        DictionaryColumn::of_texts(&rows, texts, DICTIONARY_BYTES)
    } else {
        DictionaryColumn::of_array(array, DICTIONARY_BYTES)
    };
    let column = column.expect("numbers")?;
    let chunk = chunk::encode(&column, &descr, array.len(), PAGE_ROWS, true).expect("encodes");
    let root = converted.root_schema_ptr();
    let mut file =
        SerializedFileWriter::new(Vec::new(), root, Arc::default()).expect("a file begins");
    let mut group = file.next_row_group().expect("a row group begins");
    group.append_column(&chunk.bytes, chunk.close).expect("appends");
    group.close().expect("closes");
    Some(Bytes::from(file.into_inner().expect("a file ends")))
}

// The column as it is read, and the index of its pages.
fn read(file: Bytes) -> (ArrayRef, ColumnIndexMetaData) {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).expect("opens");
    let index = builder.metadata().column_index().expect("an index")[0][0].clone();
    let offsets = builder.metadata().offset_index().expect("an index")[0][0].clone();
    let schema = builder.schema().clone();
    let batches = builder.build().expect("reads").map(|batch| batch.expect("a batch"));
    let batch = concat_batches(&schema, &batches.collect::<Vec<_>>()).expect("one batch");
    assert_eq!(offsets.page_locations().len(), batch.num_rows().div_ceil(PAGE_ROWS));
    (batch.column(0).clone(), index)
}

fn pages(array: &ArrayRef) -> impl Iterator<Item = (usize, ArrayRef)> + '_ {
    (0..array.len().div_ceil(PAGE_ROWS)).map(|page| {
        let start = page * PAGE_ROWS;
        (page, array.slice(start, PAGE_ROWS.min(array.len() - start)))
    })
}

proptest! {
    #[test]
    fn texts_come_back_within_their_bounds(values in texts()) {
        let array: ArrayRef = Arc::new(StringArray::from(values));
        let Some(file) = write(&array) else { return Ok(()) };
        let (found, index) = read(file);
        prop_assert_eq!(&found, &array);
        let ColumnIndexMetaData::BYTE_ARRAY(index) = index else {
            return Err(TestCaseError::fail("no index of texts"));
        };
        for (page, rows) in pages(&array) {
            prop_assert_eq!(index.is_null_page(page), rows.null_count() == rows.len());
            for text in rows.as_string::<i32>().iter().flatten() {
                prop_assert!(index.min_value(page).expect("a bound") <= text.as_bytes());
                prop_assert!(index.max_value(page).expect("a bound") >= text.as_bytes());
            }
        }
    }

    #[test]
    fn integers_come_back_within_their_bounds(values in ints()) {
        let array: ArrayRef = Arc::new(Int64Array::from(values));
        let Some(file) = write(&array) else { return Ok(()) };
        let (found, index) = read(file);
        prop_assert_eq!(&found, &array);
        let ColumnIndexMetaData::INT64(index) = index else {
            return Err(TestCaseError::fail("no index of integers"));
        };
        for (page, rows) in pages(&array) {
            prop_assert_eq!(index.is_null_page(page), rows.null_count() == rows.len());
            for value in rows.as_primitive::<Int64Type>().iter().flatten() {
                prop_assert!(*index.min_value(page).expect("a bound") <= value);
                prop_assert!(*index.max_value(page).expect("a bound") >= value);
            }
        }
    }

    #[test]
    fn doubles_come_back_to_the_bit(values in doubles()) {
        let array: ArrayRef = Arc::new(Float64Array::from(values));
        let Some(file) = write(&array) else { return Ok(()) };
        let (found, index) = read(file);
        let bits = |array: &ArrayRef| {
            let array = array.as_primitive::<Float64Type>();
            array.iter().map(|value| value.map(f64::to_bits)).collect::<Vec<_>>()
        };
        prop_assert_eq!(bits(&found), bits(&array));
        // Bounds are left out where a page holds NaN, which has no place in an order.
        if let ColumnIndexMetaData::DOUBLE(index) = index {
            for (page, rows) in pages(&array) {
                for value in rows.as_primitive::<Float64Type>().iter().flatten() {
                    prop_assert!(*index.min_value(page).expect("a bound") <= value);
                    prop_assert!(*index.max_value(page).expect("a bound") >= value);
                }
            }
        }
    }

    #[test]
    fn unsigned_numbers_come_back(values in runs(any::<u32>())) {
        let array: ArrayRef = Arc::new(UInt32Array::from(values));
        let Some(file) = write(&array) else { return Ok(()) };
        let (found, _) = read(file);
        prop_assert_eq!(
            found.as_primitive::<UInt32Type>().values(),
            array.as_primitive::<UInt32Type>().values()
        );
    }
}
