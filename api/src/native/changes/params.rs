//! The parameters of questions about changes.

use throughline_query::changes::{CHANGES_PAGE_MAX, ChangeSearch};
use utoipa::IntoParams;

use super::super::params::Params;
use crate::error::Result;

const LIMIT_DEFAULT: usize = 200;

/// Which changes are meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `change_search` reads the parameters
pub struct ChangesParams {
    /// It happened at or after this time: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`.
    #[param(example = "-1d")]
    start: Option<String>,
    /// It happened before this time.
    #[param(example = "now")]
    end: Option<String>,
    /// Changes of this service, and those of all services.
    #[param(example = "payment")]
    service: Option<String>,
    /// Changes in the answer, the newest.
    #[param(default = 200, minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

/// The parameters of a list.
pub fn change_search(params: &Params, now_ns: i64) -> Result<ChangeSearch> {
    params.allow(&["start", "end", "service", "limit"])?;
    Ok(ChangeSearch {
        time: params.range(now_ns)?,
        service: params.one("service")?.map(str::to_owned),
        limit: params.limit(LIMIT_DEFAULT, CHANGES_PAGE_MAX)?,
    })
}
