//! What the server says before its store is open, on every port.
//!
//! The listeners come up first, so that an orchestrator can see the replay going on. Until the
//! routes are set, `/-/healthy` is 200, `/-/ready` is 503 with the progress, and everything else is
//! refused as not ready.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use parking_lot::Mutex;
use tower::ServiceExt as _;

use super::refusal::{Asked, Protocol, Reason};

/// The stage of the server's life, in words, for readers of `/-/ready` before the store is open.
#[derive(Clone, Debug)]
pub struct Stage(Arc<Mutex<String>>);

impl Stage {
    /// A server that has just begun.
    pub fn starting() -> Stage {
        Stage(Arc::new(Mutex::new("starting".to_owned())))
    }

    /// Says what is going on now.
    pub fn set(&self, text: String) {
        *self.0.lock() = text;
    }

    /// What was said last.
    pub fn text(&self) -> String {
        self.0.lock().clone()
    }
}

/// The routes of one port, set once the store is open.
#[derive(Clone, Debug)]
pub struct LateRoutes {
    port: Protocol,
    routes: Arc<OnceLock<Router>>,
    stage: Stage,
}

impl LateRoutes {
    /// A port that is not ready yet.
    pub fn new(port: Protocol, stage: Stage) -> LateRoutes {
        LateRoutes { port, routes: Arc::new(OnceLock::new()), stage }
    }

    /// The port's protocol.
    pub fn port(&self) -> Protocol {
        self.port
    }

    /// Opens the port; a second call changes nothing.
    pub fn set(&self, routes: Router) {
        let _ = self.routes.set(routes);
    }

    /// Answers one request.
    pub async fn call(&self, request: Request<Body>) -> Response<Body> {
        match self.routes.get() {
            Some(routes) => match routes.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            None => self.not_ready(&request),
        }
    }

    fn not_ready(&self, request: &Request<Body>) -> Response<Body> {
        let stage = self.stage.text();
        match request.uri().path() {
            "/-/healthy" => json(StatusCode::OK, &serde_json::json!({ "healthy": true })),
            "/-/ready" => json(
                StatusCode::SERVICE_UNAVAILABLE,
                &serde_json::json!({ "ready": false, "stage": stage }),
            ),
            _ => Asked::of(self.port, request).refuse(&Reason::NotReady(stage)),
        }
    }
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    async fn status(routes: &LateRoutes, path: &str) -> StatusCode {
        let request = Request::builder().uri(path).body(Body::empty()).expect("valid");
        routes.call(request).await.status()
    }

    #[tokio::test]
    async fn refuses_until_the_routes_are_set() {
        let routes = LateRoutes::new(Protocol::Api, Stage::starting());
        assert_eq!(status(&routes, "/-/healthy").await, StatusCode::OK);
        assert_eq!(status(&routes, "/-/ready").await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(&routes, "/hello").await, StatusCode::SERVICE_UNAVAILABLE);
        routes.set(Router::new().route("/hello", get(|| async { "hello" })));
        assert_eq!(status(&routes, "/hello").await, StatusCode::OK);
    }
}
