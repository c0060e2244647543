//! HTTP to targets and sources of targets.

mod encryption;

use std::io::Read as _;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, LOCATION, USER_AGENT,
};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls_pki_types::ServerName;
use url::Url;

use super::config::{Auth, ClientConfig};
use super::exposition::Form;
use crate::records::Read;

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 10;
/// Connections to one target that wait to be used again.
const IDLE_MAX: usize = 2;

/// An answer.
pub struct Answer {
    /// Its content type.
    pub content_type: String,
    /// Its body, inflated.
    pub body: Vec<u8>,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Asks with one configuration. Cheap to clone.
#[derive(Clone)]
pub struct Asker {
    client: HttpClient,
    config: ClientConfig,
}

impl Asker {
    /// A client. Reads certificates: blocks.
    pub fn new(config: &ClientConfig) -> Read<Self> {
        let builder = HttpsConnectorBuilder::new().with_tls_config(encryption::of(config)?);
        let builder = builder.https_or_http();
        let builder = match &config.server_name {
            Some(name) => {
                let wrong = |err| format!("tls_config: server_name '{name}': {err}");
                let name = ServerName::try_from(name.clone()).map_err(wrong)?;
                builder.with_server_name_resolver(FixedServerNameResolver::new(name))
            }
            None => builder,
        };
        let connector = match config.uses_http2 {
            true => builder.enable_all_versions().build(),
            false => builder.enable_http1().build(),
        };
        let mut client = Client::builder(TokioExecutor::new());
        let client = client.pool_max_idle_per_host(IDLE_MAX).build(connector);
        Ok(Self { client, config: config.clone() })
    }

    /// What a URL has, within a time and a number of bytes.
    pub async fn get(
        &self,
        url: &str,
        headers: HeaderMap,
        timeout: Duration,
        bytes_max: usize,
    ) -> Read<Answer> {
        match tokio::time::timeout(timeout, self.ask(url, headers, bytes_max)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {timeout:?}")),
        }
    }

    async fn ask(&self, url: &str, mut headers: HeaderMap, bytes_max: usize) -> Read<Answer> {
        self.own_headers(&mut headers)?;
        let mut url = Url::parse(url).map_err(|err| format!("{url}: {err}"))?;
        for _ in 0..=REDIRECTS_MAX {
            let mut request = Request::get(url.as_str());
            if let Some(all) = request.headers_mut() {
                all.extend(headers.clone());
            }
            let request = request.body(Empty::new()).map_err(|err| err.to_string())?;
            let response = self.client.request(request).await.map_err(|err| chain(&err))?;
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = match location.filter(|_| response.status().is_redirection()) {
                Some(to) if self.config.follows_redirects => {
                    url.join(to).map_err(|err| format!("redirected to '{to}': {err}"))?
                }
                _ => return read(response, bytes_max).await,
            };
            if (next.scheme(), next.host(), next.port()) != (url.scheme(), url.host(), url.port()) {
                // What is for one server is not for another.
                headers.remove(AUTHORIZATION);
            }
            url = next;
        }
        Err(format!("more than {REDIRECTS_MAX} redirects"))
    }

    /// Who asks, and what the configuration adds. Secrets in files are read anew: they change.
    fn own_headers(&self, headers: &mut HeaderMap) -> Read<()> {
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| "a header that cannot be sent".to_owned())
        };
        for (name, secret) in &self.config.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|err| err.to_string())?;
            headers.append(name, value(&secret.read()?)?);
        }
        let authorization = match &self.config.auth {
            Auth::None => return Ok(()),
            Auth::Basic { username, password } => {
                let pair = format!("{}:{}", username.read()?, password.read()?);
                format!("Basic {}", BASE64_STANDARD.encode(pair))
            }
            Auth::Header { kind, credentials } => format!("{kind} {}", credentials.read()?),
        };
        headers.insert(AUTHORIZATION, value(&authorization)?);
        Ok(())
    }
}

async fn read(response: Response<hyper::body::Incoming>, bytes_max: usize) -> Read<Answer> {
    if !response.status().is_success() {
        return Err(format!("server returned HTTP status {}", response.status()));
    }
    let header = |name: HeaderName| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (content_type, encoding) = (header(CONTENT_TYPE), header(CONTENT_ENCODING));
    let too_large = || format!("the body exceeds {bytes_max} bytes (body_size_limit)");
    let mut body = Vec::new();
    let mut incoming = response.into_body();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|err| chain(&err))?;
        let Some(data) = frame.data_ref() else { continue };
        if body.len() + data.len() > bytes_max {
            return Err(too_large());
        }
        body.extend_from_slice(data);
    }
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => {}
        "gzip" => {
            let mut inflated = Vec::new();
            let limit = bytes_max as u64 + 1;
            let read = MultiGzDecoder::new(body.as_slice()).take(limit).read_to_end(&mut inflated);
            read.map_err(|err| format!("the body is no gzip: {err}"))?;
            if inflated.len() > bytes_max {
                return Err(too_large());
            }
            body = inflated;
        }
        other => return Err(format!("content-encoding '{other}' was not asked for")),
    }
    Ok(Answer { content_type, body })
}

/// The headers of a scrape.
pub fn headers(forms: &[Form], timeout: Duration, compresses: bool) -> HeaderMap {
    let mut accepted = String::new();
    for (i, form) in forms.iter().enumerate() {
        accepted.push_str(&format!("{};q=0.{},", form.accepted(), 9usize.saturating_sub(i)));
    }
    accepted.push_str("*/*;q=0.1");
    let mut headers = HeaderMap::new();
    let mut put = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    put(ACCEPT, &accepted);
    put(USER_AGENT, concat!("Throughline/", env!("CARGO_PKG_VERSION")));
    put(ACCEPT_ENCODING, if compresses { "gzip" } else { "identity" });
    let seconds = timeout.as_secs_f64().to_string();
    put(HeaderName::from_static("x-prometheus-scrape-timeout-seconds"), &seconds);
    headers
}

/// An error with what caused it.
fn chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(err) = cause {
        let more = err.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = err.source();
    }
    text
}
