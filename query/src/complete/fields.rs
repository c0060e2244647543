//! Names and values of the fields of spans, in the words of TraceQL: what an editor offers.
//!
//! Names of span attributes come from the indexes of segments where these lie in the range. All else
//! comes from the one column that holds it, decoded once a distinct value, up to a bounded number of
//! rows; the answer says where that bound was met.

use std::collections::HashMap;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::UInt32Type;
use futures::TryStreamExt;
use throughline_model::predicate::{Op, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::value::{Value, ValueRef, put_string};
use throughline_model::{Signal, origin};
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest};

use super::filter::{Conditions, attribute, target};
use super::{Counts, Names, occurrences};
use crate::engine::Admitted;
use crate::traceql::ast::{Field, FieldExpr, Intrinsic, KINDS, STATUSES, Scope, Static};
use crate::traceql::grammar::INTRINSICS;
use crate::traceql::{MetricsRequest, MetricsSeries};
use crate::{Engine, Error, QueryContext, QueryStatsSnapshot, Result};

/// The most names or values in one answer.
pub const FIELDS_MAX: usize = 10_000;

/// Rows of a column of few distinct values that one look reads.
const ROWS_MAX: usize = 2_000_000;
/// Rows whose attributes, events or links are decoded one by one.
const DECODED_ROWS_MAX: usize = 200_000;
/// Bytes of distinct values that one look keeps.
const VALUES_BYTES_MAX: usize = 16 << 20;

/// What a look for names or values is limited to.
#[derive(Clone, Debug, Default)]
pub struct FieldLook {
    /// Seen in this range.
    pub time: Option<TimeRange>,
    /// Seen on spans that meet this, as far as one scan can decide it ([`FieldValues::is_filtered`]).
    pub filter: Option<FieldExpr>,
    /// Names or values in the answer, at most [`FIELDS_MAX`].
    pub limit: usize,
}

/// Values of a field, most frequent first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldValues {
    /// The values.
    pub values: Vec<FieldValue>,
    /// Whether not everything was looked at or listed: there may be more.
    pub truncated: bool,
    /// Whether all values listed are of spans that meet the filter; false where a part of the filter
    /// could not be decided, so that the list may hold more.
    pub is_filtered: bool,
    /// What the look did.
    pub stats: QueryStatsSnapshot,
}

/// A value with how often it occurs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldValue {
    /// The value.
    pub value: Static,
    /// Spans, events or links that carry it, of those that were looked at; 0 for values that are
    /// known without a look.
    pub count: u64,
}

/// Intrinsic fields by every name that they have, sorted; numbers of nested sets and what only compares
/// with nil are left out, since nobody types them.
pub fn intrinsic_names() -> Vec<&'static str> {
    let is_typed = |which: Intrinsic| {
        !matches!(
            which,
            Intrinsic::Parent
                | Intrinsic::NestedSetLeft
                | Intrinsic::NestedSetRight
                | Intrinsic::NestedSetParent
        )
    };
    let typed = INTRINSICS.iter().filter(|(which, ..)| is_typed(*which));
    let names = typed.flat_map(|(_, alone, scoped)| [*alone, *scoped]);
    let mut names: Vec<_> = names.flatten().collect();
    names.sort_unstable();
    names
}

impl Engine {
    /// Keys of attributes of one scope, most frequent first.
    pub async fn field_names(
        &self,
        scope: Scope,
        look: &FieldLook,
        ctx: &QueryContext,
    ) -> Result<Names> {
        let admitted = self.admit(ctx).await?;
        let conditions = Conditions::of(look.filter.as_ref());
        let mut counts = Counts::default();
        let scan = |column, rows_max| request(look, &conditions, column, rows_max);
        let fixed = |name: &str| ScanColumn::Fixed(name.to_owned());
        match scope {
            Scope::Span if conditions.predicates.is_empty() => {
                let time = look.time.unwrap_or(TimeRange::ALL);
                counts.count_keys(&admitted, Signal::Traces, time).await?;
            }
            Scope::Span => {
                let request = scan(ScanColumn::Attributes, DECODED_ROWS_MAX);
                counts.scan(&admitted, Signal::Traces, request, Counts::add_map_keys).await?;
            }
            Scope::Resource => {
                let request = scan(fixed(col::RESOURCE), ROWS_MAX);
                counts.scan(&admitted, Signal::Traces, request, Counts::add_resource_keys).await?;
            }
            Scope::Instrumentation => {
                let request = scan(fixed(col::SCOPE), ROWS_MAX);
                counts.scan(&admitted, Signal::Traces, request, Counts::add_scope_keys).await?;
            }
            Scope::Event => {
                let request = present(scan(fixed(col::EVENTS), DECODED_ROWS_MAX), col::EVENTS);
                counts.scan(&admitted, Signal::Traces, request, add_event_keys).await?;
            }
            Scope::Link => {
                let request = present(scan(fixed(col::LINKS), DECODED_ROWS_MAX), col::LINKS);
                counts.scan(&admitted, Signal::Traces, request, add_link_keys).await?;
            }
            Scope::Any => {
                return Err(Error::invalid(
                    "scope",
                    "names are listed by scope, and 'any' is none",
                ));
            }
        }
        Ok(counts.finish_at(&admitted, "", look.limit.min(FIELDS_MAX)))
    }

