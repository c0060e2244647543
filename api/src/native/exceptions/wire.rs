//! What goes over the wire of exceptions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use throughline_model::exception::Frame as ModelFrame;
use throughline_model::{SpanId, TraceId};
use throughline_query::exceptions as query;
use throughline_storage::segment::{ExceptionSample, ExceptionSource};
use throughline_storage::{Decision, ExceptionState};
use utoipa::ToSchema;

use super::super::origin::optional_text;
use super::super::stats::Stats;
use super::super::time::parse_time_ns;
use crate::error::{ApiError, Result};
use crate::render::value::time;

/// A page of groups of exceptions.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExceptionPage {
    /// The groups, in the order asked for; of their stack traces, the frame that says most.
    pub exceptions: Vec<ExceptionGroup>,
    /// Groups that match, on all pages.
    pub total: u64,
    /// Cursor of the next page; null when there is nothing more.
    pub next_cursor: Option<String>,
    /// Occurrences of groups that were too many to keep: no group counts them.
    pub left_out: u64,
    /// There were more groups than one question looks at.
    pub truncated: bool,
    /// What the look cost.
    pub stats: Stats,
}

/// One group of exceptions.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExceptionAnswer {
    /// The group.
    #[serde(flatten)]
    pub group: ExceptionGroup,
    /// What the look cost.
    pub stats: Stats,
}

/// A group of exceptions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExceptionGroup)]
pub struct ExceptionGroup {
    /// Its name: the number of the algorithm that groups, and what it says.
    #[schema(example = "1-00c0ffee00c0ffee")]
    pub fingerprint: String,
    /// Type of the exception.
    #[serde(rename = "type")]
    #[schema(example = "PaymentGatewayTimeout")]
    pub kind: String,
    /// Message of the newest occurrence, shortened.
    #[schema(example = "acquirer.example did not answer within 2000 ms")]
    pub message: String,
    /// The innermost frame of the application's own code, or of any; null without a stack trace.
    pub culprit: Option<Frame>,
    /// How it stands: `new`, `resolved`, `ignored`, `regressed`.
    #[schema(example = "new")]
    pub state: String,
    /// What was decided; null if nothing was.
    pub decision: Option<StateDecision>,
    /// The first occurrence of all that are stored.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub first_seen: i64,
    /// The last of them.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub last_seen: i64,
    /// Occurrences in the range.
    pub count: u64,
    /// Users who met it.
    pub users: Users,
    /// The services it occurred in.
    pub services: Vec<String>,
    /// The versions of services it occurred in.
    pub versions: Vec<String>,
    /// Occurrences by service, version and what carried them.
    pub origins: Vec<Origin>,
    /// Occurrences over time; null unless a step was asked for.
    pub steps: Option<Steps>,
    /// Some of the newest occurrences, each of another trace, the newest first.
    pub samples: Vec<Sample>,
    /// Stack trace of the newest occurrence, shortened; only where one group is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stacktrace: Option<String>,
    /// Its frames, the innermost first; only where one group is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<Vec<Frame>>,
}

/// A frame of a stack trace.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Frame {
    /// The function.
    #[schema(example = "shop.PaymentService.execute")]
    pub function: String,
    /// The file; empty where the trace names none.
    #[schema(example = "PaymentService.java")]
    pub file: String,
    /// Whether it is code of the application, neither the runtime's nor a library's.
    pub in_app: bool,
}

/// What was decided about a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct StateDecision {
    /// `resolved` or `ignored`.
    #[schema(example = "resolved")]
    pub state: String,
    /// When.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub changed_at: i64,
    /// By whom.
    pub changed_by: String,
    /// The version that still had it.
    pub resolved_in_version: Option<String>,
    /// Until when it is ignored; null for ever.
    pub ignored_until: Option<String>,
    /// Why.
    pub note: String,
}

/// How many users there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Users {
    /// So many.
    pub count: u64,
    /// Whether that is exact; else it is an estimate.
    pub exact: bool,
    /// A few of them.
    pub names: Vec<String>,
}

/// Occurrences from one service and version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExceptionOrigin)]
pub struct Origin {
    /// The service.
    pub service_name: String,
    /// Its version; empty where its resource names none.
    pub service_version: String,
    /// What carried them: `span` or `log`.
    #[schema(example = "span")]
    pub source: &'static str,
    /// The first of all that are stored.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub first_seen: i64,
    /// The last of them.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub last_seen: i64,
    /// Those in the range.
    pub count: u64,
}

/// Occurrences over time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExceptionSteps)]
pub struct Steps {
    /// Start of the first step.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub start: i64,
    /// Length of each, in nanoseconds.
    pub step_ns: i64,
    /// Occurrences in each step, by version of the service.
    pub counts: BTreeMap<String, Vec<u64>>,
}

/// Where to look at an occurrence.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExceptionSample)]
pub struct Sample {
    /// When it happened.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub time: i64,
    /// What carried it: `span` or `log`.
    pub source: &'static str,
    /// The trace it belongs to, in hex digits.
    #[serde(serialize_with = "optional_text")]
    #[schema(value_type = Option<String>)]
    pub trace_id: Option<TraceId>,
    /// The span it belongs to, in hex digits.
    #[serde(serialize_with = "optional_text")]
    #[schema(value_type = Option<String>)]
    pub span_id: Option<SpanId>,
    /// Its service.
    pub service_name: String,
    /// The version of that.
    pub service_version: String,
}

