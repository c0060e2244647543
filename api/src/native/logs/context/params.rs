//! The parameters of a context.

use throughline_query::logs::{CONTEXT_MAX, ContextBy, ContextSearch, LogId};
use utoipa::IntoParams;

use super::super::super::params::Params;
use crate::error::{ApiError, ErrorKind, Result};

const SIDE_DEFAULT: i64 = 10;

/// What a context may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `log_context` reads the parameters
pub struct ContextParams {
    /// `id` of the record, from a search or a tail.
    #[param(required = true, example = "1795176000000000000.9b1f2c3d4e5f6071.0")]
    id: String,
    /// How many records before it.
    #[param(default = 10, minimum = 0, maximum = 500)]
    before: Option<u64>,
    /// How many records after it.
    #[param(default = 10, minimum = 0, maximum = 500)]
    after: Option<u64>,
    /// Which records are its neighbours: those of the same `resource` (all its attributes), or of the
    /// same `service`.
    #[param(default = "resource", example = "service")]
    by: Option<String>,
}

/// The context that the parameters describe.
pub fn log_context(params: &Params) -> Result<ContextSearch> {
    params.allow(&["id", "before", "after", "by"])?;
    let id = params.one("id")?.ok_or_else(|| {
        let detail = "id is missing: which record's context? a search says it with each record";
        ApiError::new(ErrorKind::Invalid, detail).with_field("id")
    })?;
    let side = |name| {
        let count = params.number(name, 0, CONTEXT_MAX as i64)?.unwrap_or(SIDE_DEFAULT);
        Ok::<_, ApiError>(count as usize)
    };
    Ok(ContextSearch {
        id: LogId::parse(id)?,
        before: side("before")?,
        after: side("after")?,
        by: match params.one("by")? {
            None | Some("resource") => ContextBy::Resource,
            Some("service") => ContextBy::Service,
            Some(other) => {
                let detail = format!("by '{other}' is none of resource, service");
                return Err(ApiError::invalid("by", other, detail));
            }
        },
    })
}
