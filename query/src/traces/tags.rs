//! Conditions that a scan does not know: a tag wherever a span shows it, and a test of whole spans.
//!
//! Place in the flow: [`super::search`] asks the scan for the columns that these look at, and drops
//! the rows that do not meet them before it counts traces.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, UInt32Type};
use memchr::memmem::Finder;
use regex::Regex;
use throughline_model::predicate::Target;
use throughline_model::schema::{self, col};
use throughline_model::span::{Span, read_spans};
use throughline_model::value::ValueRef;
use throughline_model::{attrs, origin};
use throughline_storage::scan::ScanColumn;

use crate::{Error, Result};

/// Keys under which a span shows the name and the version of its scope; the older ones too.
const SCOPE_NAME_KEYS: [&str; 3] = ["otel.scope.name", "otel.library.name", "scope.name"];
const SCOPE_VERSION_KEYS: [&str; 3] =
    ["otel.scope.version", "otel.library.version", "scope.version"];
/// The key under which an event shows its name.
const EVENT_KEY: &str = "event";
/// What a key begins with that means attributes of resources alone.
const RESOURCE_PREFIX: &str = "resource.";

/// A condition on an attribute wherever it stands: on the span, its scope, its resource, one of its
/// events or one of its links. A key that begins with `resource.` also means the resource's attribute
/// of the rest; the scope's name and version and the names of events are found under the keys that
/// Jaeger shows them as.
#[derive(Clone, Debug)]
pub struct TagCondition {
    /// The key.
    pub key: String,
    /// What a value's text must be.
    pub test: TagTest,
    /// A field of the span that says the same: then it or the span's own attribute decides, and no
    /// other place.
    pub field: Option<FieldTest>,
}

/// A number in a column of spans that says what a tag would.
#[derive(Clone, Copy, Debug)]
pub struct FieldTest {
    /// The column, of `Int32`.
    pub column: &'static str,
    /// Its value.
    pub number: i32,
    /// Whether neither the column nor the attribute may say so.
    pub negated: bool,
}

/// What the text of a tag's value must be.
#[derive(Clone, Debug)]
pub enum TagTest {
    /// There is a value, or an event of that name.
    Exists,
    /// Exactly this.
    Is(String),
    /// Exactly the text, or one that the expression matches from end to end.
    Like(String, Regex),
}

/// A test of whole spans, for what no other condition can say. It reads every column of the rows that
/// meet everything else.
#[derive(Clone)]
pub struct SpanTest(Arc<dyn Fn(&Span) -> bool + Send + Sync>);

impl SpanTest {
    /// A test.
    pub fn new(test: impl Fn(&Span) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(test))
    }
}

impl std::fmt::Debug for SpanTest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpanTest").finish_non_exhaustive()
    }
}

impl TagTest {
    fn meets(&self, text: &str) -> bool {
        match self {
            TagTest::Exists => true,
            TagTest::Is(wanted) => text == wanted,
            TagTest::Like(wanted, pattern) => text == wanted || pattern.is_match(text),
        }
    }

    fn encoded(&self, value: &[u8]) -> Result<bool> {
        Ok(ValueRef::read(value)?.text()?.is_some_and(|text| self.meets(&text)))
    }
}

/// What the rows of a search must meet beyond its predicates.
#[derive(Clone, Debug, Default)]
pub(super) struct Beyond {
    pub tags: Vec<TagCondition>,
    pub test: Option<SpanTest>,
}

impl Beyond {
    /// The columns to read for it, beside trace id and start.
    pub fn columns(&self) -> Vec<ScanColumn> {
        let fixed = |name: &str| ScanColumn::Fixed(name.to_owned());
        let mut all = [col::TRACE_ID, col::START_TIME].map(fixed).to_vec();
        let mut add = |column: ScanColumn| {
            if !all.contains(&column) {
                all.push(column);
            }
        };
        if self.test.is_some() {
            schema::spans().fields().iter().for_each(|field| match field.name().as_str() {
                col::ATTRIBUTES => add(ScanColumn::Attributes),
                name => add(fixed(name)),
            });
        }
        for tag in &self.tags {
            add(own_column(tag));
            match tag.field {
                Some(field) => add(fixed(field.column)),
                None => [col::RESOURCE, col::SCOPE, col::EVENTS, col::LINKS]
                    .into_iter()
                    .for_each(|name| add(fixed(name))),
            }
        }
        all
    }

    /// Which rows meet it; none if all do.
    pub fn met(&self, batch: &RecordBatch) -> Result<Option<Vec<bool>>> {
        if self.tags.is_empty() && self.test.is_none() {
            return Ok(None);
        }
        let mut met = vec![true; batch.num_rows()];
        for tag in &self.tags {
            met.iter_mut().zip(tag.rows(batch)?).for_each(|(met, by_tag)| *met &= by_tag);
        }
        if let Some(test) = &self.test {
            let left = (0..met.len()).filter(|row| met[*row]).collect::<Vec<_>>();
            let spans = read_spans(&keep(batch, met.clone())?)?;
            for (row, span) in left.into_iter().zip(&spans) {
                met[row] = (test.0)(span);
            }
        }
        Ok(Some(met))
    }
}

