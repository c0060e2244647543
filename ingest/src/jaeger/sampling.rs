//! Which share of their traces services are told to sample: the file of strategies that Jaeger's collector
//! takes, and the answers that Jaeger's clients and OpenTelemetry's `jaeger_remote` samplers read.
//!
//! ```text
//! file      := { "service_strategies": [service*], "default_strategy": strategy }
//! service   := strategy with "service": name
//! strategy  := { "type": "probabilistic" | "ratelimiting", "param": number,
//!                "operation_strategies": [{ "operation": name, "type": "probabilistic", "param": number }*] }
//! ```
//! Operations of the default strategy hold for every service that does not name them itself.

use hashbrown::HashMap;
use serde::Deserialize;
use serde_json::{Value, json};
use throughline_model::codec::{put_bytes, put_nested, put_varint};

use crate::{Error, Result};

/// Services and operations that a file may name.
const STRATEGIES_MAX: usize = 100_000;

/// The strategies in force.
#[derive(Debug)]
pub struct Strategies {
    services: HashMap<String, Strategy>,
    default: Strategy,
}

#[derive(Clone, Debug, PartialEq)]
struct Strategy {
    rule: Rule,
    operations: Vec<(String, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    /// A share of all traces, from 0 to 1.
    Probabilistic(f64),
    /// So many traces a second.
    RateLimiting(i32),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    #[serde(default)]
    service_strategies: Vec<StrategyText>,
    default_strategy: Option<StrategyText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrategyText {
    service: Option<String>,
    operation: Option<String>,
    r#type: String,
    param: f64,
    #[serde(default)]
    operation_strategies: Vec<StrategyText>,
}

impl Strategies {
    /// One probability for all.
    pub fn of_probability(probability: f64) -> Self {
        let rule = Rule::Probabilistic(probability);
        Self { services: HashMap::new(), default: Strategy { rule, operations: Vec::new() } }
    }

    /// The strategies of a file; `probability` is the default where it has none.
    pub fn parse(text: &str, probability: f64) -> Result<Self> {
        let file: FileText = serde_json::from_str(text)
            .map_err(|err| Error::malformed(format!("malformed JSON: {err}")))?;
        let operations = file.service_strategies.iter().chain(&file.default_strategy);
        let count: usize = operations.map(|text| 1 + text.operation_strategies.len()).sum();
        if count > STRATEGIES_MAX {
            return Err(Error::too_large(format!(
                "the file has {count} strategies, the limit is {STRATEGIES_MAX}"
            )));
        }
        let mut strategies = Self::of_probability(probability);
        if let Some(text) = &file.default_strategy {
            strategies.default = strategy("default_strategy", text)?;
        }
        for (at, text) in file.service_strategies.iter().enumerate() {
            let place = format!("service_strategies[{at}]");
            let Some(service) = text.service.clone().filter(|name| !name.is_empty()) else {
                return Err(Error::malformed(format!("{place}: 'service' is missing")));
            };
            let mut own = strategy(&place, text)?;
            for (name, probability) in &strategies.default.operations {
                if own.operations.iter().all(|(known, _)| known != name) {
                    own.operations.push((name.clone(), *probability));
                }
            }
            strategies.services.insert(service, own);
        }
        Ok(strategies)
    }

    fn of(&self, service: &str) -> &Strategy {
        self.services.get(service).unwrap_or(&self.default)
    }

    /// The answer to a service as JSON.
    pub fn json(&self, service: &str) -> String {
        let Strategy { rule, operations } = self.of(service);
        let mut answer = match rule {
            Rule::Probabilistic(rate) => json!({
                "strategyType": "PROBABILISTIC",
                "probabilisticSampling": { "samplingRate": rate },
            }),
            Rule::RateLimiting(rate) => json!({
                "strategyType": "RATE_LIMITING",
                "rateLimitingSampling": { "maxTracesPerSecond": rate },
            }),
        };
        if !operations.is_empty() {
            let operations: Vec<Value> = operations
                .iter()
                .map(|(operation, rate)| {
                    let sampling = json!({ "samplingRate": rate });
                    json!({ "operation": operation, "probabilisticSampling": sampling })
                })
                .collect();
            answer["operationSampling"] = json!({
                "defaultSamplingProbability": self.default_probability(rule),
                "defaultLowerBoundTracesPerSecond": 0.0,
                "perOperationStrategies": operations,
            });
        }
        answer.to_string()
    }

    /// The answer to a service as `SamplingStrategyResponse { 1: type, 2: ProbabilisticSamplingStrategy,
    /// 3: RateLimitingSamplingStrategy, 4: PerOperationSamplingStrategies }`.
    pub fn protobuf(&self, service: &str) -> Vec<u8> {
        let Strategy { rule, operations } = self.of(service);
        let mut out = Vec::new();
        match rule {
            Rule::Probabilistic(rate) => {
                out.push(2 << 3 | 2);
                put_nested(&mut out, |out| put_double(out, 1, *rate));
            }
            Rule::RateLimiting(rate) => {
                out.extend_from_slice(&[1 << 3, 1, 3 << 3 | 2]);
                put_nested(&mut out, |out| {
                    out.push(1 << 3);
                    put_varint(out, i64::from(*rate) as u64);
                });
            }
        }
        if !operations.is_empty() {
            out.push(4 << 3 | 2);
            put_nested(&mut out, |out| {
                put_double(out, 1, self.default_probability(rule));
                for (operation, rate) in operations {
                    out.push(3 << 3 | 2);
                    put_nested(out, |out| {
                        out.push(1 << 3 | 2);
                        put_bytes(out, operation.as_bytes());
                        out.push(2 << 3 | 2);
                        put_nested(out, |out| put_double(out, 1, *rate));
                    });
                }
            });
        }
        out
    }

    /// What holds for the operations that a strategy does not name.
    fn default_probability(&self, rule: &Rule) -> f64 {
        match (rule, &self.default.rule) {
            (Rule::Probabilistic(rate), _) | (_, Rule::Probabilistic(rate)) => *rate,
            // Clients have no way to limit them all together.
            (Rule::RateLimiting(_), Rule::RateLimiting(_)) => 1.0,
        }
    }
}

fn put_double(out: &mut Vec<u8>, number: u8, value: f64) {
    out.push(number << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn strategy(place: &str, text: &StrategyText) -> Result<Strategy> {
    let mut operations: Vec<(String, f64)> = Vec::new();
    for (at, operation) in text.operation_strategies.iter().enumerate() {
        let place = format!("{place}.operation_strategies[{at}]");
        let Some(name) = operation.operation.clone() else {
            return Err(Error::malformed(format!("{place}: 'operation' is missing")));
        };
        match rule(&place, operation)? {
            Rule::Probabilistic(rate) => operations.push((name, rate)),
            Rule::RateLimiting(_) => {
                return Err(Error::malformed(format!(
                    "{place}: the type of an operation is 'probabilistic', not 'ratelimiting'"
                )));
            }
        }
    }
    Ok(Strategy { rule: rule(place, text)?, operations })
}

fn rule(place: &str, text: &StrategyText) -> Result<Rule> {
    let param = text.param;
    let outside = |range: &str| {
        Err(Error::malformed(format!("{place}: param {param} is not within {range}")))
    };
    match text.r#type.as_str() {
        "probabilistic" if (0.0..=1.0).contains(&param) => Ok(Rule::Probabilistic(param)),
        "probabilistic" => outside("0 to 1"),
        "ratelimiting" if (0.0..=f64::from(i32::MAX)).contains(&param) => {
            Ok(Rule::RateLimiting(param.round() as i32))
        }
        "ratelimiting" => outside("0 to 2147483647"),
        other => Err(Error::malformed(format!(
            "{place}: type '{other}' is neither 'probabilistic' nor 'ratelimiting'"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "service_strategies": [
            {"service": "cart", "type": "probabilistic", "param": 0.8, "operation_strategies": [
                {"operation": "GET /items", "type": "probabilistic", "param": 0.2}]},
            {"service": "mail", "type": "ratelimiting", "param": 5}
        ],
        "default_strategy": {"type": "probabilistic", "param": 0.5, "operation_strategies": [
            {"operation": "/health", "type": "probabilistic", "param": 0.0}]}
    }"#;

    fn answer(strategies: &Strategies, service: &str) -> Value {
        serde_json::from_str(&strategies.json(service)).expect("JSON")
    }

    #[test]
    fn each_service_gets_its_strategy() {
        let strategies = Strategies::parse(FILE, 1.0).expect("valid");
        let health =
            json!({ "operation": "/health", "probabilisticSampling": { "samplingRate": 0.0 } });
        let items =
            json!({ "operation": "GET /items", "probabilisticSampling": { "samplingRate": 0.2 } });
        let operations = |probability: f64, each: Value| {
            json!({
                "defaultSamplingProbability": probability,
                "defaultLowerBoundTracesPerSecond": 0.0,
                "perOperationStrategies": each,
            })
        };
        let cart = json!({
            "strategyType": "PROBABILISTIC",
            "probabilisticSampling": { "samplingRate": 0.8 },
            "operationSampling": operations(0.8, json!([items, health])),
        });
        let mail = json!({
            "strategyType": "RATE_LIMITING",
            "rateLimitingSampling": { "maxTracesPerSecond": 5 },
            "operationSampling": operations(0.5, json!([health])),
        });
        let others = json!({
            "strategyType": "PROBABILISTIC",
            "probabilisticSampling": { "samplingRate": 0.5 },
            "operationSampling": operations(0.5, json!([health])),
        });
        for (service, expected) in [("cart", cart), ("mail", mail), ("else", others)] {
            assert_eq!(answer(&strategies, service), expected, "{service}");
        }
        let alike = json!({
            "strategyType": "PROBABILISTIC",
            "probabilisticSampling": { "samplingRate": 0.25 },
        });
        assert_eq!(answer(&Strategies::of_probability(0.25), "any"), alike);
        assert_eq!(answer(&Strategies::parse("{}", 0.25).expect("valid"), "any"), alike);
    }

    #[test]
    fn protobuf_says_the_same() {
        let strategies = Strategies::parse(FILE, 1.0).expect("valid");
        let rate = |value: f64| {
            let mut out = vec![1 << 3 | 1];
            out.extend_from_slice(&value.to_le_bytes());
            out
        };
        let nested = |number: u8, content: &[u8]| {
            let mut out = vec![number << 3 | 2];
            put_bytes(&mut out, content);
            out
        };
        let health = [nested(1, b"/health"), nested(2, &rate(0.0))].concat();
        let operations = [rate(0.5), nested(3, &health)].concat();
        let mail = [vec![1 << 3, 1], nested(3, &[1 << 3, 5]), nested(4, &operations)].concat();
        assert_eq!(strategies.protobuf("mail"), mail);
        let others = [nested(2, &rate(0.5)), nested(4, &operations)].concat();
        assert_eq!(strategies.protobuf("else"), others);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let default = |strategy: &str| format!("{{\"default_strategy\": {strategy}}}");
        for (text, part) in [
            ("[".to_owned(), "malformed JSON"),
            ("{\"services\": []}".to_owned(), "unknown field `services`"),
            (default("{\"type\": \"adaptive\", \"param\": 1}"), "type 'adaptive' is neither"),
            (default("{\"type\": \"probabilistic\", \"param\": 1.5}"), "1.5 is not within 0 to 1"),
            (default("{\"type\": \"ratelimiting\", \"param\": -1}"), "-1 is not within 0"),
            (
                "{\"service_strategies\": [{\"type\": \"probabilistic\", \"param\": 1}]}"
                    .to_owned(),
                "service_strategies[0]: 'service' is missing",
            ),
            (
                default(
                    "{\"type\": \"probabilistic\", \"param\": 1, \"operation_strategies\": \
                     [{\"operation\": \"x\", \"type\": \"ratelimiting\", \"param\": 1}]}",
                ),
                "default_strategy.operation_strategies[0]: the type of an operation",
            ),
        ] {
            let err = Strategies::parse(&text, 1.0).expect_err(&text).to_string();
            assert!(err.contains(part), "{text}: {err}");
        }
    }
}