/// A change of a group's state.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateChange {
    /// `resolved`, `ignored`, or `new` to forget what was decided.
    #[schema(example = "resolved")]
    pub state: String,
    /// Who decides.
    #[serde(default)]
    #[schema(example = "ann")]
    pub by: String,
    /// With `resolved`: the version that still has it.
    #[serde(default)]
    pub resolved_in_version: Option<String>,
    /// With `ignored`: until when; a time, or `now+7d`.
    #[serde(default)]
    #[schema(example = "now+7d")]
    pub ignored_until: Option<String>,
    /// Why.
    #[serde(default)]
    pub note: String,
}

impl StateChange {
    /// What the body says.
    pub fn read(self, now_ns: i64) -> Result<query::ExceptionChange> {
        let decision = match self.state.as_str() {
            "new" => None,
            "resolved" => Some(Decision::Resolved),
            "ignored" => Some(Decision::Ignored),
            other => {
                let detail = format!("state '{other}' is none of new, resolved, ignored");
                return Err(ApiError::invalid("state", other, detail));
            }
        };
        let until = self.ignored_until.as_deref();
        let until = until.map(|text| parse_time_ns("ignored_until", text, now_ns));
        Ok(query::ExceptionChange {
            decision,
            by: self.by,
            resolved_in_version: self.resolved_in_version,
            ignored_until_ns: until.transpose()?,
            note: self.note,
        })
    }
}

impl ExceptionGroup {
    /// A group with all that is known of it.
    pub fn whole(detail: query::ExceptionDetail) -> Self {
        let stacktrace = detail.text.stacktrace.clone();
        let frames = detail.frames.iter().map(Frame::from).collect();
        Self { stacktrace: Some(stacktrace), frames: Some(frames), ..Self::from(detail) }
    }
}

impl From<query::ExceptionPage> for ExceptionPage {
    fn from(page: query::ExceptionPage) -> Self {
        Self {
            exceptions: page.groups.into_iter().map(ExceptionGroup::from).collect(),
            total: page.total,
            next_cursor: page.next,
            left_out: page.left_out,
            truncated: page.truncated,
            stats: page.stats.into(),
        }
    }
}

impl From<query::ExceptionDetail> for ExceptionGroup {
    fn from(detail: query::ExceptionDetail) -> Self {
        let own = detail.frames.iter().find(|frame| frame.in_app);
        let distinct = |of: fn(&query::OriginCount) -> &String| {
            let all = detail.origins.iter().map(of).filter(|name| !name.is_empty());
            all.cloned().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        Self {
            fingerprint: detail.fingerprint.to_string(),
            culprit: own.or(detail.frames.first()).map(Frame::from),
            state: detail.status.name().to_owned(),
            decision: detail.state.as_ref().map(StateDecision::from),
            first_seen: detail.first_seen_ns,
            last_seen: detail.last_seen_ns,
            count: detail.count,
            users: Users {
                count: detail.users.count,
                exact: detail.users.is_exact,
                names: detail.users.names.clone(),
            },
            services: distinct(|origin| &origin.service),
            versions: distinct(|origin| &origin.version),
            origins: detail.origins.iter().map(Origin::from).collect(),
            steps: detail.steps.map(|steps| Steps {
                start: steps.start_ns,
                step_ns: steps.step_ns,
                counts: steps.counts,
            }),
            samples: detail.samples.into_iter().map(Sample::from).collect(),
            kind: detail.text.kind,
            message: detail.text.message,
            stacktrace: None,
            frames: None,
        }
    }
}

impl From<&ModelFrame> for Frame {
    fn from(frame: &ModelFrame) -> Self {
        let ModelFrame { function, file, in_app } = frame.clone();
        Self { function, file, in_app }
    }
}

impl From<&ExceptionState> for StateDecision {
    fn from(state: &ExceptionState) -> Self {
        let name = match state.decision {
            Decision::Resolved => "resolved",
            Decision::Ignored => "ignored",
        };
        let until = state.ignored_until_ns.map(throughline_model::time::format_rfc3339);
        Self {
            state: name.to_owned(),
            changed_at: state.changed_at_ns,
            changed_by: state.changed_by.clone(),
            resolved_in_version: state.resolved_in_version.clone(),
            ignored_until: until,
            note: state.note.clone(),
        }
    }
}

impl From<&query::OriginCount> for Origin {
    fn from(origin: &query::OriginCount) -> Self {
        Self {
            service_name: origin.service.clone(),
            service_version: origin.version.clone(),
            source: source(origin.source),
            first_seen: origin.first_seen_ns,
            last_seen: origin.last_seen_ns,
            count: origin.count,
        }
    }
}

impl From<ExceptionSample> for Sample {
    fn from(sample: ExceptionSample) -> Self {
        Self {
            time: sample.time_ns,
            source: source(sample.origin.source),
            trace_id: sample.trace_id,
            span_id: sample.span_id,
            service_name: sample.origin.service,
            service_version: sample.origin.version,
        }
    }
}

fn source(source: ExceptionSource) -> &'static str {
    match source {
        ExceptionSource::Span => "span",
        ExceptionSource::Log => "log",
    }
}
