//! Tails over real sockets: events, a WebSocket, slow readers, shutdown.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use serde_json::json;
use throughline_storage::TAILS_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;

/// Serves the routes on a port until the task is aborted: it keeps the store open.
pub async fn serve(server: &Server) -> (SocketAddr, JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has one");
    let routes = server.routes.clone();
    (address, tokio::spawn(async move { axum::serve(listener, routes).await }))
}

pub async fn stop(server: Server, serving: JoinHandle<std::io::Result<()>>) {
    serving.abort();
    assert!(serving.await.expect_err("was aborted").is_cancelled());
    server.stop().await;
}

/// A client of Server-Sent Events.
struct Events {
    stream: TcpStream,
    text: String,
}

impl Events {
    async fn open(stream: TcpStream, query: &str) -> Self {
        let mut events = Self { stream, text: String::new() };
        // HTTP/1.0: the body comes as it is, without chunks, until the connection ends.
        let request = format!("GET /api/v1/logs/tail?{query} HTTP/1.0\r\n\r\n");
        events.stream.write_all(request.as_bytes()).await.expect("sent");
        while !events.text.contains("\r\n\r\n") {
            events.read().await.expect("an answer");
        }
        let (head, rest) = events.text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains("200 OK"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        events.text = rest.to_owned();
        let open = events.next().await.expect("a first event");
        assert_eq!(open["event"], "open");
        events
    }

    async fn read(&mut self) -> Option<()> {
        let mut bytes = [0; 64 * 1024];
        let count = self.stream.read(&mut bytes).await.expect("reads");
        self.text.push_str(std::str::from_utf8(&bytes[..count]).expect("ASCII in these tests"));
        (count > 0).then_some(())
    }

    /// The next message; none when the server has ended the answer.
    async fn next(&mut self) -> Option<Json> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let Some(data) = field("data: ") else { continue };
                let message: Json = serde_json::from_str(data).expect("JSON");
                assert_eq!(message["event"], field("event: ").expect("a name"));
                return Some(message);
            }
            self.read().await?;
        }
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn open_socket(address: SocketAddr, query: &str) -> Socket {
    let stream = TcpStream::connect(address).await.expect("connects");
    let url = format!("ws://{address}/api/v1/logs/tail?{query}");
    let (mut socket, _) = client_async(url, stream).await.expect("shakes hands");
    assert_eq!(hear(&mut socket).await["event"], "open");
    socket
}

/// The next message of the server.
async fn hear(socket: &mut Socket) -> Json {
    loop {
        match socket.next().await.expect("goes on").expect("reads") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn say(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.expect("sent");
}

fn bodies(message: &Json) -> Vec<&str> {
    assert_eq!(message["event"], "records", "{message}");
    let logs = message["logs"].as_array().expect("records");
    logs.iter().map(|log| log["body"].as_str().expect("a text")).collect()
}

fn records(bodies: &[&str]) -> Vec<(Value, i32, Option<u8>)> {
    bodies.iter().map(|body| (text(body), 9, None)).collect()
}

#[tokio::test]
async fn records_come_as_events_and_as_messages() {
    let server = Server::start().await;
    let (address, serving) = serve(&server).await;
    append_logs(&server, "cart", &records(&["order old", "other", "order older"])).await;
    let stream = TcpStream::connect(address).await.expect("connects");
    let query = "query=order&tail_from=1";
    let mut events = Events::open(stream, query).await;
    let mut socket = open_socket(address, query).await;
    assert_eq!(bodies(&events.next().await.expect("past")), ["order older"]);
    assert_eq!(bodies(&hear(&mut socket).await), ["order older"]);
    append_logs(&server, "cart", &records(&["nothing of it"])).await;
    append_logs(&server, "cart", &records(&["order one", "nothing", "order two"])).await;
    let message = events.next().await.expect("records");
    assert_eq!(bodies(&message), ["order one", "order two"]);
    assert_eq!(message["logs"][1]["attributes"], json!({"number": 2}));
    let found = server.json("/api/v1/logs?query=%22order%20two%22").await;
    assert_eq!(message["logs"][1], found["logs"][0], "a record is written as in a search");
    assert_eq!(hear(&mut socket).await, message);
    stop(server, serving).await;
}

#[tokio::test]
async fn wrong_requests_are_problems() {
    let server = Server::start().await;
    let (address, serving) = serve(&server).await;
    for (query, field) in [
        ("limit=5", "limit"),
        ("order=newest", "order"),
        ("tail_from=1001", "tail_from"),
        ("severity=loud", "severity"),
        ("query=%22open", "query"),
    ] {
        let problem = server.problem(&format!("/api/v1/logs/tail?{query}"), 400).await;
        assert_eq!(problem["field"], field, "{query}");
    }
    let mut tails = Vec::new();
    while tails.len() < TAILS_MAX {
        let stream = TcpStream::connect(address).await.expect("connects");
        tails.push(Events::open(stream, "").await);
    }
    let problem = server.problem("/api/v1/logs/tail", 503).await;
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("32")), "{problem}");
    stop(server, serving).await;
}

