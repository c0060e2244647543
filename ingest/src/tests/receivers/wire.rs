//! Zipkin's and Jaeger's messages as structs, which prost writes as protobuf and the functions here as
//! JSON and thrift.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use prost::Message;
use serde_json::{Map, Value, json};

use super::thrift::Thrift;

pub mod zipkin {
    use super::*;

    #[derive(Clone, PartialEq, Message)]
    pub struct ListOfSpans {
        #[prost(message, repeated, tag = "1")]
        pub spans: Vec<Span>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Span {
        #[prost(bytes = "vec", tag = "1")]
        pub trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub parent_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "3")]
        pub id: Vec<u8>,
        #[prost(int32, tag = "4")]
        pub kind: i32,
        #[prost(string, tag = "5")]
        pub name: String,
        #[prost(fixed64, tag = "6")]
        pub timestamp: u64,
        #[prost(uint64, tag = "7")]
        pub duration: u64,
        #[prost(message, optional, tag = "8")]
        pub local_endpoint: Option<Endpoint>,
        #[prost(message, optional, tag = "9")]
        pub remote_endpoint: Option<Endpoint>,
        #[prost(message, repeated, tag = "10")]
        pub annotations: Vec<Annotation>,
        #[prost(btree_map = "string, string", tag = "11")]
        pub tags: BTreeMap<String, String>,
        #[prost(bool, tag = "12")]
        pub debug: bool,
        #[prost(bool, tag = "13")]
        pub shared: bool,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Endpoint {
        #[prost(string, tag = "1")]
        pub service_name: String,
        #[prost(bytes = "vec", tag = "2")]
        pub ipv4: Vec<u8>,
        #[prost(bytes = "vec", tag = "3")]
        pub ipv6: Vec<u8>,
        #[prost(int32, tag = "4")]
        pub port: i32,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Annotation {
        #[prost(fixed64, tag = "1")]
        pub timestamp: u64,
        #[prost(string, tag = "2")]
        pub value: String,
    }

    const KINDS: [&str; 5] = ["", "CLIENT", "SERVER", "PRODUCER", "CONSUMER"];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn json_list(spans: &[Span]) -> Vec<u8> {
        Value::Array(spans.iter().map(json_span).collect()).to_string().into_bytes()
    }

    fn json_span(span: &Span) -> Value {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        put("traceId", hex(&span.trace_id).into());
        put("id", hex(&span.id).into());
        if !span.parent_id.is_empty() {
            put("parentId", hex(&span.parent_id).into());
        }
        if span.kind != 0 {
            put("kind", KINDS[span.kind as usize].into());
        }
        put("name", span.name.clone().into());
        put("timestamp", span.timestamp.into());
        put("duration", span.duration.into());
        for (key, endpoint) in
            [("localEndpoint", &span.local_endpoint), ("remoteEndpoint", &span.remote_endpoint)]
        {
            put(key, endpoint.as_ref().map_or(Value::Null, json_endpoint));
        }
        let annotations = span.annotations.iter();
        let annotations = annotations.map(
            |annotation| json!({"timestamp": annotation.timestamp, "value": annotation.value}),
        );
        put("annotations", annotations.collect());
        put("tags", json!(span.tags));
        put("debug", span.debug.into());
        put("shared", span.shared.into());
        Value::Object(out)
    }

    pub fn json_endpoint(endpoint: &Endpoint) -> Value {
        let mut out = json!({ "serviceName": endpoint.service_name, "port": endpoint.port });
        if let Ok(ip) = <[u8; 4]>::try_from(endpoint.ipv4.as_slice()) {
            out["ipv4"] = Ipv4Addr::from(ip).to_string().into();
        }
        if let Ok(ip) = <[u8; 16]>::try_from(endpoint.ipv6.as_slice()) {
            out["ipv6"] = Ipv6Addr::from(ip).to_string().into();
        }
        out
    }
}

/// Zipkin's first model.
pub mod v1 {
    use super::*;

    #[derive(Clone, Debug)]
    pub struct Span {
        pub trace_id: u64,
        pub trace_id_high: u64,
        pub name: String,
        pub id: u64,
        pub parent_id: Option<u64>,
        pub annotations: Vec<(u64, String, Option<zipkin::Endpoint>)>,
        pub tags: Vec<(String, String, Option<zipkin::Endpoint>)>,
        pub address: Option<(String, zipkin::Endpoint)>,
        pub debug: bool,
        pub timestamp: Option<u64>,
        pub duration: Option<u64>,
    }

