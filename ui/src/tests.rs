//! The crate through its router, over whatever build is embedded.

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::{Dist, HASHED_FOLDER, accepts_brotli, content_type, routes};

async fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    routes().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn get(path: &str, headers: &[(&str, &str)]) -> Response {
    request(Method::GET, path, headers).await
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn page_paths_fall_back_to_the_page_and_nothing_else_does() {
    let cases = [
        ("/", StatusCode::OK),
        ("/traces", StatusCode::OK),
        ("/traces/4bf92f3577b34da6a3ce929d0e0e4736", StatusCode::OK),
        ("/index.html", StatusCode::OK),
        ("/assets/missing-12345678.js", StatusCode::NOT_FOUND),
        ("/index.html.br", StatusCode::NOT_FOUND),
        ("/api/v1/nothing", StatusCode::NOT_FOUND),
        ("/tracesx", StatusCode::NOT_FOUND),
        ("/../Cargo.toml", StatusCode::NOT_FOUND),
    ];
    for (path, status) in cases {
        let response = get(path, &[]).await;
        assert_eq!(response.status(), status, "{path}");
        let html = header(&response, "content-type").starts_with("text/html");
        assert_eq!(html, status == StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    let response = request(Method::POST, "/", &[]).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(header(&response, "allow"), "GET, HEAD");
}

#[tokio::test]
async fn a_known_etag_is_answered_without_a_body() {
    let first = get("/", &[]).await;
    let etag = header(&first, "etag");
    assert!(etag.len() > 2);
    let again = get("/", &[("if-none-match", &format!("\"other\", W/{etag}"))]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert!(again.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn every_file_is_served_plain_and_in_brotli_where_a_sibling_exists() {
    let mut siblings = 0;
    for name in Dist::iter().filter(|name| !name.ends_with(".br")) {
        let path = format!("/{name}");
        let plain = get(&path, &[("accept-encoding", "gzip, br;q=0")]).await;
        assert_eq!(plain.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&plain, "content-encoding"), "", "{path}");
        assert_ne!(header(&plain, "content-type"), "application/octet-stream", "{path}");
        let immutable = header(&plain, "cache-control").contains("immutable");
        assert_eq!(immutable, name.starts_with(HASHED_FOLDER), "{path}");
        let etag = header(&plain, "etag");
        if Dist::get(&format!("{name}.br")).is_none() {
            continue;
        }
        siblings += 1;
        let brotli = get(&path, &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(header(&brotli, "content-encoding"), "br", "{path}");
        assert_eq!(header(&brotli, "vary"), "Accept-Encoding");
        assert_ne!(header(&brotli, "etag"), etag, "{path}");
    }
    println!("{siblings} files have a brotli sibling");
}

#[test]
fn accept_encoding_is_weighed() {
    let cases = [
        ("br", true),
        ("gzip, deflate, br", true),
        ("gzip", false),
        ("", false),
        ("br;q=0", false),
        ("*", true),
        ("*;q=0", false),
        ("br;q=0, *", false),
        ("BR;q=0.1", true),
        ("br;q=x", false),
    ];
    for (value, expect) in cases {
        let headers =
            [(http::header::ACCEPT_ENCODING, value.parse().unwrap())].into_iter().collect();
        assert_eq!(accepts_brotli(&headers), expect, "{value:?}");
    }
}

#[test]
fn content_types_come_from_the_extension() {
    assert_eq!(content_type("assets/index-1.js"), "text/javascript; charset=utf-8");
    assert_eq!(content_type("favicon.svg"), "image/svg+xml");
    assert_eq!(content_type("LICENSE"), "application/octet-stream");
}
