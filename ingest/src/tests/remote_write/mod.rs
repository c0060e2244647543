//! Prometheus' remote write: both versions say the same, what cannot be kept costs nothing else, and what each
//! request is answered.

pub mod wire;

use std::path::Path;

use axum::body::Body;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::BodyExt;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use prost::Message;
use throughline_model::Signal;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::histogram::STALE_NAN;
use throughline_model::metric::Shape;
use throughline_storage::Encoding;
use tower::ServiceExt;

use crate::remote_write::decode::{Version, Written, decode, written};
use crate::remote_write_routes;
use crate::tests::fixture::{Fixture, NOW_NS, compress};
use crate::tests::rows::{MetricRows, metric_rows};

const NOW_MS: i64 = NOW_NS / 1_000_000;

use wire::{Count, Exemplar, Histogram, Label, Sample, Span, TimeSeries, WriteRequest};

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    let label =
        |(name, value): &(&str, &str)| Label { name: (*name).into(), value: (*value).into() };
    pairs.iter().map(label).collect()
}

fn sample(value: f64) -> Sample {
    Sample { value, timestamp: NOW_MS }
}

fn series(pairs: &[(&str, &str)], samples: Vec<Sample>) -> TimeSeries {
    TimeSeries { labels: labels(pairs), samples, ..TimeSeries::default() }
}

fn v1(timeseries: Vec<TimeSeries>) -> Vec<u8> {
    WriteRequest { timeseries, metadata: Vec::new() }.encode_to_vec()
}

/// The same in the second version.
fn v2(timeseries: &[TimeSeries], metadata: Option<(i32, &str, &str)>) -> Vec<u8> {
    let mut symbols: Vec<Vec<u8>> = vec![Vec::new()];
    let mut number = |text: &[u8]| {
        let at = symbols.iter().position(|symbol| symbol == text).unwrap_or_else(|| {
            symbols.push(text.to_vec());
            symbols.len() - 1
        });
        at as u32
    };
    let mut refs = |labels: &[Label]| {
        labels.iter().flat_map(|label| [number(&label.name), number(&label.value)]).collect()
    };
    let mut all = Vec::new();
    for series in timeseries {
        let exemplar = |exemplar: &Exemplar| wire::Exemplar2 {
            labels_refs: refs(&exemplar.labels),
            value: exemplar.value,
            timestamp: exemplar.timestamp,
        };
        let exemplars = series.exemplars.iter().map(exemplar).collect();
        let labels_refs = refs(&series.labels);
        let (samples, histograms) = (series.samples.clone(), series.histograms.clone());
        let metadata = None;
        all.push(wire::TimeSeries2 { labels_refs, samples, histograms, exemplars, metadata });
    }
    if let Some((metric_type, help, unit)) = metadata {
        for series in &mut all {
            let (help_ref, unit_ref) = (number(help.as_bytes()), number(unit.as_bytes()));
            series.metadata = Some(wire::Metadata { metric_type, help_ref, unit_ref });
        }
    }
    wire::Request { symbols, timeseries: all }.encode_to_vec()
}

fn rows(decoded: &Decoded) -> MetricRows {
    match &decoded.batch {
        Batch::Metrics(batch) => metric_rows(batch),
        other => panic!("no metrics but {}", other.signal()),
    }
}

fn histogram() -> Histogram {
    Histogram {
        count: Some(Count::Int(13)),
        sum: 20.5,
        schema: 3,
        zero_threshold: 0.001,
        zero_count_int: 2,
        negative_spans: vec![Span { offset: -1, length: 1 }],
        negative_deltas: vec![1],
        positive_spans: vec![Span { offset: 2, length: 2 }, Span { offset: 3, length: 2 }],
        positive_deltas: vec![2, 1, -3, 5],
        reset_hint: 2,
        timestamp: NOW_MS,
        ..Histogram::default()
    }
}

