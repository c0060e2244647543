//! The simulation: walks an operation's steps and leaves spans and log records with plausible times.
//!
//! Every number comes from one seeded generator, so a seed and a start time give the same trace.

use std::collections::{HashMap, VecDeque};

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use super::attributes;
use super::faults::{
    DEPLOYED_SERVICE, Faults, PAYMENT_FAILURE_SHARE, SLOW_DATABASE_FACTOR, SLOW_DATABASE_SERVICE,
};
use super::scope::{Failure, Scope};
use super::shop::{self, Entry, JOURNEYS, Operation, SERVICES, Step, When};
use super::trace::{Attributes, Event, Kind, Log, Pod, Span, SpanRef, Trace};

/// How wide times scatter: the sigma of their logarithm.
const SIGMA: f64 = 0.38;
/// Requests that fail for no reason that anybody knows.
const BASE_FAILURE_SHARE: f64 = 0.0006;
/// Logins with a wrong password.
const WRONG_PASSWORD_SHARE: f64 = 0.06;
/// Payment messages that analytics takes at once.
const ANALYTICS_BATCH: usize = 8;
/// One way through the network.
const NETWORK_MS: f64 = 0.35;
/// Partitions of every topic.
const PARTITIONS: i64 = 6;
/// Slow queries that are logged.
const SLOW_QUERY_LINE_SHARE: f64 = 0.5;
const ERROR_SEVERITY: i32 = 17;
const WARN_SEVERITY: i32 = 13;
/// Operations that answer although something they call fails.
const TOLERANT: [&str; 3] = ["gateway.home", "mobile.feed", "orders.process"];

/// The state of the shop between requests.
pub struct Simulation {
    rng: SmallRng,
    faults: Faults,
    operations: HashMap<&'static str, &'static Operation>,
    services: HashMap<&'static str, usize>,
    offset: i64,
    // Payment messages that analytics has not taken yet.
    payments: VecDeque<SpanRef>,
    trace: Trace,
}

// Where the walk is: in which pod and under which span, at what time.
#[derive(Clone, Copy)]
struct Here {
    pod: Pod,
    span: usize,
    now_ns: i64,
}

// Why an operation runs: whose child it is, if anybody's, and since when.
#[derive(Clone, Copy)]
struct Cause {
    trace_id: u128,
    parent: Option<u64>,
    link: Option<SpanRef>,
    start_ns: i64,
}

impl Cause {
    fn child_of(id: SpanRef, start_ns: i64) -> Cause {
        Cause { trace_id: id.trace_id, parent: Some(id.span_id), link: None, start_ns }
    }
}

// The end, or the end and why it failed.
type Walked = Result<i64, (i64, Failure)>;

impl Simulation {
    /// A shop with this seed and these faults.
    pub fn new(seed: u64, faults: Faults) -> Simulation {
        Simulation {
            rng: SmallRng::seed_from_u64(seed),
            faults,
            operations: shop::operations().map(|operation| (operation.key, operation)).collect(),
            services: SERVICES.iter().enumerate().map(|(at, service)| (service.name, at)).collect(),
            offset: 120_000,
            payments: VecDeque::new(),
            trace: Trace::default(),
        }
    }

    /// Nanoseconds until the next request, for a mean of `per_second`.
    pub fn pause_ns(&mut self, per_second: f64) -> i64 {
        let uniform: f64 = self.rng.random_range(1e-9..1.0);
        (-uniform.ln() / per_second * 1e9) as i64
    }

