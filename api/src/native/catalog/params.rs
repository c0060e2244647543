//! The parameters of lists of names.

use throughline_model::Signal;
use throughline_model::time::TimeRange;
use throughline_query::complete::{AttributePlace, NAMES_MAX};
use utoipa::IntoParams;

use super::super::params::Params;
use crate::error::{ApiError, Result};

/// What a request for names may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `names_range` reads the parameters
pub struct NamesParams {
    /// Seen at or after this time: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`.
    #[param(example = "-1h")]
    start: Option<String>,
    /// Seen before this time.
    #[param(example = "now")]
    end: Option<String>,
    /// Names in the answer.
    #[param(default = 1000, minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

/// What a request for attributes may say besides.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `attribute_look` reads the parameters
pub struct AttributesParams {
    /// Whose attributes: `traces` or `logs`.
    #[param(default = "traces", example = "traces")]
    signal: Option<String>,
    /// Attributes of the `item`, its `resource` or its `scope`; default: of the item, and of the
    /// resource.
    #[param(example = "item")]
    place: Option<String>,
    /// How the name or value begins.
    #[param(example = "http.")]
    prefix: Option<String>,
}

/// Time and number of names.
pub struct NamesLook {
    /// When they were seen.
    pub time: Option<TimeRange>,
    /// Names in the answer.
    pub limit: usize,
}

/// Whose attributes are asked for.
pub struct AttributeLook {
    /// Of which items.
    pub signal: Signal,
    /// Of what; none for item and resource.
    pub place: Option<AttributePlace>,
    /// How names or values begin.
    pub prefix: String,
    /// When, and how many.
    pub names: NamesLook,
}

/// The parameters of services and operations.
pub fn names_look(params: &Params, now_ns: i64) -> Result<NamesLook> {
    params.allow(&["start", "end", "limit"])?;
    read_names(params, now_ns)
}

/// The parameters of attribute names and values.
pub fn attribute_look(params: &Params, now_ns: i64) -> Result<AttributeLook> {
    params.allow(&["signal", "place", "prefix", "start", "end", "limit"])?;
    let signal = match params.one("signal")? {
        None | Some("traces") => Signal::Traces,
        Some("logs") => Signal::Logs,
        Some(other) => {
            let detail = format!("signal '{other}' is none of traces, logs");
            return Err(ApiError::invalid("signal", other, detail));
        }
    };
    let place = match params.one("place")? {
        None => None,
        Some("item") => Some(AttributePlace::Item),
        Some("resource") => Some(AttributePlace::Resource),
        Some("scope") => Some(AttributePlace::Scope),
        Some(other) => {
            let detail = format!("place '{other}' is none of item, resource, scope");
            return Err(ApiError::invalid("place", other, detail));
        }
    };
    let prefix = params.one("prefix")?.unwrap_or_default().to_owned();
    Ok(AttributeLook { signal, place, prefix, names: read_names(params, now_ns)? })
}

fn read_names(params: &Params, now_ns: i64) -> Result<NamesLook> {
    Ok(NamesLook { time: params.range(now_ns)?, limit: params.limit(NAMES_MAX, NAMES_MAX)? })
}
