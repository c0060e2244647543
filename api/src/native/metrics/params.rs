//! The parameters of questions about metrics.

use throughline_model::Signal;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_query::metrics::MetricQuery;
use utoipa::IntoParams;

use super::super::filter::parse_filters;
use super::super::params::Params;
use crate::error::Result;

/// What a question about metrics may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `metric_query` reads the parameters
pub struct MetricParams {
    /// The series' service; repeat it for any of several.
    #[param(example = json!(["cart"]))]
    service: Option<Vec<String>>,
    /// A condition on an attribute or field of the series: `http.route=/cart`, `host.name~^web`,
    /// `key`, `!key`; prefixes `resource.`, `scope.`; fields `unit`, `kind`, `temporality`,
    /// `metric_name`. Repeat it for several.
    #[param(example = json!(["http.route=/cart"]))]
    filter: Option<Vec<String>>,
    /// Points at or after this time: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`.
    #[param(example = "-1h")]
    start: Option<String>,
    /// Points before this time.
    #[param(example = "now")]
    end: Option<String>,
    /// The most metrics, series, points or exemplars of the answer. Lists are cut there and say so;
    /// more points are an error.
    #[param(minimum = 1)]
    limit: Option<u64>,
}

/// What a question about points may say beside [`MetricParams`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `form` reads the parameter
pub struct FormatParam {
    /// `json` for the API's own JSON, `otlp` for OTLP: JSON, or protobuf by `Accept`.
    #[param(example = "otlp")]
    format: Option<String>,
}

/// The parameters of [`MetricParams`], and last that of [`FormatParam`].
const KNOWN: [&str; 6] = ["service", "filter", "start", "end", "limit", "format"];

/// An error if there is a parameter that [`MetricParams`] does not list.
pub fn check_params(params: &Params) -> Result<()> {
    params.allow(&KNOWN[..KNOWN.len() - 1])
}

/// The same where a form may be chosen.
pub fn check_params_with_format(params: &Params) -> Result<()> {
    params.allow(&KNOWN)
}

/// The question that the parameters describe, about one metric or all.
pub fn metric_query(
    params: &Params,
    name: Option<&str>,
    now_ns: i64,
    limit_default: usize,
    limit_max: usize,
) -> Result<MetricQuery> {
    let mut filters = parse_filters(Signal::Metrics, params.all("filter"))?;
    let services: Vec<Operand> = params.list("service").into_iter().map(Operand::Text).collect();
    if !services.is_empty() {
        filters.push(on_column(col::SERVICE_NAME, Op::In(services)));
    }
    if let Some(name) = name {
        filters.push(on_column(col::METRIC_NAME, Op::Eq(Operand::Text(name.to_owned()))));
    }
    Ok(MetricQuery {
        filters,
        time: params.range(now_ns)?.unwrap_or(TimeRange::ALL),
        limit: params.limit(limit_default, limit_max)?,
    })
}

fn on_column(name: &str, op: Op) -> Predicate {
    Predicate { target: Target::Column(name.to_owned()), op }
}
