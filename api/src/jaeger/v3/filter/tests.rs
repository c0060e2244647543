use std::sync::Arc;

use throughline_model::Value;
use throughline_model::origin::{Event, Resource};
use throughline_model::span::Span;

use super::*;

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn span() -> Span {
    let event = |name: &str, at_ns: i64, kind: &str| Event {
        time_ns: 1_000_000_000 + at_ns,
        name: name.to_owned(),
        attributes: vec![("kind".to_owned(), text(kind))],
        ..Event::default()
    };
    Span {
        name: "GET /cart".to_owned(),
        kind: 2,
        start_time_ns: 1_000_000_000,
        duration_ns: 2_500_000_000,
        status_code: 2,
        service_name: "cart".to_owned(),
        resource: Arc::new(Resource {
            attributes: vec![("zone".to_owned(), text("eu"))],
            ..Resource::default()
        }),
        attributes: vec![
            ("http.status_code".to_owned(), Value::Int(500)),
            ("ratio".to_owned(), Value::Double(0.5)),
            ("zone".to_owned(), text("us")),
        ],
        events: vec![event("exception", 10_000, "io"), event("retry", 90_000, "net")],
        ..Span::default()
    }
}

#[test]
fn every_operator() {
    let field =
        |level: &str, name: &str| format!(r#"{{"field":{{"level":"{level}","name":"{name}"}}}}"#);
    let attr = |key: &str| format!(r#"{{"attr":{{"key":"{key}"}}}}"#);
    let any = |value: &str| format!(r#"{{"scalar":{{"value":"{value}"}}}}"#);
    let typed =
        |value: &str, kind: &str| format!(r#"{{"scalar":{{"value":"{value}","type":"{kind}"}}}}"#);
    let call = |op: &str, args: &[&str]| format!(r#"{{"op":"{op}","args":[{}]}}"#, args.join(","));
    let sub = |op: &str, args: &[&str]| format!(r#"{{"call":{}}}"#, call(op, args));
    let status = attr("http.status_code");
    let list = r#"{"list":{"values":["499","500"],"type":"int"}}"#;
    let events = r#"{"nested":{"level":"event"}}"#;
    let late = sub("gt", &[&field("event", "timeSinceStart"), &any("50us")]);
    let failed = sub("eq", &[&field("event", "name"), &any("exception")]);
    for (filter, expected) in [
        (call("eq", &[&status, &any("500")]), true),
        (call("eq", &[&any("500"), &status]), true),
        (call("eq", &[&status, &typed("500", "int")]), true),
        (call("eq", &[&status, &typed("500", "double")]), false),
        (call("eq", &[&status, &typed("500", "string")]), false),
        (call("gt", &[&status, &any("99")]), true),
        (call("lte", &[&attr("ratio"), &any("0.5")]), true),
        (call("lt", &[&attr("ratio"), &status]), true),
        (call("ne", &[&status, &any("404")]), true),
        (call("ne", &[&attr("missing"), &any("404")]), false),
        (call("ne", &[&attr("zone"), &any("eu")]), false),
        (call("eq", &[&attr("zone"), &any("eu")]), true),
        (call("exists", &[&attr("missing")]), false),
        (call("not", &[&sub("exists", &[&attr("missing")])]), true),
        (call("in", &[&status, list]), true),
        (call("not_in", &[&status, list]), false),
        (call("not_in", &[&attr("missing"), list]), false),
        (call("regex", &[&field("span", "name"), &any("^GET /c")]), true),
        (call("gte", &[&field("span", "duration"), &any("2.5s")]), true),
        (call("gt", &[&field("span", "duration"), &any("2.5s")]), false),
        (call("eq", &[&field("span", "kind"), &any("server")]), true),
        (call("eq", &[&field("span", "status"), &any("error")]), true),
        (call("lt", &[&field("span", "startTime"), &field("span", "endTime")]), true),
        (call("lt", &[&field("span", "startTime"), &any("1970-01-01T00:00:02Z")]), true),
        (call("eq", &[&field("resource", "service"), &any("cart")]), true),
        (call("and", &[&late, &failed]), true),
        (call("some", &[events, &sub("and", &[&late, &failed])]), false),
        (call("some", &[events, &failed]), true),
        (call("or", &[&failed, &late]), true),
    ] {
        let call: CallJson = serde_json::from_str(&filter).expect(&filter);
        let node = node(&call, None, 1).unwrap_or_else(|err| panic!("{filter}: {err}"));
        assert_eq!(eval::meets(&node, &span()), expected, "{filter}");
        parse("query.filter", &filter).expect(&filter);
    }
}

#[test]
fn what_a_filter_must_keep_to() {
    for (filter, word) in [
        ("{", "EOF"),
        (r#"{"op":"like","args":[]}"#, "'like'"),
        (r#"{"op":"and","args":[]}"#, "2"),
        (r#"{"op":"not","args":[{"scalar":{"value":"x"}}]}"#, "no predicate"),
        (r#"{"op":"exists","args":[{"field":{"level":"span","name":"size"}}]}"#, "it has traceID"),
        (r#"{"op":"exists","args":[{"attr":{"key":"x","level":"body"}}]}"#, "'body'"),
        (
            r#"{"op":"gt","args":[{"field":{"level":"span","name":"kind"}},{"scalar":{"value":"server"}}]}"#,
            "order",
        ),
        (
            r#"{"op":"eq","args":[{"field":{"level":"span","name":"duration"}},{"scalar":{"value":"2"}}]}"#,
            "2s",
        ),
        (
            r#"{"op":"eq","args":[{"field":{"level":"span","name":"duration"}},{"field":{"level":"span","name":"name"}}]}"#,
            "a duration with text",
        ),
        (
            r#"{"op":"eq","args":[{"field":{"level":"span","name":"kind"}},{"scalar":{"value":"frontend"}}]}"#,
            "consumer",
        ),
        (
            r#"{"op":"eq","args":[{"attr":{"key":"x"}},{"scalar":{"value":"x","type":"int"}}]}"#,
            "int",
        ),
        (
            r#"{"op":"regex","args":[{"attr":{"key":"x"}},{"scalar":{"value":"("}}]}"#,
            "no expression",
        ),
        (
            r#"{"op":"some","args":[{"nested":{"level":"span"}},{"call":{"op":"exists","args":[]}}]}"#,
            "'span'",
        ),
    ] {
        let err = parse("query.filter", filter).expect_err(filter);
        let problem = err.problem();
        assert_eq!(problem.field.as_deref(), Some("query.filter"));
        assert!(problem.detail.contains(word), "{filter}: {}", problem.detail);
    }
}
