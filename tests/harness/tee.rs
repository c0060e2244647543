//! A proxy between a sender and the server: requests pass as they are, over the sender's own version
//! of HTTP, and are kept, so that a test can compare what was sent with what the API gives back.

use std::convert::Infallible;
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::fields::Telemetry;

/// A message of gRPC stands behind a flag and its length.
const GRPC_PREFIX_BYTES: usize = 5;

type Kept = Arc<Mutex<Telemetry>>;

/// A running proxy; it ends when dropped.
pub struct Tee {
    /// Where senders send to.
    pub address: String,
    kept: Kept,
    task: JoinHandle<()>,
}

impl Tee {
    /// A proxy on a free port in front of `target`.
    pub async fn before(target: &str) -> Tee {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let kept = Kept::default();
        let task = tokio::spawn(serve(listener, target.to_owned(), kept.clone()));
        Tee { address, kept, task }
    }

    /// What passed since it was last asked.
    pub fn take(&self) -> Telemetry {
        std::mem::take(&mut self.kept.lock().expect("no panic"))
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, target: String, kept: Kept) {
    while let Ok((stream, _)) = listener.accept().await {
        let (target, kept) = (target.clone(), kept.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| pass(request, target.clone(), kept.clone()));
            let server = auto::Builder::new(TokioExecutor::new());
            // A sender that hangs up is no failure of the proxy.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn pass(
    request: Request<Incoming>,
    target: String,
    kept: Kept,
) -> Result<Response<Incoming>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a whole request").to_bytes();
    let (path, headers) = (head.uri.path().to_owned(), head.headers.clone());
    let response = forward(&target, Request::from_parts(head, Full::new(body.clone()))).await;
    // Kept only once it is answered: what was refused was not sent.
    if response.status().is_success() {
        keep(&mut kept.lock().expect("no panic"), &path, &headers, &body);
    }
    Ok(response)
}

async fn forward(target: &str, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let stream = TokioIo::new(TcpStream::connect(target).await.expect("the server listens"));
    if request.version() == Version::HTTP_2 {
        let client = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
        let (mut sender, connection) = client.await.expect("HTTP/2");
        tokio::spawn(connection);
        return sender.send_request(request).await.expect("an answer");
    }
    let client = hyper::client::conn::http1::handshake(stream);
    let (mut sender, connection) = client.await.expect("HTTP/1.1");
    tokio::spawn(connection);
    sender.send_request(request).await.expect("an answer")
}

fn keep(kept: &mut Telemetry, path: &str, headers: &HeaderMap, body: &[u8]) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    if !content_type.starts_with("application/grpc") {
        let inflated = inflate(header(CONTENT_ENCODING.as_str()), body);
        return kept.add(path, content_type.starts_with("application/json"), &inflated);
    }
    let (prefix, message) = body.split_at(GRPC_PREFIX_BYTES);
    let encoding = header("grpc-encoding").filter(|_| prefix[0] == 1);
    kept.add(path, false, &inflate(encoding, message));
}

fn inflate(encoding: Option<&str>, body: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    match encoding {
        None | Some("identity") => inflated.extend_from_slice(body),
        Some("gzip") => {
            flate2::read::MultiGzDecoder::new(body).read_to_end(&mut inflated).expect("gzip");
        }
        Some("zstd") => inflated = zstd::decode_all(body).expect("zstd"),
        Some(other) => panic!("no SDK compresses with {other}"),
    }
    inflated
}
