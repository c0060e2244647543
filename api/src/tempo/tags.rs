//! Names of attributes and values of fields.

use throughline_query::complete::fields::{FIELDS_MAX, FieldLook, FieldValues, intrinsic_names};
use throughline_query::traceql;
use throughline_query::traceql::ast::{
    Field, FieldExpr, FieldExprKind, Root, Scope, SpansetExpr, Stage, Static,
};
use throughline_query::traceql::grammar::SCOPES;
use throughline_query::{QueryContext, QueryStatsSnapshot};

use super::error::{Result, TempoError};
use super::messages::{
    SearchTagValuesRequest, SearchTagValuesResponse, SearchTagValuesV2Response, SearchTagsRequest,
    SearchTagsResponse, SearchTagsV2Response, SearchTagsV2Scope,
};
use super::{params, wire};
use crate::state::ApiState;

const INTRINSIC: &str = "intrinsic";

/// Segments that an answer lacks stand beside it.
type Partial = Vec<String>;

/// Names by scope.
pub async fn names_v2(
    request: &SearchTagsRequest,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<(SearchTagsV2Response, Partial)> {
    let asked = asked_scopes(&request.scope)?;
    let look = look(&request.query, request.start, request.end, request.max_tags_per_scope)?;
    let mut stats = QueryStatsSnapshot::default();
    let mut scopes = Vec::new();
    for (name, scope) in SCOPES.iter().filter(|(name, _)| asked.is_none_or(|asked| asked == *name))
    {
        let names = state.engine.field_names(*scope, &look, ctx).await?;
        stats.scan.bytes_read += names.stats.scan.bytes_read;
        stats.scan.segments_total = names.stats.scan.segments_total;
        stats.scan.partial.extend(names.stats.scan.partial);
        let tags: Vec<String> = names.names.into_iter().map(|name| name.name).collect();
        if !tags.is_empty() {
            scopes.push(SearchTagsV2Scope { name: (*name).to_owned(), tags });
        }
    }
    if asked.is_none_or(|asked| asked == INTRINSIC) {
        let tags = intrinsic_names().into_iter().map(str::to_owned).take(look.limit).collect();
        scopes.push(SearchTagsV2Scope { name: INTRINSIC.to_owned(), tags });
    }
    let metrics = Some(wire::metadata_metrics(&stats));
    stats.scan.partial.sort();
    stats.scan.partial.dedup();
    Ok((SearchTagsV2Response { scopes, metrics }, stats.scan.partial))
}

/// Names without their scopes: of attributes, unless the request asks for intrinsic fields.
pub async fn names_v1(
    request: &SearchTagsRequest,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<(SearchTagsResponse, Partial)> {
    let (answer, partial) = names_v2(request, state, ctx).await?;
    let all = request.scope.is_empty();
    let scopes = answer.scopes.into_iter().filter(|scope| !all || scope.name != INTRINSIC);
    let mut tag_names: Vec<String> = scopes.flat_map(|scope| scope.tags).collect();
    tag_names.sort();
    tag_names.dedup();
    Ok((SearchTagsResponse { tag_names, metrics: answer.metrics }, partial))
}

/// Values with their types of a field in the words of TraceQL.
pub async fn values_v2(
    request: &SearchTagValuesRequest,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<(SearchTagValuesV2Response, Partial)> {
    let values = values(&field(&request.tag_name)?, request, state, ctx).await?;
    let tag_values = values.values.iter().filter_map(wire::tag_value).collect();
    let metrics = Some(wire::metadata_metrics(&values.stats));
    Ok((SearchTagValuesV2Response { tag_values, metrics }, values.stats.scan.partial))
}

/// Texts of the values of a tag without scope.
pub async fn values_v1(
    request: &SearchTagValuesRequest,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<(SearchTagValuesResponse, Partial)> {
    let values = values(&field_of_tag(&request.tag_name)?, request, state, ctx).await?;
    let texts = values.values.iter().filter_map(wire::tag_value).map(|value| value.value);
    let metrics = Some(wire::metadata_metrics(&values.stats));
    let answer = SearchTagValuesResponse { tag_values: texts.collect(), metrics };
    Ok((answer, values.stats.scan.partial))
}

async fn values(
    field: &Field,
    request: &SearchTagValuesRequest,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<FieldValues> {
    let look = look(&request.query, request.start, request.end, request.max_tag_values)?;
    Ok(state.engine.field_values(field, &look, ctx).await?)
}

// None for all.
fn asked_scopes(scope: &str) -> Result<Option<&str>> {
    match scope {
        "" | "all" => Ok(None),
        known if known == INTRINSIC || SCOPES.iter().any(|(name, _)| *name == known) => {
            Ok(Some(known))
        }
        other => {
            let detail = format!(
                "invalid scope: {other} is none of resource, span, event, link, instrumentation, \
                 intrinsic"
            );
            Err(TempoError::invalid("scope", other, detail))
        }
    }
}

fn look(query: &str, start: u32, end: u32, limit: u32) -> Result<FieldLook> {
    let limit = if limit == 0 { FIELDS_MAX } else { FIELDS_MAX.min(limit as usize) };
    let time = params::range_of_seconds(start, end)?;
    Ok(FieldLook { time, filter: filter(query), limit })
}

// Someone is still typing: what cannot be read of a filter filters nothing.
fn filter(query: &str) -> Option<FieldExpr> {
    if query.trim().is_empty() {
        return None;
    }
    match traceql::lenient_filter(query)? {
        SpansetExpr::Filter(filter) => filter,
        _ => None,
    }
}

// A field as an attribute with its scope or an intrinsic; a name without either is looked for in span
// and resource.
fn field(tag: &str) -> Result<Field> {
    let is_plain = !tag.starts_with('.') && !tag.contains(['"', ':']);
    let unscoped = || {
        let name = tag.to_owned();
        is_plain.then_some(Field::Attribute { scope: Scope::Any, parent: false, name })
    };
    let found = parse_field(tag).or_else(unscoped);
    found.ok_or_else(|| {
        let detail = format!("tag name is not valid intrinsic or scoped attribute: {tag}");
        TempoError::invalid("tag", tag, detail)
    })
}

// The names of the first version of the API are those of a search by tags.
fn field_of_tag(tag: &str) -> Result<Field> {
    match tag {
        "status.code" => field("status"),
        "root.name" => field("rootName"),
        "root.service.name" => field("rootServiceName"),
        tag => field(tag),
    }
}

fn parse_field(text: &str) -> Option<Field> {
    let query = traceql::parse(&format!("{{ {text} != nil }}")).ok()?;
    let Root::Search(pipeline) = query.root else { return None };
    let [Stage::Spans(SpansetExpr::Filter(Some(filter)))] = pipeline.stages.as_slice() else {
        return None;
    };
    let FieldExprKind::Binary { left, right, .. } = &filter.kind else { return None };
    match (&left.kind, &right.kind) {
        (FieldExprKind::Field(field), FieldExprKind::Static(Static::Nil)) => Some(field.clone()),
        _ => None,
    }
}