fn keep(batch: &RecordBatch, met: Vec<bool>) -> Result<RecordBatch> {
    if met.iter().all(|met| *met) {
        return Ok(batch.clone());
    }
    filter_record_batch(batch, &BooleanArray::from(met))
        .map_err(|err| Error::internal(format!("rows of a trace search: {err}")))
}

fn own_column(tag: &TagCondition) -> ScanColumn {
    ScanColumn::Attribute(Target::Attribute(tag.key.clone()))
}

impl TagCondition {
    // Which rows meet the condition. Cheap places come first: the later ones look only at the rows
    // that are still undecided.
    fn rows(&self, batch: &RecordBatch) -> Result<Vec<bool>> {
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .ok_or_else(|| Error::internal(format!("a trace search was read without {name}")))
        };
        let mut met = vec![false; batch.num_rows()];
        let own = column(&own_column(self).name())?;
        self.in_dictionary(own, &mut met, |value| self.test.encoded(value))?;
        if let Some(field) = self.field {
            let numbers = column(field.column)?.as_primitive::<Int32Type>().values();
            let says = met.iter().zip(numbers).map(|(met, number)| *met || *number == field.number);
            return Ok(says.map(|says| says != field.negated).collect());
        }
        self.in_dictionary(column(col::RESOURCE)?, &mut met, |bytes| self.in_resource(bytes))?;
        self.in_dictionary(column(col::SCOPE)?, &mut met, |bytes| self.in_scope(bytes))?;
        self.in_lists(column(col::EVENTS)?, &mut met, |bytes| self.in_events(bytes))?;
        self.in_lists(column(col::LINKS)?, &mut met, |bytes| self.in_links(bytes))?;
        Ok(met)
    }

    fn in_dictionary(
        &self,
        column: &ArrayRef,
        met: &mut [bool],
        test: impl Fn(&[u8]) -> Result<bool>,
    ) -> Result<()> {
        let dictionary = column.as_dictionary::<UInt32Type>();
        let (keys, values) = (dictionary.keys(), dictionary.values().as_binary::<i32>());
        let mut answers = vec![None; values.len()];
        for (row, met) in met.iter_mut().enumerate() {
            if *met || !keys.is_valid(row) {
                continue;
            }
            let number = keys.value(row) as usize;
            *met = match answers[number] {
                Some(answer) => answer,
                None => *answers[number].insert(test(values.value(number))?),
            };
        }
        Ok(())
    }

    fn in_lists(
        &self,
        column: &ArrayRef,
        met: &mut [bool],
        test: impl Fn(&[u8]) -> Result<bool>,
    ) -> Result<()> {
        let lists = column.as_binary::<i32>();
        for (row, met) in met.iter_mut().enumerate() {
            if !*met && lists.is_valid(row) {
                *met = test(lists.value(row))?;
            }
        }
        Ok(())
    }

    fn in_set(&self, set: &[u8], key: &str) -> Result<bool> {
        attrs::get(set, key).map_or(Ok(false), |value| self.test.encoded(value))
    }

    fn in_resource(&self, resource: &[u8]) -> Result<bool> {
        let set = origin::resource_attrs(resource)?;
        let rest = self.key.strip_prefix(RESOURCE_PREFIX);
        Ok(self.in_set(set, &self.key)? || rest.map_or(Ok(false), |key| self.in_set(set, key))?)
    }

    fn in_scope(&self, scope: &[u8]) -> Result<bool> {
        let (name, version, _, set) = origin::scope_parts(scope)?;
        let shown = |keys: [&str; 3], text: &str| {
            !text.is_empty() && keys.contains(&self.key.as_str()) && self.test.meets(text)
        };
        Ok(shown(SCOPE_NAME_KEYS, name)
            || shown(SCOPE_VERSION_KEYS, version)
            || self.in_set(set, &self.key)?)
    }

    fn in_events(&self, events: &[u8]) -> Result<bool> {
        let by_name = self.key == EVENT_KEY || matches!(self.test, TagTest::Exists);
        if !by_name && Finder::new(self.key.as_bytes()).find(events).is_none() {
            return Ok(false); // most events: decoding them would cost more than the search
        }
        for event in origin::decode_events(events)? {
            let named = match &self.test {
                TagTest::Exists => event.name == self.key,
                test => self.key == EVENT_KEY && test.meets(&event.name),
            };
            if named || self.in_values(&event.attributes)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn in_links(&self, links: &[u8]) -> Result<bool> {
        if Finder::new(self.key.as_bytes()).find(links).is_none() {
            return Ok(false);
        }
        for link in origin::decode_links(links)? {
            if self.in_values(&link.attributes)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn in_values(&self, attributes: &[(String, throughline_model::Value)]) -> Result<bool> {
        match attributes.iter().find(|(key, _)| *key == self.key) {
            Some((_, value)) => self.test.encoded(&value.to_bytes()),
            None => Ok(false),
        }
    }
}
