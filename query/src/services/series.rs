//! The service map and RED as the metric series that Grafana's service graph asks for.
//!
//! Nobody sends these series: they are made of the rollups when a question names them, as cumulative
//! points on every full minute, and go into the view that the question reads as one more head. So
//! every reader of metrics sees them like those that were sent. Counters begin anew at each UTC day,
//! which bounds what is summed; `start_time` says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use throughline_model::exponential::{BUCKETS_PER_OCTAVE, Distribution};
use throughline_model::metric::{
    ComplexPoint, MetricBatch, MetricBatchBuilder, MetricKind, Number, PointTime, SeriesIdentity,
    Shape,
};
use throughline_model::origin::{Resource, Scope};
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::{DAY_NS, MINUTE_NS, TimeRange};
use throughline_model::{Value, attrs};
use throughline_storage::scan::ScanContext;
use throughline_storage::scan::rollup::{
    EdgeKey, EdgeRow, EdgeSide, EdgesRequest, OperationKey, OperationRows, OperationsRequest,
    last_start, read_edges, read_operations,
};
use throughline_storage::{Tier, View};

use crate::{Error, ErrorKind, Result};

/// The most points that are made for one question.
const POINTS_MAX: usize = 2_000_000;
/// `AggregationTemporality` of counters that only grow.
const CUMULATIVE: i32 = 2;
/// Bounds of histograms, two to an octave: from 2^20 ns (1 ms) to 2^36 ns (69 s). Each is one of the
/// rollups' own bounds, so that counts are exact.
const FIRST_BOUND: i32 = 40;
const LAST_BOUND: i32 = 72;
const BOUNDS_PER_OCTAVE: i32 = 2;
const NS_PER_S: f64 = 1e9;

const REQUESTS: &str = "traces_service_graph_request_total";
const FAILED: &str = "traces_service_graph_request_failed_total";
const SERVER_SECONDS: &str = "traces_service_graph_request_server_seconds";
const CLIENT_SECONDS: &str = "traces_service_graph_request_client_seconds";
const CALLS: &str = "traces_spanmetrics_calls_total";
const LATENCY: &str = "traces_spanmetrics_latency";
const GRAPH: [&str; 4] = [REQUESTS, FAILED, SERVER_SECONDS, CLIENT_SECONDS];
const SPANS: [&str; 2] = [CALLS, LATENCY];

const SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
const STATUS_CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// When series that nobody sent belong to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// When a condition names them.
    ByName,
    /// Unless a condition rules them out; one point of each is enough.
    List,
}

/// The view with the series of services that a question about metrics is about.
pub(crate) fn with_span_series(
    view: &Arc<View>,
    predicates: &[Predicate],
    time: TimeRange,
    ask: Ask,
    scan: &ScanContext,
) -> Result<Arc<View>> {
    let is_wanted = |name: &&str| is_asked_for(name, predicates, ask);
    let graph = GRAPH.iter().copied().filter(is_wanted).collect::<Vec<_>>();
    let spans = SPANS.iter().copied().filter(is_wanted).collect::<Vec<_>>();
    if graph.is_empty() && spans.is_empty() {
        return Ok(view.clone());
    }
    let Some(minutes) = Minutes::of(view, time, ask, scan)? else { return Ok(view.clone()) };
    let mut maker = Maker { batch: MetricBatchBuilder::default(), minutes };
    if !graph.is_empty() {
        maker.add_edges(view, &graph, scan)?;
    }
    if !spans.is_empty() {
        maker.add_operations(view, &spans, scan)?;
    }
    if maker.batch.is_empty() {
        return Ok(view.clone());
    }
    let batch: MetricBatch = maker.batch.finish()?;
    let rows = (batch.numbers.num_rows() + batch.complex.num_rows()) as u64;
    let metrics = Tier {
        segments: view.metrics.segments.clone(),
        heads: view.metrics.heads.with(batch, rows),
        ..Tier::default()
    };
    Ok(Arc::new(View { spans: view.spans.clone(), logs: view.logs.clone(), metrics }))
}

