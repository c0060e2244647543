//! The log language over HTTP: shapes of answers, what is wrong and where, completion, patterns.

use serde_json::json;

use super::*;

const JSON: &str = "application/json";

async fn shop() -> Server {
    let server = Server::start().await;
    append_logs(
        &server,
        "payment",
        &[
            (text("order 17 placed"), 9, None),
            (text("card declined, timeout"), 17, Some(1)),
            (Value::Kvlist(attributes(&[("a", Value::Int(1))])), 9, Some(1)),
        ],
    )
    .await;
    append_logs(&server, "cart", &[(text("order 18 placed"), 13, Some(2))]).await;
    server
}

fn encoded(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn path(query: &str, more: &str) -> String {
    format!("/api/v1/logs/query?query={}{more}", encoded(query))
}

#[tokio::test]
async fn records_are_whole() {
    let server = shop().await;
    let answer = server.json(&path("declined", "")).await;
    assert_eq!((&answer["kind"], &answer["truncated"]), (&json!("records"), &json!(false)));
    let record = &answer["records"][0];
    assert_eq!(record["body"], "card declined, timeout");
    assert_eq!(record["time"], "2026-11-20T11:59:00.000000001Z");
    assert_eq!(record["severity_number"], 17);
    assert_eq!(record["trace_id"], "01010101010101010101010101010101");
    assert_eq!(record["attributes"], json!({"number": 1}));
    assert_eq!(record["resource_attributes"]["host.name"], "h1");
    assert_eq!(record["service_name"], "payment");
    assert_eq!(record["template_id"].as_str().map(str::len), Some(16));
    let columns = answer["columns"].as_array().expect("columns").iter();
    let kinds = columns.map(|c| format!("{}:{}", c["name"], c["kind"]).replace('"', ""));
    let kinds = kinds.collect::<Vec<_>>();
    for expected in
        ["time:time", "severity_number:number", "trace_id:id", "body:text", "attributes:attributes"]
    {
        assert!(kinds.iter().any(|kind| kind == expected), "{expected}: {kinds:?}");
    }

    let page = server.json(&path("", "&limit=2&order=oldest")).await;
    assert_eq!(page["records"].as_array().map(Vec::len), Some(2));
    assert_eq!(page["truncated"], true);
    let all = server.json(&path("*", "&limit=4")).await;
    assert_eq!(
        (all["records"].as_array().map(Vec::len), &all["truncated"]),
        (Some(4), &json!(false))
    );
    server.stop().await;
}

#[tokio::test]
async fn tables_and_series_are_lists() {
    let server = shop().await;
    let table = server.json(&path("* | stats by (service) count() as n", "")).await;
    assert_eq!(table["kind"], "table");
    assert_eq!(table["rows"], json!([["cart", 1], ["payment", 3]]));
    assert_eq!(
        table["columns"],
        json!([
            {"name": "service", "type": "string", "kind": "text"},
            {"name": "n", "type": "int64", "kind": "number"},
        ])
    );
    let series = server.json(&path("* | hits 1m", "")).await;
    assert_eq!(series["kind"], "series");
    assert_eq!(series["rows"], json!([["2026-11-20T11:59:00.000000000Z", 4]]));
    let cut = server.json(&path("* | stats by (service) count() as n", "&limit=1")).await;
    assert_eq!((&cut["rows"], &cut["truncated"]), (&json!([["cart", 1]]), &json!(true)));
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_an_answer_too() {
    let server = Server::start().await;
    let records = server.json(&path("error", "")).await;
    assert_eq!((&records["records"], &records["truncated"]), (&json!([]), &json!(false)));
    let table = server.json(&path("* | top 3 by (service)", "")).await;
    assert_eq!(table["rows"], json!([]));
    assert_eq!(table["columns"][1]["name"], "hits");
    for what in ["patterns", "patterns/diff"] {
        let answer = server.json(&format!("/api/v1/logs/{what}")).await;
        assert_eq!(answer["patterns"], json!([]), "{what}");
    }
    server.stop().await;
}

#[tokio::test]
async fn forms_are_chosen_by_format_and_accept() {
    let server = shop().await;
    let query = "* | fields service, body | sort by (body) | limit 2";
    let ndjson = "{\"service\":\"payment\",\"body\":\"card declined, timeout\"}\n\
                  {\"service\":\"cart\",\"body\":\"order 18 placed\"}\n";
    let csv = "service,body\r\npayment,\"card declined, timeout\"\r\ncart,order 18 placed\r\n";
    let query = &query.replace("* |", "-17 |").replace("sort", "where body:~\"^[co]\" | sort");
    for (more, accept, media_type, expected) in [
        ("&format=ndjson", "*/*", "application/x-ndjson", ndjson),
        ("", "application/x-ndjson", "application/x-ndjson", ndjson),
        ("&format=csv", "*/*", "text/csv", csv),
        ("", "text/csv", "text/csv", csv),
    ] {
        let answer = server.get_as(&path(query, more), accept).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(answer.text(), expected, "{more} {accept}");
    }
    let arrow = server.get(&path(query, "&format=arrow")).await;
    assert_eq!(arrow.header("content-type"), "application/vnd.apache.arrow.stream");
    let reader = arrow::ipc::reader::StreamReader::try_new(&arrow.body[..], None).expect("reads");
    let rows: usize = reader.map(|batch| batch.expect("reads").num_rows()).sum();
    assert_eq!(rows, 2);
    assert_eq!(server.problem(&path("*", "&format=xml"), 400).await["field"], "format");
    server.get_as(&path("*", ""), "text/html").await.problem(406);
    server.stop().await;
}

#[tokio::test]
async fn the_sql_is_shown_and_means_the_same() {
    let server = shop().await;
    let query = "placed | stats by (service) count() as n";
    let explained = server.json(&path(query, "&explain=true")).await;
    assert_eq!(explained["kind"], "table");
    let sql = server.post_sql(&json!({"query": explained["sql"]}), JSON).await.json();
    let answer = server.json(&path(query, "")).await;
    assert_eq!(sql["rows"], answer["rows"]);
    assert_eq!(answer["sql"], explained["sql"]);
    let formatted = format!("/api/v1/logs/query/format?query={}", encoded("a   AND b|limit 5"));
    assert_eq!(server.json(&formatted).await["query"], "a b | limit 5");
    server.stop().await;
}

async fn post(server: &Server, body: &Json) -> Answer {
    let request = Request::post("/api/v1/logs/query").header("content-type", JSON);
    server.ask(request.body(Body::from(body.to_string())).expect("valid")).await
}

#[tokio::test]
async fn a_question_may_be_posted() {
    let server = shop().await;
    let body = json!({"query": "order", "limit": 1, "explain": false, "start": "-2h"});
    let answer = post(&server, &body).await.json();
    assert_eq!((&answer["kind"], &answer["truncated"]), (&json!("records"), &json!(true)));
    let problem = post(&server, &json!({"query": ["a"]})).await.problem(400);
    assert_eq!(problem["field"], "query");
    let problem = post(&server, &json!({"qery": "a"})).await.problem(400);
    assert!(problem["detail"].as_str().expect("text").contains("did you mean 'query'?"));
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_and_where() {
    let server = Server::start().await;
    for (query, position) in [
        ("a AND", 5),
        ("\"ü\" (", 5),
        ("* | nopipe", 4),
        ("level:loud", 0),
        ("* | fields a | where b:1", 21),
        ("trace_id:xyz", 0),
    ] {
        let problem = server.problem(&path(query, ""), 400).await;
        assert_eq!(problem["field"], "query", "{query}: {problem}");
        assert_eq!(problem["position"], position, "{query}: {problem}");
        let explained = server.problem(&path(query, "&explain=true"), 400).await;
        assert_eq!(explained["position"], position, "{query}");
    }
    for (more, field) in [
        ("&limit=0", "limit"),
        ("&limit=100001", "limit"),
        ("&order=random", "order"),
        ("&explain=maybe", "explain"),
        ("&start=now&end=-1h", "start"),
        ("&filter=x", "filter"),
    ] {
        assert_eq!(server.problem(&path("*", more), 400).await["field"], field, "{more}");
    }
    for (what, field) in [
        ("patterns?limit=1001", "limit"),
        ("patterns?step=1ns", "step"),
        ("patterns?query=a%20%7C%20limit%201", "query"),
        ("patterns/diff?before_start=now&before_end=-1h", "before_start"),
        ("query/complete?cursor=1", "cursor"),
        ("query/format?query=(", "query"),
        ("query/format", "query"),
    ] {
        let problem = server.problem(&format!("/api/v1/logs/{what}"), 400).await;
        assert_eq!(problem["field"], field, "{what}: {problem}");
    }
    let limits = ApiLimits { json_rows_max: 3, json_bytes_max: 1 << 20 };
    let small = Server::start_with(limits).await;
    let records = [(); 5].map(|()| (text("x"), 9, None));
    append_logs(&small, "cart", &records).await;
    assert_eq!(small.problem(&path("*", ""), 422).await["limit"], "3 rows");
    small.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn completion_proposes_what_fits() {
    let server = shop().await;
    for (query, kind, expected) in [
        ("service:", "value", vec!["cart", "payment"]),
        ("service:p", "value", vec!["payment"]),
        ("level:e", "value", vec!["error"]),
        ("num", "field", vec!["number:"]),
        ("resource.host", "field", vec!["resource.host.name:"]),
        ("number:", "value", vec!["0", "1", "2"]),
        ("host.name:", "value", vec!["h1"]),
        ("* | patt", "pipe", vec!["patterns "]),
        ("* | fields num", "field", vec!["number"]),
    ] {
        let path = format!("/api/v1/logs/query/complete?query={}", encoded(query));
        let answer = server.json(&path).await;
        let proposals = answer["proposals"].as_array().expect("a list").iter();
        let proposals = proposals.filter(|one| one["kind"] == kind);
        let mut found =
            proposals.map(|one| one["insert"].as_str().expect("text")).collect::<Vec<_>>();
        found.sort_unstable();
        assert_eq!(found, expected, "{query}: {answer}");
    }
    let path = format!("/api/v1/logs/query/complete?query={}&cursor=5", encoded("ü ser x"));
    assert_eq!(server.json(&path).await["replace"], json!({"start": 2, "end": 5}));
    let path = "/api/v1/logs/query/complete?query=%7C%20&limit=2";
    let few = server.json(path).await;
    assert_eq!(few["proposals"].as_array().map(Vec::len), Some(2));
    assert_eq!(few["truncated"], true);
    server.stop().await;
}

#[tokio::test]
async fn patterns_are_counted() {
    let server = shop().await;
    let answer = server.json("/api/v1/logs/patterns?query=placed&step=30m").await;
    let pattern = &answer["patterns"][0];
    assert_eq!(pattern["count"], 2);
    assert_eq!((&pattern["levels"]["info"], &pattern["levels"]["warn"]), (&json!(1), &json!(1)));
    assert_eq!(pattern["counts"], json!([0, 2]));
    assert_eq!(answer["start"], "2026-11-20T11:00:00.000000000Z");
    assert_eq!(answer["step_seconds"], 1800.0);
    assert_eq!(pattern["example"], "order 17 placed");
    assert_eq!(pattern["template_id"].as_str().map(str::len), Some(16));
    let id = pattern["template_id"].as_str().expect("text");
    let records = server.json(&path(&format!("template_id:{id}"), "")).await;
    assert_eq!(records["records"].as_array().map(Vec::len), Some(2));

    let diff = server.json("/api/v1/logs/patterns/diff?start=-10m").await;
    let changes = diff["patterns"].as_array().expect("a list").iter();
    let changes = changes.map(|p| p["change"].as_str().expect("text")).collect::<Vec<_>>();
    assert_eq!(changes, ["new"; 3], "{diff}");
    let gone = "/api/v1/logs/patterns/diff?start=-10s&before_start=-10m&query=placed";
    let gone = server.json(gone).await;
    assert_eq!(gone["patterns"][0]["change"], "vanished", "{gone}");
    server.stop().await;
}
