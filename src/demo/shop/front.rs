//! What users meet: pages, the mobile API, the gateway, sign-in.

use super::Entry::{Grpc, Http};
use super::Step::{Cached, Call, Sql, Together, Work};
use super::When::{Done, Failed, Start};
use super::{DEBUG, ERROR, INFO, Operation, WARN, line};

/// The operations.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        key: "web.home",
        service: "web-frontend",
        entry: Http("GET", "/"),
        own_ms: 6.0,
        steps: &[Call("gateway.home", 1.0), Work("render home", 8.0)],
        lines: &[line(Done, INFO, 0.4, "GET / 200 {ms} ms user={user}")],
    },
    Operation {
        key: "web.product",
        service: "web-frontend",
        entry: Http("GET", "/products/:id"),
        own_ms: 5.0,
        steps: &[Call("gateway.product", 1.0), Work("render product", 7.0)],
        lines: &[
            line(Done, INFO, 0.4, "GET /products/{product} 200 {ms} ms user={user}"),
            line(Failed, WARN, 1.0, "page for product {product} is shown without all of its parts"),
        ],
    },
    Operation {
        key: "web.search",
        service: "web-frontend",
        entry: Http("GET", "/search"),
        own_ms: 5.0,
        steps: &[Call("gateway.search", 1.0), Work("render results", 9.0)],
        lines: &[line(Done, INFO, 0.4, "GET /search?q={query} 200 {ms} ms")],
    },
    Operation {
        key: "web.add_to_cart",
        service: "web-frontend",
        entry: Http("POST", "/cart/items"),
        own_ms: 4.0,
        steps: &[Call("gateway.add_to_cart", 1.0)],
        lines: &[line(Done, INFO, 1.0, "user {user} put {product} into the cart")],
    },
    Operation {
        key: "web.login",
        service: "web-frontend",
        entry: Http("POST", "/login"),
        own_ms: 3.0,
        steps: &[Call("gateway.login", 1.0)],
        lines: &[
            line(Done, INFO, 1.0, "user {user} logged in from {ip}"),
            line(Failed, WARN, 1.0, "login of {user} from {ip} failed"),
        ],
    },
    Operation {
        key: "web.checkout",
        service: "web-frontend",
        entry: Http("POST", "/checkout"),
        own_ms: 6.0,
        steps: &[Call("gateway.checkout", 1.0), Work("render confirmation", 6.0)],
        lines: &[
            line(Done, INFO, 1.0, "order {order} confirmed to {user}"),
            line(Failed, ERROR, 1.0, "checkout of {user} failed, order {order} was not placed"),
        ],
    },
    Operation {
        key: "mobile.feed",
        service: "mobile-bff",
        entry: Http("GET", "/v2/feed"),
        own_ms: 4.0,
        steps: &[Together(&[Call("gateway.home", 1.0), Call("gateway.product", 0.6)])],
        lines: &[line(Start, DEBUG, 0.3, "feed for device {session} page 1")],
    },
    Operation {
        key: "mobile.checkout",
        service: "mobile-bff",
        entry: Http("POST", "/v2/checkout"),
        own_ms: 5.0,
        steps: &[Call("gateway.checkout", 1.0)],
        lines: &[line(Failed, ERROR, 1.0, "mobile checkout failed for order {order}")],
    },
    Operation {
        key: "gateway.home",
        service: "gateway",
        entry: Http("GET", "/api/home"),
        own_ms: 1.5,
        steps: &[
            Call("auth.validate", 0.7),
            Together(&[
                Call("catalog.featured", 1.0),
                Call("recommendations.for_user", 1.0),
                Call("cart.get", 0.7),
            ]),
        ],
        lines: &[line(Done, INFO, 1.0, "{ip} \"GET /api/home\" 200 {ms} ms session={session}")],
    },
    Operation {
        key: "gateway.product",
        service: "gateway",
        entry: Http("GET", "/api/products/:id"),
        own_ms: 1.5,
        steps: &[
            Call("auth.validate", 0.7),
            Together(&[
                Call("catalog.product", 1.0),
                Call("reviews.list", 1.0),
                Call("recommendations.similar", 0.8),
            ]),
        ],
        lines: &[
            line(
                Done,
                INFO,
                1.0,
                "{ip} \"GET /api/products/{product}\" 200 {ms} ms session={session}",
            ),
            line(Failed, ERROR, 0.8, "upstream error for /api/products/{product}"),
        ],
    },
    Operation {
        key: "gateway.search",
        service: "gateway",
        entry: Http("GET", "/api/search"),
        own_ms: 1.5,
        steps: &[Call("auth.validate", 0.5), Call("search.query", 1.0)],
        lines: &[line(Done, INFO, 1.0, "{ip} \"GET /api/search\" 200 {ms} ms session={session}")],
    },
    Operation {
        key: "gateway.add_to_cart",
        service: "gateway",
        entry: Http("POST", "/api/cart/items"),
        own_ms: 1.5,
        steps: &[Call("auth.validate", 1.0), Call("cart.add", 1.0)],
        lines: &[line(
            Done,
            INFO,
            1.0,
            "{ip} \"POST /api/cart/items\" 200 {ms} ms session={session}",
        )],
    },
    Operation {
        key: "gateway.login",
        service: "gateway",
        entry: Http("POST", "/api/login"),
        own_ms: 1.5,
        steps: &[Call("auth.login", 1.0)],
        lines: &[line(Done, INFO, 1.0, "{ip} \"POST /api/login\" 200 {ms} ms session={session}")],
    },
    Operation {
        key: "gateway.checkout",
        service: "gateway",
        entry: Http("POST", "/api/checkout"),
        own_ms: 2.0,
        steps: &[Call("auth.validate", 1.0), Call("checkout.place", 1.0)],
        lines: &[line(Failed, ERROR, 1.0, "502 from checkout for order {order} after {ms} ms")],
    },
    Operation {
        key: "auth.validate",
        service: "auth",
        entry: Grpc("shop.auth.v1.Auth", "ValidateToken"),
        own_ms: 0.6,
        steps: &[Cached(
            "GET",
            "session:{session}",
            0.93,
            &[Sql(
                "SELECT",
                "sessions",
                "SELECT user_id, expires_at FROM sessions WHERE id = $1",
                2.0,
            )],
        )],
        lines: &[line(Done, DEBUG, 0.1, "session {session} is valid")],
    },
    Operation {
        key: "auth.login",
        service: "auth",
        entry: Grpc("shop.auth.v1.Auth", "Login"),
        own_ms: 2.0,
        steps: &[
            Call("users.by_email", 1.0),
            Work("verify password", 62.0),
            Sql(
                "INSERT",
                "sessions",
                "INSERT INTO sessions (id, user_id, expires_at) VALUES ($1, $2, $3)",
                3.0,
            ),
        ],
        lines: &[
            line(Done, INFO, 1.0, "issued a token for {user}, session {session}"),
            line(Failed, WARN, 1.0, "wrong password for {user}, attempt {items}"),
        ],
    },
];