/// Whether the conditions on names let a name in; by name, one of them must say it.
fn is_asked_for(name: &str, predicates: &[Predicate], ask: Ask) -> bool {
    let is_text = |operand: &Operand| match operand {
        Operand::Text(text) | Operand::Str(text) => text == name,
        _ => false,
    };
    let mut is_named = ask == Ask::List;
    for predicate in predicates {
        if predicate.target != Target::Column(col::METRIC_NAME.to_owned()) {
            continue;
        }
        let (holds, names) = match &predicate.op {
            Op::Eq(operand) => (is_text(operand), true),
            Op::In(operands) => (operands.iter().any(is_text), true),
            Op::Ne(operand) => (!is_text(operand), false),
            Op::Matches(pattern) => {
                let matches = |text: &str| Regex::new(pattern).is_ok_and(|p| p.is_match(text));
                // A pattern that any name meets names nothing.
                (matches(name), !matches(""))
            }
            Op::NotMatches(pattern) => {
                (!Regex::new(pattern).is_ok_and(|p| p.is_match(name)), false)
            }
            Op::Contains(part) => (name.contains(part.as_str()), !part.is_empty()),
            Op::NotContains(part) => (!name.contains(part.as_str()), false),
            Op::Phrase(phrase) => (phrase.is_in(name), true),
            Op::NotPhrase(phrase) => (!phrase.is_in(name), false),
            Op::Exists => (true, false),
            _ => (false, false),
        };
        if !holds {
            return false;
        }
        is_named |= names;
    }
    is_named
}

/// The minutes at which points are made, from the first to the last.
#[derive(Clone, Copy, Debug)]
struct Minutes {
    first_ns: i64,
    last_ns: i64,
}

impl Minutes {
    fn of(view: &Arc<View>, time: TimeRange, ask: Ask, scan: &ScanContext) -> Result<Option<Self>> {
        let first_of_range_ns = match time.start_ns {
            i64::MIN => i64::MIN,
            start_ns => up(start_ns),
        };
        let end_ns = match time.ends_after(i64::MAX) {
            true => i64::MAX,
            false => up(time.end_ns).saturating_sub(MINUTE_NS),
        };
        if ask == Ask::List {
            // The last day that has spans, wherever in the range that is.
            let start_ns = day_start(first_of_range_ns);
            let Some(last_ns) = last_start(view, TimeRange { start_ns, end_ns }, scan)? else {
                return Ok(None);
            };
            let point_ns = after(last_ns).max(first_of_range_ns);
            let is_past = point_ns > after(last_ns)
                && last_start(view, TimeRange::ALL, scan)?.is_none_or(|ns| after(ns) < point_ns);
            return Ok((!is_past).then_some(Self { first_ns: point_ns, last_ns: point_ns }));
        }
        let Some((data_first_ns, _)) = view.spans.start_bounds() else { return Ok(None) };
        let Some(data_last_ns) = last_start(view, TimeRange::ALL, scan)? else { return Ok(None) };
        let first_ns = after(data_first_ns).max(first_of_range_ns);
        let last_ns = after(data_last_ns).min(end_ns);
        Ok((first_ns <= last_ns).then_some(Self { first_ns, last_ns }))
    }

    /// From when on rollups count: the start of the first minute's day.
    fn range(&self) -> TimeRange {
        TimeRange { start_ns: day_start(self.first_ns), end_ns: self.last_ns }
    }

    fn count(&self) -> usize {
        (self.last_ns.saturating_sub(self.first_ns) / MINUTE_NS + 1) as usize
    }
}

/// The minute that begins at or after a time.
fn up(t_ns: i64) -> i64 {
    t_ns.saturating_add((MINUTE_NS - t_ns.rem_euclid(MINUTE_NS)) % MINUTE_NS)
}