/// The one histogram of a request in the first version, or why it is refused.
fn one(histogram: Histogram) -> Result<throughline_model::histogram::NativeHistogram, String> {
    let histograms = vec![histogram];
    let decoded = decode(
        Version::V1,
        &v1(vec![TimeSeries {
            labels: labels(&[("__name__", "h")]),
            histograms,
            ..Default::default()
        }]),
    )
    .expect("well-formed");
    if decoded.rejected > 0 {
        return Err(decoded.message);
    }
    match rows(&decoded).complex.remove(0).value.shape {
        Shape::Native(histogram) => Ok(*histogram),
        shape => panic!("no native histogram but {shape:?}"),
    }
}

#[test]
fn histograms_have_their_buckets() {
    let read = one(histogram()).expect("kept");
    // Of four counts 2, 3, 0 and 5 the empty one is left out.
    assert_eq!(read.positive, [(2, 2.0), (3, 3.0), (8, 5.0)]);
    assert_eq!(read.negative, [(-1, 1.0)]);
    assert_eq!((read.count, read.sum, read.zero_count, read.schema), (13.0, 20.5, 2.0, 3));

    let custom = Histogram {
        count: Some(Count::Float(3.5)),
        schema: -53,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive_counts: vec![1.5, 2.0],
        custom_values: vec![1.0],
        timestamp: NOW_MS,
        ..Histogram::default()
    };
    let read = one(custom.clone()).expect("kept");
    assert_eq!((read.positive, read.custom_values), (vec![(0, 1.5), (1, 2.0)], vec![1.0]));

    let stale = Histogram { sum: f64::from_bits(STALE_NAN), count: Some(Count::Int(0)), ..custom };
    let stale = Histogram { positive_spans: Vec::new(), positive_counts: Vec::new(), ..stale };
    assert!(one(stale).expect("kept").is_stale());

    // What is finer than eight is kept coarser: buckets 1 and 2 of schema 9 are bucket 1 of schema 8.
    let fine = Histogram {
        count: Some(Count::Int(3)),
        schema: 9,
        positive_spans: vec![Span { offset: 1, length: 2 }],
        positive_deltas: vec![1, 1],
        timestamp: NOW_MS,
        ..Histogram::default()
    };
    let read = one(fine).expect("kept");
    assert_eq!((read.schema, read.positive), (8, vec![(1, 3.0)]));
}

type Change = fn(&mut Histogram);

#[test]
fn histograms_that_are_none_are_refused() {
    let with = |change: Change| {
        let mut histogram = histogram();
        change(&mut histogram);
        one(histogram).expect_err("refused")
    };
    let cases: [(Change, &str); 6] = [
        (|h| h.count = Some(Count::Int(9)), "histograms[0]: the buckets hold 13, the count is 9"),
        (|h| h.positive_deltas.truncate(3), "histograms[0]: the spans are of 4 buckets, 3 stand"),
        (
            |h| h.positive_spans[1].offset = -1,
            "histograms[0]: span 1 begins 1 buckets before the one before",
        ),
        (|h| h.positive_spans[0].offset = i32::MAX, "histograms[0]: bucket 2147483648"),
        (
            |h| h.positive_deltas = vec![i64::MAX, i64::MAX, 0, 0],
            "histograms[0]: a count that exceeds 64 bits",
        ),
        (|h| h.schema = 53, "histograms[0]: schema 53 is neither between -4 and 8 nor -53"),
    ];
    for (change, expected) in cases {
        assert_eq!(with(change), expected);
    }
}

