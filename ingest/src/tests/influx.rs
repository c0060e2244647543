//! Lines of Influx' protocol: what they become, what they are answered, and that only lines without a time are new each
//! time.

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use throughline_model::Value;
use throughline_model::batch::Batch;
use throughline_model::metric::Number;
use throughline_storage::Encoding;
use tower::ServiceExt;

use crate::influx::decode::{Precision, decode, says_when};
use crate::influx_routes;
use crate::tests::fixture::{Fixture, NOW_NS, compress};
use crate::tests::rows::metric_rows;

const NS_PER_MS: i64 = 1_000_000;

fn body(precision: Precision, lines: &str) -> Vec<u8> {
    (precision.line() + lines).into_bytes()
}

/// Samples as text, and what was refused.
fn described(body: &[u8]) -> String {
    let decoded = decode(body, NOW_NS).expect("decodes");
    let Batch::Metrics(batch) = &decoded.batch else { panic!("no metrics") };
    let rows = metric_rows(batch);
    let mut out = String::new();
    for point in &rows.numbers {
        let series = &rows.series[point.series as usize];
        let labels = series.attributes.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other:?}"),
        });
        let labels = labels.collect::<Vec<_>>().join(", ");
        let value = match point.value {
            Number::Double(value) => value.to_string(),
            other => format!("{other:?}"),
        };
        let time = match point.time_ns {
            NOW_NS => "now".to_owned(),
            time_ns => (time_ns / NS_PER_MS).to_string(),
        };
        out.push_str(&format!("{}{{{labels}}} {value} @{time}\n", series.name));
    }
    if decoded.rejected > 0 {
        out.push_str(&format!("refused {}: {}\n", decoded.rejected, decoded.message));
    }
    out
}

#[test]
fn lines_become_what_the_cases_say() {
    let mut count = 0;
    for case in include_str!("influx.txt").split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (lines, expected) = rest.split_once("---\n").expect("an expectation");
        let found = described(&body(Precision::NANOSECONDS, lines));
        for (found, expected) in found.lines().zip(expected.trim_end().lines()) {
            // Of several faults the first is shown.
            assert!(found.starts_with(expected), "{title}: {found}");
        }
        assert_eq!(found.lines().count(), expected.trim_end().lines().count(), "{title}: {found}");
        count += 1;
    }
    assert!(count >= 9, "{count} cases");
}

#[test]
fn units_of_time_are_those_of_both_versions() {
    for (name, time) in [("ns", "5000000000"), ("u", "5000000"), ("ms", "5000"), ("s", "5")] {
        let precision = Precision::named(name).expect("known");
        assert_eq!(described(&body(precision, &format!("a v=1 {time}"))), "a_v{} 1 @5000\n");
    }
    assert_eq!(Precision::named("y"), None);
    let hours = Precision::named("h").expect("known");
    let told = described(&body(hours, "a v=1 9223372036854775807"));
    assert!(told.contains("line 1: time 9223372036854775807 is out of range"), "{told}");
}

#[test]
fn lines_that_all_have_times_tell_when() {
    for (lines, expected) in
        [("a v=1 5\nb v=1 6\n", true), ("a v=1 5\nb v=1\n", false), ("bad\na v=1 5\n", true)]
    {
        assert_eq!(says_when(&body(Precision::NANOSECONDS, lines)), expected, "{lines}");
    }
}

proptest::proptest! {
    #[test]
    fn any_lines_are_taken_or_refused(lines in "[a-z,= 0-9\"\\\\\n.it#]{0,80}") {
        drop(decode(&body(Precision::NANOSECONDS, &lines), NOW_NS));
    }
}

/// The status and the text of an answer.
async fn ask(
    fixture: &Fixture,
    method: &str,
    path: &str,
    body: Vec<u8>,
    gzip: bool,
) -> (StatusCode, String) {
    let routes = influx_routes(fixture.ingester.clone(), &["", "/influx"]);
    let mut request = Request::builder().method(method).uri(path);
    if gzip {
        request = request.header("content-encoding", "gzip");
    }
    let request = request.body(Body::from(body)).expect("valid");
    let (head, body) = routes.oneshot(request).await.expect("infallible").into_parts();
    let text = body.collect().await.expect("reads").to_bytes();
    (head.status, String::from_utf8_lossy(&text).into_owned())
}

/// Method, path, body, whether it is gzip; status and what the answer says.
type Case<'a> = (&'a str, &'a str, &'a [u8], bool, StatusCode, &'a str);

#[tokio::test]
async fn requests_have_their_answers() {
    let fixture = Fixture::new().await;
    let (ok, none, bad) = (StatusCode::OK, StatusCode::NO_CONTENT, StatusCode::BAD_REQUEST);
    let packed = compress(Encoding::Gzip, b"a v=1 2");
    let cases: [Case<'_>; 9] = [
        ("POST", "/write?db=telegraf", b"a v=1", false, none, ""),
        ("POST", "/influx/api/v2/write?bucket=b&org=o&precision=s", b"a v=1 5", false, none, ""),
        ("POST", "/write?precision=ms", &packed, true, none, ""),
        ("POST", "/write", b"a v=1\nbad\n", false, bad, "partial write: samples[1]: line 2"),
        ("POST", "/write?precision=fortnight", b"a v=1", false, bad, "precision is 'fortnight'"),
        ("POST", "/write", b"\xff", false, bad, "line 1 is not UTF-8"),
        ("GET", "/ping", b"", false, none, ""),
        ("POST", "/query", b"q=CREATE+DATABASE+%22telegraf%22", false, ok, "statement_id"),
        ("POST", "/influx/query?q=SELECT%201", b"", false, bad, "InfluxQL is not spoken here"),
    ];
    for (method, path, body, gzip, status, told) in cases {
        let (found, text) = ask(&fixture, method, path, body.to_vec(), gzip).await;
        assert_eq!(found, status, "{path}: {text}");
        assert!(text.contains(told), "{path}: {text}");
    }
}
