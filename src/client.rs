//! A small HTTP/1.1 client for the commands that talk to a server: one connection, one request at
//! a time, no TLS.

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An open connection.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    // Driven while a request waits for its answer, so that nothing needs to be spawned.
    connection: Connection<TokioIo<TcpStream>, Full<Bytes>>,
    host: String,
    prefix: String,
    token: Option<String>,
}

impl Client {
    /// Connects to the server at `url`, such as `http://127.0.0.1:4319`.
    pub async fn connect(url: &str, token: Option<String>) -> anyhow::Result<Client> {
        let uri: Uri = url.parse().with_context(|| format!("'{url}' is no URL"))?;
        if uri.scheme_str() != Some("http") {
            bail!("'{url}' does not start with http:// (this client speaks no TLS)");
        }
        let authority = uri.authority().ok_or_else(|| anyhow!("'{url}' names no host"))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let stream = TcpStream::connect((host.as_str(), authority.port_u16().unwrap_or(80)))
            .await
            .with_context(|| format!("no server answers at {url}"))?;
        stream.set_nodelay(true).context("the socket is gone")?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Client { sender, connection, host: authority.to_string(), prefix, token })
    }

    /// Posts a body and reads the whole answer.
    pub async fn post(
        &mut self,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", self.prefix))
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, content_type);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body.into()))?;
        let sender = &mut self.sender;
        let exchange = async {
            sender.ready().await.context("the server closed the connection")?;
            let response = sender.send_request(request).await?;
            let status = response.status();
            Ok((status, response.into_body().collect().await?.to_bytes()))
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            answer = exchange.as_mut() => answer,
            ended = &mut self.connection => {
                ended.context("the connection to the server broke")?;
                exchange.await
            }
        }
    }
}