#[test]
fn what_cannot_be_kept_costs_nothing_else() {
    let good = series(&[("__name__", "up"), ("job", "a")], vec![sample(1.0)]);
    let cases: [(TimeSeries, &str); 7] = [
        (series(&[("job", "a")], vec![sample(1.0)]), "samples[1]: a series without a __name__"),
        (
            series(&[("__name__", "x"), ("a", "1"), ("a", "2")], vec![sample(1.0)]),
            "samples[1]: label 'a' stands twice",
        ),
        (
            series(&[("__name__", "x"), ("", "1")], vec![sample(1.0)]),
            "samples[1]: the label with value '1' has no name",
        ),
        (
            TimeSeries {
                labels: vec![Label { name: b"__name__".to_vec(), value: vec![0xff] }],
                samples: vec![sample(1.0)],
                ..TimeSeries::default()
            },
            "samples[1]: label value '\u{fffd}' is not UTF-8",
        ),
        (
            series(&[("__name__", "x")], vec![Sample { value: 1.0, timestamp: -1 }]),
            "samples[1]: timestamp -1 is not within 0 and 9223372036854",
        ),
        (
            series(&[("__name__", "x")], vec![Sample { value: 1.0, timestamp: i64::MAX }]),
            "samples[1]: timestamp 9223372036854775807 is not within 0 and 9223372036854",
        ),
        (
            TimeSeries {
                labels: labels(&[("__name__", "x")]),
                exemplars: vec![Exemplar { timestamp: -1, ..Exemplar::default() }],
                ..TimeSeries::default()
            },
            "exemplars[0]: timestamp -1 is not within 0 and 9223372036854",
        ),
    ];
    for (bad, expected) in cases {
        let request = [good.clone(), bad, series(&[("__name__", "down")], vec![sample(0.0)])];
        for (version, body) in
            [(Version::V1, v1(request.to_vec())), (Version::V2, v2(&request, None))]
        {
            let decoded = decode(version, &body).expect("well-formed");
            assert_eq!((decoded.rejected, decoded.message.as_str()), (1, expected), "{version:?}");
            assert_eq!(decoded.batch.len(), 2, "{version:?}");
        }
        let expected = Written { samples: 2, histograms: 0, exemplars: 0 };
        assert_eq!(written(&v2(&request, None), false).expect("well-formed"), expected);
    }
}

#[test]
fn numbers_of_no_text_refuse_their_series() {
    let series = |labels_refs| wire::TimeSeries2 {
        labels_refs,
        samples: vec![sample(1.0)],
        ..wire::TimeSeries2::default()
    };
    let symbols = ["", "__name__", "up"].map(|text| text.as_bytes().to_vec()).to_vec();
    let request = wire::Request {
        symbols,
        timeseries: vec![series(vec![1, 2]), series(vec![1, 3]), series(vec![1])],
    };
    let decoded = decode(Version::V2, &request.encode_to_vec()).expect("well-formed");
    let expected = "samples[1]: labels_refs names symbol 3 of 3; \
                    samples[2]: labels_refs has 1 numbers, no pairs";
    assert_eq!((decoded.batch.len(), decoded.message.as_str()), (1, expected));
    let request = wire::Request { symbols: vec![b"x".to_vec()], timeseries: Vec::new() };
    let err = decode(Version::V2, &request.encode_to_vec()).expect_err("refused");
    assert!(err.to_string().contains("symbol 0 is 'x', expected the empty text"), "{err}");
}

