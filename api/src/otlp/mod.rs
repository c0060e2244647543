//! Stored spans as OTLP again: what was sent comes back, field by field.
//!
//! Spans are grouped by resource and scope as senders group them ([`group`]), then written as
//! protobuf ([`proto`]) or in the JSON mapping of the OTLP specification ([`json`]).

pub mod json;
pub mod proto;

use std::collections::HashMap;
use std::sync::Arc;

use throughline_model::origin::{Resource, Scope};
use throughline_model::span::Span;

/// The spans of one resource.
#[derive(Debug)]
pub struct ResourceGroup<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Its spans by scope, in the order of their first span.
    pub scopes: Vec<ScopeGroup<'a>>,
}

/// The spans of one scope within a resource.
#[derive(Debug)]
pub struct ScopeGroup<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// Its spans, in the order given.
    pub spans: Vec<&'a Span>,
}

/// Groups spans by equal resources and scopes, in the order of their first span.
pub fn group(spans: &[Span]) -> Vec<ResourceGroup<'_>> {
    let mut resources = Numbers::default();
    let mut scopes = Numbers::default();
    let mut places = HashMap::new();
    let mut groups: Vec<ResourceGroup<'_>> = Vec::new();
    for span in spans {
        let resource = resources.number(&span.resource, Resource::encode);
        if resource == groups.len() {
            groups.push(ResourceGroup { resource: &span.resource, scopes: Vec::new() });
        }
        let scope = scopes.number(&span.scope, Scope::encode);
        let in_group = &mut groups[resource].scopes;
        let place = *places.entry((resource, scope)).or_insert_with(|| {
            in_group.push(ScopeGroup { scope: &span.scope, spans: Vec::new() });
            in_group.len() - 1
        });
        in_group[place].spans.push(span);
    }
    groups
}

// Numbers equal values alike. Spans of one batch share their `Arc`, so that most are known by their
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