    /// Values of a field, most frequent first. Fields whose values identify or measure (ids,
    /// durations, numbers of nested sets) list none.
    pub async fn field_values(
        &self,
        field: &Field,
        look: &FieldLook,
        ctx: &QueryContext,
    ) -> Result<FieldValues> {
        let conditions = Conditions::of(look.filter.as_ref());
        let source = source(field);
        if let (Some(filter), false, true) =
            (&look.filter, conditions.is_whole, source.is_one_a_span())
        {
            return self.field_values_by_query(field, filter, look, ctx).await;
        }
        let admitted = self.admit(ctx).await?;
        let mut values = Values::default();
        match source {
            Source::None => {}
            Source::Known(known) => {
                let values = known.into_iter().map(|value| FieldValue { value, count: 0 });
                let stats = admitted.budget.stats.snapshot();
                let values = values.collect();
                return Ok(FieldValues { values, truncated: false, is_filtered: true, stats });
            }
            Source::Column { column, conditions: more, add, rows_max } => {
                let mut request = request(look, &conditions, column, rows_max);
                request.predicates.extend(more);
                values.scan(&admitted, request, add).await?;
            }
        }
        Ok(values.finish(&admitted, conditions.is_whole, look.limit.min(FIELDS_MAX)))
    }
}

impl Engine {
    // Under a filter that a scan cannot decide: the spans that meet it, counted by the field.
    async fn field_values_by_query(
        &self,
        field: &Field,
        filter: &FieldExpr,
        look: &FieldLook,
        ctx: &QueryContext,
    ) -> Result<FieldValues> {
        let request = MetricsRequest {
            query: format!("{{ {filter} }} | count_over_time() by({field})"),
            time: look.time.unwrap_or(TimeRange::ALL),
            step_ns: None,
            exemplars_max: 0,
            series_max: look.limit.min(FIELDS_MAX),
        };
        let answer = self.traceql_metrics(&request, ctx).await?;
        let value = |series: MetricsSeries| {
            let (_, value) = series.labels.into_iter().next()?;
            let count = series.points.iter().map(|(_, count)| *count as u64).sum();
            Some(FieldValue { value: scalar(&value.to_bytes())?, count })
        };
        let mut values: Vec<FieldValue> = answer.series.into_iter().filter_map(value).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.count));
        let truncated = answer.truncated;
        Ok(FieldValues { values, truncated, is_filtered: true, stats: answer.stats })
    }
}

fn request(
    look: &FieldLook,
    conditions: &Conditions,
    column: ScanColumn,
    rows_max: usize,
) -> ScanRequest {
    ScanRequest {
        columns: vec![column],
        predicates: conditions.predicates.clone(),
        time: look.time.unwrap_or(TimeRange::ALL),
        order: ScanOrder::Any,
        limit: Some(rows_max),
    }
}

fn present(mut request: ScanRequest, column: &str) -> ScanRequest {
    request.predicates.push(exists(Target::Column(column.to_owned())));
    request
}

fn exists(target: Target) -> Predicate {
    Predicate { target, op: Op::Exists }
}

// Where the values of a field are.
enum Source {
    /// In one column, under these conditions.
    Column { column: ScanColumn, conditions: Vec<Predicate>, add: Add, rows_max: usize },
    /// In no column: they are always the same.
    Known(Vec<Static>),
    /// Nowhere that can be listed.
    None,
}

impl Source {
    // Whether a span has one value at most.
    fn is_one_a_span(&self) -> bool {
        matches!(self, Source::Column { rows_max: ROWS_MAX, .. })
    }
}

// Takes the values of a batch's column.
type Add = Box<dyn Fn(&mut Values, &ArrayRef) -> Result<()> + Send + Sync>;

