use serde_json::json;

use super::*;

fn names(list: &Json, key: &str, name: &str) -> Vec<String> {
    let names = list[key].as_array().expect("a list").iter();
    names.map(|one| one[name].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn services_operations_and_attributes() {
    let server = Server::start().await;
    let mut spans =
        vec![span(1, 1, "cart", "GET /"), span(1, 2, "cart", "GET /"), span(2, 1, "db", "SELECT")];
    for (i, span) in spans.iter_mut().enumerate() {
        span.attributes = attributes(&[
            ("http.route", text("/a")),
            ("n", Value::Int(i64::try_from(i).expect("small"))),
        ]);
    }
    server.append_spans(&spans).await;
    append_logs(&server, "logger", &[(text("x"), 9, None)]).await;

    let services = server.json("/api/v1/services").await;
    assert_eq!(services["services"][0], json!({"name": "cart", "count": 2}));
    assert_eq!(names(&services, "services", "name"), ["cart", "db", "logger"]);
    assert_eq!(services["truncated"], false);

    let operations = server.json("/api/v1/services/cart/operations").await;
    assert_eq!(operations["operations"], json!([{"name": "GET /", "count": 2}]));
    let none = server.json("/api/v1/services/nobody/operations").await;
    assert_eq!(none["operations"], json!([]));

    let all = server.json("/api/v1/attributes").await;
    let all = names(&all, "attributes", "name");
    for name in ["http.route", "n", "host.name", "service.name"] {
        assert!(all.iter().any(|one| one == name), "{name} in {all:?}");
    }
    let some = server.json("/api/v1/attributes?prefix=http.&place=item").await;
    assert_eq!(names(&some, "attributes", "name"), ["http.route"]);
    let logs = server.json("/api/v1/attributes?signal=logs&place=item").await;
    assert_eq!(names(&logs, "attributes", "name"), ["number"]);

    let values = server.json("/api/v1/attributes/http.route/values").await;
    assert_eq!(values["values"], json!([{"value": "/a", "count": 3}]));
    let values = server.json("/api/v1/attributes/host.name/values?limit=1").await;
    assert_eq!(names(&values, "values", "value"), ["h1"]);
    for query in ["signal=metrics", "place=moon", "limit=1001", "x=1"] {
        server.problem(&format!("/api/v1/attributes?{query}"), 400).await;
    }
    server.stop().await;
}
