use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BinaryViewArray, Date32Array, Decimal128Array, DictionaryArray,
    DurationNanosecondArray, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, Float64Array,
    Int8Array, Int64Array, IntervalMonthDayNanoArray, LargeBinaryArray, LargeListArray,
    LargeStringArray, ListArray, MapBuilder, NullArray, RunArray, StringArray, StringBuilder,
    StringViewArray, StructArray, Time64NanosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{Fields, Int32Type, IntervalMonthDayNano, UInt32Type};

use throughline_query::sql::{KIND_ATTRIBUTES, KIND_ID, KIND_KEY};

use super::super::column_type;
use super::*;

fn column_text(field: &Field, array: &dyn Array) -> String {
    let mut out = Vec::new();
    for row in 0..array.len() {
        if row > 0 {
            out.push(b' ');
        }
        write(&mut out, field, array, row).expect("writes");
    }
    String::from_utf8(out).expect("UTF-8")
}

fn check(array: impl Array + 'static, type_name: &str, expected: &str) {
    let field = Field::new("x", array.data_type().clone(), true);
    assert_eq!(column_type::name(&field), type_name);
    assert_eq!(column_text(&field, &array), expected, "{type_name}");
}

#[test]
fn numbers_and_truth() {
    check(NullArray::new(2), "null", "null null");
    check(BooleanArray::from(vec![Some(true), None, Some(false)]), "bool", "true null false");
    check(Int8Array::from(vec![-128, 127]), "int8", "-128 127");
    let exact = 1i64 << 53;
    check(
        Int64Array::from(vec![exact, exact + 1, -exact, i64::MIN]),
        "int64",
        r#"9007199254740992 "9007199254740993" -9007199254740992 "-9223372036854775808""#,
    );
    check(UInt64Array::from(vec![0, u64::MAX]), "uint64", r#"0 "18446744073709551615""#);
    check(Float32Array::from(vec![0.1, f32::NAN]), "float32", r#"0.1 "NaN""#);
    check(
        Float64Array::from(vec![0.1, 1e300, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        "float64",
        r#"0.1 1e+300 -0.0 "NaN" "Infinity" "-Infinity""#,
    );
    let decimal =
        Decimal128Array::from(vec![12345, -5]).with_precision_and_scale(10, 2).expect("fits");
    check(decimal, "decimal(10,2)", r#""123.45" "-0.05""#);
}

#[test]
fn text_and_bytes() {
    let texts = vec!["plain é", "\"\\\n\u{1}"];
    let expected = r#""plain é" "\"\\\n\u0001""#;
    check(StringArray::from(texts.clone()), "string", expected);
    check(LargeStringArray::from(texts.clone()), "string", expected);
    check(StringViewArray::from(texts.clone()), "string", expected);
    let dictionary: DictionaryArray<UInt32Type> = texts.into_iter().collect();
    check(dictionary, "string", expected);
    let runs: RunArray<Int32Type> = ["a", "a", "b"].into_iter().collect();
    check(runs, "string", r#""a" "a" "b""#);

    let bytes: Vec<&[u8]> = vec![b"\x00\xff", b""];
    check(BinaryArray::from(bytes.clone()), "binary", r#""AP8=" """#);
    check(LargeBinaryArray::from(bytes.clone()), "binary", r#""AP8=" """#);
    check(BinaryViewArray::from(bytes), "binary", r#""AP8=" """#);
    let fixed = |width: usize| {
        let id = vec![0xabu8; width];
        FixedSizeBinaryArray::try_from_iter([id].iter()).expect("valid")
    };
    check(fixed(16), "id", "\"abababababababababababababababab\"");
    check(fixed(8), "id", "\"abababababababab\"");
    check(fixed(2), "binary", "\"q6s=\"");
}

#[test]
fn times() {
    check(
        TimestampNanosecondArray::from(vec![1_795_176_000_000_000_001]).with_timezone("UTC"),
        "timestamp",
        "\"2026-11-20T12:00:00.000000001Z\"",
    );
    check(
        TimestampMillisecondArray::from(vec![1_795_176_000_007]),
        "timestamp",
        "\"2026-11-20T12:00:00.007000000Z\"",
    );
    check(
        TimestampSecondArray::from(vec![1_795_176_000, 10_000_000_000]),
        "timestamp",
        "\"2026-11-20T12:00:00.000000000Z\" \"2286-11-20T17:46:40\"",
    );
    check(Date32Array::from(vec![20_777]), "date", "\"2026-11-20\"");
    check(Time64NanosecondArray::from(vec![1]), "time", "\"00:00:00.000000001\"");
    check(DurationNanosecondArray::from(vec![1_500_000_000]), "duration", "\"PT1.5S\"");
    check(
        IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, 2, 3_000_000_000)]),
        "interval",
        "\"1 mons 2 days 3.000000000 secs\"",
    );
}

#[test]
fn lists_structs_and_maps() {
    let lists = || [Some(vec![Some(1), None]), None, Some(vec![])];
    check(
        ListArray::from_iter_primitive::<Int32Type, _, _>(lists()),
        "list<int32>",
        "[1,null] null []",
    );
    check(
        LargeListArray::from_iter_primitive::<Int32Type, _, _>(lists()),
        "list<int32>",
        "[1,null] null []",
    );
    let pairs = [Some(vec![Some(1), Some(2)])];
    check(
        FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(pairs, 2),
        "list<int32>",
        "[1,2]",
    );

    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), None])),
        Arc::new(StringArray::from(vec!["a", "b"])),
    ];
    let fields = Fields::from(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("s", DataType::Utf8, false),
    ]);
    let rows = StructArray::new(fields, columns, None);
    check(rows, "struct", r#"{"n":1,"s":"a"} {"n":null,"s":"b"}"#);

    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Array::builder(2));
    map.keys().append_value("a");
    map.values().append_value(1);
    map.append(true).expect("in step");
    map.append(true).expect("in step");
    check(map.finish(), "map", r#"{"a":1} {}"#);
}

#[test]
fn attribute_sets_are_objects() {
    let kind = |kind: &str| [(KIND_KEY.to_owned(), kind.to_owned())].into();
    let field = Field::new("a", DataType::Utf8, true).with_metadata(kind(KIND_ATTRIBUTES));
    assert_eq!(column_type::name(&field), "attributes");
    let sets = StringArray::from(vec![
        Some(
            r#"{"i":1,"big":9223372036854775807,"d":0.30000000000000004,"n":[-9007199254740993]}"#,
        ),
        None,
        Some(r#"{"s":"9223372036854775807 \\\" 9223372036854775807"}"#),
        Some("{}"),
    ]);
    let expected = concat!(
        r#"{"i":1,"big":"9223372036854775807","d":0.30000000000000004,"#,
        r#""n":["-9007199254740993"]} null "#,
        r#"{"s":"9223372036854775807 \\\" 9223372036854775807"} {}"#
    );
    assert_eq!(column_text(&field, &sets), expected);

    let field = Field::new("id", DataType::Utf8, true).with_metadata(kind(KIND_ID));
    assert_eq!(column_type::name(&field), "id");
    assert_eq!(column_text(&field, &StringArray::from(vec!["0a"])), "\"0a\"");
}