fn source(field: &Field) -> Source {
    match field {
        Field::Attribute { scope: Scope::Event, name, .. } => {
            let name = name.clone();
            encoded(col::EVENTS, move |values, bytes| values.add_events(bytes, Some(&name)))
        }
        Field::Attribute { scope: Scope::Link, name, .. } => {
            let name = name.clone();
            encoded(col::LINKS, move |values, bytes| values.add_links(bytes, &name))
        }
        // A parent's attributes have the values that its children's have.
        Field::Attribute { scope, name, .. } => match attribute(*scope, name) {
            Some(target) => Source::Column {
                column: ScanColumn::Attribute(target.clone()),
                conditions: vec![exists(target)],
                add: Box::new(Values::add_encoded),
                rows_max: ROWS_MAX,
            },
            None => Source::None,
        },
        Field::Intrinsic { which, .. } => intrinsic(*which),
    }
}

fn intrinsic(which: Intrinsic) -> Source {
    let texts = |name: &str, conditions: Vec<Predicate>| Source::Column {
        column: ScanColumn::Fixed(name.to_owned()),
        conditions,
        add: Box::new(Values::add_texts),
        rows_max: ROWS_MAX,
    };
    let of_scope = |part: fn(&[u8]) -> Result<&str>| Source::Column {
        column: ScanColumn::Fixed(col::SCOPE.to_owned()),
        conditions: Vec::new(),
        add: Box::new(move |values, column| values.add_scopes(column, part)),
        rows_max: ROWS_MAX,
    };
    let is_root = || {
        let target = Target::Column(col::PARENT_SPAN_ID.to_owned());
        vec![Predicate { target, op: Op::Missing }]
    };
    let numbers = |count: usize| 0..i32::try_from(count).unwrap_or_default();
    match which {
        Intrinsic::Name | Intrinsic::StatusMessage => {
            match target(&Field::Intrinsic { which, parent: false }) {
                Some(Target::Column(name)) => texts(&name, Vec::new()),
                _ => Source::None,
            }
        }
        Intrinsic::RootName => texts(col::NAME, is_root()),
        Intrinsic::RootServiceName => texts(col::SERVICE_NAME, is_root()),
        Intrinsic::Status => Source::Known(numbers(STATUSES.len()).map(Static::Status).collect()),
        Intrinsic::Kind => Source::Known(numbers(KINDS.len()).map(Static::Kind).collect()),
        Intrinsic::EventName => {
            encoded(col::EVENTS, |values, bytes| values.add_events(bytes, None))
        }
        Intrinsic::InstrumentationName => of_scope(|scope| Ok(origin::scope_parts(scope)?.0)),
        Intrinsic::InstrumentationVersion => of_scope(|scope| Ok(origin::scope_parts(scope)?.1)),
        _ => Source::None,
    }
}

// Values inside the encoded events or links of spans that have some.
fn encoded(
    column: &'static str,
    add: impl Fn(&mut Values, &[u8]) -> Result<()> + Send + Sync + 'static,
) -> Source {
    let add_all = move |values: &mut Values, column: &ArrayRef| {
        let lists = column.as_binary::<i32>();
        lists.iter().flatten().try_for_each(|bytes| add(values, bytes))
    };
    Source::Column {
        column: ScanColumn::Fixed(column.to_owned()),
        conditions: vec![exists(Target::Column(column.to_owned()))],
        add: Box::new(add_all),
        rows_max: DECODED_ROWS_MAX,
    }
}

fn add_event_keys(counts: &mut Counts, column: &ArrayRef) -> Result<()> {
    for bytes in column.as_binary::<i32>().iter().flatten() {
        for event in origin::decode_events(bytes)? {
            event.attributes.iter().for_each(|(key, _)| counts.add(key, 1));
        }
    }
    Ok(())
}

fn add_link_keys(counts: &mut Counts, column: &ArrayRef) -> Result<()> {
    for bytes in column.as_binary::<i32>().iter().flatten() {
        for link in origin::decode_links(bytes)? {
            link.attributes.iter().for_each(|(key, _)| counts.add(key, 1));
        }
    }
    Ok(())
}

// Distinct values, encoded, with how often each occurs.
#[derive(Default)]
struct Values {
    counts: HashMap<Vec<u8>, u64>,
    bytes: usize,
    rows: usize,
    limited: bool,
}

impl Values {
    async fn scan(&mut self, admitted: &Admitted, request: ScanRequest, add: Add) -> Result<()> {
        let rows_max = request.limit.unwrap_or(usize::MAX);
        let (view, context) = (admitted.view.clone(), admitted.budget.scan.clone());
        let mut batches = scan::scan_spans(view, request, context);
        let read = async {
            while let Some(batch) = batches.try_next().await? {
                self.rows += batch.num_rows();
                add(self, batch.column(0))?;
            }
            Ok(())
        };
        admitted.budget.run(read).await?;
        self.limited |= self.rows >= rows_max;
        Ok(())
    }

