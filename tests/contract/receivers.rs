//! The receivers of older services on the real server: on ports of their own, beside the API, behind tokens,
//! and out of the log after `kill -9`.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use crate::harness::Server;

const PORTS: [(&str, &str); 4] = [
    ("THROUGHLINE_ZIPKIN_ADDRESS", "127.0.0.1:0"),
    ("THROUGHLINE_JAEGER_THRIFT_ADDRESS", "127.0.0.1:0"),
    ("THROUGHLINE_JAEGER_GRPC_ADDRESS", "127.0.0.1:0"),
    ("THROUGHLINE_JAEGER_SAMPLING_ADDRESS", "127.0.0.1:0"),
];

/// A list of one Zipkin span.
fn zipkin(id: u64) -> Vec<u8> {
    let endpoint = json!({ "serviceName": "zipkin", "ipv4": "10.0.0.1" });
    let span = json!({
        "traceId": format!("{id:016x}"), "id": format!("{id:016x}"), "name": "get", "kind": "SERVER",
        "timestamp": 1_795_176_000_000_000u64 + id, "duration": 5, "localEndpoint": endpoint,
    });
    json!([span]).to_string().into_bytes()
}

/// A batch of one Jaeger span in thrift's binary protocol.
fn jaeger_thrift(id: i64) -> Vec<u8> {
    let text = |id: u8, text: &str| {
        [&[11, 0, id][..], &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
    };
    let long = |id: u8, number: i64| [&[10, 0, id][..], &number.to_be_bytes()].concat();
    let process = [&[12, 0, 1][..], &text(1, "jaeger"), &[0]].concat();
    let span = [
        long(1, id),
        long(2, 0),
        long(3, id),
        long(4, 0),
        text(5, "get"),
        [&[8, 0, 7][..], &1i32.to_be_bytes()].concat(),
        long(8, 1_795_176_000_000_000),
        long(9, 5),
        vec![0],
    ]
    .concat();
    [process, vec![15, 0, 2, 12, 0, 0, 0, 1], span, vec![0]].concat()
}

/// A `PostSpansRequest` of one span, framed.
fn jaeger_grpc(id: u8) -> Vec<u8> {
    let nested = |number: u8, content: &[u8]| {
        [&[number << 3 | 2, content.len() as u8][..], content].concat()
    };
    let span = [
        nested(1, &[id; 16]),
        nested(2, &[id; 8]),
        nested(3, b"get"),
        nested(6, &[8, 0xc0, 0x95, 0x81, 0xd8, 6]),
    ]
    .concat();
    let batch = [nested(1, &span), nested(2, &nested(1, b"jaeger-grpc"))].concat();
    let request = nested(1, &batch);
    [&[0][..], &(request.len() as u32).to_be_bytes(), &request].concat()
}

async fn post(address: &str, path: &str, content_type: &str, body: Vec<u8>) -> (u16, String) {
    let request = reqwest::Client::new().post(format!("http://{address}{path}"));
    let request = request.header("content-type", content_type).body(body);
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

async fn get(address: &str, path: &str) -> Value {
    let answer = reqwest::get(format!("http://{address}{path}")).await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("text");
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_else(|err| panic!("{path}: {err} in {text}"))
}

async fn post_grpc(address: &str, id: u8) -> String {
    let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let handshake = hyper::client::conn::http2::handshake(executor, io).await;
    let (mut sender, connection) = handshake.expect("HTTP/2");
    tokio::spawn(connection);
    let path = "jaeger.api_v2.CollectorService/PostSpans";
    let request = hyper::Request::post(format!("http://{address}/{path}"))
        .header("content-type", "application/grpc")
        .body(Full::new(Bytes::from(jaeger_grpc(id))))
        .expect("valid");
    let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a body");
    let trailers = body.trailers().cloned().unwrap_or(head.headers);
    format!("{} {:?}", trailers["grpc-status"].to_str().expect("text"), &body.to_bytes()[..])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_port_takes_what_is_its_own_and_the_log_keeps_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = PORTS.to_vec();
    settings.push(("THROUGHLINE_FLUSH_AGE", "1h"));
    settings.push(("THROUGHLINE_FLUSH_IDLE", "1h"));
    let server = Server::start_with(folder.path(), &settings).await;
    let api = server.client.api.clone();
    let (own, thrift) = (server.address("zipkin"), server.address("jaeger_thrift"));
    let accepted = (202, String::new());
    let json = "application/json";
    // A v2 span on the path of v1 has no annotations there that would name its service.
    let zipkins = [
        (&own, "/api/v2/spans"),
        (&own, "/api/v1/spans"),
        (&api, "/zipkin/api/v2/spans"),
        (&api, "/api/v2/spans"),
        (&api, "/api/v1/spans"),
    ];
    for (id, (address, path)) in zipkins.into_iter().enumerate() {
        let posted = post(address, path, json, zipkin(id as u64 + 1)).await;
        assert_eq!(posted, accepted, "{path}");
    }
    // A retry counts once.
    assert_eq!(post(&own, "/api/v2/spans", json, zipkin(1)).await, accepted);
    let kind = "application/vnd.apache.thrift.binary";
    assert_eq!(post(&thrift, "/api/traces", kind, jaeger_thrift(11)).await, accepted);
    assert_eq!(post(&api, "/jaeger/api/traces", kind, jaeger_thrift(12)).await, accepted);
    for (id, address) in [(21, server.address("jaeger_grpc")), (22, server.otlp_grpc.clone())] {
        assert_eq!(post_grpc(&address, id).await, "0 [0, 0, 0, 0, 0]");
    }
    // The API is what it was.
    assert_eq!(post(&api, "/api/v2/nothing", json, zipkin(9)).await.0, 404);
    assert_eq!(post(&own, "/api/v2/traces", json, zipkin(9)).await.0, 404);

    let everything = "SELECT service_name, count(*) AS n FROM spans GROUP BY 1 ORDER BY 1";
    let rows = server.client.sql(everything).await;
    let counts: Vec<_> =
        rows.iter().map(|row| (row["service_name"].clone(), row["n"].clone())).collect();
    let expected = [("jaeger", 2), ("jaeger-grpc", 2), ("zipkin", 3), ("unknown_service", 2)];
    let mut expected: Vec<_> =
        expected.into_iter().map(|(name, n)| (Value::from(name), Value::from(n))).collect();
    expected.sort_by_key(|(name, _)| name.to_string());
    assert_eq!(counts, expected);
    server.kill().await;
    let server = Server::start(folder.path()).await;
    assert_eq!(server.client.sql(everything).await, rows, "out of the log");
    let trace = server.client.json(&format!("/api/v1/traces/{:032x}", 11)).await;
    assert_eq!(trace["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"], "get");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sampling_is_answered_from_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sampling.json");
    let strategies = json!({
        "service_strategies": [{ "service": "cart", "type": "ratelimiting", "param": 3 }],
    });
    std::fs::write(&file, strategies.to_string()).expect("the file is written");
    let path = file.display().to_string();
    let mut settings = PORTS.to_vec();
    settings.push(("THROUGHLINE_JAEGER_SAMPLING_FILE", path.as_str()));
    settings.push(("THROUGHLINE_JAEGER_SAMPLING_PROBABILITY", "25%"));
    let server = Server::start_with(&folder.path().join("data"), &settings).await;
    let limited = json!({
        "strategyType": "RATE_LIMITING", "rateLimitingSampling": { "maxTracesPerSecond": 3 },
    });
    let share = json!({
        "strategyType": "PROBABILISTIC", "probabilisticSampling": { "samplingRate": 0.25 },
    });
    let own = server.address("jaeger_sampling");
    for (address, path) in [
        (own.as_str(), "/sampling"),
        (server.client.api.as_str(), "/api/sampling"),
        (server.client.api.as_str(), "/jaeger/sampling"),
    ] {
        assert_eq!(get(address, &format!("{path}?service=cart")).await, limited, "{path}");
        assert_eq!(get(address, &format!("{path}?service=other")).await, share, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_wants_a_token_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = PORTS.to_vec();
    settings.push(("THROUGHLINE_AUTH_TOKENS", "secret"));
    let server = Server::spawn(folder.path(), &settings);
    let url = format!("http://{}/api/v2/spans", server.address("zipkin"));
    crate::harness::server::wait_until("taken", || async {
        let request = reqwest::Client::new().post(&url).bearer_auth("secret").body(zipkin(1));
        request.send().await.expect("an answer").status().as_u16() == 202
    })
    .await;
    let refused = post(&server.address("zipkin"), "/api/v2/spans", "", zipkin(2)).await;
    assert_eq!(refused.0, 401, "{}", refused.1);
}