    /// One request that begins at `start_ns`, with everything it causes.
    pub fn request(&mut self, start_ns: i64) -> Trace {
        let total: f64 = JOURNEYS.iter().map(|journey| journey.weight).sum();
        let mut at = self.rng.random_range(0.0..total);
        let journey = JOURNEYS
            .iter()
            .find(|journey| {
                at -= journey.weight;
                at < 0.0
            })
            .unwrap_or(&JOURNEYS[0]);
        let scope = Scope::draw(&mut self.rng);
        let trace_id = self.rng.random();
        let operation = self.operations[journey.entry];
        let cause = Cause { trace_id, parent: None, link: None, start_ns };
        // Failures are in the spans by now.
        let _ = self.operation(operation, cause, &scope);
        if self.payments.len() >= ANALYTICS_BATCH {
            self.analytics(start_ns);
        }
        std::mem::take(&mut self.trace)
    }

    // A log-normal time around a median.
    fn around_ns(&mut self, median_ms: f64) -> i64 {
        let (u, v): (f64, f64) = (self.rng.random_range(1e-9..1.0), self.rng.random());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        let tail = if self.rng.random_bool(0.004) { 6.0 } else { 1.0 };
        (median_ms * (SIGMA * normal).exp() * tail * 1e6) as i64
    }

    fn pod(&mut self, service: &str) -> Pod {
        let service = self.services[service];
        Pod { service, replica: self.rng.random_range(0..SERVICES[service].replicas) }
    }

    fn open(
        &mut self,
        trace_id: u128,
        parent: Option<u64>,
        pod: Pod,
        name: String,
        kind: Kind,
        start_ns: i64,
    ) -> usize {
        let id = SpanRef { trace_id, span_id: self.rng.random_range(1..u64::MAX) };
        self.trace.spans.push(Span {
            id,
            parent,
            pod,
            name,
            kind,
            start_ns,
            end_ns: start_ns,
            attributes: Attributes::new(),
            events: Vec::new(),
            links: Vec::new(),
            error: None,
        });
        self.trace.spans.len() - 1
    }

    fn child(&mut self, here: &Here, name: String, kind: Kind, start_ns: i64) -> usize {
        let parent = self.trace.spans[here.span].id;
        self.open(parent.trace_id, Some(parent.span_id), here.pod, name, kind, start_ns)
    }

    fn close(
        &mut self,
        span: usize,
        end_ns: i64,
        attributes: Attributes,
        failure: Option<&Failure>,
    ) {
        let span = &mut self.trace.spans[span];
        span.end_ns = end_ns;
        span.attributes.extend(attributes);
        span.error = failure.filter(|failure| failure.is_error()).map(|f| f.message.clone());
    }

    fn raise(&mut self, span: usize, time_ns: i64, failure: &Failure) {
        let attributes = attributes::exception(failure);
        self.trace.spans[span].events.push(Event { time_ns, name: "exception", attributes });
    }

    // The server, consumer or timer span of an operation, and everything below it.
    fn operation(&mut self, operation: &'static Operation, cause: Cause, scope: &Scope) -> Walked {
        let pod = self.pod(operation.service);
        let (name, kind) = entry_name(operation.entry);
        let span = self.open(cause.trace_id, cause.parent, pod, name, kind, cause.start_ns);
        self.trace.spans[span].links.extend(cause.link);
        let own_ns = self.around_ns(operation.own_ms);
        self.lines(operation, When::Start, span, cause.start_ns, scope);
        let here = Here { pod, span, now_ns: cause.start_ns + own_ns * 2 / 3 };
        let walked = self.own_failure(operation, here).and_then(|()| {
            let end_ns = self.steps(here, operation.steps, scope)?;
            self.deployed_steps(operation, Here { now_ns: end_ns, ..here })
        });
        let (at_ns, failure) = match walked {
            Ok(at_ns) => (at_ns, None),
            Err((at_ns, failure)) if TOLERANT.contains(&operation.key) => {
                let attributes = vec![("app.degraded.cause", failure.message.into())];
                let degraded = Event { time_ns: at_ns, name: "degraded", attributes };
                self.trace.spans[span].events.push(degraded);
                (at_ns, None)
            }
            Err((at_ns, failure)) => (at_ns, Some(failure)),
        };
        let end_ns = at_ns + own_ns / 3;
        let mut attributes = self.entry_attributes(operation, scope, failure.as_ref());
        attributes.extend(attributes::business(operation.key, scope));
        self.close(span, end_ns, attributes, failure.as_ref());
        let when = if failure.is_some() { When::Failed } else { When::Done };
        self.lines(operation, when, span, end_ns, scope);
        match failure {
            Some(failure) => Err((end_ns, failure)),
            None => Ok(end_ns),
        }
    }

