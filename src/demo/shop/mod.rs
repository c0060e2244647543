//! The simulated web shop, as data: its services, what they do, whom they call, what they log.
//!
//! ```text
//! web-frontend ┐              ┌ auth ─ users         ┌ pricing
//! mobile-bff ──┴─ gateway ────┼ catalog ─ reviews    ├ inventory      kafka: orders → order-processor
//!                             ├ search ─ recommendations                      payments → analytics
//!                             ├ cart ────────────────┤                 shipments → notifications → email
//!                             └ checkout ────────────┴ payment ─ fraud, shipping, loyalty
//! ```

mod back;
mod front;

/// A service of the shop.
pub struct Service {
    /// `service.name`.
    pub name: &'static str,
    /// `telemetry.sdk.language`.
    pub language: &'static str,
    /// `service.version` before the deployment, if it has one.
    pub version: &'static str,
    /// Pods.
    pub replicas: usize,
}

/// How an operation is entered.
#[derive(Clone, Copy)]
pub enum Entry {
    /// HTTP: method and route.
    Http(&'static str, &'static str),
    /// gRPC: service and method.
    Grpc(&'static str, &'static str),
    /// A message of a Kafka topic.
    Message(&'static str),
    /// A timer inside the service.
    Timer(&'static str),
}

/// What an operation does on its way.
pub enum Step {
    /// Calls another operation by its key, with a probability.
    Call(&'static str, f64),
    /// Queries PostgreSQL: operation, table, statement, median milliseconds.
    Sql(&'static str, &'static str, &'static str, f64),
    /// Asks Redis: command, key pattern; the probability that it is all that is needed.
    Cached(&'static str, &'static str, f64, &'static [Step]),
    /// Works inside: span name and median milliseconds.
    Work(&'static str, f64),
    /// Does steps at the same time.
    Together(&'static [Step]),
    /// Sends to a Kafka topic; these operations get the message.
    Publish(&'static str, &'static [&'static str]),
}

/// When a line is logged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At the start, whatever happens.
    Start,
    /// At the end, if all went well.
    Done,
    /// At the end, if it failed.
    Failed,
}

/// A line that an operation logs.
pub struct Line {
    /// When.
    pub when: When,
    /// `severityNumber` of OTLP.
    pub severity: i32,
    /// How often.
    pub share: f64,
    /// The text; `{…}` is filled in from the request.
    pub text: &'static str,
}

/// An operation of a service.
pub struct Operation {
    /// How steps name it.
    pub key: &'static str,
    /// The service it belongs to.
    pub service: &'static str,
    /// How it is entered.
    pub entry: Entry,
    /// Median time of its own, milliseconds.
    pub own_ms: f64,
    /// What it does.
    pub steps: &'static [Step],
    /// What it logs.
    pub lines: &'static [Line],
}

/// Something users do: entry operation and weight.
pub struct Journey {
    /// Key of the operation that begins it.
    pub entry: &'static str,
    /// How often, relative to the others.
    pub weight: f64,
}

const fn service(
    name: &'static str,
    language: &'static str,
    version: &'static str,
    replicas: usize,
) -> Service {
    Service { name, language, version, replicas }
}

pub(super) const fn line(when: When, severity: i32, share: f64, text: &'static str) -> Line {
    Line { when, severity, share, text }
}

pub(super) const DEBUG: i32 = 5;
pub(super) const INFO: i32 = 9;
pub(super) const WARN: i32 = 13;
pub(super) const ERROR: i32 = 17;

/// All services.
pub const SERVICES: &[Service] = &[
    service("web-frontend", "nodejs", "3.14.0", 3),
    service("mobile-bff", "nodejs", "2.7.1", 2),
    service("gateway", "go", "1.22.4", 3),
    service("auth", "go", "4.0.2", 2),
    service("users", "java", "2.3.0", 2),
    service("catalog", "java", "5.11.3", 3),
    service("reviews", "python", "1.4.9", 2),
    service("media", "rust", "0.9.6", 2),
    service("search", "java", "1.8.2", 3),
    service("recommendations", "python", "0.18.0", 2),
    service("cart", "dotnet", "3.2.5", 2),
    service("pricing", "go", "2.0.8", 2),
    service("checkout", "go", "2.9.1", 2),
    service("payment", "java", "6.1.0", 2),
    service("fraud", "python", "1.12.3", 2),
    service("inventory", "java", "3.5.7", 2),
    service("shipping", "rust", "1.1.0", 2),
    service("loyalty", "ruby", "0.6.2", 1),
    service("order-processor", "java", "2.2.2", 2),
    service("notifications", "nodejs", "1.9.0", 1),
    service("email", "python", "1.0.14", 1),
    service("analytics", "python", "0.31.0", 1),
];

/// What users do.
pub const JOURNEYS: &[Journey] = &[
    Journey { entry: "web.home", weight: 24.0 },
    Journey { entry: "web.product", weight: 26.0 },
    Journey { entry: "web.search", weight: 16.0 },
    Journey { entry: "mobile.feed", weight: 12.0 },
    Journey { entry: "web.add_to_cart", weight: 9.0 },
    Journey { entry: "web.login", weight: 5.0 },
    Journey { entry: "web.checkout", weight: 6.0 },
    Journey { entry: "mobile.checkout", weight: 2.5 },
    Journey { entry: "inventory.sync", weight: 0.6 },
];

/// All operations.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    front::OPERATIONS.iter().chain(back::OPERATIONS)
}

/// The operation that takes whole batches of payment messages, linked to each of their senders.
pub const ANALYTICS_SERVICE: &str = "analytics";