#[tokio::test]
async fn pages_of_other_origins_get_no_socket() {
    let server = Server::start().await;
    let (address, serving) = serve(&server).await;
    for (origin, is_allowed) in
        [(format!("http://{address}"), true), ("http://elsewhere.example".to_owned(), false)]
    {
        let stream = TcpStream::connect(address).await.expect("connects");
        let url = format!("ws://{address}/api/v1/logs/tail");
        let mut request = url.into_client_request().expect("valid");
        request.headers_mut().insert("origin", origin.parse().expect("valid"));
        match client_async(request, stream).await {
            Ok(_) => assert!(is_allowed, "{origin}"),
            Err(SocketError::Http(answer)) => {
                assert!(!is_allowed, "{origin}");
                assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
            }
            Err(err) => panic!("{err}"),
        }
    }
    stop(server, serving).await;
}

#[tokio::test]
async fn a_paused_client_gets_what_was_withheld_up_to_a_bound() {
    let server = Server::start().await;
    let (address, serving) = serve(&server).await;
    let mut socket = open_socket(address, "").await;
    // An answer to a wrong command tells that the command before it was heard.
    say(&mut socket, r#"{"pause": true}"#).await;
    say(&mut socket, r#"{"stop": true}"#).await;
    let error = hear(&mut socket).await;
    assert_eq!((&error["event"], &error["problem"]["field"]), (&json!("error"), &json!("pause")));
    append_logs(&server, "cart", &records(&["first"])).await;
    // More than what is withheld and what waits before that can be together.
    const SENT: u8 = 120;
    let large = "x".repeat(100_000);
    for number in 0..SENT {
        let batch = log_batch("cart", &records(&[&format!("{number} {large}")]));
        server.append_as(Signal::Logs, batch, vec![number]).await;
    }
    say(&mut socket, r#"{"pause": false}"#).await;
    assert_eq!(bodies(&hear(&mut socket).await), ["first"]);
    let (mut got, mut dropped) = (0, 0);
    while got + dropped < u64::from(SENT) {
        let message = hear(&mut socket).await;
        match message["rows"].as_u64() {
            Some(rows) => dropped += rows,
            None => got += bodies(&message).len() as u64,
        }
    }
    assert_eq!(got + dropped, u64::from(SENT));
    assert!(got > 0 && dropped > 0, "{got} {dropped}");
    append_logs(&server, "cart", &records(&["last"])).await;
    assert_eq!(bodies(&hear(&mut socket).await), ["last"]);
    stop(server, serving).await;
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_lost() {
    const BATCHES: u64 = 40;
    const ROWS: usize = 100;
    let server = Server::start().await;
    let (address, serving) = serve(&server).await;
    // A small window: the kernel keeps little of what is not read.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("set");
    let stream = socket.connect(address).await.expect("connects");
    let mut events = Events::open(stream, "").await;
    // Forty megabytes, more than all buffers on the way hold together.
    let large = "x".repeat(10_000);
    let rows = records(&vec![large.as_str(); ROWS]);
    for number in 0..BATCHES {
        let batch = log_batch("cart", &rows);
        server.append_as(Signal::Logs, batch, number.to_le_bytes().to_vec()).await;
    }
    let (mut got, mut dropped) = (0, 0);
    while got + dropped < BATCHES * ROWS as u64 {
        let message = events.next().await.expect("goes on");
        match message["rows"].as_u64() {
            Some(rows) => dropped += rows,
            None => got += bodies(&message).len() as u64,
        }
    }
    assert_eq!(got + dropped, BATCHES * ROWS as u64);
    assert!(got > 0 && dropped > 0, "{got} {dropped}");
    stop(server, serving).await;
}

#[tokio::test]
async fn tails_end_when_the_server_stops() {
    let server = Server::start().await;
    let (address, serving) = serve(&server).await;
    let stream = TcpStream::connect(address).await.expect("connects");
    let mut events = Events::open(stream, "").await;
    let mut socket = open_socket(address, "").await;
    server.ready.send_replace(Readiness { ready: false, stage: "stopping".to_owned() });
    assert!(events.next().await.is_none());
    match socket.next().await.expect("a close").expect("reads") {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Away),
        other => panic!("{other:?}"),
    }
    stop(server, serving).await;
}