    fn entry_attributes(
        &self,
        operation: &Operation,
        scope: &Scope,
        failure: Option<&Failure>,
    ) -> Attributes {
        match operation.entry {
            Entry::Http(method, route) => attributes::http_server(method, route, scope, failure),
            Entry::Grpc(service, method) => {
                attributes::grpc(service, method, operation.service, failure)
            }
            Entry::Message(topic) => self.kafka("process", topic, operation.service),
            Entry::Timer(_) => {
                vec![("code.function.name", format!("jobs::{}", operation.key).into())]
            }
        }
    }

    fn kafka(&self, action: &str, topic: &str, client: &str) -> Attributes {
        attributes::kafka(action, topic, client, self.offset % PARTITIONS, self.offset)
    }

    // A failure that begins here: rare ones, wrong passwords, the acquirer in its bad minutes.
    fn own_failure(&mut self, operation: &Operation, here: Here) -> Result<(), (i64, Failure)> {
        let failing = operation.key == "payment.charge" && self.faults.payment_fails(here.now_ns);
        let (share, failure) = if failing {
            (PAYMENT_FAILURE_SHARE, Failure::of_acquirer())
        } else if operation.key == "auth.login" {
            (WRONG_PASSWORD_SHARE, Failure::of_password())
        } else {
            (BASE_FAILURE_SHARE, Failure::of_anything(operation.service))
        };
        if !self.rng.random_bool(share) {
            return Ok(());
        }
        let mut at_ns = here.now_ns + self.around_ns(8.0);
        if failing {
            at_ns = here.now_ns + self.around_ns(2_400.0);
            let name = "POST acquirer.example/charges".to_owned();
            let call = self.child(&here, name, Kind::Client, here.now_ns);
            let attributes = vec![
                ("http.request.method", "POST".into()),
                ("server.address", "acquirer.example".into()),
                ("error.type", "timeout".into()),
            ];
            self.raise(call, at_ns, &failure);
            self.close(call, at_ns, attributes, Some(&failure));
        }
        self.raise(here.span, at_ns, &failure);
        Err((at_ns, failure))
    }

    // The new version of `search` asks for the synonyms of every term, one query after the other.
    fn deployed_steps(&mut self, operation: &Operation, here: Here) -> Walked {
        let changed = operation.service == DEPLOYED_SERVICE
            && self.faults.is_deployed(here.pod.replica, here.now_ns);
        let mut now_ns = here.now_ns;
        if changed {
            for _ in 0..self.rng.random_range(6..12) {
                let statement = "SELECT synonym FROM synonyms WHERE term = $1";
                let here = Here { now_ns, ..here };
                now_ns = self.sql(here, "SELECT", "synonyms", statement, 9.0);
            }
        }
        Ok(now_ns)
    }

    fn lines(
        &mut self,
        operation: &Operation,
        when: When,
        span: usize,
        time_ns: i64,
        scope: &Scope,
    ) {
        for line in operation.lines.iter().filter(|line| line.when == when) {
            if !self.rng.random_bool(line.share) {
                continue;
            }
            let span = &self.trace.spans[span];
            let elapsed_ns = time_ns - span.start_ns;
            let mut attributes: Attributes = vec![("log.logger", operation.key.into())];
            if line.severity >= ERROR_SEVERITY {
                attributes.push(("user.id", scope.user.clone().into()));
            }
            self.trace.logs.push(Log {
                time_ns,
                pod: span.pod,
                severity: line.severity,
                text: scope.fill(line.text, elapsed_ns, self.offset),
                span: Some(span.id),
                attributes,
            });
        }
    }

