//! The OpenAPI document, from the handlers and wire types. A golden copy is kept in `docs/`.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::native::{
    catalog, changes, exceptions, logs, metrics, services, sql, status, traceql, traces,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Throughline",
        description = "The native API: traces, logs and metrics by SQL and by resource. Errors are \
            `application/problem+json` and name field, value and limit.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "sql", description = "SQL, read-only, over everything"),
        (name = "traces", description = "Traces: search, one by its id, its log records"),
        (name = "logs", description = "Log search, the log language, patterns; records as they come and around one; exports"),
        (name = "metrics", description = "Metrics, their series and points"),
        (name = "services", description = "The service map; rate, errors and durations"),
        (name = "exceptions", description = "Exceptions by group, and what is decided about them"),
        (name = "changes", description = "Deployments and other changes"),
        (name = "names", description = "Services, operations and attributes, for completion"),
        (name = "server", description = "The server about itself"),
    ),
    paths(
        sql::routes::sql,
        traces::routes::search,
        traces::routes::trace,
        traces::routes::logs,
        traceql::routes::search,
        traceql::routes::metrics,
        traceql::routes::complete,
        traces::page::routes::skeleton,
        traces::page::routes::facts,
        traces::page::routes::spans,
        traces::page::routes::span,
        traces::page::routes::compare_traces,
        traces::page::routes::compare_spans,
        logs::routes::search,
        logs::query::routes::query,
        logs::query::routes::post_query,
        logs::query::routes::complete,
        logs::query::routes::format,
        logs::counts::routes::counts,
        logs::delete::routes::delete,
        logs::delete::routes::list,
        logs::delete::routes::one,
        logs::patterns::routes::list,
        logs::patterns::routes::diff,
        logs::tail::routes::tail,
        logs::context::routes::context,
        logs::export::routes::export,
        metrics::routes::list,
        metrics::routes::series,
        metrics::routes::points,
        metrics::routes::exemplars,
        services::routes::service_map,
        services::routes::red,
        catalog::routes::services,
        catalog::routes::operations,
        catalog::routes::attribute_names,
        catalog::routes::attribute_values,
        exceptions::routes::list,
        exceptions::routes::one,
        exceptions::routes::change_state,
        changes::routes::list,
        changes::routes::post,
        status::routes::status,
        status::routes::metrics,
        status::routes::healthy,
        status::routes::ready,
        document,
    ),
    components(schemas(crate::error::Problem, logs::tail::wire::TailCommand))
)]
struct Api;

/// The document.
pub fn openapi() -> Document {
    Api::openapi()
}

/// The OpenAPI document of this API.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "get_openapi",
    tag = "server",
    responses((status = 200, description = "The document", body = Object))
)]
pub async fn document() -> Json<Document> {
    Json(openapi())
}
