//! Tails of log records over the server's own listener: both protocols, and the end with the server.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Server, otlp};

/// Sends the head of a request.
async fn ask(address: &str, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(head.replace('\n', "\r\n").as_bytes()).await.expect("sent");
    stream
}

/// Reads until this text has come. Frames of a server are not masked: their text can be seen.
async fn hear(stream: &mut TcpStream, text: &str) -> String {
    let mut heard = String::new();
    while !heard.contains(text) {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).await.expect("reads");
        assert!(count > 0, "ended without '{text}': {heard}");
        heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    heard
}

#[tokio::test]
async fn records_come_until_the_server_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let address = server.address("http");
    let path = "/api/v1/logs/tail?query=body";
    let mut events = ask(&address, &format!("GET {path} HTTP/1.1\nHost: {address}\n\n")).await;
    let upgrade = "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let head = format!("GET {path} HTTP/1.1\nHost: {address}\n{upgrade}\n\n");
    let mut socket = ask(&address, &head).await;
    hear(&mut events, "event: open").await;
    let answer = hear(&mut socket, r#""event":"open""#).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    server.client.send("/v1/logs", otlp::logs(7)).await;
    for stream in [&mut events, &mut socket] {
        hear(stream, "item 0 of body 7").await;
    }
    assert!(server.stop().await, "it does not wait for who listens");
    hear(&mut socket, "the server shuts down").await;
    let mut rest = Vec::new();
    events.read_to_end(&mut rest).await.expect("an end, not a reset");
    assert!(rest.ends_with(b"0\r\n\r\n"), "a whole answer");
}