/// The minute that begins after a time: the first point that counts what happens then.
fn after(t_ns: i64) -> i64 {
    t_ns.saturating_sub(t_ns.rem_euclid(MINUTE_NS)).saturating_add(MINUTE_NS)
}

/// The start of the day whose counts a point has: a point at midnight has those of the day before.
fn day_start(point_ns: i64) -> i64 {
    let inside = point_ns.saturating_sub(1);
    inside.saturating_sub(inside.rem_euclid(DAY_NS))
}

/// What is counted in one minute, or since the start of a day.
#[derive(Clone, Debug, Default)]
struct Counted {
    count: f64,
    failed: f64,
    sides: [Durations; 2],
}

#[derive(Clone, Debug, Default)]
struct Durations {
    sum_ns: f64,
    /// By bound, then one for what is above the last.
    counts: Vec<f64>,
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

impl Durations {
    fn add(&mut self, sum_ns: f64, distribution: &Distribution, weight: f64) {
        self.counts.resize((LAST_BOUND - FIRST_BOUND + 2) as usize, 0.0);
        self.sum_ns += sum_ns * weight;
        self.counts[0] += distribution.zero * weight;
        for (bucket, count) in &distribution.buckets {
            self.counts[bound_of(*bucket)] += count * weight;
        }
    }

    fn merge(&mut self, other: &Durations) {
        self.sum_ns += other.sum_ns;
        self.counts.resize(self.counts.len().max(other.counts.len()), 0.0);
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
    }

    fn point(&self) -> ComplexPoint {
        let counts = self.counts.iter().map(|count| count.round() as u64).collect::<Vec<_>>();
        let bound = |at: i32| (f64::from(at) / f64::from(BOUNDS_PER_OCTAVE)).exp2() / NS_PER_S;
        ComplexPoint {
            count: counts.iter().sum(),
            sum: Some(self.sum_ns / NS_PER_S),
            min: None,
            max: None,
            shape: Shape::Histogram {
                bounds: (FIRST_BOUND..=LAST_BOUND).map(bound).collect(),
                counts,
            },
        }
    }
}

/// The place of the bound that closes over a bucket.
fn bound_of(bucket: i32) -> usize {
    let buckets = BUCKETS_PER_OCTAVE / BOUNDS_PER_OCTAVE;
    let bound = (bucket + 1).div_euclid(buckets) + i32::from((bucket + 1).rem_euclid(buckets) != 0);
    (bound.clamp(FIRST_BOUND, LAST_BOUND + 1) - FIRST_BOUND) as usize
}

/// Counts by minute, which is named by its end.
type ByMinute = BTreeMap<i64, Counted>;

struct Maker {
    batch: MetricBatchBuilder,
    minutes: Minutes,
}

impl Maker {
    fn add_edges(&mut self, view: &Arc<View>, names: &[&str], scan: &ScanContext) -> Result<()> {
        let request = EdgesRequest { time: self.minutes.range(), step_ns: Some(MINUTE_NS) };
        let mut edges: BTreeMap<Arc<EdgeKey>, ByMinute> = BTreeMap::new();
        for row in read_edges(view, &request, scan)? {
            let counted = counted(&row);
            edges
                .entry(row.edge)
                .or_default()
                .insert(row.start_ns.saturating_add(MINUTE_NS), counted);
        }
        self.check_points(edges.len() * names.len())?;
        for (edge, by_minute) in &edges {
            let text = |text: &str| Value::String(text.to_owned());
            let attributes = attrs::encode([
                ("client", &text(&edge.client)),
                ("connection_type", &text(edge.connection.name())),
                ("server", &text(&edge.server)),
            ]);
            for name in names {
                self.add_series(name, &attributes, by_minute)?;
            }
        }
        Ok(())
    }

