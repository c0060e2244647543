//! A trace as rows, and what each field is for each of them.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use throughline_model::origin::{Event, Link};
use throughline_model::span::Span;
use throughline_model::time::TimeRange;
use throughline_model::{TraceId, Value};
use throughline_query::traceql::ast::{Field, Intrinsic, Scope};

use super::value::{Val, attribute, element};

/// The spans of one trace that a query looks at, by start, then id.
pub struct Trace<'a> {
    pub id: TraceId,
    pub spans: Vec<&'a Span>,
    /// Rows of the parents of each row: more than one where an id comes twice.
    parents: Vec<Vec<usize>>,
    /// Rows of the parents of each row, of their parents, and so on.
    ancestors: OnceCell<Vec<BTreeSet<usize>>>,
    /// Left, right and parent of the nested sets.
    nested: Vec<[i64; 3]>,
}

/// The traces of all spans that start in a range, by id.
pub fn traces(spans: &[Span], time: Option<TimeRange>) -> Vec<Trace<'_>> {
    let mut by_id = BTreeMap::<TraceId, Vec<&Span>>::new();
    for span in spans {
        if time.is_none_or(|time| time.contains(span.start_time_ns)) {
            by_id.entry(span.trace_id).or_default().push(span);
        }
    }
    by_id.into_iter().map(|(id, spans)| Trace::new(id, spans)).collect()
}

fn end_ns(span: &Span) -> i64 {
    span.start_time_ns.saturating_add(span.duration_ns.max(0))
}

fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

fn text_or_nil(value: &str) -> Val {
    if value.is_empty() { Val::Nil } else { text(value) }
}

fn find<'v>(attributes: &'v [(String, Value)], key: &str) -> Option<&'v Value> {
    attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

fn found(attributes: &[(String, Value)], key: &str) -> Val {
    find(attributes, key).map_or(Val::Nil, attribute)
}

// One element an item that has the field.
fn list<T>(items: &[T], of: impl Fn(&T) -> Val) -> Val {
    Val::List(items.iter().map(of).filter(|val| *val != Val::Nil).collect())
}

fn inner(attributes: &[(String, Value)], key: &str) -> Val {
    find(attributes, key).map_or(Val::Nil, element)
}

impl<'a> Trace<'a> {
    fn new(id: TraceId, mut spans: Vec<&'a Span>) -> Self {
        spans.sort_by_key(|span| (span.start_time_ns, span.span_id));
        let nested = vec![[0; 3]; spans.len()];
        let parents = |span: &&Span| {
            let is_parent = |row: &usize| Some(spans[*row].span_id) == span.parent_span_id;
            (0..spans.len()).filter(is_parent).collect()
        };
        let parents = spans.iter().map(parents).collect();
        let mut trace = Self { id, spans, parents, ancestors: OnceCell::new(), nested };
        let mut next = 1;
        for root in 0..trace.spans.len() {
            if trace.spans[root].parent_span_id.is_none() {
                trace.walk(root, -1, &mut next);
            }
        }
        trace
    }

    fn walk(&mut self, row: usize, parent: i64, next: &mut i64) {
        let left = *next;
        *next += 1;
        self.nested[row] = [left, 0, parent];
        for child in 0..self.spans.len() {
            // Several spans may have the id of the parent: a span is numbered where it is met first.
            if self.is_child(child, row) && self.nested[child][0] == 0 {
                self.walk(child, left, next);
            }
        }
        self.nested[row][1] = *next;
        *next += 1;
    }

    /// Whether one row is a child of the other.
    pub fn is_child(&self, child: usize, parent: usize) -> bool {
        self.spans[child].parent_span_id == Some(self.spans[parent].span_id)
    }

    /// Rows of the ancestors of a row.
    pub fn ancestors(&self, row: usize) -> &BTreeSet<usize> {
        let all = || (0..self.spans.len()).map(|row| self.find_ancestors(row)).collect();
        &self.ancestors.get_or_init(all)[row]
    }

