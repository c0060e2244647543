//! What goes over the wire of comparisons.

use serde::{Deserialize, Serialize, Serializer};
use throughline_model::Value;
use throughline_query::traces::compare::{paths, sets};
use utoipa::ToSchema;

use super::super::super::stats::Stats;
use crate::render::value::{ValueJson, double, exact_i64};

/// Two sets of spans to compare.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompareRequest {
    /// The first set.
    pub a: Selection,
    /// The second; without it, every span that starts in the range of the first, those of the first
    /// among them.
    pub b: Option<Selection>,
    /// Differences in the answer.
    #[schema(minimum = 1, maximum = 1000, default = 50)]
    pub limit: Option<u64>,
    /// Deadline in milliseconds, at most the server's.
    pub timeout_ms: Option<u64>,
}

/// A set of spans: those that meet every condition. The words are those of trace search.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// The span's service is one of these.
    pub service: Vec<String>,
    /// The span's name is one of these.
    pub operation: Vec<String>,
    /// Conditions as in trace search.
    #[schema(example = json!(["http.status_code>=500"]))]
    pub filter: Vec<String>,
    /// The span lasts at least this long.
    #[schema(example = "150ms")]
    pub min_duration: Option<String>,
    /// The span lasts at most this long.
    pub max_duration: Option<String>,
    /// The span's status: `error`, `ok` or `unset`.
    pub status: Option<String>,
    /// The span starts at or after this time.
    #[schema(example = "-1h")]
    pub start: Option<String>,
    /// The span starts before this time.
    #[schema(example = "now")]
    pub end: Option<String>,
    /// The span belongs to one of these traces.
    pub trace_ids: Vec<String>,
}

/// What two sets of spans differ in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Comparison {
    /// Spans of the first set.
    pub a_spans: u64,
    /// Spans of the second.
    pub b_spans: u64,
    /// The differences, largest first.
    pub differences: Vec<Difference>,
    /// Differences that `limit` left out.
    pub differences_cut: u64,
    /// Values that differ no more than by chance.
    pub alike: u64,
    /// Keys with too many values, of which only those that at least 1 % of a set has were counted.
    pub keys_cut: Vec<CutKey>,
    /// Whether there are more keys than are looked at.
    pub more_keys: bool,
    /// What the comparison cost.
    pub stats: Stats,
}

/// Something that spans of one set have more often.
#[derive(Debug, Serialize, ToSchema)]
pub struct Difference {
    /// Where the key stands: `field`, `span`, `resource` or `scope`.
    #[schema(example = "span")]
    pub place: &'static str,
    /// The key.
    #[schema(example = "http.status_code")]
    pub key: String,
    /// What is counted: `is` the value, numbers `above` the value, or `exists`.
    #[schema(example = "is")]
    pub test: &'static str,
    /// The value in its own type; null for `exists`.
    #[serde(serialize_with = "value")]
    #[schema(value_type = Object, example = 500)]
    pub value: Value,
    /// Spans of the first set that meet the test.
    pub a_count: u64,
    /// Spans of the second.
    pub b_count: u64,
    /// `a_count` as a part of the first set, 0 to 1.
    pub a_share: f64,
    /// `b_count` as a part of the second set.
    pub b_share: f64,
    /// How far the shares lie apart at least, with 99.9 % confidence; ranks the differences.
    pub bound: f64,
    /// The numbers of the key in the first set, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a_numbers: Option<Spread>,
    /// The numbers of the key in the second set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b_numbers: Option<Spread>,
}

fn value<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    ValueJson(value).serialize(serializer)
}

/// Numbers that parts of a set do not exceed, to 4.4 %.
#[derive(Debug, Serialize, ToSchema)]
pub struct Spread {
    /// Half of them.
    #[serde(serialize_with = "double")]
    pub p50: f64,
    /// 90 %.
    #[serde(serialize_with = "double")]
    pub p90: f64,
    /// 99 %.
    #[serde(serialize_with = "double")]
    pub p99: f64,
}

/// A key of which not every value was counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct CutKey {
    /// Where it stands.
    #[schema(example = "span")]
    pub place: &'static str,
    /// The key.
    #[schema(example = "user.id")]
    pub key: String,
}

fn place(place: sets::Place) -> &'static str {
    match place {
        sets::Place::Field => "field",
        sets::Place::Span => "span",
        sets::Place::Resource => "resource",
        sets::Place::Scope => "scope",
    }
}

