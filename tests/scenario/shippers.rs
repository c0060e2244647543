//! What older shippers of logs send, against the real server's ports: Elasticsearch's `_bulk` after its
//! handshake, syslog over UDP and TCP (over TLS in `contract/tls.rs`), and the real rsyslogd and Elasticsearch's
//! client for Python where they are installed.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket};

use crate::harness::Server;
use crate::harness::server::wait_until;

/// Heads that are kept: the tests of the log restart the server over them.
const KEPT: [(&str, &str); 2] = [("THROUGHLINE_FLUSH_AGE", "1h"), ("THROUGHLINE_FLUSH_IDLE", "1h")];

async fn rows(server: &Server, count: u64, query: &str) -> Vec<Value> {
    wait_until("all rows stored", || async {
        server.client.count("SELECT count(*) FROM logs").await >= count
    })
    .await;
    assert_eq!(server.client.count("SELECT count(*) FROM logs").await, count);
    server.client.sql(query).await.into_iter().map(Value::Object).collect()
}

async fn ask(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["x-elastic-product"], "Elasticsearch");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("text");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).expect("in memory");
    encoder.finish().expect("in memory")
}

/// What the bulks of the test below become.
fn bulk_rows() -> Value {
    json!([
        {
            "time": "2026-11-20T12:00:00.500Z", "body": "good", "severity_number": 17,
            "severity_text": "error", "service_name": "cart",
            "trace_id": "0102030405060708090a0b0c0d0e0f10",
            "attributes": { "elasticsearch.index": "logs-app", "http.status": 503 },
            "resource_attributes": { "service.name": "cart" },
        },
        {
            "time": "2026-11-20T12:00:01Z", "body": "good too", "severity_number": 0,
            "severity_text": "", "service_name": "unknown_service", "trace_id": null,
            "attributes": { "elasticsearch.index": "logs-app", "elasticsearch.id": "2" },
            "resource_attributes": { "k8s.pod.name": "p" },
        },
        {
            "time": "2026-11-20T12:00:02Z", "body": "packed", "severity_number": 0,
            "severity_text": "", "service_name": "unknown_service", "trace_id": null,
            "attributes": { "elasticsearch.index": "of-path" },
            "resource_attributes": {},
        },
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_with_good_and_bad_items_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = KEPT.to_vec();
    settings.push(("THROUGHLINE_ELASTICSEARCH_ADDRESS", "127.0.0.1:0"));
    let server = Server::start_with(folder.path(), &settings).await;
    let own = format!("http://{}", server.address("elasticsearch"));
    let beside = format!("http://{}/elasticsearch", server.client.api);
    let http = reqwest::Client::new();
    for base in [&own, &beside] {
        let (status, hello) = ask(http.get(format!("{base}/"))).await;
        assert_eq!((status, &hello["version"]["number"]), (200, &json!("8.17.0")));
        assert_eq!(ask(http.head(format!("{base}/"))).await, (200, Value::Null));
        let (_, license) = ask(http.get(format!("{base}/_license"))).await;
        assert_eq!(license["license"]["status"], "active");
        let template = format!("{base}/_index_template/filebeat-8.17.0");
        assert_eq!(ask(http.get(&template)).await, (200, json!({})));
        let put = http.put(&template).body("{}");
        assert_eq!(ask(put).await, (200, json!({ "acknowledged": true })));
    }

    let body = concat!(
        r#"{"create":{"_index":"logs-app"}}"#,
        "\n",
        r#"{"@timestamp":"2026-11-20T12:00:00.5Z","message":"good","log":{"level":"error"},"service":{"name":"cart"},"trace.id":"0102030405060708090a0b0c0d0e0f10","http":{"status":503}}"#,
        "\n",
        r#"{"create":{"_index":"logs-app"}}"#,
        "\n",
        r#""no object""#,
        "\n",
        r#"{"delete":{"_index":"logs-app","_id":"1"}}"#,
        "\n",
        r#"{"index":{"_index":"logs-app","_id":"2"}}"#,
        "\n",
        r#"{"@timestamp":1795176001000,"msg":"good too","kubernetes":{"pod":{"name":"p"}}}"#,
        "\n",
    );
    let post = http.post(format!("{own}/_bulk")).header("content-type", "application/x-ndjson");
    let (status, answer) = ask(post.body(body)).await;
    assert_eq!((status, &answer["errors"]), (200, &json!(true)));
    let statuses: Vec<_> = answer["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| {
            item.as_object().expect("an item").values().next().expect("one")["status"].clone()
        })
        .collect();
    assert_eq!(statuses, [201, 400, 400, 201]);
    let packed = gzip("{\"create\":{}}\n{\"@timestamp\":1795176002000,\"message\":\"packed\"}\n");
    let post = http.post(format!("{beside}/of-path/_bulk")).header("content-encoding", "gzip");
    let (status, answer) = ask(post.body(packed)).await;
    assert_eq!((status, &answer["errors"]), (200, &json!(false)), "{answer}");
    assert_eq!(answer["items"][0]["create"]["_index"], "of-path");

    let query = "SELECT CAST(time AS VARCHAR) AS time, body, severity_number, severity_text, \
                 service_name, trace_id, attributes, resource_attributes FROM logs ORDER BY time";
    let expected = bulk_rows();
    let before = rows(&server, 3, query).await;
    assert_eq!(json!(before), expected);
    searches_find_them(&http, &[&own, &beside]).await;
    server.kill().await;
    let server = Server::start_with(folder.path(), &settings).await;
    assert_eq!(json!(rows(&server, 3, query).await), expected, "out of the log");
}

async fn searches_find_them(http: &reqwest::Client, bases: &[&str]) {
    for base in bases {
        for (index, count) in [("logs-a*", 2), ("of-path", 1), ("logs", 3), ("other", 0)] {
            let search = http.get(format!("{base}/{index}/_search?q=good+OR+packed"));
            let (status, found) = ask(search).await;
            assert_eq!((status, &found["hits"]["total"]["value"]), (200, &json!(count)), "{index}");
        }
        let (_, found) = ask(http.get(format!("{base}/_search?q=_id:2"))).await;
        assert_eq!(found["hits"]["hits"][0]["_id"], "2", "{found}");
    }
}

const SYSLOG_QUERY: &str = "SELECT body, severity_number, severity_text, service_name, attributes, \
                            resource_attributes FROM logs ORDER BY body";

/// What the messages of the test below become.
fn syslog_rows() -> Value {
    let facility = |code: u64, name: &str| {
        json!({
            "syslog.facility.code": code, "syslog.facility.name": name,
            "network.peer.address": "127.0.0.1",
        })
    };
    let mut structured = facility(20, "local4");
    structured["process.pid"] = 8710.into();
    structured["syslog.msgid"] = "ID47".into();
    structured["syslog.sd.ex@1.a"] = "b".into();
    let mut legacy = facility(4, "auth");
    legacy["process.pid"] = 9.into();
    let tcp = |body: &str| {
        json!({
            "body": body, "severity_number": 10, "severity_text": "notice", "service_name": "a",
            "attributes": facility(1, "user"),
            "resource_attributes": { "host.name": "web3", "service.name": "a" },
        })
    };
    json!([
        {
            "body": "1 structured", "severity_number": 10, "severity_text": "notice",
            "service_name": "cart", "attributes": structured,
            "resource_attributes": { "host.name": "web1", "service.name": "cart" },
        },
        {
            "body": "2 legacy", "severity_number": 18, "severity_text": "crit",
            "service_name": "su", "attributes": legacy,
            "resource_attributes": { "host.name": "web2", "service.name": "su" },
        },
        {
            "body": "3 \u{fffd} nothing of either", "severity_number": 0, "severity_text": "",
            "service_name": "unknown_service", "attributes": { "network.peer.address": "127.0.0.1" },
            "resource_attributes": {},
        },
        tcp("4 line"),
        tcp("5 counted\nover lines"),
        tcp("6 last"),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syslog_over_udp_and_tcp_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = KEPT.to_vec();
    settings.push(("THROUGHLINE_SYSLOG_UDP_ADDRESS", "127.0.0.1:0"));
    settings.push(("THROUGHLINE_SYSLOG_TCP_ADDRESS", "127.0.0.1:0"));
    let server = Server::start_with(folder.path(), &settings).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let udp = server.address("syslog_udp");
    let datagrams: [&[u8]; 3] = [
        b"<165>1 2026-11-20T12:00:00.003Z web1 cart 8710 ID47 [ex@1 a=\"b\"] 1 structured",
        b"<34>Nov 20 12:00:00 web2 su[9]: 2 legacy",
        b"3 \xff nothing of either",
    ];
    for datagram in datagrams {
        socket.send_to(datagram, &udp).await.expect("sent");
    }
    let mut stream = TcpStream::connect(server.address("syslog_tcp")).await.expect("connects");
    let counted = "<13>Nov 20 12:00:00 web3 a: 5 counted\nover lines";
    let text = format!("<13>Nov 20 12:00:00 web3 a: 4 line\n{} {counted}", counted.len());
    stream.write_all(text.as_bytes()).await.expect("sent");
    stream.write_all(b"<13>Nov 20 12:00:00 web3 a: 6 last\n").await.expect("sent");

    let before = json!(rows(&server, 6, SYSLOG_QUERY).await);
    let expected = syslog_rows();
    assert_eq!(before, expected);
    let page = server.client.get("/metrics").await.expect("an answer").text().await.expect("text");
    assert!(page.contains("throughline_syslog_stored_total 6"), "{page}");
    server.kill().await;
    let server = Server::start_with(folder.path(), &settings).await;
    assert_eq!(json!(rows(&server, 6, SYSLOG_QUERY).await), expected, "out of the log");

    // What was sent just before the end is stored, though the connection stays open.
    let mut stream = TcpStream::connect(server.address("syslog_tcp")).await.expect("connects");
    stream.write_all(b"<13>Nov 20 12:00:00 web3 a: 7 open\n").await.expect("sent");
    rows(&server, 7, SYSLOG_QUERY).await;
    assert!(server.stop().await, "it stops well while a connection is open");
    let server = Server::start_with(folder.path(), &settings).await;
    rows(&server, 7, SYSLOG_QUERY).await;
}

fn rsyslogd() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/sbin/rsyslogd");
    path.exists().then_some(path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsyslogd_forwards_what_it_is_told() {
    let Some(rsyslogd) = rsyslogd() else {
        eprintln!("skipped: no /usr/sbin/rsyslogd; `make setup` installs it");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("THROUGHLINE_SYSLOG_TCP_ADDRESS", "127.0.0.1:0"),
        ("THROUGHLINE_SYSLOG_UDP_ADDRESS", "127.0.0.1:0"),
    ];
    let server = Server::start_with(&folder.path().join("data"), &settings).await;
    let port = |name: &str| server.address(name).rsplit_once(':').expect("a port").1.to_owned();
    let (tcp, udp) = (port("syslog_tcp"), port("syslog_udp"));
    let at = |name: &str| folder.path().join(name).display().to_string();
    let forward = |port: &str, protocol: &str, template: &str, more: &str| {
        format!(
            "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" protocol=\"{protocol}\" \
             template=\"{template}\" {more})\n"
        )
    };
    let configuration = format!(
        "global(workDirectory=\"{}\" localHostname=\"web1\")\n\
         module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
         input(type=\"imuxsock\" Socket=\"{}\")\n{}{}{}",
        folder.path().display(),
        at("log"),
        forward(&tcp, "tcp", "RSYSLOG_SyslogProtocol23Format", "TCP_Framing=\"octet-counted\""),
        forward(&tcp, "tcp", "RSYSLOG_ForwardFormat", "TCP_Framing=\"traditional\""),
        forward(&udp, "udp", "RSYSLOG_TraditionalForwardFormat", ""),
    );
    std::fs::write(at("rsyslog.conf"), configuration).expect("written");
    let mut daemon = tokio::process::Command::new(rsyslogd)
        .args(["-n", "-f", &at("rsyslog.conf"), "-i", &at("pid")])
        .kill_on_drop(true)
        .spawn()
        .expect("rsyslogd starts");
    let socket = tokio::net::UnixDatagram::unbound().expect("a socket");
    wait_until("rsyslogd listens", || async { socket.connect(at("log")).is_ok() }).await;
    for number in 0..100 {
        let message = format!("<11>Nov 20 12:00:00 cart[4711]: number {number:03}");
        socket.send(message.as_bytes()).await.expect("sent");
    }
    let query = "SELECT body, severity_text, service_name, attributes['process.pid'] AS pid, \
                 resource_attributes['host.name'] AS host, count(*) AS times FROM logs \
                 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1";
    let found = rows(&server, 300, query).await;
    assert_eq!(found.len(), 100, "{:?}", found.first());
    for (number, row) in found.iter().enumerate() {
        let expected = json!({
            "body": format!("number {number:03}"), "severity_text": "err", "service_name": "cart",
            "pid": "4711", "host": "web1", "times": 3,
        });
        assert_eq!(row, &expected);
    }
    daemon.kill().await.expect("rsyslogd ends");
}

/// The interpreter with the client of Elasticsearch stands beside the one with the SDK of today.
pub fn python() -> Option<PathBuf> {
    let today = PathBuf::from(std::env::var_os("THROUGHLINE_SDK_PYTHON")?);
    let folder = today.parent()?.parent()?.parent()?;
    Some(folder.join("sdk-python-shippers/bin/python")).filter(|path| path.exists())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elasticsearchs_client_and_pythons_syslog_round_trip() {
    let Some(python) = python() else {
        eprintln!(
            "skipped: no sdk-python-shippers beside THROUGHLINE_SDK_PYTHON; `make setup` makes one"
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("THROUGHLINE_ELASTICSEARCH_ADDRESS", "127.0.0.1:0"),
        ("THROUGHLINE_SYSLOG_UDP_ADDRESS", "127.0.0.1:0"),
        ("THROUGHLINE_SYSLOG_TCP_ADDRESS", "127.0.0.1:0"),
    ];
    let server = Server::start_with(folder.path(), &settings).await;
    let mut command = tokio::process::Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/python/shippers.py"));
    command.args(["--elasticsearch", &server.address("elasticsearch")]);
    command.args(["--udp", &server.address("syslog_udp")]);
    command.args(["--tcp", &server.address("syslog_tcp")]);
    command.args(["--api", &server.client.api]);
    let output = command.output().await.expect("the script runs");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
}
