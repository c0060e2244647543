//! A site with pages that tests write, some of them behind a password.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Pages = Arc<Mutex<HashMap<String, (String, String)>>>;

/// What requests for some paths have to carry.
const GUARDED: [(&str, &str); 2] =
    [("/secret", "authorization: basic bwu6d29yza=="), ("/bearer", "authorization: bearer token")];

/// The site.
pub struct Site {
    pub address: String,
    pages: Pages,
}

impl Site {
    pub async fn start() -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let pages = Pages::default();
        let served = pages.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, served.clone()));
            }
        });
        Site { address, pages }
    }

    /// Writes a page.
    pub fn put(&self, path: &str, content_type: &str, body: &str) {
        let page = (content_type.to_owned(), body.to_owned());
        self.pages.lock().expect("not poisoned").insert(path.to_owned(), page);
    }

    /// Takes a page away.
    pub fn remove(&self, path: &str) {
        self.pages.lock().expect("not poisoned").remove(path);
    }
}

async fn answer(mut stream: TcpStream, pages: Pages) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if !stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
            return;
        }
    }
    let request = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let guard = GUARDED.iter().find(|(guarded, _)| *guarded == path);
    let is_allowed = guard.is_none_or(|(_, needed)| request.contains(needed));
    let page = pages.lock().expect("not poisoned").get(path).cloned();
    let (status, content_type, body) = match page {
        _ if !is_allowed => ("401 Unauthorized", "text/plain".to_owned(), String::new()),
        Some((content_type, body)) => ("200 OK", content_type, body),
        None => ("404 Not Found", "text/plain".to_owned(), String::new()),
    };
    let mut bytes = body.into_bytes();
    let mut encoding = "";
    if request.contains("accept-encoding: gzip") {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).expect("in memory");
        bytes = encoder.finish().expect("in memory");
        encoding = "content-encoding: gzip\r\n";
    }
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n{encoding}content-length: {}\r\n\
         connection: close\r\n\r\n",
        bytes.len()
    );
    // Who scrapes may have given up.
    let _ = stream.write_all(&[head.into_bytes(), bytes].concat()).await;
}
