//! Stored items as OTLP again: what was sent comes back, field by field.
//!
//! ```text
//! items → by resource and scope, as senders group them ([`group`]) → protobuf ([`proto`]) or JSON ([`json`])
//! ```
//! Each of the two has a file for what the signals share and one a signal. The points of series are
//! put together into metrics in [`metrics`].

pub mod json;
pub mod metrics;
pub mod proto;

use std::collections::HashMap;
use std::sync::Arc;

use throughline_model::origin::{Resource, Scope};
use throughline_model::span::Span;
use throughline_query::logs::LogRecord;
use throughline_query::metrics::SeriesPoints;

/// The items of one resource.
#[derive(Debug)]
pub struct ResourceGroup<'a, T> {
    /// The resource.
    pub resource: &'a Resource,
    /// Its items by scope, in the order of their first item.
    pub scopes: Vec<ScopeGroup<'a, T>>,
}

/// The items of one scope within a resource.
#[derive(Debug)]
pub struct ScopeGroup<'a, T> {
    /// The scope.
    pub scope: &'a Scope,
    /// Its items, in the order given.
    pub items: Vec<&'a T>,
}

/// What produced an item.
type Origin<'a> = (&'a Arc<Resource>, &'a Arc<Scope>);

/// Groups spans by equal resources and scopes, in the order of their first span.
pub fn group_spans(spans: &[Span]) -> Vec<ResourceGroup<'_, Span>> {
    group(spans, |span| (&span.resource, &span.scope))
}

/// Groups log records by equal resources and scopes, in the order of their first record.
pub fn group_logs(records: &[LogRecord]) -> Vec<ResourceGroup<'_, LogRecord>> {
    group(records, |record| (&record.resource, &record.scope))
}

/// Groups series by equal resources and scopes, in the order of their first series.
pub fn group_series(series: &[SeriesPoints]) -> Vec<ResourceGroup<'_, SeriesPoints>> {
    group(series, |one| (&one.series.resource, &one.series.scope))
}

fn group<T>(items: &[T], origin: fn(&T) -> Origin<'_>) -> Vec<ResourceGroup<'_, T>> {
    let mut resources = Numbers::default();
    let mut scopes = Numbers::default();
    let mut places = HashMap::new();
    let mut groups: Vec<ResourceGroup<'_, T>> = Vec::new();
    for item in items {
        let (resource, scope) = origin(item);
        let resource_number = resources.number(resource, Resource::encode);
        if resource_number == groups.len() {
            groups.push(ResourceGroup { resource, scopes: Vec::new() });
        }
        let scope_number = scopes.number(scope, Scope::encode);
        let in_group = &mut groups[resource_number].scopes;
        let place = *places.entry((resource_number, scope_number)).or_insert_with(|| {
            in_group.push(ScopeGroup { scope, items: Vec::new() });
            in_group.len() - 1
        });
        in_group[place].items.push(item);
    }
    groups
}

// Numbers equal values alike. Items of one batch share their `Arc`, so that most are known by their
// address; equal values of different batches meet by their encoded bytes.
#[derive(Default)]
struct Numbers {
    by_address: HashMap<usize, usize>,
    by_bytes: HashMap<Vec<u8>, usize>,
}

impl Numbers {
    fn number<T>(&mut self, value: &Arc<T>, encode: fn(&T) -> Vec<u8>) -> usize {
        *self.by_address.entry(Arc::as_ptr(value) as usize).or_insert_with(|| {
            let next = self.by_bytes.len();
            *self.by_bytes.entry(encode(value)).or_insert(next)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