impl From<sets::SetComparison> for Comparison {
    fn from(found: sets::SetComparison) -> Self {
        let cut = |(at, key): (sets::Place, String)| CutKey { place: place(at), key };
        Self {
            a_spans: found.spans[0],
            b_spans: found.spans[1],
            differences: found.differences.into_iter().map(Difference::from).collect(),
            differences_cut: found.differences_cut,
            alike: found.alike,
            keys_cut: found.keys_cut.into_iter().map(cut).collect(),
            more_keys: found.keys_over,
            stats: found.stats.into(),
        }
    }
}

impl From<sets::Difference> for Difference {
    fn from(found: sets::Difference) -> Self {
        let (test, value) = match found.test {
            sets::Test::Is(value) => ("is", value),
            sets::Test::Above(number) => ("above", Value::Double(number)),
            sets::Test::Exists => ("exists", Value::Empty),
        };
        let spread =
            |spread: sets::Spread| Spread { p50: spread.p50, p90: spread.p90, p99: spread.p99 };
        Self {
            place: place(found.place),
            key: found.key,
            test,
            value,
            a_count: found.counts[0],
            b_count: found.counts[1],
            a_share: found.shares[0],
            b_share: found.shares[1],
            bound: found.bound,
            a_numbers: found.spreads[0].map(spread),
            b_numbers: found.spreads[1].map(spread),
        }
    }
}

/// Two traces side by side.
#[derive(Debug, Serialize, ToSchema)]
pub struct TraceComparison {
    /// The first trace.
    pub a: ComparedTrace,
    /// The second.
    pub b: ComparedTrace,
    /// Nodes by what happened to them from the first trace to the second.
    pub changes: ChangeCounts,
    /// Paths of service and name from the top: of the first trace, then what only the second has;
    /// parents before children.
    pub nodes: Vec<ComparedNode>,
    /// Spans that are in no node, since there are too many paths.
    pub spans_cut: u64,
    /// What the comparison cost.
    pub stats: Stats,
}

/// A trace of a comparison.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedTrace {
    /// Its id in hex digits.
    #[schema(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: String,
    /// Its spans.
    pub span_count: u64,
    /// Latest end minus earliest start, in nanoseconds.
    #[serde(serialize_with = "exact_i64")]
    pub duration_ns: i64,
}

/// How many nodes there are of each change.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ChangeCounts {
    /// As many spans and errors in both.
    pub same: u64,
    /// Different numbers of spans or errors.
    pub changed: u64,
    /// Only in the second trace.
    pub added: u64,
    /// Only in the first.
    pub removed: u64,
}

/// A path of a comparison.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedNode {
    /// Place of the node above; null at the top.
    pub parent: Option<u32>,
    /// Service of its spans.
    pub service: String,
    /// Their name.
    pub name: String,
    /// `same`, `changed`, `added` or `removed`.
    #[schema(example = "added")]
    pub change: &'static str,
    /// Its spans in the first trace.
    pub a: NodeSpans,
    /// Its spans in the second.
    pub b: NodeSpans,
}

/// Spans of a node.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeSpans {
    /// How many.
    pub count: u64,
    /// Those with status error.
    pub errors: u64,
    /// Sum of durations.
    #[serde(serialize_with = "exact_i64")]
    pub total_ns: i64,
    /// Sum of self times.
    #[serde(serialize_with = "exact_i64")]
    pub self_ns: i64,
}

impl TraceComparison {
    /// The comparison of two traces.
    pub fn new(ids: [String; 2], found: paths::TraceComparison) -> Self {
        let mut changes = ChangeCounts::default();
        let nodes = found.nodes.into_iter().map(|node| compared(node, &mut changes)).collect();
        let [a, b] = ids;
        let trace = |trace_id, at: usize| ComparedTrace {
            trace_id,
            span_count: found.spans[at],
            duration_ns: found.duration_ns[at],
        };
        Self {
            a: trace(a, 0),
            b: trace(b, 1),
            changes,
            nodes,
            spans_cut: found.spans_cut,
            stats: found.stats.into(),
        }
    }
}

fn compared(node: paths::Node, changes: &mut ChangeCounts) -> ComparedNode {
    let (change, count) = match node.change() {
        paths::Change::Same => ("same", &mut changes.same),
        paths::Change::Changed => ("changed", &mut changes.changed),
        paths::Change::Added => ("added", &mut changes.added),
        paths::Change::Removed => ("removed", &mut changes.removed),
    };
    *count += 1;
    let spans = |spans: paths::NodeSpans| NodeSpans {
        count: spans.count,
        errors: spans.errors,
        total_ns: spans.total_ns,
        self_ns: spans.self_ns,
    };
    ComparedNode {
        parent: node.parent,
        service: node.service,
        name: node.name,
        change,
        a: spans(node.a),
        b: spans(node.b),
    }
}
