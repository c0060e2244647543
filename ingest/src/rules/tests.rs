use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::{Resource, Scope};
use throughline_model::predicate::{Op, Operand, Target};
use throughline_model::schema::col;

use super::rewrite::rewrite;
use super::*;
use crate::tests::rows::{LogRow, log_rows};

const TIME_NS: i64 = 1_795_176_000_000_000_000;

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn batch(records: &[(Value, &[(&str, Value)])]) -> RecordBatch {
    let mut builder = LogBatchBuilder::default();
    builder.set_resource(&Resource::default().encode()).expect("a resource");
    builder.set_scope(&Scope::default().encode()).expect("a scope");
    for (at, (body, attributes)) in records.iter().enumerate() {
        for (key, value) in *attributes {
            builder.attributes.push(key, |out| value.encode(out)).expect("an attribute");
        }
        let body = body.to_bytes();
        let fields = LogFields {
            time_ns: TIME_NS + at as i64,
            body: Some(&body),
            trace_id: (at % 2 == 0).then_some([at as u8 / 4 + 1; 16]),
            span_id: Some([9; 8]),
            flags: 1,
            event_name: "event",
            ..LogFields::default()
        };
        builder.push(&fields).expect("a record");
    }
    builder.finish().expect("a batch")
}

fn applied(
    spec: RuleSpec,
    predicates: Vec<Predicate>,
    batch: &RecordBatch,
) -> (Vec<LogRow>, RuleCounts) {
    let rules = Rules::new(vec![(spec, predicates)]).expect("rules");
    let changed = rules.apply(batch).expect("applies");
    let counts = rules.counts().remove(0);
    (log_rows(changed.as_ref().unwrap_or(batch)), counts)
}

fn bodies(rows: &[LogRow]) -> Vec<&str> {
    rows.iter().map(|row| row.text.as_deref().unwrap_or_default()).collect()
}

fn contains(part: &str) -> Vec<Predicate> {
    let target = Target::Column(col::BODY.to_owned());
    vec![Predicate { target, op: Op::Contains(part.to_owned()) }]
}

#[test]
fn what_is_not_changed_stays_as_it_is() {
    let records = batch(&[
        (text("a"), &[("n", Value::Int(1)), ("l", Value::Array(vec![text("x")]))]),
        (Value::Kvlist(vec![("k".to_owned(), Value::Bool(true))]), &[]),
        (Value::Empty, &[]),
    ]);
    let same = rewrite(&records, |_, _| Ok(true)).expect("rewrites");
    assert_eq!(log_rows(&same), log_rows(&records));
    let logged = write_columns(&same).expect("written");
    let inflated = zstd::decode_all(logged.as_slice()).expect("inflates");
    let read = read_columns(&inflated).expect("reads");
    let throughline_model::Batch::Logs(read) = read.batch else { panic!("no log records") };
    assert_eq!(log_rows(&read), log_rows(&records));
    for cut in 0..inflated.len() {
        let _ = read_columns(&inflated[..cut]);
    }
    let drop = RuleSpec { drop: true, ..RuleSpec::default() };
    let rules = Rules::new(vec![(drop, contains("nothing"))]).expect("rules");
    assert!(rules.apply(&records).expect("applies").is_none(), "nothing to do");
}