    pub fn json_list(spans: &[Span]) -> Vec<u8> {
        Value::Array(spans.iter().map(json_span).collect()).to_string().into_bytes()
    }

    fn json_span(span: &Span) -> Value {
        let host = |host: &Option<zipkin::Endpoint>| host.as_ref().map(zipkin::json_endpoint);
        let annotations = span.annotations.iter().map(|(timestamp, value, at)| {
            json!({ "timestamp": timestamp, "value": value, "endpoint": host(at) })
        });
        let tags = span
            .tags
            .iter()
            .map(|(key, value, at)| json!({ "key": key, "value": value, "endpoint": host(at) }));
        let address = span.address.iter().map(
            |(key, at)| json!({ "key": key, "value": true, "endpoint": zipkin::json_endpoint(at) }),
        );
        json!({
            "traceId": format!("{:016x}{:016x}", span.trace_id_high, span.trace_id),
            "name": span.name,
            "id": format!("{:x}", span.id),
            "parentId": span.parent_id.map(|id| format!("{id:016x}")),
            "annotations": annotations.collect::<Vec<_>>(),
            "binaryAnnotations": tags.chain(address).collect::<Vec<_>>(),
            "debug": span.debug,
            "timestamp": span.timestamp,
            "duration": span.duration,
        })
    }

    pub fn thrift_list(spans: &[Span]) -> Thrift {
        Thrift::List(spans.iter().map(thrift_span).collect())
    }

    fn endpoint(id: i16, endpoint: &zipkin::Endpoint) -> (i16, Thrift) {
        let ipv4 = endpoint.ipv4.as_slice().try_into().map_or(0, i32::from_be_bytes);
        let mut fields = vec![
            (1, Thrift::I32(ipv4)),
            (2, Thrift::I16(endpoint.port as u16 as i16)),
            (3, Thrift::text(&endpoint.service_name)),
        ];
        if !endpoint.ipv6.is_empty() {
            fields.push((4, Thrift::Bytes(endpoint.ipv6.clone())));
        }
        (id, Thrift::Struct(fields))
    }

    fn thrift_span(span: &Span) -> Thrift {
        let annotations = span.annotations.iter().map(|(timestamp, value, at)| {
            let mut fields = vec![(1, Thrift::I64(*timestamp as i64)), (2, Thrift::text(value))];
            fields.extend(at.iter().map(|at| endpoint(3, at)));
            Thrift::Struct(fields)
        });
        let tags = span.tags.iter().map(|(key, value, at)| {
            let mut fields =
                vec![(1, Thrift::text(key)), (2, Thrift::text(value)), (3, Thrift::I32(6))];
            fields.extend(at.iter().map(|at| endpoint(4, at)));
            Thrift::Struct(fields)
        });
        let address = span.address.iter().map(|(key, at)| {
            let value = Thrift::Bytes(vec![1]);
            Thrift::Struct(vec![
                (1, Thrift::text(key)),
                (2, value),
                (3, Thrift::I32(0)),
                endpoint(4, at),
            ])
        });
        let mut fields = vec![
            (1, Thrift::I64(span.trace_id as i64)),
            (3, Thrift::text(&span.name)),
            (4, Thrift::I64(span.id as i64)),
            (6, Thrift::List(annotations.collect())),
            (8, Thrift::List(tags.chain(address).collect())),
            (9, Thrift::Bool(span.debug)),
            (12, Thrift::I64(span.trace_id_high as i64)),
        ];
        let times = [(5, span.parent_id), (10, span.timestamp), (11, span.duration)];
        let times =
            times.into_iter().filter_map(|(id, time)| Some((id, Thrift::I64(time? as i64))));
        fields.extend(times);
        Thrift::Struct(fields)
    }
}

pub mod jaeger {
    use super::*;

