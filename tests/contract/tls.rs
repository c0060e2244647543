//! TLS on every port: the configured certificate, HTTP/1.1 and HTTP/2 by ALPN, no plain text.

use std::path::Path;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::server::wait_until;
use crate::harness::{Server, otlp};

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tls")
        .join(name)
        .display()
        .to_string()
}

async fn connect(address: &str, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    let certificate = CertificateDer::from_pem_file(fixture("certificate.pem")).expect("a fixture");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    if !alpn.is_empty() {
        config.alpn_protocols = vec![alpn.to_vec()];
    }
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

// One request over HTTP/1.1: its status line and everything after it.
async fn request(address: &str, head: &str, body: &[u8]) -> String {
    let mut stream = connect(address, b"http/1.1").await.expect("a handshake");
    let head = format!(
        "{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer secret\r\n\
         content-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(body).await.expect("sent");
    let mut answer = Vec::new();
    // A peer may close without TLS's own farewell; what came before it counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn ready(api: &str) {
    wait_until("ready", || async {
        connect(api, b"http/1.1").await.is_ok()
            && request(api, "GET /-/ready", b"").await.starts_with("HTTP/1.1 200")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_port_speaks_tls_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (fixture("certificate.pem"), fixture("key.pem"));
    let settings = [
        ("THROUGHLINE_TLS_CERTIFICATE_FILE", certificate.as_str()),
        ("THROUGHLINE_TLS_KEY_FILE", key.as_str()),
        ("THROUGHLINE_AUTH_TOKENS", "secret"),
    ];
    let server = Server::spawn(folder.path(), &settings);
    let api = server.client.api.clone();
    ready(&api).await;

    let sent = request(&server.client.otlp, "POST /v1/traces", &otlp::spans(1)).await;
    assert!(sent.starts_with("HTTP/1.1 200"), "{sent}");
    let found = request(&api, "GET /api/v1/services", b"").await;
    assert!(found.starts_with("HTTP/1.1 200") && found.contains("service-1"), "{found}");

    let address = server.otlp_grpc.clone();
    let connector = tower::service_fn(move |_| {
        let address = address.clone();
        async move { connect(&address, b"h2").await.map(hyper_util::rt::TokioIo::new) }
    });
    let endpoint = tonic::transport::Endpoint::from_static("http://localhost");
    let channel = endpoint.connect_with_connector(connector).await.expect("a channel");
    let mut client = TraceServiceClient::new(channel);
    let body = ExportTraceServiceRequest::decode(&otlp::spans(2)[..]).expect("valid");
    let mut with_token = tonic::Request::new(body.clone());
    with_token.metadata_mut().insert("authorization", "Bearer secret".parse().expect("ASCII"));
    client.export(with_token).await.expect("accepted");
    let refused = client.export(body).await.expect_err("no token");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{refused}");

    assert!(server.client.get("/-/ready").await.is_err(), "plain text is answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syslog_speaks_tls_on_a_port_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (fixture("certificate.pem"), fixture("key.pem"));
    let settings = [
        ("THROUGHLINE_TLS_CERTIFICATE_FILE", certificate.as_str()),
        ("THROUGHLINE_TLS_KEY_FILE", key.as_str()),
        ("THROUGHLINE_SYSLOG_TLS_ADDRESS", "127.0.0.1:0"),
    ];
    let server = Server::spawn(folder.path(), &settings);
    let api = server.client.api.clone();
    ready(&api).await;
    let mut stream = connect(&server.address("syslog_tls"), b"").await.expect("a handshake");
    stream.write_all(b"32 <13>1 - web1 cart - - - over TLS").await.expect("sent");
    stream.flush().await.expect("sent");
    wait_until("stored", || async {
        let page = request(&api, "GET /metrics", b"").await;
        page.contains("throughline_syslog_stored_total 1")
    })
    .await;
    let found = request(&api, "GET /api/v1/logs?limit=1", b"").await;
    assert!(found.contains("over TLS") && found.contains("cart"), "{found}");
}