    fn steps(&mut self, here: Here, steps: &'static [Step], scope: &Scope) -> Walked {
        let mut now_ns = here.now_ns;
        for step in steps {
            now_ns = self.step(Here { now_ns, ..here }, step, scope)?;
        }
        Ok(now_ns)
    }

    fn step(&mut self, here: Here, step: &'static Step, scope: &Scope) -> Walked {
        match step {
            Step::Call(key, share) => {
                if self.rng.random_bool(*share) {
                    self.call(here, key, scope)
                } else {
                    Ok(here.now_ns)
                }
            }
            Step::Sql(operation, table, statement, median_ms) => {
                Ok(self.sql(here, operation, table, statement, *median_ms))
            }
            Step::Cached(command, key, hit_share, otherwise) => {
                let hit = self.rng.random_bool(*hit_share);
                let now_ns = self.redis(here, command, &scope.fill(key, 0, self.offset), hit);
                let missed = if hit { &[][..] } else { otherwise };
                self.steps(Here { now_ns, ..here }, missed, scope)
            }
            Step::Work(name, median_ms) => {
                let end_ns = here.now_ns + self.around_ns(*median_ms);
                let span = self.child(&here, (*name).to_owned(), Kind::Internal, here.now_ns);
                self.close(span, end_ns, Attributes::new(), None);
                Ok(end_ns)
            }
            Step::Together(steps) => self.together(here, steps, scope),
            Step::Publish(topic, takers) => Ok(self.publish(here, topic, takers, scope)),
        }
    }

    // All begin at once; the last one decides the end, the first failure the outcome.
    fn together(&mut self, here: Here, steps: &'static [Step], scope: &Scope) -> Walked {
        let mut end_ns = here.now_ns;
        let mut failed = None;
        for step in steps {
            match self.step(here, step, scope) {
                Ok(step_end_ns) => end_ns = end_ns.max(step_end_ns),
                Err((step_end_ns, failure)) => {
                    end_ns = end_ns.max(step_end_ns);
                    failed = failed.or(Some(failure));
                }
            }
        }
        failed.map_or(Ok(end_ns), |failure| Err((end_ns, failure)))
    }

    // The client's span here and the server's in another pod, with the network between them.
    fn call(&mut self, here: Here, key: &str, scope: &Scope) -> Walked {
        let operation = self.operations[key];
        let name = match operation.entry {
            Entry::Http(method, _) => method.to_owned(),
            other => entry_name(other).0,
        };
        let span = self.child(&here, name, Kind::Client, here.now_ns);
        let id = self.trace.spans[span].id;
        let there_ns = here.now_ns + self.around_ns(NETWORK_MS);
        let cause = Cause::child_of(id, there_ns);
        let walked = self.operation(operation, cause, scope);
        let back_ns = self.around_ns(NETWORK_MS);
        let (end_ns, failure) = match walked {
            Ok(end_ns) => (end_ns + back_ns, None),
            Err((end_ns, failure)) => (end_ns + back_ns, Some(failure.upstream())),
        };
        let attributes = match operation.entry {
            Entry::Http(method, route) => {
                attributes::http_client(method, route, operation.service, scope, failure.as_ref())
            }
            Entry::Grpc(service, method) => {
                attributes::grpc(service, method, operation.service, failure.as_ref())
            }
            Entry::Message(_) | Entry::Timer(_) => Attributes::new(),
        };
        self.close(span, end_ns, attributes, failure.as_ref());
        failure.map_or(Ok(end_ns), |failure| Err((end_ns, failure)))
    }

