//! The last hour, simulated in seconds and sent to the server's own OTLP/HTTP port like any client.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use prost::Message as _;
use throughline_model::time::{HOUR_NS, SECOND_NS};

use super::faults::Faults;
use super::metrics::Counts;
use super::otlp;
use super::sim::Simulation;
use super::trace::Trace;
use crate::client::Client;

/// Mean rate of requests in the past hour.
pub const REQUESTS_PER_SECOND: f64 = 0.9;
/// How often pods export metrics.
const METRICS_PERIOD_NS: i64 = 15 * SECOND_NS;
/// Traces in one request.
const TRACES_PER_BODY: usize = 40;
/// Times a body is sent again after a refusal that passes, and the pause before it.
const RETRIES_MAX: usize = 60;
const RETRY_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// How much was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Traces.
    pub traces: usize,
    /// Spans.
    pub spans: usize,
    /// Log records.
    pub logs: usize,
    /// Metric points.
    pub points: usize,
}

/// An encoded OTLP request and its path.
pub struct Body {
    /// `/v1/traces` and the like.
    pub path: &'static str,
    /// Protobuf.
    pub bytes: Vec<u8>,
}

/// The hour before `now_ns`, body by body; the same seed and time give the same bytes.
pub struct Past {
    simulation: Simulation,
    faults: Faults,
    counts: Counts,
    next_request_ns: i64,
    next_metrics_ns: i64,
    end_ns: i64,
    batch: Vec<Trace>,
    /// What was given out so far.
    pub sent: Sent,
}

impl Past {
    /// The hour before `now_ns`.
    pub fn before(now_ns: i64, seed: u64) -> Past {
        let faults = Faults::from(now_ns);
        let start_ns = now_ns - HOUR_NS;
        Past {
            simulation: Simulation::new(seed, faults),
            faults,
            counts: Counts::from(start_ns),
            next_request_ns: start_ns,
            next_metrics_ns: start_ns + METRICS_PERIOD_NS,
            end_ns: now_ns,
            batch: Vec::new(),
            sent: Sent::default(),
        }
    }

    /// The next bodies; none at the end.
    pub fn next_bodies(&mut self) -> Option<Vec<Body>> {
        while self.batch.len() < TRACES_PER_BODY {
            if self.next_metrics_ns.min(self.next_request_ns) >= self.end_ns {
                return (!self.batch.is_empty()).then(|| self.take_batch());
            }
            if self.next_metrics_ns <= self.next_request_ns {
                let time_ns = self.next_metrics_ns;
                self.next_metrics_ns += METRICS_PERIOD_NS;
                return Some(vec![self.metrics(time_ns)]);
            }
            let trace = self.simulation.request(self.next_request_ns);
            self.next_request_ns += self.simulation.pause_ns(REQUESTS_PER_SECOND);
            self.counts.add(&trace);
            self.batch.push(trace);
        }
        Some(self.take_batch())
    }

    fn take_batch(&mut self) -> Vec<Body> {
        let traces = std::mem::take(&mut self.batch);
        self.sent.traces += traces.len();
        self.sent.spans += traces.iter().map(|trace| trace.spans.len()).sum::<usize>();
        self.sent.logs += traces.iter().map(|trace| trace.logs.len()).sum::<usize>();
        let spans = otlp::spans(&traces, &self.faults).encode_to_vec();
        let logs = otlp::logs(&traces, &self.faults).encode_to_vec();
        vec![Body { path: "/v1/traces", bytes: spans }, Body { path: "/v1/logs", bytes: logs }]
    }

    fn metrics(&mut self, time_ns: i64) -> Body {
        let (request, points) = self.counts.export(time_ns, &self.faults);
        self.sent.points += points;
        Body { path: "/v1/metrics", bytes: request.encode_to_vec() }
    }
}

/// Sends the hour before `now_ns`.
pub async fn send(address: SocketAddr, now_ns: i64, seed: u64) -> anyhow::Result<Sent> {
    let mut client = Client::connect(&format!("http://{address}"), None).await?;
    let mut past = Past::before(now_ns, seed);
    loop {
        // The simulation keeps a core busy for a few milliseconds a batch.
        let (back, bodies) = tokio::task::spawn_blocking(move || {
            let bodies = past.next_bodies();
            (past, bodies)
        })
        .await
        .context("the simulation panicked")?;
        past = back;
        let Some(bodies) = bodies else { return Ok(past.sent) };
        for body in bodies {
            post(&mut client, body).await?;
        }
    }
}

async fn post(client: &mut Client, body: Body) -> anyhow::Result<()> {
    let bytes = bytes::Bytes::from(body.bytes);
    for _ in 0..RETRIES_MAX {
        let (status, answer) =
            client.post(body.path, "application/x-protobuf", bytes.clone()).await?;
        match status.as_u16() {
            200 => return Ok(()),
            429 | 502..=504 => tokio::time::sleep(RETRY_PAUSE).await,
            _ => bail!("{} answered {status}: {}", body.path, String::from_utf8_lossy(&answer)),
        }
    }
    bail!("{} refused {RETRIES_MAX} times", body.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_NS: i64 = 1_795_176_000_000_000_000;

    fn all(seed: u64) -> (Vec<Body>, Sent) {
        let mut past = Past::before(NOW_NS, seed);
        let mut bodies = Vec::new();
        while let Some(more) = past.next_bodies() {
            bodies.extend(more);
        }
        (bodies, past.sent)
    }

    #[test]
    fn the_same_seed_gives_the_same_hour() {
        let (first, sent) = all(7);
        let (second, _) = all(7);
        assert!(first.iter().map(|b| &b.bytes).eq(second.iter().map(|b| &b.bytes)));
        assert!((50_000..=100_000).contains(&sent.spans), "{sent:?}");
        assert!(sent.logs > 5_000 && sent.points > 20_000, "{sent:?}");
        let other = Past::before(NOW_NS, 8).next_bodies().expect("there is a past");
        assert!(first[0].bytes != other[0].bytes);
    }
}
