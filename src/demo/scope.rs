//! Who asks for what, and why it failed: the same in all spans and lines of one request.

use rand::Rng as _;
use rand::rngs::SmallRng;

/// Why an operation failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Type of the exception.
    pub exception: &'static str,
    /// Its message.
    pub message: String,
    /// What an HTTP caller sees.
    pub http_status: i64,
    /// What a gRPC caller sees.
    pub grpc_code: i64,
    /// Class in which it was thrown.
    pub place: &'static str,
}

impl Failure {
    /// The acquirer did not answer.
    pub fn of_acquirer() -> Failure {
        Failure {
            exception: "PaymentGatewayTimeout",
            message: "acquirer.example did not answer within 2000 ms".to_owned(),
            http_status: 504,
            grpc_code: 14,
            place: "PaymentService",
        }
    }

    /// The user mistyped.
    pub fn of_password() -> Failure {
        Failure {
            exception: "InvalidCredentials",
            message: "wrong password".to_owned(),
            http_status: 401,
            grpc_code: 16,
            place: "AuthService",
        }
    }

    /// Nobody knows.
    pub fn of_anything(service: &str) -> Failure {
        Failure {
            exception: "ConnectionReset",
            message: format!("connection reset by peer while {service} was waiting for its pool"),
            http_status: 500,
            grpc_code: 13,
            place: "Handler",
        }
    }

    /// A stack trace, as the language would print it.
    pub fn stacktrace(&self) -> String {
        format!(
            "{}: {}\n\tat shop.{place}.execute({place}.java:118)\n\tat shop.{place}.handle({place}.java:64)\n\t\
             at io.grpc.stub.ServerCalls.invoke(ServerCalls.java:182)\n\tat java.lang.Thread.run(Thread.java:1583)",
            self.exception,
            self.message,
            place = self.place
        )
    }

    /// What the caller of a failed operation fails with.
    pub fn upstream(&self) -> Failure {
        Failure {
            exception: "UpstreamError",
            message: format!("upstream failed: {}", self.message),
            http_status: if self.http_status < 500 { self.http_status } else { 502 },
            grpc_code: if self.grpc_code == 16 { 16 } else { 14 },
            place: self.place,
        }
    }

    /// Whether a server span with this failure has the status error; a client's mistake has not.
    pub fn is_error(&self) -> bool {
        self.http_status >= 500
    }
}

/// Who asks for what: the same in all spans and lines of a request.
#[derive(Clone, Debug)]
pub struct Scope {
    /// User.
    pub user: String,
    /// Session.
    pub session: String,
    /// Address.
    pub ip: String,
    /// Browser.
    pub user_agent: &'static str,
    /// Product looked at.
    pub product: String,
    /// Products in the cart.
    pub products: Vec<String>,
    /// Order.
    pub order: String,
    /// Price.
    pub amount: f64,
    /// Items in the cart.
    pub items: i64,
    /// Search terms.
    pub query: &'static str,
    /// Express delivery.
    pub express: bool,
}

impl Scope {
    /// A new visitor with something in mind.
    pub fn draw(rng: &mut SmallRng) -> Scope {
        let items = rng.random_range(1..=6);
        let products: Vec<String> =
            (0..items).map(|_| format!("p-{:05}", rng.random_range(0..4_000))).collect();
        Scope {
            user: format!("u-{:05}", rng.random_range(0..5_000)),
            session: format!("{:016x}", rng.random::<u64>()),
            ip: format!("203.0.113.{}", rng.random_range(1..255)),
            user_agent: USER_AGENTS[rng.random_range(0..USER_AGENTS.len())],
            product: products[0].clone(),
            products,
            order: format!("o-{:08x}", rng.random::<u32>()),
            amount: f64::from(rng.random_range(500..42_000)) / 100.0,
            items,
            query: QUERIES[rng.random_range(0..QUERIES.len())],
            express: rng.random_bool(0.2),
        }
    }

    /// The path of a route for this request.
    pub fn fill_path(&self, route: &str) -> String {
        route.replace(":id", &self.product)
    }

    /// Fills in a log line.
    pub fn fill(&self, text: &str, elapsed_ns: i64, offset: i64) -> String {
        let mut out = text.to_owned();
        for (mark, value) in [
            ("{user}", self.user.clone()),
            ("{session}", self.session.clone()),
            ("{ip}", self.ip.clone()),
            ("{product}", self.product.clone()),
            ("{order}", self.order.clone()),
            ("{amount}", format!("{:.2}", self.amount)),
            ("{items}", self.items.to_string()),
            ("{query}", self.query.to_owned()),
            ("{ms}", (elapsed_ns / 1_000_000).to_string()),
            ("{offset}", offset.to_string()),
        ] {
            if out.contains(mark) {
                out = out.replace(mark, &value);
            }
        }
        out
    }
}

const QUERIES: [&str; 10] = [
    "running shoes",
    "espresso machine",
    "wool socks",
    "desk lamp",
    "usb c cable",
    "trail backpack",
    "noise cancelling headphones",
    "cast iron pan",
    "rain jacket women",
    "board game two players",
];
const USER_AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/19.1 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
    "ShopApp/7.3 (Android 16; Pixel 10)",
];
