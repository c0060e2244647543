//! Refusals that the root gives before a request reaches its crate: not allowed in, not ready yet,
//! panicked. Each is said in the words of the port's protocol.
//!
//! ```text
//! gRPC          200, trailers-only: grpc-status, grpc-message, grpc-status-details-bin
//! OTLP/HTTP     4xx/5xx with google.rpc.Status as protobuf or JSON, like the request
//! API and UI    4xx/5xx with application/problem+json (RFC 9457)
//! Splunk        4xx/5xx with {"text": …, "code": …}
//! ```

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};

/// How soon a client may come back after a passing refusal.
pub const RETRY_AFTER_S: u64 = 2;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// The protocol in which a refusal is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP.
    OtlpHttp,
    /// Native API and UI.
    Api,
    /// Splunk's HTTP Event Collector, on the API's port or its own.
    Splunk,
}

impl Protocol {
    /// The protocol of a request that came in on a port of protocol `self`: the API's port also
    /// carries OTLP/HTTP below `/otlp`, Splunk's collector, and Tempo's gRPC service.
    pub fn of_request(self, path: &str) -> Protocol {
        match self {
            Protocol::Api if path.starts_with("/otlp/") => Protocol::OtlpHttp,
            Protocol::Api if path.starts_with("/tempopb.") => Protocol::Grpc,
            Protocol::Api if path.starts_with("/services/collector") => Protocol::Splunk,
            own => own,
        }
    }
}

/// Why the root refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No token, or an unknown one.
    Unauthenticated,
    /// The log is being replayed, or the server is going down; passes.
    NotReady(String),
    /// A handler panicked.
    Internal,
}

impl Reason {
    fn message(&self) -> &str {
        match self {
            Reason::Unauthenticated => "no valid token: send Authorization: Bearer <token>",
            Reason::NotReady(why) => why,
            Reason::Internal => "the server failed on this request; its log says why",
        }
    }

    fn grpc_code(&self) -> u8 {
        match self {
            Reason::Unauthenticated => 16,
            Reason::NotReady(_) => 14,
            Reason::Internal => 13,
        }
    }

    fn http_status(&self) -> StatusCode {
        match self {
            Reason::Unauthenticated => StatusCode::UNAUTHORIZED,
            Reason::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
            Reason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn passes(&self) -> bool {
        matches!(self, Reason::NotReady(_))
    }
}

/// What a refusal needs to know of its request, taken before the request is consumed.
#[derive(Clone, Debug)]
pub struct Asked {
    protocol: Protocol,
    json: bool,
    page: bool,
}

impl Asked {
    /// Reads the head of a request that came in on a port of protocol `port`.
    pub fn of(port: Protocol, request: &Request<Body>) -> Asked {
        let says = |headers: &HeaderMap, name, part: &str| {
            headers.get(name).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(part))
        };
        Asked {
            protocol: port.of_request(request.uri().path()),
            json: says(request.headers(), CONTENT_TYPE, "json"),
            page: says(request.headers(), axum::http::header::ACCEPT, "text/html"),
        }
    }

    /// The refusal, in the protocol's words.
    pub fn refuse(&self, reason: &Reason) -> Response<Body> {
        match self.protocol {
            Protocol::Grpc => grpc(reason),
            Protocol::OtlpHttp => otlp_http(reason, self.json),
            Protocol::Api => api(reason, self.page),
            Protocol::Splunk => splunk(reason),
        }
    }
}

fn grpc(reason: &Reason) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(u16::from(reason.grpc_code())));
    headers.insert("grpc-message", header_text(&percent_encode(reason.message())));
    if reason.passes() {
        let details = base64_unpadded(&status_message(reason));
        headers.insert("grpc-status-details-bin", header_text(&details));
    }
    response
}

fn otlp_http(reason: &Reason, json: bool) -> Response<Body> {
    let (body, content_type) = if json {
        (status_json(reason).to_string().into_bytes(), "application/json")
    } else {
        (status_message(reason), "application/x-protobuf")
    };
    with_http_headers(reason, body, content_type, "Bearer")
}

