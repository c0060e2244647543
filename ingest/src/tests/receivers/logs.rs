//! What Loki's and Splunk's senders send, as log records: the tables of docs/translation.md, case by case, and
//! random bodies.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value as Json, json};
use throughline_model::batch::{Batch, Decoded};
use throughline_model::{Signal, Value};
use throughline_storage::Format;

use crate::decode::decode_inflated;
use crate::tests::fixture::NOW_NS;
use crate::tests::rows::{LogRow, log_rows};

pub const FORMATS: [Format; 4] =
    [Format::LokiProtobuf, Format::LokiJson, Format::SplunkEvents, Format::SplunkRaw];

/// Loki's messages, which prost writes.
pub mod loki {
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    pub struct PushRequest {
        #[prost(message, repeated, tag = "1")]
        pub streams: Vec<Stream>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Stream {
        #[prost(string, tag = "1")]
        pub labels: String,
        #[prost(message, repeated, tag = "2")]
        pub entries: Vec<Entry>,
        #[prost(uint64, tag = "3")]
        pub hash: u64,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Entry {
        #[prost(message, optional, tag = "1")]
        pub timestamp: Option<Timestamp>,
        #[prost(bytes = "vec", tag = "2")]
        pub line: Vec<u8>,
        #[prost(message, repeated, tag = "3")]
        pub metadata: Vec<Pair>,
        #[prost(message, repeated, tag = "4")]
        pub parsed: Vec<Pair>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Timestamp {
        #[prost(int64, tag = "1")]
        pub seconds: i64,
        #[prost(int32, tag = "2")]
        pub nanos: i32,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Pair {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub value: String,
    }

    /// An entry without fields.
    pub fn entry(time_ns: i64, line: &str) -> Entry {
        let (seconds, nanos) = (time_ns / 1_000_000_000, (time_ns % 1_000_000_000) as i32);
        let timestamp = Some(Timestamp { seconds, nanos });
        Entry { timestamp, line: line.into(), metadata: Vec::new(), parsed: Vec::new() }
    }

    /// A request of one stream.
    pub fn push(labels: &str, entries: Vec<Entry>) -> Vec<u8> {
        let stream = Stream { labels: labels.to_owned(), entries, hash: 7 };
        PushRequest { streams: vec![stream] }.encode_to_vec()
    }
}

fn decoded_rows(decoded: &Decoded) -> Vec<LogRow> {
    match &decoded.batch {
        Batch::Logs(batch) => log_rows(batch),
        other => panic!("no logs but {}", other.signal()),
    }
}

fn set(attributes: &[(String, Value)]) -> String {
    attributes.iter().map(|(key, value)| format!(" {key}={}", value.to_json())).collect()
}

fn shown(format: Format, body: &[u8]) -> String {
    let decoded = match decode_inflated(Signal::Logs, format, body, NOW_NS) {
        Ok(decoded) => decoded,
        Err(err) => return err.to_string(),
    };
    let mut out = Vec::new();
    for row in decoded_rows(&decoded) {
        let when = match row.time_source {
            0 => format!("{}", row.time_ns),
            _ => "received".to_owned(),
        };
        let severity = match (row.severity_number, row.severity_text.as_str()) {
            (0, "") => String::new(),
            (number, text) => format!(" {number}'{text}'"),
        };
        let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let ids = [row.trace_id, row.span_id].into_iter().flatten();
        let ids: String = ids.map(|id| format!(" #{}", hex(&id))).collect();
        let body = row.body.map_or(Json::Null, |body| body.to_json());
        let (resource, own) = (set(&row.resource.attributes), set(&row.attributes));
        out.push(format!("{when}{severity}{ids} {body} of{resource}; with{own}"));
    }
    if decoded.rejected > 0 {
        out.push(format!("{} refused: {}", decoded.rejected, decoded.message));
    }
    out.join("\n")
}

fn holds(format: Format, cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        let got = shown(format, body.as_bytes());
        let part = expected.strip_suffix('…');
        let holds = part.map_or(got == *expected, |part| got.contains(part));
        assert!(holds, "{format:?} {body}\n got {got}\nnot {expected}");
    }
}

#[test]
fn loki_in_json_is_translated() {
    let entry = |fields: &str| {
        format!(r#"{{"streams":[{{"stream":{{}},"values":[["1","a",{fields}]]}}]}}"#)
    };
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let ids = entry(&format!(r#"{{"traceID":"{trace}","span_id":"b7ad6b7169203331"}}"#));
    let ids_shown = format!(r#"1 #{trace} #b7ad6b7169203331 "a" of; with"#);
    let odd = entry(r#"{"trace_id":"xyz","span_id":"0000000000000000"}"#);
    let number = entry(r#"{"severity_number":"14","severity_text":"Warnung","n":1.5}"#);
    let both = entry(r#"{"detected_level":"info","level":"WARN"}"#);
    let unknown = entry(r#"{"detected_level":"unknown"}"#);
    holds(
        Format::LokiJson,
        &[
            (r#"{"streams":[]}"#, ""),
            (
                r#"{"streams":[{"stream":{"app":"x"},"values":[["5","a"],["6","b",null],[7,"c",{}]]}]}"#,
                "5 \"a\" of app=\"x\" service.name=\"x\"; with\n6 \"b\" of app=\"x\" service.name=\"x\"; with\n7 \"c\" of app=\"x\" service.name=\"x\"; with",
            ),
            (
                r#"{"streams":[{"stream":{"level":"error","k8s_pod_name":"p"},"values":[["0","a",{"k":"v"}]]}]}"#,
                r#"received 17'error' "a" of k8s.pod.name="p" level="error"; with k="v""#,
            ),
            (&ids, &ids_shown),
            (&odd, r#"1 "a" of; with trace_id="xyz" span_id="0000000000000000""#),
            (&number, r#"1 14'Warnung' "a" of; with n="1.5""#),
            (&both, r#"1 13'WARN' "a" of; with level="WARN" detected_level="info""#),
            (&unknown, r#"1 "a" of; with detected_level="unknown""#),
            (
                r#"{"streams":[{"labels":"{app=\"x\"}","entries":[{"ts":"1970-01-01T00:00:01Z","line":"a"}]}]}"#,
                r#"1000000000 "a" of app="x" service.name="x"; with"#,
            ),
        ],
    );
}

#[test]
fn loki_in_json_is_refused_as_a_whole_or_by_entry() {
    let entry = |entry: &str| {
        format!(r#"{{"streams":[{{"stream":{{}},"values":[["1","kept"],{entry}]}}]}}"#)
    };
    let entries = [
        (r#"["x","a"]"#, "entries[1]: time 'x' is no number of nanoseconds…"),
        (r#"["-1","a"]"#, "entries[1]: time -1 is below 0…"),
        (r#"["9223372036854775808","a"]"#, "time 9223372036854775808 exceeds 9223372036854775807…"),
        (r#"["1"]"#, "the line is absent…"),
        (r#"["1",2]"#, "1 refused: entries[1]: invalid type: integer `2`, expected text…"),
        (r#"["1","a",{"k":[]}]"#, "entries[1]: k: …"),
        (r#"{"ts":1}"#, "expected a list of time, line and fields…"),
    ];
    for (text, expected) in entries {
        let body = entry(text);
        holds(Format::LokiJson, &[(body.as_str(), expected)]);
        assert!(shown(Format::LokiJson, body.as_bytes()).starts_with("1 \"kept\""));
    }
    holds(
        Format::LokiJson,
        &[
            ("", "malformed JSON: EOF while parsing a value at line 1 column 0"),
            ("{}", "missing field `streams`…"),
            (r#"{"streams":[{"#, "malformed JSON: …"),
            (
                r#"{"streams":[{"stream":{},"values":7}]}"#,
                "streams[0]: invalid type: integer `7`, expected a list…",
            ),
            (
                r#"{"streams":[{"labels":"{a=}","entries":[{"ts":"2020-01-01T00:00:00Z","line":"a"}]}]}"#,
                "1 refused: entries[0]: labels: a quoted value expected at byte 3, not '}'",
            ),
            (
                r#"{"streams":[{"labels":"{}","entries":[{"ts":"1920-01-01T00:00:00Z","line":"a"},{"ts":"soon","line":"a"}]}]}"#,
                "2 refused: entries[0]: ts '1920-01-01T00:00:00Z' is before 1970; entries[1]: ts: 'soon' is no…",
            ),
        ],
    );
}

#[test]
fn loki_in_protobuf_keeps_what_it_can() {
    let timed = |seconds, nanos| loki::Entry {
        timestamp: Some(loki::Timestamp { seconds, nanos }),
        ..loki::entry(0, "a")
    };
    let body = loki::push(
        r#"{app="x"}"#,
        vec![
            loki::Entry { line: b"caf\xe9".to_vec(), ..loki::entry(5, "") },
            loki::Entry { timestamp: None, ..loki::entry(0, "b") },
            timed(-1, 0),
            timed(1, 1_000_000_000),
            timed(i64::MAX, 0),
        ],
    );
    let expected = "5 \"caf\u{fffd}\" of app=\"x\" service.name=\"x\"; with\n\
        received \"b\" of app=\"x\" service.name=\"x\"; with\n\
        3 refused: entries[2]: timestamp.seconds -1 is below 0; \
        entries[3]: timestamp.nanos 1000000000 is not within 0 to 999999999; \
        entries[4]: timestamp.seconds 9223372036854775807 exceeds 9223372036";
    assert_eq!(shown(Format::LokiProtobuf, &body), expected);
    let body = loki::push("{app=x}", vec![loki::entry(1, "a"), loki::entry(2, "b")]);
    let told = shown(Format::LokiProtobuf, &body);
    assert!(told.starts_with("2 refused: entries[0]: labels: a quoted value"), "{told}");
    let many = vec![loki::Pair::default(); 1025];
    let body = loki::push("{}", vec![loki::Entry { metadata: many, ..loki::entry(1, "a") }]);
    let told = shown(Format::LokiProtobuf, &body);
    assert_eq!(told, "1 refused: entries[0]: structuredMetadata has more than 1024 names");
    let told = shown(Format::LokiProtobuf, b"\x0a\x02\x0a");
    assert!(told.starts_with("malformed protobuf: 2 bytes expected, 1 are left"), "{told}");
}

#[test]
fn splunk_events_are_translated() {
    holds(
        Format::SplunkEvents,
        &[
            (r#"{"event":"a"}"#, r#"received "a" of; with"#),
            (
                r#"{"time":1.25,"host":"h","source":"s","sourcetype":"t","index":"i","event":"a"}{"event":"b","time":"2"}
           {"event":"c","host":7}"#,
                "1250000000 \"a\" of host.name=\"h\" com.splunk.source=\"s\" com.splunk.sourcetype=\"t\" com.splunk.index=\"i\"; with\n\
          2000000000 \"b\" of; with\nreceived \"c\" of host.name=\"7\"; with",
            ),
            (
                r#"{"event":{"b":[1,2.5,null,true],"a":{"x":"y"}},"fields":{"n":1,"service.name":"s","level":"warn"}}"#,
                r#"received 13'warn' {"a":{"x":"y"},"b":[1,2.5,null,true]} of service.name="s"; with n=1 level="warn""#,
            ),
            (
                r#"{"event":3,"fields":{"otel.log.severity.number":17,"otel.log.severity.text":"Error"}}"#,
                r#"received 17'Error' 3 of; with"#,
            ),
            (
                r#"{"event":"a","time":"x"}{"event":"b"}{"x":1}{"event":""}{"event":"c","fields":[1]}"#,
                "received \"b\" of; with\n4 refused: events[0]: time 'x' is no number of seconds; \
          events[2]: event is absent; events[3]: event is blank; and 1 more",
            ),
            (r#"{"event":"c","fields":[1]}"#, "1 refused: events[0]: fields is no object"),
            (r#"7"#, "1 refused: events[0]: invalid type: integer `7`, expected an event…"),
            (r#"{"event":"a"}{"event":"#, "events[1]: malformed JSON: EOF while parsing a value…"),
            (" \n", "the body has no events"),
        ],
    );
    let deep = format!(r#"{{"event":{}{}}}"#, "[".repeat(70), "]".repeat(70));
    holds(
        Format::SplunkEvents,
        &[(&deep, "1 refused: events[0]: event: a value nests deeper than 64…")],
    );
}

#[test]
fn splunk_lines_are_translated() {
    holds(
        Format::SplunkRaw,
        &[
            (
                "{\"host\":\"h\",\"time\":\"1\"}\none\r\n\n  \ntwo",
                "1000000000 \"one\" of host.name=\"h\"; with\n1000000000 \"two\" of host.name=\"h\"; with",
            ),
            ("{}\na", "received \"a\" of; with"),
            (
                "{\"time\":\"soon\"}\na",
                "the request's parameters: time 'soon' is no number of seconds",
            ),
            ("{}\n", "the body has no events"),
            ("", "the request's parameters: EOF while parsing a value at line 1 column 0"),
        ],
    );
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z.]{0,6}", 1 => "[a-zé☃\u{10ffff}\"\\\\\n\t{}=,`']{0,5}"]
}

const KNOWN: [&str; 8] = [
    "level",
    "severity",
    "detected_level",
    "severity_text",
    "severity_number",
    "trace_id",
    "spanid",
    "service_name",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-d]{1,2}", 1 => proptest::sample::select(KNOWN.map(str::to_owned).to_vec())]
}

fn value() -> impl Strategy<Value = String> {
    let known = ["error", "Info", "9", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
    prop_oneof![3 => text(), 1 => proptest::sample::select(known.map(str::to_owned).to_vec())]
}

type Pairs = BTreeMap<String, String>;
type Streams = Vec<(Pairs, Vec<(i64, String, Pairs)>)>;

fn streams() -> impl Strategy<Value = Streams> {
    let pairs = || btree_map(name(), value(), 0..4);
    let time = prop_oneof![5 => 1i64.., 1 => Just(0)];
    vec((pairs(), vec((time, text(), pairs()), 0..4)), 0..4)
}

fn loki_json(streams: &Streams) -> Vec<u8> {
    let stream = |(labels, entries): &(Pairs, Vec<(i64, String, Pairs)>)| {
        let values: Vec<_> = entries
            .iter()
            .map(|(time_ns, line, fields)| json!([time_ns.to_string(), line, fields]))
            .collect();
        json!({ "stream": labels, "values": values })
    };
    json!({ "streams": streams.iter().map(stream).collect::<Vec<_>>() }).to_string().into_bytes()
}

fn loki_protobuf(streams: &Streams) -> Vec<u8> {
    let quoted = |(name, value): (&String, &String)| format!("{name}={}", json!(value));
    let entry = |(time_ns, line, fields): &(i64, String, Pairs)| {
        let pair = |(name, value): (&String, &String)| loki::Pair {
            name: name.clone(),
            value: value.clone(),
        };
        loki::Entry { metadata: fields.iter().map(pair).collect(), ..loki::entry(*time_ns, line) }
    };
    let stream = |(labels, entries): &(Pairs, Vec<(i64, String, Pairs)>)| loki::Stream {
        labels: format!("{{{}}}", labels.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        entries: entries.iter().map(entry).collect(),
        hash: 0,
    };
    loki::PushRequest { streams: streams.iter().map(stream).collect() }.encode_to_vec()
}

fn is_own(name: &str) -> bool {
    !KNOWN.contains(&name)
}

proptest! {
    #[test]
    fn loki_says_the_same_in_both_encodings_and_loses_nothing(streams in streams()) {
        let (json, protobuf) = (loki_json(&streams), loki_protobuf(&streams));
        let rows = shown(Format::LokiJson, &json);
        prop_assert_eq!(&rows, &shown(Format::LokiProtobuf, &protobuf));
        let decoded = decode_inflated(Signal::Logs, Format::LokiJson, &json, NOW_NS).expect("well-formed");
        prop_assert_eq!(decoded.rejected, 0);
        let mut got = decoded_rows(&decoded).into_iter();
        for (labels, entries) in &streams {
            for (time_ns, line, fields) in entries {
                let row = got.next().expect("a row for each entry");
                let time_ns = if *time_ns == 0 { NOW_NS } else { *time_ns };
                prop_assert_eq!(row.time_ns, time_ns);
                prop_assert_eq!(row.text.as_deref(), Some(line.as_str()));
                let own = |set: &[(String, Value)]| -> Pairs {
                    let own = set.iter().filter(|(name, _)| is_own(name) && name != "service.name");
                    own.map(|(name, value)| (name.clone(), value.to_json().as_str().expect("text").to_owned())).collect()
                };
                let sent = |pairs: &Pairs| -> Pairs {
                    pairs.iter().filter(|(name, _)| is_own(name)).map(|(k, v)| (k.clone(), v.clone())).collect()
                };
                prop_assert_eq!(own(&row.attributes), sent(fields));
                let mut labels = sent(labels);
                labels.retain(|_, text| !text.is_empty());
                prop_assert_eq!(own(&row.resource.attributes), labels);
            }
        }
        prop_assert!(got.next().is_none());
    }

    #[test]
    fn splunk_events_are_one_row_each(
        events in vec((text().prop_filter("not blank", |text| !text.is_empty()), 0i64..i64::MAX, btree_map("[a-d]{1,2}", text(), 0..4)), 1..6),
    ) {
        let body: String = events
            .iter()
            .map(|(text, time_ns, fields)| {
                let time = format!("{}.{:09}", time_ns / 1_000_000_000, time_ns % 1_000_000_000);
                json!({ "event": text, "time": time, "fields": fields }).to_string()
            })
            .collect();
        let decoded = decode_inflated(Signal::Logs, Format::SplunkEvents, body.as_bytes(), NOW_NS);
        let rows = decoded_rows(&decoded.expect("well-formed"));
        prop_assert_eq!(rows.len(), events.len());
        for (row, (text, time_ns, fields)) in rows.iter().zip(&events) {
            prop_assert_eq!((row.time_ns, row.text.as_deref()), (*time_ns, Some(text.as_str())));
            let sent: Vec<_> = fields.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect();
            prop_assert_eq!(&row.attributes, &sent);
        }
    }

    #[test]
    fn damaged_bodies_are_refused_or_read(
        streams in streams(),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        keep in any::<proptest::sample::Index>(),
    ) {
        let event = br#"{"time":"1.5","event":{"a":[1]},"fields":{"b":"c"}}{"event":"x"}"#.to_vec();
        let raw = b"{\"host\":\"h\"}\none\ntwo".to_vec();
        let bodies = [loki_protobuf(&streams), loki_json(&streams), event, raw];
        for (format, mut body) in FORMATS.into_iter().zip(bodies) {
            for (at, byte) in damage.iter().filter(|_| !body.is_empty()).collect::<Vec<_>>() {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            body.truncate(keep.index(2 * body.len() + 1));
            shown(format, &body);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(body in vec(any::<u8>(), 0..64), line in "\\PC{0,40}") {
        for format in FORMATS {
            shown(format, &body);
            shown(format, line.as_bytes());
            shown(format, format!("{{}}\n{line}").as_bytes());
        }
    }
}
