//! Which attributes each kind of span carries, in the words of the semantic conventions.

use super::scope::{Failure, Scope};
use super::trace::{Attributes, Val};

/// The server side of an HTTP request.
pub fn http_server(
    method: &str,
    route: &str,
    scope: &Scope,
    failure: Option<&Failure>,
) -> Attributes {
    let status = failure.map_or(200, |failure| failure.http_status);
    let mut attributes: Attributes = vec![
        ("http.request.method", method.into()),
        ("http.route", route.into()),
        ("url.scheme", "https".into()),
        ("url.path", scope.fill_path(route).into()),
        ("http.response.status_code", status.into()),
        ("network.protocol.version", "1.1".into()),
        ("user_agent.original", scope.user_agent.into()),
        ("client.address", scope.ip.clone().into()),
        ("user.id", scope.user.clone().into()),
    ];
    if route.contains("search") {
        attributes.push(("url.query", format!("q={}", scope.query.replace(' ', "+")).into()));
    }
    if status >= 500 {
        attributes.push(("error.type", status.to_string().into()));
    }
    attributes
}

/// The client side of an HTTP request.
pub fn http_client(
    method: &str,
    route: &str,
    server: &str,
    scope: &Scope,
    failure: Option<&Failure>,
) -> Attributes {
    let status = failure.map_or(200, |failure| failure.http_status);
    let mut attributes: Attributes = vec![
        ("http.request.method", method.into()),
        ("url.full", format!("http://{server}.shop.svc:8080{}", scope.fill_path(route)).into()),
        ("server.address", format!("{server}.shop.svc").into()),
        ("server.port", 8080.into()),
        ("http.response.status_code", status.into()),
    ];
    if status >= 400 {
        attributes.push(("error.type", status.to_string().into()));
    }
    attributes
}

/// Either side of a gRPC call.
pub fn grpc(service: &str, method: &str, server: &str, failure: Option<&Failure>) -> Attributes {
    let code = failure.map_or(0, |failure| failure.grpc_code);
    vec![
        ("rpc.system", "grpc".into()),
        ("rpc.service", service.into()),
        ("rpc.method", method.into()),
        ("rpc.grpc.status_code", code.into()),
        ("server.address", format!("{server}.shop.svc").into()),
        ("server.port", 9090.into()),
    ]
}

/// A query to the service's PostgreSQL.
pub fn sql(service: &str, operation: &str, table: &str, statement: &str, rows: i64) -> Attributes {
    vec![
        ("db.system.name", "postgresql".into()),
        ("db.namespace", service.replace('-', "_").into()),
        ("db.operation.name", operation.into()),
        ("db.collection.name", table.into()),
        ("db.query.text", statement.into()),
        ("db.response.returned_rows", rows.into()),
        ("server.address", format!("{service}-db.shop.svc").into()),
        ("server.port", 5432.into()),
    ]
}

/// A command to Redis.
pub fn redis(command: &str, key: &str, hit: bool) -> Attributes {
    vec![
        ("db.system.name", "redis".into()),
        ("db.namespace", "0".into()),
        ("db.operation.name", command.into()),
        ("db.query.text", format!("{command} {key}").into()),
        ("server.address", "redis.shop.svc".into()),
        ("server.port", 6379.into()),
        ("app.cache.hit", hit.into()),
    ]
}

/// Either side of a Kafka message.
pub fn kafka(
    operation: &str,
    topic: &str,
    client: &str,
    partition: i64,
    offset: i64,
) -> Attributes {
    vec![
        ("messaging.system", "kafka".into()),
        ("messaging.destination.name", topic.into()),
        ("messaging.operation.type", operation.into()),
        ("messaging.operation.name", operation.into()),
        ("messaging.client.id", client.into()),
        ("messaging.destination.partition.id", partition.to_string().into()),
        ("messaging.kafka.offset", offset.into()),
        ("server.address", "kafka.shop.svc".into()),
    ]
}

/// What belongs to the business rather than to the protocol.
pub fn business(key: &str, scope: &Scope) -> Attributes {
    let has = |part| key.contains(part);
    let mut attributes = Attributes::new();
    if has("product") || has("stock") || has("price") || has("quote") || has("similar") {
        attributes.push(("app.product.id", scope.product.clone().into()));
    }
    if has("checkout") || has("payment") || has("order") || has("reserve") || has("shipping") {
        attributes.push(("app.order.id", scope.order.clone().into()));
        attributes.push(("app.order.amount", scope.amount.into()));
        attributes.push(("app.order.express", scope.express.into()));
    }
    if has("checkout.place") || has("cart") {
        attributes.push(("app.cart.items", scope.items.into()));
        attributes.push(("app.cart.products", Val::Texts(scope.products.clone())));
    }
    if has("search") {
        attributes.push(("app.search.terms", (scope.query.split(' ').count() as i64).into()));
    }
    attributes
}

/// An exception event.
pub fn exception(failure: &Failure) -> Attributes {
    vec![
        ("exception.type", failure.exception.into()),
        ("exception.message", failure.message.clone().into()),
        ("exception.stacktrace", failure.stacktrace().into()),
        ("exception.escaped", true.into()),
    ]
}
