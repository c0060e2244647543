//! Bearer tokens on every port.

use crate::harness::{Server, otlp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_every_port() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::spawn(folder.path(), &[("THROUGHLINE_AUTH_TOKENS", "first,second")]);
    let get = |path: &'static str, token: Option<&'static str>| {
        let mut request = reqwest::Client::new().get(format!("http://{}{path}", server.client.api));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send()
    };
    crate::harness::server::wait_until("ready", || async {
        get("/-/ready", Some("second")).await.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    for (path, token, status) in [
        ("/api/v1/services", None, 401),
        ("/api/v1/services", Some("third"), 401),
        ("/api/v1/services", Some("first"), 200),
        ("/api/v1/status", Some("second"), 200),
    ] {
        assert_eq!(
            get(path, token).await.expect("an answer").status().as_u16(),
            status,
            "{path} {token:?}"
        );
    }
    for (token, status) in [("Bearer wrong", 401), ("Bearer first", 200)] {
        let headers = [("content-type", "application/x-protobuf"), ("authorization", token)];
        let answer =
            server.client.post("/v1/traces", &headers, otlp::spans(1)).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{token}");
    }
}
