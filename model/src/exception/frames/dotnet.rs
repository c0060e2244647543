//! .NET: `at Namespace.Class.Method(String name) in file.cs:line 12`.

use super::{Frame, starts_with_any};

/// Namespaces of the runtime and of widespread libraries.
#[rustfmt::skip]
const LIBRARIES: &[&str] = &[
    "System.", "Microsoft.", "Npgsql.", "MySql.", "MySqlConnector.", "Grpc.", "Google.", "Newtonsoft.",
    "Dapper.", "StackExchange.", "Polly.", "OpenTelemetry.", "Serilog.", "NLog.", "AutoMapper.",
    "MediatR.", "MassTransit.", "FluentValidation.", "RabbitMQ.", "Confluent.", "Castle.", "MongoDB.",
    "Azure.", "Amazon.", "Hangfire.", "Autofac.", "Elastic.", "RestSharp.", "Refit.", "Quartz.",
    "lambda_method",
];

pub(super) fn frame(line: &str) -> Option<Frame> {
    let rest = line.trim().strip_prefix("at ")?;
    let (name, behind) = rest.split_once('(')?;
    let (_, place) = behind.rsplit_once(')')?;
    if name.is_empty() || name.contains(char::is_whitespace) {
        return None;
    }
    let file = match place.trim().strip_prefix("in ") {
        Some(place) => place.split_once(":line ").map_or(place, |(file, _)| file),
        None if place.trim().is_empty() => "",
        None => return None,
    };
    let function = source_name(name);
    let in_app = !starts_with_any(&function, LIBRARIES);
    Some(Frame::new(&function, file, in_app))
}

// The compiler puts asynchronous methods, iterators and lambdas into classes of its own:
// `Shop.<Pay>d__12.MoveNext` is `Shop.Pay`, `Shop.<>c__DisplayClass3_0.<Pay>b__1` is so too.
fn source_name(name: &str) -> String {
    let mut parts = Vec::new();
    for part in name.split('.') {
        let inner = part.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        match inner {
            Some(("", _)) => {}
            Some((method, _)) => parts.push(method),
            None if part == "MoveNext" && name.contains(">d") => {}
            // Type parameters: `List`1`, `Find[T]`.
            None => parts.push(part.split(['`', '[']).next().unwrap_or_default()),
        }
    }
    parts.join(".")
}