    fn add_operations(
        &mut self,
        view: &Arc<View>,
        names: &[&str],
        scan: &ScanContext,
    ) -> Result<()> {
        let request = OperationsRequest {
            time: self.minutes.range(),
            durations: names.contains(&LATENCY),
            cut_buckets: true,
            nameless_steps: None,
        };
        let mut operations: Vec<ByMinute> = Vec::new();
        let mut all: Vec<OperationKey> = Vec::new();
        read_operations(view, &request, scan, |keys, rows| {
            all.extend_from_slice(&keys[all.len()..]);
            operations.resize_with(all.len(), ByMinute::new);
            for row in 0..rows.keys.len() {
                let start_ns = rows.starts_ns[row];
                let minute =
                    start_ns.div_euclid(MINUTE_NS).saturating_add(1).saturating_mul(MINUTE_NS);
                let by_minute = &mut operations[rows.keys[row] as usize];
                add_operation(by_minute.entry(minute).or_default(), &rows, row);
            }
            Ok(())
        })?;
        self.check_points(operations.len() * names.len())?;
        for (key, by_minute) in all.iter().zip(&operations) {
            let text = |text: &str| Value::String(text.to_owned());
            let attributes = attrs::encode([
                ("service", &text(&key.service)),
                ("span_kind", &text(&named(&SPAN_KINDS, key.kind))),
                ("span_name", &text(&key.name)),
                ("status_code", &text(&named(&STATUS_CODES, key.status_code))),
            ]);
            for name in names {
                self.add_series(name, &attributes, by_minute)?;
            }
        }
        Ok(())
    }

    fn check_points(&self, series: usize) -> Result<()> {
        if series.saturating_mul(self.minutes.count()) <= POINTS_MAX {
            return Ok(());
        }
        let message = format!(
            "{series} series of spans in {} minutes are more than {POINTS_MAX} points: narrow the \
             range",
            self.minutes.count()
        );
        Err(Error::new(ErrorKind::Limit, message))
    }

    /// The points of one series: from its first call of each day to the last minute.
    fn add_series(&mut self, name: &str, attributes: &[u8], by_minute: &ByMinute) -> Result<()> {
        let is_histogram = matches!(name, SERVER_SECONDS | CLIENT_SECONDS | LATENCY);
        let scope = Scope { name: "throughline.rollup".to_owned(), ..Scope::default() }.encode();
        let identity = SeriesIdentity {
            resource: &Resource::default().encode(),
            scope: &scope,
            name,
            unit: if is_histogram { "s" } else { "" },
            kind: if is_histogram { MetricKind::Histogram } else { MetricKind::Sum },
            temporality: CUMULATIVE,
            is_monotonic: !is_histogram,
            attributes,
        };
        let Minutes { first_ns, last_ns } = self.minutes;
        let mut next = by_minute.iter().peekable();
        let mut day_ns = i64::MIN;
        let mut sums: Option<Counted> = None;
        let mut row = None;
        let mut point_ns = first_ns;
        while point_ns <= last_ns {
            if day_start(point_ns) != day_ns {
                day_ns = day_start(point_ns);
                sums = None;
            }
            while let Some((minute, counted)) = next.next_if(|(minute, _)| **minute <= point_ns) {
                if day_start(*minute) == day_ns {
                    sums.get_or_insert_default().add(counted);
                }
            }
            if let Some(sums) = &sums {
                let time = PointTime { time_ns: point_ns, start_time_ns: day_ns, flags: 0 };
                let row = match row {
                    Some(row) => row,
                    None => *row.insert(self.batch.series(&identity, description(name), &[])?),
                };
                sums.push(name, row, &time, &mut self.batch)?;
            }
            let Some(following_ns) = point_ns.checked_add(MINUTE_NS) else { break };
            point_ns = following_ns;
        }
        Ok(())
    }
}

impl Counted {
    fn add(&mut self, other: &Counted) {
        self.count += other.count;
        self.failed += other.failed;
        self.sides.iter_mut().zip(&other.sides).for_each(|(side, more)| side.merge(more));
    }

