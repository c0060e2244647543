//! The web app, embedded: [`routes`] serves the files that `build.rs` left in `OUT_DIR/dist`.
//!
//! ```text
//! GET /assets/<name>-<hash>.js   the file, `immutable`; unknown → 404
//! GET /traces/…                  a page of the app → index.html (the app routes by itself)
//! GET /anything/else             404
//! ```
//! Each file comes with a brotli sibling made at build time (`name.br`), which is sent when the
//! request accepts it; the plain file is sent otherwise. Nothing is compressed per request.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, Method, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/dist"]
struct Dist;

/// First path segments of the app's pages; the app's router knows what follows them.
const PAGES: [&str; 2] = ["", "traces"];
/// Vite writes files with a content hash in their names here, and only here.
const HASHED_FOLDER: &str = "assets/";
const INDEX: &str = "index.html";
/// Scripts and data from here alone; Mantine and the canvases set inline styles.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; worker-src 'self'; object-src 'none'; base-uri 'none'; \
     frame-ancestors 'self'";

/// Everything the browser loads: assets, and the page itself for page paths.
///
/// A fallback, so that it can be merged with (or nested under) the routes of the APIs.
pub fn routes() -> Router {
    Router::new().fallback(serve)
}

async fn serve(request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served\n");
        response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let path = request.uri().path().trim_start_matches('/');
    let name = if is_page(path) { INDEX } else { path };
    // The siblings are an encoding of their file, not files of their own.
    if name.ends_with(".br") {
        return not_found(path);
    }
    match Dist::get(name) {
        Some(plain) => asset(name, plain, request.headers()),
        None => not_found(path),
    }
}

fn is_page(path: &str) -> bool {
    PAGES.contains(&path.split('/').next().unwrap_or_default())
}

fn asset(name: &str, plain: EmbeddedFile, headers: &HeaderMap) -> Response {
    let sibling = accepts_brotli(headers).then(|| Dist::get(&format!("{name}.br"))).flatten();
    let brotli = sibling.is_some();
    let file = sibling.unwrap_or(plain);
    let etag = etag(&file);
    let cache = if name.starts_with(HASHED_FOLDER) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut response = Response::builder()
        .header(ETAG, &etag)
        .header(CACHE_CONTROL, cache)
        .header(VARY, "Accept-Encoding")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff");
    if matches_etag(headers, &etag) {
        return finish(response.status(StatusCode::NOT_MODIFIED), Body::empty());
    }
    if brotli {
        response = response.header(CONTENT_ENCODING, "br");
    }
    if name == INDEX {
        response = response
            .header(CONTENT_SECURITY_POLICY, POLICY)
            .header(REFERRER_POLICY, "same-origin")
            .header(X_FRAME_OPTIONS, "SAMEORIGIN");
    }
    let body = match file.data {
        std::borrow::Cow::Borrowed(bytes) => Body::from(bytes),
        std::borrow::Cow::Owned(bytes) => Body::from(bytes),
    };
    finish(response.header(CONTENT_TYPE, content_type(name)), body)
}

fn not_found(path: &str) -> Response {
    text(StatusCode::NOT_FOUND, &format!("no page or asset at /{path}\n"))
}

fn text(status: StatusCode, message: &str) -> Response {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(CACHE_CONTROL, "no-store")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff");
    finish(response, Body::from(message.to_owned()))
}

fn finish(response: http::response::Builder, body: Body) -> Response {
    response.body(body).expect("every header is a constant or hexadecimal")
}

/// Differs between a file and its brotli sibling, as their bytes do.
fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn matches_etag(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value
            .split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.trim_start_matches("W/") == etag)
    })
}

/// `br` named with a weight above zero, or not named and `*` so.
fn accepts_brotli(headers: &HeaderMap) -> bool {
    let mut any = false;
    for value in headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
        for item in value.split(',') {
            let mut parts = item.split(';').map(str::trim);
            let coding = parts.next().unwrap_or_default();
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |weight| weight.trim().parse::<f32>().unwrap_or(0.0));
            if coding.eq_ignore_ascii_case("br") {
                return weight > 0.0;
            }
            any |= coding == "*" && weight > 0.0;
        }
    }
    any
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
