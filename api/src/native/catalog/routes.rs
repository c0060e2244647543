//! The handlers of lists of names.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use throughline_query::complete::{AttributePlace, Names};

use super::super::params::Params;
use super::params::{AttributeLook, AttributesParams, NamesParams, attribute_look, names_look};
use super::wire::{AttributeNames, AttributeValues, Operations, Services, ValueCount, merge};
use crate::error::{Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of lists of names.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/services", get(services))
        .route("/api/v1/services/{service}/operations", get(operations))
        .route("/api/v1/attributes", get(attribute_names))
        .route("/api/v1/attributes/{key}/values", get(attribute_values))
}

/// Services that sent spans or log records.
#[utoipa::path(
    get,
    path = "/api/v1/services",
    operation_id = "list_services",
    tag = "names",
    params(NamesParams),
    responses(
        (status = 200, description = "The services", body = Services),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn services(State(state): State<ApiState>, params: Params) -> Result<Json<Services>> {
    let look = names_look(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let names = state.engine.services(look.time, &ctx).await?;
    let (services, whole) = merge(vec![names], look.limit);
    Ok(Json(Services { services, whole }))
}

/// Names of the spans of a service.
#[utoipa::path(
    get,
    path = "/api/v1/services/{service}/operations",
    operation_id = "list_operations",
    tag = "names",
    params(("service" = String, Path, description = "The service", example = "cart"), NamesParams),
    responses(
        (status = 200, description = "The operations; none for a service that sent no spans", body = Operations),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn operations(
    State(state): State<ApiState>,
    Path(service): Path<String>,
    params: Params,
) -> Result<Json<Operations>> {
    let look = names_look(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let names = state.engine.operations(Some(&service), look.time, &ctx).await?;
    let (operations, whole) = merge(vec![names], look.limit);
    Ok(Json(Operations { operations, whole }))
}

/// Names of attributes.
#[utoipa::path(
    get,
    path = "/api/v1/attributes",
    operation_id = "list_attributes",
    tag = "names",
    params(AttributesParams, NamesParams),
    responses(
        (status = 200, description = "The names", body = AttributeNames),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn attribute_names(
    State(state): State<ApiState>,
    params: Params,
) -> Result<Json<AttributeNames>> {
    let look = attribute_look(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let AttributeLook { signal, prefix, names, .. } = &look;
    let mut lists = Vec::new();
    for place in places(&look) {
        let list = state.engine.attribute_names(*signal, place, prefix, names.time, &ctx).await?;
        lists.push(list);
    }
    let (attributes, whole) = merge(lists, names.limit);
    Ok(Json(AttributeNames { attributes, whole }))
}

/// Values of an attribute, as text.
#[utoipa::path(
    get,
    path = "/api/v1/attributes/{key}/values",
    operation_id = "list_attribute_values",
    tag = "names",
    params(
        ("key" = String, Path, description = "The attribute's name", example = "http.route"),
        AttributesParams,
        NamesParams,
    ),
    responses(
        (status = 200, description = "The values", body = AttributeValues),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn attribute_values(
    State(state): State<ApiState>,
    Path(key): Path<String>,
    params: Params,
) -> Result<Json<AttributeValues>> {
    let look = attribute_look(&params, state.clock.now_ns())?;
    let lists = value_lists(&state, &key, &look).await?;
    let (names, whole) = merge(lists, look.names.limit);
    let values =
        names.into_iter().map(|one| ValueCount { value: one.name, count: one.count }).collect();
    Ok(Json(AttributeValues { values, whole }))
}

async fn value_lists(state: &ApiState, key: &str, look: &AttributeLook) -> Result<Vec<Names>> {
    let (ctx, _guard) = asker();
    let AttributeLook { signal, prefix, names, .. } = look;
    let mut lists = Vec::new();
    for place in places(look) {
        let values = state.engine.attribute_values(*signal, place, key, prefix, names.time, &ctx);
        lists.push(values.await?);
    }
    Ok(lists)
}

fn places(look: &AttributeLook) -> Vec<AttributePlace> {
    match look.place {
        Some(place) => vec![place],
        None => vec![AttributePlace::Item, AttributePlace::Resource],
    }
}
