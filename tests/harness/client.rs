//! A client of the API and of OTLP over HTTP.

use serde_json::{Map, Value, json};

/// Speaks to one server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    pub api: String,
    pub otlp: String,
}

/// A row of an SQL answer, by column name.
pub type Row = Map<String, Value>;

impl Client {
    pub fn new(api: &str, otlp: &str) -> Self {
        Self { http: reqwest::Client::new(), api: api.to_owned(), otlp: otlp.to_owned() }
    }

    /// GET on the API's port.
    pub async fn get(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        self.http.get(format!("http://{}{path}", self.api)).send().await
    }

    /// GET on the API's port that must succeed in this media type: the next page's cursor, the body.
    pub async fn get_as(&self, path: &str, accept: &str) -> (Option<String>, Vec<u8>) {
        let request = self.http.get(format!("http://{}{path}", self.api)).header("accept", accept);
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let header = |name: &str| {
            let value = answer.headers().get(name)?;
            Some(value.to_str().expect("text").to_owned())
        };
        let (kind, next) = (header("content-type"), header("throughline-next-cursor"));
        let body = answer.bytes().await.expect("a body").to_vec();
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
        assert_eq!(kind.as_deref(), Some(accept), "{path}");
        (next, body)
    }

    /// GET on the API's port that must succeed with JSON.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_else(|err| panic!("{path}: {err} in {text}"))
    }

    /// POST of JSON on the API's port that must succeed with JSON.
    pub async fn post_json(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://{}{path}", self.api);
        let answer = self.http.post(url).json(body).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_else(|err| panic!("{path}: {err} in {text}"))
    }

    /// The rows of a query that must succeed.
    pub async fn sql(&self, query: &str) -> Vec<Row> {
        let url = format!("http://{}/api/v1/sql", self.api);
        let answer =
            self.http.post(url).json(&json!({ "query": query })).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{query}: {status} {text}");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        let names: Vec<_> = json["columns"]
            .as_array()
            .expect("columns")
            .iter()
            .map(|c| c["name"].as_str().expect("name"))
            .collect();
        let cells = |row: &Value| {
            names
                .iter()
                .zip(row.as_array().expect("a row"))
                .map(|(n, v)| ((*n).to_owned(), v.clone()))
                .collect()
        };
        json["rows"].as_array().expect("rows").iter().map(cells).collect()
    }

    /// The only cell of a query.
    pub async fn count(&self, query: &str) -> u64 {
        let rows = self.sql(query).await;
        let cell = rows.first().and_then(|row| row.values().next()).and_then(Value::as_u64);
        cell.unwrap_or_else(|| panic!("{query}: no number in {rows:?}"))
    }

    /// Sends a body to an OTLP path with headers.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> reqwest::Result<reqwest::Response> {
        let mut request = self.http.post(format!("http://{}{path}", self.otlp)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await
    }

    /// Sends protobuf that must be accepted whole.
    pub async fn send(&self, path: &str, body: Vec<u8>) {
        self.accept(path, "application/x-protobuf", body).await;
    }

    /// Sends a body that must be accepted whole.
    pub async fn accept(&self, path: &str, content_type: &str, body: Vec<u8>) {
        let answer =
            self.post(path, &[("content-type", content_type)], body).await.expect("an answer");
        let status = answer.status();
        let bytes = answer.bytes().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        assert!(
            matches!(&bytes[..], b"" | b"{}"),
            "{path}: partial success {}",
            String::from_utf8_lossy(&bytes)
        );
    }
}