fn api(reason: &Reason, page: bool) -> Response<Body> {
    let status = reason.http_status();
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": reason.message(),
    });
    // A browser asks its user for a password when a page wants Basic; a program should see Bearer.
    let challenge = if page { "Basic realm=\"throughline\", charset=\"UTF-8\"" } else { "Bearer" };
    with_http_headers(
        reason,
        problem.to_string().into_bytes(),
        "application/problem+json",
        challenge,
    )
}

fn splunk(reason: &Reason) -> Response<Body> {
    let (code, text) = match reason {
        Reason::Unauthenticated => (3, "Invalid authorization"),
        Reason::NotReady(_) => (9, "Server is busy"),
        Reason::Internal => (8, "Internal server error"),
    };
    let body = serde_json::json!({ "text": text, "code": code, "detail": reason.message() });
    with_http_headers(reason, body.to_string().into_bytes(), "application/json", "Splunk")
}

fn with_http_headers(
    reason: &Reason,
    body: Vec<u8>,
    content_type: &'static str,
    challenge: &'static str,
) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = reason.http_status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if *reason == Reason::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if reason.passes() {
        headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    }
    response
}

fn status_json(reason: &Reason) -> serde_json::Value {
    let mut status = serde_json::json!({ "code": reason.grpc_code(), "message": reason.message() });
    if reason.passes() {
        let delay = format!("{RETRY_AFTER_S}s");
        status["details"] = serde_json::json!([{ "@type": RETRY_INFO, "retryDelay": delay }]);
    }
    status
}

// google.rpc.Status { int32 code = 1; string message = 2; repeated Any details = 3 }, with a
// google.rpc.RetryInfo { Duration retry_delay = 1 } if the refusal passes.
fn status_message(reason: &Reason) -> Vec<u8> {
    let mut status = vec![0x08, reason.grpc_code()];
    put_bytes(&mut status, 2, reason.message().as_bytes());
    if reason.passes() {
        let mut retry_info = Vec::new();
        put_bytes(&mut retry_info, 1, &[0x08, RETRY_AFTER_S as u8]);
        let mut any = Vec::new();
        put_bytes(&mut any, 1, RETRY_INFO.as_bytes());
        put_bytes(&mut any, 2, &retry_info);
        put_bytes(&mut status, 3, &any);
    }
    status
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

// gRPC percent-encodes everything outside printable ASCII, and the percent sign.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

fn base64_unpadded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)
}

fn header_text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(port: Protocol, path: &str, content_type: &str) -> Asked {
        let request = Request::builder()
            .uri(path)
            .header(CONTENT_TYPE, content_type)
            .body(Body::empty())
            .expect("valid");
        Asked::of(port, &request)
    }

    #[test]
    fn each_protocol_in_its_words() {
        let not_ready = Reason::NotReady("replaying the log: 40 %".to_owned());
        let grpc = asked(Protocol::Grpc, "/x/Export", "application/grpc").refuse(&not_ready);
        assert_eq!(grpc.status(), StatusCode::OK);
        assert_eq!(grpc.headers()["grpc-status"], "14");
        assert_eq!(grpc.headers()["grpc-message"], "replaying the log: 40 %25");
        assert!(grpc.headers().contains_key("grpc-status-details-bin"));
        let http = asked(Protocol::Api, "/otlp/v1/traces", "application/json").refuse(&not_ready);
        assert_eq!(http.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(http.headers()[RETRY_AFTER], "2");
        assert_eq!(http.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(status_json(&not_ready)["details"][0]["retryDelay"], "2s");
        let api = asked(Protocol::Api, "/api/v1/sql", "application/json");
        let refused = api.refuse(&Reason::Unauthenticated);
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(refused.headers()[WWW_AUTHENTICATE], "Bearer");
        assert_eq!(refused.headers()[CONTENT_TYPE], "application/problem+json");
        let splunk = asked(Protocol::Api, "/services/collector/event", "").refuse(&not_ready);
        assert_eq!(splunk.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(splunk.headers()[RETRY_AFTER], "2");
    }

    #[test]
    fn permanent_refusals_carry_no_retry() {
        let request = asked(Protocol::OtlpHttp, "/v1/logs", "application/x-protobuf");
        let response = request.refuse(&Reason::Unauthenticated);
        assert!(!response.headers().contains_key(RETRY_AFTER));
        assert_eq!(status_message(&Reason::Internal)[..2], [0x08, 13]);
        assert!(status_json(&Reason::Internal).get("details").is_none());
    }
}