#[test]
fn what_describes_a_series_is_kept() {
    let up = [series(&[("__name__", "up")], vec![sample(1.0)])];
    let decoded = decode(Version::V2, &v2(&up, Some((1, "Help.", "seconds")))).expect("kept");
    let row = rows(&decoded).series.remove(0);
    assert_eq!(row.description, "Help.");
    let texts: Vec<_> =
        row.metadata.iter().map(|(key, value)| format!("{key} {value:?}")).collect();
    assert_eq!(
        texts,
        [r#"prometheus.type String("counter")"#, r#"prometheus.unit String("seconds")"#]
    );
}

async fn post(
    fixture: &Fixture,
    content_type: &str,
    encoding: &str,
    body: &[u8],
) -> (u16, String, HeaderMap) {
    let mut request = http::Request::post("/prometheus/api/v1/write");
    for (name, value) in [(CONTENT_TYPE, content_type), (CONTENT_ENCODING, encoding)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    let body = Body::from(compress(Encoding::Snappy, body));
    let router = remote_write_routes(fixture.ingester.clone());
    let request = request.body(body).expect("valid");
    let (head, body) = router.oneshot(request).await.expect("infallible").into_parts();
    let body = body.collect().await.expect("in memory").to_bytes();
    (head.status.as_u16(), String::from_utf8(body.to_vec()).expect("text"), head.headers)
}

const V1: &str = "application/x-protobuf";
const V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

fn told(headers: &HeaderMap) -> [&str; 3] {
    ["samples", "histograms", "exemplars"].map(|what| {
        let value = headers.get(format!("x-prometheus-remote-write-{what}-written"));
        value.map_or("", |value| value.to_str().expect("text"))
    })
}

#[tokio::test]
async fn requests_have_their_answers() {
    let fixture = Fixture::new().await;
    let up = |value: f64| {
        let exemplar = Exemplar {
            labels: labels(&[("trace_id", &"0a".repeat(16)), ("user", "u")]),
            value: 1.0,
            timestamp: NOW_MS,
        };
        vec![TimeSeries {
            exemplars: vec![exemplar],
            histograms: vec![histogram()],
            ..series(&[("__name__", "up")], vec![sample(value)])
        }]
    };
    for content_type in ["", V1, "application/x-protobuf; proto=prometheus.WriteRequest"] {
        for encoding in ["", "snappy"] {
            let (status, text, headers) =
                post(&fixture, content_type, encoding, &v1(up(1.0))).await;
            assert_eq!((status, text.as_str()), (204, ""), "{content_type} {encoding}");
            assert_eq!(told(&headers), ["", "", ""]);
        }
    }
    // The same body is the same request.
    assert_eq!(fixture.rows(Signal::Metrics), 1);
    for _ in 0..2 {
        let (status, text, headers) = post(&fixture, V2, "snappy", &v2(&up(2.0), None)).await;
        assert_eq!((status, text.as_str()), (204, ""));
        assert_eq!(told(&headers), ["1", "1", "1"]);
    }
    assert_eq!(fixture.rows(Signal::Metrics), 2);

    let mut part = up(3.0);
    part.push(series(&[("job", "a")], vec![sample(1.0), sample(2.0)]));
    let expected = "2 refused, the others kept: samples[1]: a series without a __name__; \
                    samples[2]: a series without a __name__";
    let (status, text, headers) = post(&fixture, V2, "snappy", &v2(&part, None)).await;
    assert_eq!((status, text.as_str(), told(&headers)), (400, expected, ["1", "1", "1"]));
    let (status, text, headers) = post(&fixture, V1, "snappy", &v1(part)).await;
    assert_eq!((status, text.as_str(), told(&headers)), (400, expected, ["", "", ""]));
    assert_eq!(fixture.rows(Signal::Metrics), 4);

    let none = [series(&[("job", "a")], vec![sample(1.0)])];
    let (status, text, headers) = post(&fixture, V2, "snappy", &v2(&none, None)).await;
    assert_eq!((status, text.contains("a series without a __name__")), (400, true), "{text}");
    assert_eq!(told(&headers), ["0", "0", "0"]);
}

#[tokio::test]
async fn what_is_no_remote_write_is_told_so() {
    let fixture = Fixture::new().await;
    for (content_type, encoding, status, expected) in [
        ("application/json", "", 415, "content-type 'application/json' is not supported"),
        ("application/x-protobuf;proto=x.Y", "", 415, "proto=io.prometheus.write.v2.Request"),
        (V1, "gzip", 415, "content-encoding 'gzip' is not supported: snappy"),
        (V1, "snappy", 400, "malformed protobuf"),
    ] {
        let (got, text, _) = post(&fixture, content_type, encoding, b"\xff\xff").await;
        assert_eq!(got, status, "{content_type} {encoding}: {text}");
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(fixture.rows(Signal::Metrics), 0);
    assert_eq!(fixture.ingester.room().bytes_taken(), 0);
}

fn random_series() -> impl Strategy<Value = TimeSeries> {
    let text = || prop_oneof![Just(String::new()), "[a-c_é]{1,3}"];
    let pairs = || vec((text(), text()), 0..4);
    let time = || prop_oneof![4 => 0..2 * NOW_MS, 1 => any::<i64>()];
    let samples = vec((any::<f64>(), time()), 0..4);
    let exemplars = vec((pairs(), any::<f64>(), time()), 0..3);
    let spans = vec((-3i32..3, 0u32..3), 0..3);
    let histograms = vec((spans, vec(-2i64..5, 0..5), time(), -6i32..12), 0..2);
    (pairs(), any::<bool>(), samples, exemplars, histograms).prop_map(
        |(pairs, is_named, samples, exemplars, histograms)| {
            let to_labels = |pairs: Vec<(String, String)>| {
                let pairs: Vec<_> = pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
                labels(&pairs)
            };
            let mut all = to_labels(pairs);
            all.extend(labels(&[("__name__", "x")]).into_iter().filter(|_| is_named));
            let sample = |(value, timestamp)| Sample { value, timestamp };
            let exemplar =
                |(pairs, value, timestamp)| Exemplar { labels: to_labels(pairs), value, timestamp };
            let histogram = |(spans, deltas, timestamp, schema): (Vec<_>, Vec<i64>, i64, i32)| {
                let mut count = 0;
                let total = deltas.iter().fold(0, |total, delta| {
                    count += delta;
                    total + count
                });
                let span = |(offset, length)| Span { offset, length };
                Histogram {
                    count: Some(Count::Int(total.unsigned_abs())),
                    positive_spans: spans.into_iter().map(span).collect(),
                    positive_deltas: deltas,
                    timestamp,
                    schema,
                    ..Histogram::default()
                }
            };
            TimeSeries {
                labels: all,
                samples: samples.into_iter().map(sample).collect(),
                exemplars: exemplars.into_iter().map(exemplar).collect(),
                histograms: histograms.into_iter().map(histogram).collect(),
            }
        },
    )
}

/// The seeds of the fuzz target `remote_write`: the first byte picks the version.
/// `BLESS=1 cargo test -p throughline-ingest remote_write_seeds` writes the `random-…` ones anew.
#[test]
fn remote_write_seeds_hold() {
    const SEEDS: usize = 10;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/remote_write");
    if std::env::var_os("BLESS").is_some() {
        let mut runner = TestRunner::deterministic();
        let requests = vec(random_series(), 1..4);
        for number in 0..SEEDS {
            let request = requests.new_tree(&mut runner).expect("a tree").current();
            for (version, body) in [v1(request.clone()), v2(&request, None)].iter().enumerate() {
                let path = folder.join(format!("random-{number}-{version}"));
                std::fs::write(path, [&[version as u8][..], body].concat()).expect("writes");
            }
        }
    }
    let entries = std::fs::read_dir(folder).expect("a folder of seeds");
    let paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    assert!(paths.len() >= 2 * SEEDS, "{} seeds", paths.len());
    for path in paths {
        let seed = std::fs::read(&path).expect("a file");
        let (version, body) = seed.split_first().expect("a version");
        let version = if version % 2 == 0 { Version::V1 } else { Version::V2 };
        let decoded = decode(version, body);
        rows(&decoded.unwrap_or_else(|err| panic!("{}: {err}", path.display())));
    }
}

proptest! {
    #[test]
    fn both_versions_say_the_same(timeseries in vec(random_series(), 0..6)) {
        let shown = |decoded: &Decoded| format!("{:#?} {} refused", rows(decoded), decoded.rejected);
        let first = decode(Version::V1, &v1(timeseries.clone())).expect("well-formed");
        let body = v2(&timeseries, None);
        let second = decode(Version::V2, &body).expect("well-formed");
        prop_assert_eq!(shown(&first), shown(&second));
        prop_assert_eq!(first.message.is_empty(), second.message.is_empty());
        // Nothing is lost: what is not refused is there.
        let sent: usize = timeseries
            .iter()
            .map(|series| series.samples.len() + series.histograms.len() + series.exemplars.len())
            .sum();
        let kept = written(&body, second.rejected == 0).expect("well-formed");
        let kept_len = kept.samples + kept.histograms + kept.exemplars;
        prop_assert_eq!(kept_len as u64 + second.rejected, sent as u64);
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in vec(any::<u8>(), 0..200)) {
        for version in [Version::V1, Version::V2] {
            if let Ok(decoded) = decode(version, &body) {
                rows(&decoded);
            }
        }
    }
}