#[test]
fn secrets_are_taken_out() {
    let lines = [
        ("mail to ann.lee+x@mail.example.org now", "mail to [redacted] now"),
        ("card 4111 1111 1111 1111 ok", "card [redacted] ok"),
        ("card 4111-1111-1111-1112 is none", "card 4111-1111-1111-1112 is none"),
        ("order 1795176000000000 is none", "order 1795176000000000 is none"),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer [redacted]"),
        ("key AKIAIOSFODNN7EXAMPLE", "key [redacted]"),
        ("eyJhbGciOi.eyJzdWIi.SflKxw is a token", "[redacted] is a token"),
        ("password=hunter2&user=a", "password=[redacted]&user=a"),
        (r#"{"api_key":"x1y2","n":1}"#, r#"{"api_key":"[redacted]","n":1}"#),
        ("nothing of these", "nothing of these"),
    ];
    let attributes = [
        ("user.email", text("a@b.de")),
        ("card", Value::Int(4_111_111_111_111_111)),
        (
            "list",
            Value::Array(vec![text("c@d.de"), Value::Int(1), Value::Int(4_111_111_111_111_111)]),
        ),
        ("bytes", Value::Bytes(b"to a@b.de".to_vec())),
    ];
    let records: Vec<(Value, &[(&str, Value)])> =
        lines.iter().map(|(line, _)| (text(line), &attributes[..])).collect();
    let records = batch(&records);
    let all = ["email", "card", "token"].map(str::to_owned).to_vec();
    let spec = RuleSpec { redact: all.clone(), ..RuleSpec::default() };
    let (rows, counts) = applied(spec, Vec::new(), &records);
    assert_eq!(bodies(&rows), lines.map(|(_, expected)| expected));
    let redacted = text("[redacted]");
    for row in &rows {
        let values: Vec<_> = row.attributes.iter().map(|(_, value)| value.clone()).collect();
        let list = Value::Array(vec![redacted.clone(), Value::Int(1), redacted.clone()]);
        assert_eq!(values, [redacted.clone(), redacted.clone(), list, text("to [redacted]")]);
    }
    assert_eq!((counts.matched, counts.redacted), (10, 10));

    let only = RuleSpec { redact: all, redact_in: vec!["body".to_owned()], ..RuleSpec::default() };
    let (rows, counts) = applied(only, Vec::new(), &records);
    assert_eq!(rows[0].attributes[0].1, text("a@b.de"));
    assert_eq!(counts.redacted, 7);
    let own = RuleSpec { redact_patterns: vec!["h[a-z]+2".to_owned()], ..RuleSpec::default() };
    let (rows, _) = applied(own, contains("hunter"), &records);
    assert_eq!(bodies(&rows)[7], "password=[redacted]&user=a");
}

#[test]
fn texts_become_attributes() {
    let parse = |form: &str, pattern: &str| RuleSpec {
        parse: Some(ParseSpec {
            form: form.to_owned(),
            pattern: pattern.to_owned(),
            ..ParseSpec::default()
        }),
        ..RuleSpec::default()
    };
    let check = |spec: RuleSpec, line: &str, expected: &[(&str, Value)], severity: i32| {
        let records = batch(&[(text(line), &[("kept", text("own"))])]);
        let (rows, counts) = applied(spec, Vec::new(), &records);
        let mut all = vec![("kept".to_owned(), text("own"))];
        all.extend(expected.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        assert_eq!(rows[0].attributes, all, "{line}");
        assert_eq!(rows[0].severity_number, severity, "{line}");
        assert_eq!(counts.unparsed, u64::from(expected.is_empty()), "{line}");
    };
    let json = r#"{"level":"warn","http":{"status":503},"kept":"other"}"#;
    check(
        parse("json", ""),
        json,
        &[("http.status", Value::Int(503)), ("level", text("warn"))],
        13,
    );
    check(parse("json", ""), "no json", &[], 0);
    let line = r#"level=error msg="no \"stock\"" empty= flag took=5ms"#;
    let expected = [
        ("level", text("error")),
        ("msg", text("no \"stock\"")),
        ("empty", text("")),
        ("took", text("5ms")),
    ];
    check(parse("logfmt", ""), line, &expected, 17);
    let regex = r"^(?P<method>[A-Z]+) (?P<path>\S+)";
    let expected = [("method", text("GET")), ("path", text("/cart"))];
    check(parse("regex", regex), "GET /cart 200", &expected, 0);
    check(parse("regex", regex), "nothing", &[], 0);
    let expected = [("client", text("10.0.0.7")), ("ms", Value::Double(1.5))];
    check(parse("grok", "%{IP:client} took %{NUMBER:ms:float}"), "10.0.0.7 took 1.5", &expected, 0);

    let mut spec = parse("json", "");
    spec.parse = Some(ParseSpec {
        form: "json".to_owned(),
        from: "payload".to_owned(),
        prefix: "p.".to_owned(),
        ..ParseSpec::default()
    });
    spec.set = vec![("class".to_owned(), "audit".to_owned())];
    let records = batch(&[(text("x"), &[("payload", text(r#"{"a":1}"#))])]);
    let (rows, _) = applied(spec, Vec::new(), &records);
    let last: Vec<_> = rows[0].attributes[1..].to_vec();
    assert_eq!(last, [("p.a".to_owned(), Value::Int(1)), ("class".to_owned(), text("audit"))]);
}

#[test]
fn records_are_dropped_and_sampled() {
    let lines: Vec<String> = (0..400).map(|n| format!("line {n}")).collect();
    let records: Vec<(Value, &[(&str, Value)])> =
        lines.iter().map(|line| (text(line), &[][..])).collect();
    let records = batch(&records);
    let drop = RuleSpec { drop: true, ..RuleSpec::default() };
    let (rows, counts) = applied(drop, contains("7"), &records);
    assert!(rows.iter().all(|row| !row.text.as_deref().unwrap_or_default().contains('7')));
    assert_eq!(counts.dropped + rows.len() as u64, 400);
    let sample = |share| RuleSpec { sample: Some(share), ..RuleSpec::default() };
    let (half, counts) = applied(sample(0.5), Vec::new(), &records);
    assert!((150..250).contains(&half.len()), "{}", half.len());
    assert_eq!(counts.dropped, 400 - half.len() as u64);
    assert_eq!(applied(sample(0.5), Vec::new(), &records).0, half, "nothing is random");
    assert_eq!(applied(sample(0.0), Vec::new(), &records).0.len(), 0);
    assert_eq!(applied(sample(1.0), Vec::new(), &records).0.len(), 400);
    let traces = |rows: &[LogRow]| {
        let mut ids: Vec<_> = rows.iter().filter_map(|row| row.trace_id.clone()).collect();
        ids.sort();
        ids
    };
    // Two records have one trace: both are kept or none.
    assert!(traces(&half).chunks(2).all(|pair| pair.len() == 2 && pair[0] == pair[1]));
}

#[test]
fn what_is_wrong_with_a_rule_is_said() {
    let spec = |change: fn(&mut RuleSpec)| {
        let mut spec = RuleSpec { name: "r".to_owned(), ..RuleSpec::default() };
        change(&mut spec);
        spec
    };
    let parse = |form: &str, pattern: &str| {
        Some(ParseSpec {
            form: form.to_owned(),
            pattern: pattern.to_owned(),
            ..ParseSpec::default()
        })
    };
    let mut xml = spec(|_| {});
    xml.parse = parse("xml", "");
    let mut group = spec(|_| {});
    group.parse = parse("regex", "(");
    let mut unnamed = spec(|_| {});
    unnamed.parse = parse("regex", "(a)");
    for (spec, told) in [
        (spec(|_| {}), "rule 'r': it does nothing"),
        (spec(|s| s.sample = Some(1.5)), "sample 1.5"),
        (spec(|s| s.redact = vec!["name".to_owned()]), "'name' is none of email, token, card"),
        (spec(|s| s.redact_patterns = vec!["[".to_owned()]), "redact_patterns: '['"),
        (spec(|s| s.redact_in = vec!["body".to_owned()]), "redact_in without"),
        (xml, "'xml' is none of"),
        (group, "'(' is no pattern"),
        (unnamed, "names no field"),
    ] {
        let wrong = Rules::new(vec![(spec, Vec::new())]).expect_err(told);
        assert!(wrong.contains(told), "{wrong}");
    }
    let spec = spec(|s| s.drop = true);
    let bad =
        Predicate { target: Target::Column("nothing".to_owned()), op: Op::Eq(Operand::Int(1)) };
    assert!(Rules::new(vec![(spec, vec![bad])]).expect_err("no column").contains("nothing"));
}
