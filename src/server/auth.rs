//! The gate in front of every port: does the request carry one of the tokens?
//!
//! Open without one: health checks, readiness, and the browser's preflight requests, which cannot
//! carry a token.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION};
use axum::http::{Method, Request};
use base64::Engine as _;
use subtle::{Choice, ConstantTimeEq as _};

const OPEN_PATHS: [&str; 5] = [
    "/-/healthy",
    "/-/ready",
    "/grpc.health.v1.Health/Check",
    "/services/collector/health",
    "/services/collector/health/1.0",
];

/// The accepted tokens; none means that everybody may enter.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<[String]>);

impl Tokens {
    /// A gate for these tokens.
    pub fn new(tokens: &[String]) -> Tokens {
        Tokens(tokens.into())
    }

    /// Whether the request may enter.
    pub fn admit(&self, request: &Request<Body>) -> bool {
        if self.0.is_empty() || OPEN_PATHS.contains(&request.uri().path()) {
            return true;
        }
        if request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return true;
        }
        let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        given.and_then(token_of).is_some_and(|token| self.knows(token.as_bytes()))
    }

    // Compares with every token in full, so that the time taken tells nothing about any of them.
    fn knows(&self, given: &[u8]) -> bool {
        let known = self
            .0
            .iter()
            .fold(Choice::from(0), |known, token| known | token.as_bytes().ct_eq(given));
        known.into()
    }
}

// The token of an Authorization header: `Bearer <token>`, Splunk's `Splunk <token>`, Influx' `Token <token>`, the password of `Basic`, or
// the second half of Elasticsearch's `ApiKey`, which is encoded in the same way.
fn token_of(header: &str) -> Option<String> {
    let (scheme, rest) = header.split_once(' ')?;
    let rest = rest.trim();
    if ["bearer", "splunk", "token"].iter().any(|own| scheme.eq_ignore_ascii_case(own)) {
        return Some(rest.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") || scheme.eq_ignore_ascii_case("apikey") {
        let decoded = base64::engine::general_purpose::STANDARD.decode(rest).ok()?;
        let pair = String::from_utf8(decoded).ok()?;
        return pair.split_once(':').map(|(_, password)| password.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, authorization: &str) -> Request<Body> {
        Request::builder()
            .uri(path)
            .header(AUTHORIZATION, authorization)
            .body(Body::empty())
            .expect("valid")
    }

    #[test]
    fn admits_by_token() {
        let tokens = Tokens::new(&["first".to_owned(), "second".to_owned()]);
        for (authorization, admitted) in [
            ("Bearer first", true),
            ("bearer second", true),
            ("Splunk first", true),
            ("Token second", true),
            ("Splunk third", false),
            ("Basic YW55b25lOnNlY29uZA==", true), // anyone:second
            ("ApiKey YW55b25lOnNlY29uZA==", true),
            ("Bearer third", false),
            ("Bearer ", false),
            ("Bearer firs", false),
            ("Basic not-base64", false),
            ("Digest first", false),
            ("first", false),
        ] {
            let admits = tokens.admit(&request("/api/v1/status", authorization));
            assert_eq!(admits, admitted, "{authorization}");
        }
        assert!(tokens.admit(&request("/-/ready", "")));
        assert!(tokens.admit(&request("/services/collector/health", "")));
        assert!(!tokens.admit(&request("/services/collector", "")));
        assert!(!tokens.admit(&request("/v1/traces", "")));
        assert!(Tokens::new(&[]).admit(&request("/v1/traces", "")));
    }
}