    fn add(&mut self, encoded: &[u8], count: u64) {
        if let Some(known) = self.counts.get_mut(encoded) {
            *known += count;
            return;
        }
        if self.bytes + encoded.len() > VALUES_BYTES_MAX {
            self.limited = true;
            return;
        }
        self.bytes += encoded.len();
        self.counts.insert(encoded.to_vec(), count);
    }

    fn add_text(&mut self, text: &str, count: u64) {
        // An empty text is no value.
        if !text.is_empty() {
            let mut encoded = Vec::with_capacity(text.len() + 1);
            put_string(&mut encoded, text);
            self.add(&encoded, count);
        }
    }

    // Of an array, each element is a value.
    fn add_value(&mut self, encoded: &[u8], count: u64) -> Result<()> {
        match ValueRef::read(encoded)? {
            ValueRef::Empty | ValueRef::Bytes(_) => {}
            ValueRef::Nested(_) => {
                if let Value::Array(items) = Value::decode(encoded)? {
                    let scalar = |item: &&Value| !matches!(item, Value::Array(_));
                    for item in items.iter().filter(scalar) {
                        self.add_value(&item.to_bytes(), count)?;
                    }
                }
            }
            _ => self.add(encoded, count),
        }
        Ok(())
    }

    fn add_encoded(&mut self, column: &ArrayRef) -> Result<()> {
        let dict = column.as_dictionary::<UInt32Type>();
        let values = dict.values().as_binary::<i32>();
        occurrences(dict)
            .try_for_each(|(number, count)| self.add_value(values.value(number), count))
    }

    fn add_texts(&mut self, column: &ArrayRef) -> Result<()> {
        let dict = column.as_dictionary::<UInt32Type>();
        let texts = dict.values().as_string::<i32>();
        occurrences(dict).for_each(|(number, count)| self.add_text(texts.value(number), count));
        Ok(())
    }

    fn add_scopes(&mut self, column: &ArrayRef, part: fn(&[u8]) -> Result<&str>) -> Result<()> {
        let dict = column.as_dictionary::<UInt32Type>();
        let scopes = dict.values().as_binary::<i32>();
        for (number, count) in occurrences(dict) {
            self.add_text(part(scopes.value(number))?, count);
        }
        Ok(())
    }

    // The names of events, or the values of an attribute of theirs.
    fn add_events(&mut self, bytes: &[u8], key: Option<&str>) -> Result<()> {
        for event in origin::decode_events(bytes)? {
            match key {
                None => self.add_text(&event.name, 1),
                Some(key) => self.add_attribute(&event.attributes, key)?,
            }
        }
        Ok(())
    }

    fn add_links(&mut self, bytes: &[u8], key: &str) -> Result<()> {
        for link in origin::decode_links(bytes)? {
            self.add_attribute(&link.attributes, key)?;
        }
        Ok(())
    }

    fn add_attribute(&mut self, attributes: &[(String, Value)], key: &str) -> Result<()> {
        match attributes.iter().find(|(name, _)| name == key) {
            Some((_, value)) => self.add_value(&value.to_bytes(), 1),
            None => Ok(()),
        }
    }

    fn finish(self, admitted: &Admitted, is_filtered: bool, limit: usize) -> FieldValues {
        let mut counted = self.counts.into_iter().collect::<Vec<_>>();
        counted.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        let truncated = self.limited || counted.len() > limit;
        counted.truncate(limit);
        admitted.budget.stats.add_rows(counted.len());
        let value =
            |(encoded, count): (Vec<u8>, u64)| Some(FieldValue { value: scalar(&encoded)?, count });
        let values = counted.into_iter().filter_map(value).collect();
        FieldValues { values, truncated, is_filtered, stats: admitted.budget.stats.snapshot() }
    }
}

// What was added is a scalar.
fn scalar(encoded: &[u8]) -> Option<Static> {
    Some(match ValueRef::read(encoded).ok()? {
        ValueRef::String(text) => Static::String(text.to_owned()),
        ValueRef::Bool(flag) => Static::Bool(flag),
        ValueRef::Int(number) => Static::Int(number),
        ValueRef::Double(number) => Static::Float(number),
        ValueRef::Empty | ValueRef::Bytes(_) | ValueRef::Nested(_) => return None,
    })
}
