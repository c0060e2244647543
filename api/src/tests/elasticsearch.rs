//! The requests of Grafana's Elasticsearch source and of its other clients, recorded, over a small shop.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use throughline_model::Signal;

use super::recorded::{Entry, batch, check, shop};
use super::{Body, Request, Server, StatusCode, text};

#[tokio::test]
async fn recorded_requests_have_their_answers() {
    let server = shop().await;
    check("elasticsearch", 35, &server, "heads").await;
    server.store.flush().await.expect("flushed");
    check("elasticsearch", 35, &server, "flushed").await;
    server.stop().await;
}

fn entry(minutes_ago: i64, body: &str) -> Entry {
    Entry {
        service: "cart",
        minutes_ago,
        severity: (9, "INFO"),
        body: text(body),
        trace: None,
        status: None,
    }
}

async fn search(server: &Server, body: &Json) -> Json {
    let request = Request::post("/elasticsearch/logs/_search").body(Body::from(body.to_string()));
    let answer = server.ask(request.expect("valid")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("x-elastic-product"), "Elasticsearch");
    answer.json()
}

// Many records of one nanosecond, some of them alike, in two heads or segments each.
#[tokio::test]
async fn pages_go_on_behind_the_last_hit() {
    let server = Server::start().await;
    let (mut first, mut second) = (vec![entry(9, "before")], vec![entry(1, "behind")]);
    for n in 0..60 {
        first.push(entry(5, &format!("one of many {n}")));
        second.push(entry(5, &format!("one of more {}", n / 3)));
    }
    let count = first.len() + second.len();
    server.append(Signal::Logs, batch(&first)).await;
    server.append(Signal::Logs, batch(&second)).await;
    for order in ["desc", "asc"] {
        let mut ask = json!({ "size": 7, "sort": [{ "@timestamp": order }, { "_doc": order }] });
        let (mut ids, mut bodies) = (BTreeSet::new(), Vec::new());
        loop {
            let answer = search(&server, &ask).await;
            assert_eq!(answer["hits"]["total"]["value"], count);
            let hits = answer["hits"]["hits"].as_array().expect("hits");
            for hit in hits {
                assert!(ids.insert(hit["_id"].to_string()), "twice: {hit}");
                bodies.push(hit["_source"]["message"].as_str().expect("text").to_owned());
            }
            let Some(last) = hits.last() else { break };
            ask["search_after"] = last["sort"].clone();
            // From the heads to segments, in the middle of the nanosecond.
            if bodies.len() == 70 {
                server.store.flush().await.expect("flushed");
            }
        }
        assert_eq!((ids.len(), bodies.len()), (count, count), "{order}");
        let ends = (bodies[0].as_str(), bodies[count - 1].as_str());
        let expected = if order == "asc" { ("before", "behind") } else { ("behind", "before") };
        assert_eq!(ends, expected);
        bodies.sort_unstable();
        bodies.dedup();
        assert_eq!(bodies.len(), 2 + 60 + 20, "{order}");
    }
    server.stop().await;
}
