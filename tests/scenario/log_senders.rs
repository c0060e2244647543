//! Logs by the protocols of Graylog, Fluent and VictoriaLogs, against the real server's ports, and the
//! clients of Python for these and for Loki where they are installed.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use super::shippers::python;
use crate::harness::Server;
use crate::harness::server::wait_until;

const SETTINGS: [(&str, &str); 5] = [
    ("THROUGHLINE_FLUSH_AGE", "1h"),
    ("THROUGHLINE_FLUSH_IDLE", "1h"),
    ("THROUGHLINE_GELF_UDP_ADDRESS", "127.0.0.1:0"),
    ("THROUGHLINE_GELF_TCP_ADDRESS", "127.0.0.1:0"),
    ("THROUGHLINE_FLUENT_TCP_ADDRESS", "127.0.0.1:0"),
];

async fn bodies(server: &Server, count: u64) -> Vec<String> {
    wait_until("all rows stored", || async {
        server.client.count("SELECT count(*) FROM logs").await >= count
    })
    .await;
    let rows = server.client.sql("SELECT body FROM logs ORDER BY body").await;
    rows.iter().map(|row| row["body"].as_str().expect("text").to_owned()).collect()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("in memory");
    encoder.finish().expect("in memory")
}

/// `[tag, bytes of [[0, {"log": text}]], {"chunk": chunk}]`
fn packed(text: &str, chunk: &str) -> Vec<u8> {
    let short = |text: &str| [&[0xa0 | text.len() as u8], text.as_bytes()].concat();
    let entry = [&[0x92, 0xce, 0x6a, 0xff, 0x00, 0x00, 0x81][..], &short("log"), &short(text)];
    let entry = entry.concat();
    let head = [&[0x93][..], &short("app"), &[0xc4, entry.len() as u8]].concat();
    [head, entry, vec![0x81], short("chunk"), short(chunk)].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gelf_forward_and_json_lines_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(folder.path(), &SETTINGS).await;

    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let udp = server.address("gelf_udp");
    let message = zlib(br#"{"version":"1.1","host":"a","short_message":"1 gelf in chunks"}"#);
    let (one, two) = message.split_at(message.len() / 2);
    for (number, part) in [(1u8, two), (0, one)] {
        let chunk = [&[0x1e, 0x0f][..], &[7; 8], &[number, 2], part].concat();
        socket.send_to(&chunk, &udp).await.expect("sent");
    }
    let mut stream = TcpStream::connect(server.address("gelf_tcp")).await.expect("connects");
    let text =
        "{\n\"short_message\":\"2 gelf over tcp\"}\0{\"short_message\":\"3 gelf, the last\"}";
    stream.write_all(text.as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("ends");

    let http = reqwest::Client::new();
    let url = |path: &str| format!("http://{}{path}", server.client.api);
    let post = http.post(url("/gelf")).body(r#"{"short_message":"4 gelf over http"}"#);
    assert_eq!(post.send().await.expect("an answer").status(), 202);
    let post = http.post(url("/gelf")).body("nonsense").send().await.expect("an answer");
    assert_eq!(post.status(), 400);

    let mut stream = TcpStream::connect(server.address("fluent_tcp")).await.expect("connects");
    for (text, chunk) in [("5 forward", "c1"), ("6 forward", "c2"), ("6 forward", "c2")] {
        let message = packed(text, chunk);
        let (one, two) = message.split_at(9);
        stream.write_all(one).await.expect("sent");
        stream.write_all(two).await.expect("sent");
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(answer[..], [&b"\x81\xa3ack\xa2"[..], chunk.as_bytes()].concat());
    }

    let lines =
        "{\"_time\":\"2026-11-20T12:00:00Z\",\"text\":\"7 line\",\"app\":\"shop\"}\nnonsense\n";
    let post = http.post(url("/insert/jsonline?_msg_field=text&_stream_fields=app"));
    let answer = post.body(lines).send().await.expect("an answer");
    assert_eq!(answer.status(), 400);
    let told = answer.text().await.expect("text");
    assert!(told.starts_with("1 lines refused, the others kept: lines[1]"), "{told}");

    let expected = [
        "1 gelf in chunks",
        "2 gelf over tcp",
        "3 gelf, the last",
        "4 gelf over http",
        "5 forward",
        "6 forward",
        "7 line",
    ];
    assert_eq!(bodies(&server, expected.len() as u64).await, expected);
    server.kill().await;
    let server = Server::start_with(folder.path(), &SETTINGS).await;
    assert_eq!(bodies(&server, expected.len() as u64).await, expected, "out of the log");
    let streams = server.client.json("/loki/api/v1/series?match[]=%7Bapp%3D%22shop%22%7D").await;
    assert!(streams["data"].is_array(), "{streams}");
    assert!(server.stop().await, "it stops well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pythons_clients_of_fluent_gelf_and_loki_round_trip() {
    let Some(python) = python() else {
        eprintln!(
            "skipped: no sdk-python-shippers beside THROUGHLINE_SDK_PYTHON; `make setup` makes one"
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(folder.path(), &SETTINGS).await;
    let mut command = tokio::process::Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/python/log_senders.py"));
    command.args(["--fluent", &server.address("fluent_tcp")]);
    command.args(["--gelf-udp", &server.address("gelf_udp")]);
    command.args(["--gelf-tcp", &server.address("gelf_tcp")]);
    command.args(["--api", &server.client.api]);
    let output = command.output().await.expect("the script runs");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    let rows = server
        .client
        .sql("SELECT body, service_name FROM logs ORDER BY body, service_name")
        .await
        .into_iter()
        .map(Value::Object);
    let rows: Vec<_> = rows.collect();
    let row = |body: &str, service: &str| json!({ "body": body, "service_name": service });
    assert_eq!(
        rows,
        [
            row("fluent 0", "unknown_service"),
            row("fluent 1", "unknown_service"),
            row("gelf over tcp", "cart"),
            row("gelf over udp", "cart"),
            row("loki", "shop"),
        ]
    );
}