    fn find_ancestors(&self, row: usize) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        let mut open = self.parents[row].clone();
        while let Some(row) = open.pop() {
            if all.insert(row) {
                open.extend(&self.parents[row]);
            }
        }
        all
    }

    fn root(&self) -> Option<&Span> {
        self.spans.iter().find(|span| span.parent_span_id.is_none()).copied()
    }

    /// The value of a field for a row.
    pub fn field(&self, row: usize, field: &Field) -> Val {
        let asks_parent = match field {
            Field::Attribute { parent, .. } | Field::Intrinsic { parent, .. } => *parent,
        };
        let row = match self.parents[row].first() {
            Some(parent) if asks_parent => *parent,
            None if asks_parent => return Val::Nil,
            _ => row,
        };
        match field {
            Field::Attribute { scope, name, .. } => self.attribute(row, *scope, name),
            Field::Intrinsic { which, .. } => self.intrinsic(row, *which),
        }
    }

    fn attribute(&self, row: usize, scope: Scope, key: &str) -> Val {
        let span = self.spans[row];
        match scope {
            Scope::Any => match find(&span.attributes, key) {
                Some(value) => attribute(value),
                None => found(&span.resource.attributes, key),
            },
            Scope::Span => found(&span.attributes, key),
            Scope::Resource => found(&span.resource.attributes, key),
            Scope::Instrumentation => found(&span.scope.attributes, key),
            Scope::Event => list(&span.events, |event: &Event| inner(&event.attributes, key)),
            Scope::Link => list(&span.links, |link: &Link| inner(&link.attributes, key)),
        }
    }

    fn intrinsic(&self, row: usize, which: Intrinsic) -> Val {
        let span = self.spans[row];
        match which {
            Intrinsic::Duration => Val::Duration(span.duration_ns),
            Intrinsic::Name => text(&span.name),
            Intrinsic::Status => Val::Status(span.status_code),
            Intrinsic::StatusMessage => text_or_nil(&span.status_message),
            Intrinsic::Kind => Val::Kind(span.kind),
            Intrinsic::Parent => {
                span.parent_span_id.map_or(Val::Nil, |_| Val::Opaque(Value::Empty))
            }
            Intrinsic::RootName => self.root().map_or(Val::Nil, |root| text(&root.name)),
            Intrinsic::RootServiceName => {
                self.root().map_or(Val::Nil, |root| text(&root.service_name))
            }
            Intrinsic::TraceDuration => {
                let start = self.spans.iter().map(|span| span.start_time_ns).min();
                let end = self.spans.iter().map(|span| end_ns(span)).max();
                Val::Duration(end.expect("spans") - start.expect("spans"))
            }
            Intrinsic::TraceId => Val::String(span.trace_id.to_string()),
            Intrinsic::SpanId => Val::String(span.span_id.to_string()),
            Intrinsic::ParentId => {
                span.parent_span_id.map_or(Val::Nil, |id| Val::String(id.to_string()))
            }
            Intrinsic::ChildCount => {
                let children = (0..self.spans.len()).filter(|child| self.is_child(*child, row));
                Val::Int(children.count() as i64)
            }
            Intrinsic::NestedSetLeft => Val::Int(self.nested[row][0]),
            Intrinsic::NestedSetRight => Val::Int(self.nested[row][1]),
            Intrinsic::NestedSetParent => Val::Int(self.nested[row][2]),
            Intrinsic::EventName => list(&span.events, |event| text(&event.name)),
            Intrinsic::EventTimeSinceStart => list(&span.events, |event| {
                Val::Duration(event.time_ns.saturating_sub(span.start_time_ns))
            }),
            Intrinsic::LinkTraceId => {
                list(&span.links, |link| Val::String(link.trace_id.to_string()))
            }
            Intrinsic::LinkSpanId => {
                list(&span.links, |link| Val::String(link.span_id.to_string()))
            }
            Intrinsic::InstrumentationName => text_or_nil(&span.scope.name),
            Intrinsic::InstrumentationVersion => text_or_nil(&span.scope.version),
        }
    }
}
