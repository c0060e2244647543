//! What targets expose, in every form, and what becomes of it from scrape to scrape.

mod config;
mod pages;
mod protobuf;

use crate::scrape::exposition::{self, Exposition, Form, Options, Value};

const BOTH: Options = Options { wants_native: true, keeps_classic: true };

/// An exposition as text: what `expositions.txt` expects.
fn described(exposition: &Exposition) -> String {
    let labels = |labels: &[(String, String)]| {
        let pairs = labels.iter().filter(|(name, _)| name != "__name__");
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    };
    let number = |value: f64| match value {
        value if value == f64::INFINITY => "+Inf".to_owned(),
        value if value == f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    };
    let time = |time: Option<i64>| time.map_or_else(String::new, |time| format!(" @{time}"));
    let mut lines = Vec::new();
    for sample in &exposition.samples {
        let name = sample.labels.iter().find(|(name, _)| name == "__name__");
        let name = name.map_or("", |(_, value)| value.as_str());
        let value = match &sample.value {
            Value::Number(value) => number(*value),
            Value::Native(native) => format!("{native:?}"),
        };
        let mut line =
            format!("{name}{{{}}} {value}{}", labels(&sample.labels), time(sample.time_ms));
        if let Some(family) = sample.family.map(|place| &exposition.families[place]) {
            for text in [family.metric_type, &family.unit] {
                if !text.is_empty() {
                    line.push_str(&format!(" {text}"));
                }
            }
        }
        for exemplar in &sample.exemplars {
            let (labels, value) = (labels(&exemplar.labels), number(exemplar.value));
            line.push_str(&format!(" # {{{labels}}} {value}{}", time(exemplar.time_ms)));
        }
        lines.push(line);
    }
    for family in exposition.families.iter().filter(|family| !family.help.is_empty()) {
        lines.push(format!("help {}: {}", family.name, family.help));
    }
    lines.iter().map(|line| line.replace('\n', "⏎") + "\n").collect()
}

#[test]
fn texts_are_read_as_the_cases_say() {
    let mut count = 0;
    for case in include_str!("expositions.txt").split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (body, expected) = rest.split_once("---\n").expect("an expectation");
        let form = match title.split_once(':').expect("a form").0 {
            "openmetrics" => Form::OpenMetrics1,
            _ => Form::Text,
        };
        let found = match exposition::read(body.as_bytes(), form, BOTH) {
            Ok(exposition) => described(&exposition),
            Err(err) => format!("error: {err}\n"),
        };
        assert_eq!(found.trim_end(), expected.trim_end(), "{title}");
        count += 1;
    }
    assert!(count > 10, "{count} cases");
}

#[test]
fn forms_are_known_by_their_content_types() {
    let cases = [
        ("text/plain; version=0.0.4; charset=utf-8", Some(Form::Text)),
        ("text/plain; version=1.0.0; escaping=allow-utf-8", Some(Form::Text1)),
        ("application/openmetrics-text; version=1.0.0", Some(Form::OpenMetrics1)),
        ("application/openmetrics-text;version=\"0.0.1\"", Some(Form::OpenMetrics0)),
        (
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
            Some(Form::Protobuf),
        ),
        ("application/vnd.google.protobuf; encoding=text", None),
        ("text/html", None),
        ("", None),
    ];
    for (content_type, wanted) in cases {
        assert_eq!(Form::of(content_type, None).ok(), wanted, "{content_type}");
    }
    assert_eq!(Form::of("text/html", Some(Form::Text)), Ok(Form::Text));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        for form in [Form::Text, Form::OpenMetrics1, Form::Protobuf] {
            let _ = exposition::read(&bytes, form, BOTH);
        }
    }

    #[test]
    fn any_line_is_read_or_refused(line in "[a-z:_{}\"=,# 0-9.\\\\\n+-]{0,60}") {
        for form in [Form::Text, Form::OpenMetrics1] {
            let _ = exposition::read(line.as_bytes(), form, BOTH);
        }
    }
}