    fn push(
        &self,
        name: &str,
        row: u32,
        time: &PointTime,
        batch: &mut MetricBatchBuilder,
    ) -> Result<()> {
        let side = match name {
            CLIENT_SECONDS => &self.sides[CLIENT],
            SERVER_SECONDS | LATENCY => &self.sides[SERVER],
            FAILED => {
                batch.push_number(row, time, Number::Double(self.failed));
                return Ok(());
            }
            _ => {
                batch.push_number(row, time, Number::Double(self.count));
                return Ok(());
            }
        };
        let mut side = side.clone();
        side.add(0.0, &Distribution::default(), 1.0); // so that it has all its bounds
        Ok(batch.push_complex(row, time, &side.point())?)
    }
}

fn counted(row: &EdgeRow) -> Counted {
    let weight = row.weighted_calls / row.calls.max(1) as f64;
    let mut counted =
        Counted { count: row.weighted_calls, failed: row.weighted_failed, ..Counted::default() };
    let mut add = |side: usize, from: &EdgeSide| {
        counted.sides[side].add(from.sum_ns, &from.durations, weight);
    };
    add(CLIENT, &row.client);
    add(SERVER, &row.server);
    counted
}

fn add_operation(into: &mut Counted, rows: &OperationRows, row: usize) {
    into.count += rows.weighted[row];
    let Some(durations) = &rows.durations else { return };
    let weight = rows.weighted[row] / rows.counts[row].max(1) as f64;
    let mut distribution = Distribution::default();
    durations.add_to(row, 1.0, &mut distribution);
    into.sides[SERVER].add(durations.sum_ns(row) as f64, &distribution, weight);
}

fn named(names: &[&str], number: i32) -> String {
    let name = usize::try_from(number).ok().and_then(|number| names.get(number));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

fn description(name: &str) -> &'static str {
    match name {
        REQUESTS => "Calls between two services.",
        FAILED => "Calls between two services that failed.",
        SERVER_SECONDS => "How long calls took for the called service.",
        CLIENT_SECONDS => "How long calls took for the calling service.",
        CALLS => "Spans.",
        _ => "How long spans took.",
    }
}

#[cfg(test)]
mod tests {
    use throughline_model::exponential::{bucket, upper_bound};

    use super::*;

    #[test]
    fn a_bound_closes_over_its_buckets() {
        for ns in [1.0, 1e3, 1e6, 1_048_576.0, 1_048_577.0, 1e9, 68.7e9, 69e9, 1e15] {
            let at = bound_of(bucket(ns)) as i32 + FIRST_BOUND;
            let bound = |at: i32| (f64::from(at) / f64::from(BOUNDS_PER_OCTAVE)).exp2();
            let upper = upper_bound(bucket(ns));
            assert!(at > LAST_BOUND || upper <= bound(at) * 1.000_001, "{ns}");
            assert!(at == FIRST_BOUND || upper > bound(at - 1) * 1.000_001, "{ns}");
        }
    }

    #[test]
    fn series_are_there_when_they_are_named() {
        let of = |op: Op| Predicate { target: Target::Column(col::METRIC_NAME.to_owned()), op };
        let text = |text: &str| Operand::Text(text.to_owned());
        for (predicates, by_name, list) in [
            (vec![], false, true),
            (vec![of(Op::Eq(text(CALLS)))], true, true),
            (vec![of(Op::Eq(text("requests")))], false, false),
            (vec![of(Op::In(vec![text("requests"), text(CALLS)]))], true, true),
            (vec![of(Op::Ne(text("requests")))], false, true),
            (vec![of(Op::Matches("^traces_".to_owned()))], true, true),
            (vec![of(Op::Matches(".*".to_owned()))], false, true),
            (vec![of(Op::Matches("^traces_".to_owned())), of(Op::Ne(text(CALLS)))], false, false),
        ] {
            assert_eq!(is_asked_for(CALLS, &predicates, Ask::ByName), by_name, "{predicates:?}");
            assert_eq!(is_asked_for(CALLS, &predicates, Ask::List), list, "{predicates:?}");
        }
    }
}