    #[derive(Clone, PartialEq, Message)]
    pub struct PostSpansRequest {
        #[prost(message, optional, tag = "1")]
        pub batch: Option<Batch>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Batch {
        #[prost(message, repeated, tag = "1")]
        pub spans: Vec<Span>,
        #[prost(message, optional, tag = "2")]
        pub process: Option<Process>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Process {
        #[prost(string, tag = "1")]
        pub service_name: String,
        #[prost(message, repeated, tag = "2")]
        pub tags: Vec<KeyValue>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct KeyValue {
        #[prost(string, tag = "1")]
        pub key: String,
        #[prost(int32, tag = "2")]
        pub v_type: i32,
        #[prost(string, tag = "3")]
        pub v_str: String,
        #[prost(bool, tag = "4")]
        pub v_bool: bool,
        #[prost(int64, tag = "5")]
        pub v_int64: i64,
        #[prost(double, tag = "6")]
        pub v_float64: f64,
        #[prost(bytes = "vec", tag = "7")]
        pub v_binary: Vec<u8>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Time {
        #[prost(int64, tag = "1")]
        pub seconds: i64,
        #[prost(int32, tag = "2")]
        pub nanos: i32,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Log {
        #[prost(message, optional, tag = "1")]
        pub timestamp: Option<Time>,
        #[prost(message, repeated, tag = "2")]
        pub fields: Vec<KeyValue>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct SpanRef {
        #[prost(bytes = "vec", tag = "1")]
        pub trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub span_id: Vec<u8>,
        #[prost(int32, tag = "3")]
        pub ref_type: i32,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Span {
        #[prost(bytes = "vec", tag = "1")]
        pub trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub span_id: Vec<u8>,
        #[prost(string, tag = "3")]
        pub operation_name: String,
        #[prost(message, repeated, tag = "4")]
        pub references: Vec<SpanRef>,
        #[prost(uint32, tag = "5")]
        pub flags: u32,
        #[prost(message, optional, tag = "6")]
        pub start_time: Option<Time>,
        #[prost(message, optional, tag = "7")]
        pub duration: Option<Time>,
        #[prost(message, repeated, tag = "8")]
        pub tags: Vec<KeyValue>,
        #[prost(message, repeated, tag = "9")]
        pub logs: Vec<Log>,
        #[prost(message, optional, tag = "10")]
        pub process: Option<Process>,
        #[prost(string, repeated, tag = "12")]
        pub warnings: Vec<String>,
    }

    pub fn thrift_batch(batch: &Batch) -> Thrift {
        let process = batch.process.clone().unwrap_or_default();
        let process = Thrift::Struct(vec![
            (1, Thrift::text(&process.service_name)),
            (2, thrift_tags(&process.tags)),
        ]);
        let spans = batch.spans.iter().map(thrift_span).collect();
        Thrift::Struct(vec![(1, process), (2, Thrift::List(spans))])
    }

    fn halves(trace_id: &[u8]) -> (Thrift, Thrift) {
        let (high, low) = trace_id.split_at(8);
        let half = |bytes: &[u8]| Thrift::I64(i64::from_be_bytes(bytes.try_into().expect("8")));
        (half(low), half(high))
    }

    fn span_id(bytes: &[u8]) -> Thrift {
        Thrift::I64(i64::from_be_bytes(bytes.try_into().expect("8 bytes")))
    }

    fn micros(time: &Option<Time>) -> Thrift {
        let time = time.clone().unwrap_or_default();
        Thrift::I64(time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000)
    }

    fn thrift_span(span: &Span) -> Thrift {
        let (low, high) = halves(&span.trace_id);
        let references = span.references.iter().map(|reference| {
            let (low, high) = halves(&reference.trace_id);
            let kind = Thrift::I32(reference.ref_type);
            Thrift::Struct(vec![(1, kind), (2, low), (3, high), (4, span_id(&reference.span_id))])
        });
        let logs = span.logs.iter().map(|log| {
            Thrift::Struct(vec![(1, micros(&log.timestamp)), (2, thrift_tags(&log.fields))])
        });
        Thrift::Struct(vec![
            (1, low),
            (2, high),
            (3, span_id(&span.span_id)),
            (4, Thrift::I64(0)),
            (5, Thrift::text(&span.operation_name)),
            (6, Thrift::List(references.collect())),
            (7, Thrift::I32(span.flags as i32)),
            (8, micros(&span.start_time)),
            (9, micros(&span.duration)),
            (10, thrift_tags(&span.tags)),
            (11, Thrift::List(logs.collect())),
            (12, Thrift::Bool(true)),
        ])
    }

    fn thrift_tags(tags: &[KeyValue]) -> Thrift {
        Thrift::List(tags.iter().map(thrift_tag).collect())
    }

    fn thrift_tag(tag: &KeyValue) -> Thrift {
        let (kind, value) = match tag.v_type {
            0 => (0, (3, Thrift::text(&tag.v_str))),
            1 => (2, (5, Thrift::Bool(tag.v_bool))),
            2 => (3, (6, Thrift::I64(tag.v_int64))),
            3 => (1, (4, Thrift::Double(tag.v_float64))),
            _ => (4, (7, Thrift::Bytes(tag.v_binary.clone()))),
        };
        Thrift::Struct(vec![(1, Thrift::text(&tag.key)), (2, Thrift::I32(kind)), value])
    }
}
