//! The requests of Grafana's Loki source, of Logs Drilldown and of logcli, recorded, over a small shop.
//!
//! Each file in `loki/` has a request, with headers where they matter, and its whole answer but for the
//! statistics.

use futures::StreamExt;
use serde_json::Value as Json;
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::log_tail::{serve, stop};
use super::recorded::{batch, check, entries, shop};
use super::*;

#[tokio::test]
async fn recorded_requests_have_their_answers() {
    let server = shop().await;
    check("loki", 40, &server, "heads").await;
    server.store.flush().await.expect("flushed");
    check("loki", 40, &server, "flushed").await;
    server.stop().await;
}

#[tokio::test]
async fn a_form_in_the_body_asks_the_same() {
    let server = shop().await;
    let form = "query=%7Bservice_name%3D%22cart%22%7D+%7C%3D+%22socks%22&limit=10";
    let address = "/loki/api/v1/query_range";
    let by_address = server.json(&format!("{address}?{form}")).await;
    let request = Request::post(address)
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("x-scope-orgid", "anyone");
    let by_form = server.ask(request.body(Body::from(form)).expect("valid")).await.json();
    assert_eq!(by_form["data"]["result"], by_address["data"]["result"]);
    assert_eq!(by_form["data"]["result"].as_array().map(Vec::len), Some(2), "{by_form}");
    server.stop().await;
}

#[tokio::test]
async fn a_tail_begins_with_the_past_and_goes_on() {
    let server = shop().await;
    let (address, serving) = serve(&server).await;
    let path =
        "/loki/api/v1/tail?query=%7Bservice_name%3D%22cart%22%7D%20%7C%3D%20%22stock%22&limit=50";
    let open = format!("ws://{address}{path}").into_client_request().expect("a request");
    let stream = TcpStream::connect(address).await.expect("connects");
    let (mut socket, _) = client_async(open, stream).await.expect("a WebSocket");
    let mut next = async || loop {
        let message = socket.next().await.expect("a message").expect("reads");
        if let Message::Text(text) = message {
            break serde_json::from_str::<Json>(text.as_str()).expect("JSON");
        }
    };
    let past = next().await;
    let lines = |message: &Json| -> Vec<String> {
        let streams = message["streams"].as_array().expect("streams").iter();
        let values = streams.flat_map(|stream| stream["values"].as_array().expect("values"));
        values.map(|value| value[1].as_str().expect("a line").to_owned()).collect()
    };
    let mut found = lines(&past);
    found.sort();
    assert_eq!(found, ["level=warn msg=\"low stock\" left=3", "no stock of socks"]);
    let mut more = entries();
    for entry in &mut more {
        entry.minutes_ago = 0;
    }
    more[2].body = text("no stock of hats");
    server.append(Signal::Logs, batch(&more[1..3])).await;
    let now = next().await;
    assert_eq!(lines(&now), ["no stock of hats"]);
    let labels = &now["streams"][0]["stream"];
    assert_eq!(labels["service_name"], "cart");
    assert_eq!(labels["trace_id"], "01010101010101010101010101010101");

    let plain = server.get(path).await;
    assert_eq!(plain.status, StatusCode::BAD_REQUEST);
    stop(server, serving).await;
}