    fn sql(&mut self, here: Here, operation: &str, table: &str, text: &str, median_ms: f64) -> i64 {
        let service = SERVICES[here.pod.service].name;
        let slow = service == SLOW_DATABASE_SERVICE && self.faults.database_is_slow(here.now_ns);
        let factor = if slow { SLOW_DATABASE_FACTOR } else { 1.0 };
        let end_ns = here.now_ns + self.around_ns(median_ms * factor);
        let rows = if operation == "SELECT" { self.rng.random_range(0..25) } else { 1 };
        let span = self.child(&here, format!("{operation} {table}"), Kind::Client, here.now_ns);
        let attributes = attributes::sql(service, operation, table, text, rows);
        self.close(span, end_ns, attributes, None);
        if slow && self.rng.random_bool(SLOW_QUERY_LINE_SHARE) {
            let elapsed_ms = (end_ns - here.now_ns) / 1_000_000;
            self.trace.logs.push(Log {
                time_ns: end_ns,
                pod: here.pod,
                severity: WARN_SEVERITY,
                text: format!(
                    "slow query: {elapsed_ms} ms for {operation} on {table}, pool 20/20 in use"
                ),
                span: Some(self.trace.spans[span].id),
                attributes: vec![("db.query.text", text.into())],
            });
        }
        end_ns
    }

    fn redis(&mut self, here: Here, command: &str, key: &str, hit: bool) -> i64 {
        let end_ns = here.now_ns + self.around_ns(0.5);
        let span = self.child(&here, command.to_owned(), Kind::Client, here.now_ns);
        self.close(span, end_ns, attributes::redis(command, key, hit), None);
        end_ns
    }

    // The sender goes on at once; takers get the message a little later, as children with a link.
    fn publish(&mut self, here: Here, topic: &str, takers: &[&'static str], scope: &Scope) -> i64 {
        self.offset += 1;
        let end_ns = here.now_ns + self.around_ns(2.5);
        let span = self.child(&here, format!("send {topic}"), Kind::Producer, here.now_ns);
        let service = SERVICES[here.pod.service].name;
        let attributes = self.kafka("send", topic, service);
        self.close(span, end_ns, attributes, None);
        let id = self.trace.spans[span].id;
        if topic == "payments" {
            self.payments.push_back(id);
        }
        for key in takers {
            let taken_ns = end_ns + self.around_ns(15.0);
            let cause = Cause { link: Some(id), ..Cause::child_of(id, taken_ns) };
            // A taker that fails keeps the message to itself; its sender is long gone.
            let _ = self.operation(self.operations[key], cause, scope);
        }
        end_ns
    }

    // One batch of payment messages, in a trace of its own, with a link to every sender.
    fn analytics(&mut self, start_ns: i64) {
        let pod = self.pod(shop::ANALYTICS_SERVICE);
        let trace_id = self.rng.random();
        let name = "process payments".to_owned();
        let span = self.open(trace_id, None, pod, name, Kind::Consumer, start_ns);
        let here = Here { pod, span, now_ns: start_ns + self.around_ns(3.0) };
        let statement = "INSERT INTO revenue (day, amount) VALUES ($1, $2)";
        let end_ns = self.sql(here, "INSERT", "revenue", statement, 12.0);
        let links: Vec<SpanRef> = self.payments.drain(..).collect();
        let mut attributes = self.kafka("process", "payments", shop::ANALYTICS_SERVICE);
        attributes.push(("messaging.batch.message_count", (links.len() as i64).into()));
        self.trace.spans[span].links = links;
        self.close(span, end_ns, attributes, None);
    }
}

fn entry_name(entry: Entry) -> (String, Kind) {
    match entry {
        Entry::Http(method, route) => (format!("{method} {route}"), Kind::Server),
        Entry::Grpc(service, method) => (format!("{service}/{method}"), Kind::Server),
        Entry::Message(topic) => (format!("process {topic}"), Kind::Consumer),
        Entry::Timer(name) => (name.to_owned(), Kind::Internal),
    }
}

#[cfg(test)]
mod tests;
