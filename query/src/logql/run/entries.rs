//! Rows of a scan as entries: which columns are read for the labels that a query looks at, and the
//! labels of each row.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampNanosecondType, UInt32Type};
use throughline_model::predicate::Target;
use throughline_model::schema::col;
use throughline_model::value::ValueRef;
use throughline_storage::scan::ScanColumn;

use super::super::labels::Entry;
use super::super::pipeline::{TextTest, Wanted};
use super::names::{self, LEVEL_UNKNOWN, label_name, labels_of};
use super::origins::{Origin, Origins, column};
use super::place::{Place, Places};
use crate::Result;
use crate::logs::language::Level;

/// What is read of records.
pub struct Reading {
    columns: Vec<ScanColumn>,
    has_line: bool,
    /// Labels by the column that they come from.
    of_columns: Vec<&'static str>,
    has_level: bool,
    has_scope: bool,
    /// Labels that one attribute of records makes, and its column.
    attributes: Vec<(String, String)>,
    /// Whether all attributes of records are read.
    has_map: bool,
    /// Of these attributes, those that are wanted.
    wanted: Option<Vec<String>>,
    /// Conditions on labels that the scan does not decide.
    tests: Vec<(String, TextTest)>,
}

impl Reading {
    /// What a query needs whose stages look at these labels of structured metadata, and whose selector
    /// has these conditions left.
    pub fn new(
        wanted: &Wanted,
        tests: Vec<(String, TextTest)>,
        has_line: bool,
        places: &Places,
    ) -> Self {
        let names = wanted.names().map(|names| {
            let names = names.chain(tests.iter().map(|(name, _)| name.as_str()));
            let mut names: Vec<_> = names.map(str::to_owned).collect();
            names.sort();
            names.dedup();
            names
        });
        let mut reading = Self {
            columns: Vec::new(),
            has_line,
            of_columns: Vec::new(),
            has_level: false,
            has_scope: false,
            attributes: Vec::new(),
            has_map: false,
            wanted: None,
            tests,
        };
        match names {
            Some(names) => reading.add_names(&names, places),
            None => {
                reading.of_columns = vec![
                    col::TRACE_ID,
                    col::SPAN_ID,
                    col::SEVERITY_NUMBER,
                    col::SEVERITY_TEXT,
                    col::FLAGS,
                    col::EVENT_NAME,
                ];
                (reading.has_level, reading.has_scope, reading.has_map) = (true, true, true);
            }
        }
        reading.columns = reading.list_columns();
        reading
    }

    fn add_names(&mut self, names: &[String], places: &Places) {
        for name in names {
            match places.of(name) {
                Place::Nowhere | Place::Column(col::SERVICE_NAME) => {}
                Place::Attribute(Target::ResourceAttribute(_)) => {}
                Place::Column(column) => self.of_columns.push(column),
                Place::Level => self.has_level = true,
                Place::Attribute(Target::ScopeAttribute(_)) => self.has_scope = true,
                Place::Attribute(target) => {
                    self.attributes.push((name.clone(), ScanColumn::Attribute(target).name()));
                }
                Place::Rows => {
                    (self.has_map, self.has_scope) = (true, true);
                    let column = match name.as_str() {
                        names::TRACE_ID => col::TRACE_ID,
                        names::SPAN_ID => col::SPAN_ID,
                        names::SEVERITY_NUMBER => col::SEVERITY_NUMBER,
                        names::SEVERITY_TEXT => col::SEVERITY_TEXT,
                        names::FLAGS => col::FLAGS,
                        names::EVENT_NAME => col::EVENT_NAME,
                        _ => continue,
                    };
                    self.of_columns.push(column);
                }
            }
        }
        self.wanted = Some(names.to_vec());
    }

    fn list_columns(&self) -> Vec<ScanColumn> {
        let mut fixed = vec![col::TIME, col::RESOURCE];
        fixed.extend(self.has_line.then_some(col::BODY));
        fixed.extend(self.has_scope.then_some(col::SCOPE));
        fixed.extend(&self.of_columns);
        if self.has_level {
            for name in [col::SEVERITY_NUMBER, col::SEVERITY_TEXT] {
                if !fixed.contains(&name) {
                    fixed.push(name);
                }
            }
        }
        let mut columns: Vec<_> =
            fixed.into_iter().map(|name| ScanColumn::Fixed(name.to_owned())).collect();
        if self.has_map {
            columns.push(ScanColumn::Attributes);
        } else {
            for (_, column) in &self.attributes {
                let key = column.strip_prefix("attribute:").unwrap_or(column);
                let column = ScanColumn::Attribute(Target::Attribute(key.to_owned()));
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
        }
        columns
    }

    /// The columns that a scan hands out.
    pub fn columns(&self) -> Vec<ScanColumn> {
        self.columns.clone()
    }

    /// Hands out the rows of a batch that meet the selector, each with its number.
    pub fn each(
        &self,
        batch: &RecordBatch,
        origins: &Origins,
        mut take: impl FnMut(&Entry<'_>, usize) -> Result<()>,
    ) -> Result<()> {
        let times = column(batch, col::TIME)?.as_primitive::<TimestampNanosecondType>().values();
        let lines = match self.has_line {
            true => Some(column(batch, col::BODY)?.as_string::<i32>()),
            false => None,
        };
        let resources = Numbered::new(column(batch, col::RESOURCE)?);
        let rows = Rows::new(self, batch, origins)?;
        let mut read: Vec<Option<Arc<Origin>>> = vec![None; resources.len()];
        let mut pairs = Pairs::default();
        for (row, time_ns) in times.iter().enumerate() {
            let slot = &mut read[resources.number(row)];
            let origin = match slot {
                Some(origin) => &*origin,
                None => &*slot.insert(origins.resource(resources.bytes(row))?),
            };
            pairs.clear();
            rows.add_labels(row, &mut pairs)?;
            for (name, text) in &origin.structured {
                if self.wants(name) {
                    pairs.add(name, text);
                }
            }
            rows.add_scope(row, &mut pairs)?;
            let structured = pairs.borrowed();
            let line = lines.filter(|lines| lines.is_valid(row));
            let entry = Entry {
                time_ns: *time_ns,
                line: line.map_or("", |lines| lines.value(row)),
                stream: &origin.stream,
                structured: &structured,
            };
            if self.selects(&entry) {
                take(&entry, row)?;
            }
        }
        Ok(())
    }

    /// Whether an entry meets the conditions that the scan does not decide.
    pub fn selects(&self, entry: &Entry<'_>) -> bool {
        self.tests.iter().all(|(name, test)| {
            let structured = || entry.structured.iter().find(|(own, _)| own == name);
            let value = entry.stream.get(name).or_else(|| structured().map(|(_, text)| *text));
            test.passes(value.unwrap_or_default())
        })
    }

    fn wants(&self, name: &str) -> bool {
        self.wanted.as_ref().is_none_or(|names| names.iter().any(|own| own == name))
    }
}

/// Labels of one row; a name once, the first that is added.
#[derive(Default)]
pub struct Pairs {
    text: String,
    spans: Vec<(Range<usize>, Range<usize>)>,
}

impl Pairs {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// Adds a label, unless there is one of that name or it is empty.
    pub fn add(&mut self, name: &str, value: &str) {
        let is_there = |(own, _): &(Range<usize>, _)| self.text[own.clone()] == *name;
        if value.is_empty() || self.spans.iter().any(is_there) {
            return;
        }
        let start = self.text.len();
        self.text.push_str(name);
        let middle = self.text.len();
        self.text.push_str(value);
        self.spans.push((start..middle, middle..self.text.len()));
    }

    /// The labels.
    pub fn borrowed(&self) -> Vec<(&str, &str)> {
        let of = |span: &Range<usize>| &self.text[span.clone()];
        self.spans.iter().map(|(name, value)| (of(name), of(value))).collect()
    }
}

/// Adds the label of a column of its own.
pub fn add_ids(pairs: &mut Pairs, name: &str, id: &[u8]) {
    let text: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.add(name, &text);
}

/// Adds the level of a severity.
pub fn add_level(pairs: &mut Pairs, number: i32, text: &str) {
    let level = Level::of_record(number, text);
    pairs.add(names::LEVEL, level.map_or(LEVEL_UNKNOWN, Level::name));
}

// A dictionary column of byte strings.
struct Numbered<'b>(&'b DictionaryArray<UInt32Type>);

impl<'b> Numbered<'b> {
    fn new(column: &'b ArrayRef) -> Self {
        Self(column.as_dictionary())
    }

    fn len(&self) -> usize {
        self.0.values().len()
    }

    fn number(&self, row: usize) -> usize {
        self.0.keys().value(row) as usize
    }

    fn bytes(&self, row: usize) -> &'b [u8] {
        self.0.values().as_binary::<i32>().value(self.number(row))
    }
}

// The columns of a batch that labels of rows come from.
struct Rows<'b> {
    reading: &'b Reading,
    origins: &'b Origins,
    of_columns: Vec<(&'static str, &'b ArrayRef)>,
    severity: Option<(&'b ArrayRef, &'b ArrayRef)>,
    attributes: Vec<(&'b str, &'b ArrayRef)>,
    map: Option<Map<'b>>,
    scope: Option<Numbered<'b>>,
}

struct Map<'b> {
    column: &'b arrow::array::MapArray,
    /// Labels by the number of the key; none where it is not wanted.
    labels: Vec<Option<Cow<'b, str>>>,
}

impl<'b> Rows<'b> {
    fn new(reading: &'b Reading, batch: &'b RecordBatch, origins: &'b Origins) -> Result<Self> {
        let of_columns = reading.of_columns.iter();
        let attributes = reading.attributes.iter().filter(|_| !reading.has_map);
        let severity = match reading.has_level {
            true => {
                Some((column(batch, col::SEVERITY_NUMBER)?, column(batch, col::SEVERITY_TEXT)?))
            }
            false => None,
        };
        let map = match reading.has_map {
            true => Some(Map::new(column(batch, col::ATTRIBUTES)?, reading)),
            false => None,
        };
        let scope = match reading.has_scope {
            true => Some(Numbered::new(column(batch, col::SCOPE)?)),
            false => None,
        };
        Ok(Self {
            reading,
            origins,
            of_columns: of_columns
                .map(|name| Ok((*name, column(batch, name)?)))
                .collect::<Result<_>>()?,
            severity,
            attributes: attributes
                .map(|(label, name)| Ok((label.as_str(), column(batch, name)?)))
                .collect::<Result<_>>()?,
            map,
            scope,
        })
    }

    fn add_labels(&self, row: usize, pairs: &mut Pairs) -> Result<()> {
        for (name, array) in &self.of_columns {
            if array.is_valid(row) {
                add_column(pairs, name, array, row);
            }
        }
        if let Some((numbers, texts)) = self.severity {
            let number = numbers.as_primitive::<Int32Type>().value(row);
            add_level(pairs, number, throughline_model::span::dict_str(texts, row));
        }
        for (label, array) in &self.attributes {
            let values = array.as_dictionary::<UInt32Type>();
            if let Some(number) = values.keys().is_valid(row).then(|| values.keys().value(row)) {
                let value = values.values().as_binary::<i32>().value(number as usize);
                if let Some(text) = ValueRef::read(value)?.text()? {
                    pairs.add(label, &text);
                }
            }
        }
        match &self.map {
            Some(map) => map.add_labels(row, self.reading, pairs),
            None => Ok(()),
        }
    }

    fn add_scope(&self, row: usize, pairs: &mut Pairs) -> Result<()> {
        let Some(scopes) = &self.scope else { return Ok(()) };
        for (name, text) in &self.origins.scope(scopes.bytes(row))?.structured {
            if self.reading.wants(name) {
                pairs.add(name, text);
            }
        }
        Ok(())
    }
}

fn add_column(pairs: &mut Pairs, name: &str, array: &ArrayRef, row: usize) {
    match name {
        col::TRACE_ID => {
            add_ids(pairs, names::TRACE_ID, array.as_fixed_size_binary().value(row));
        }
        col::SPAN_ID => add_ids(pairs, names::SPAN_ID, array.as_fixed_size_binary().value(row)),
        col::SEVERITY_NUMBER => {
            let number = array.as_primitive::<Int32Type>().value(row);
            add_number(pairs, names::SEVERITY_NUMBER, i64::from(number));
        }
        col::FLAGS => {
            let flags = array.as_primitive::<UInt32Type>().value(row);
            add_number(pairs, names::FLAGS, i64::from(flags));
        }
        col::SEVERITY_TEXT => {
            pairs.add(names::SEVERITY_TEXT, throughline_model::span::dict_str(array, row));
        }
        _ => pairs.add(names::EVENT_NAME, throughline_model::span::dict_str(array, row)),
    }
}

/// Adds a number that is not zero.
pub fn add_number(pairs: &mut Pairs, name: &str, number: i64) {
    if number != 0 {
        pairs.add(name, &number.to_string());
    }
}

impl<'b> Map<'b> {
    fn new(column: &'b ArrayRef, reading: &Reading) -> Self {
        let column = column.as_map();
        let keys = column.keys().as_dictionary::<UInt32Type>().values().as_string::<i32>();
        let label = |key: Option<&'b str>| {
            let label = label_name(key.unwrap_or_default());
            // A nested attribute may make any label that begins so.
            let is_wanted = reading.wanted.as_ref().is_none_or(|names| {
                names.iter().any(|name| {
                    name.strip_prefix(&*label)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
                })
            });
            is_wanted.then_some(label)
        };
        Self { column, labels: keys.iter().map(label).collect() }
    }

    fn add_labels(&self, row: usize, reading: &Reading, pairs: &mut Pairs) -> Result<()> {
        let offsets = self.column.value_offsets();
        let keys = self.column.keys().as_dictionary::<UInt32Type>();
        let values = self.column.values().as_binary::<i32>();
        for at in offsets[row] as usize..offsets[row + 1] as usize {
            let number = keys.keys().value(at) as usize;
            let Some(label) = &self.labels[number] else { continue };
            match ValueRef::read(values.value(at))? {
                ValueRef::String(text) if reading.wants(label) => pairs.add(label, text),
                ValueRef::String(_) => {}
                _ => {
                    let key = keys.values().as_string::<i32>().value(number);
                    labels_of(key, values.value(at), &mut |name, text| {
                        if reading.wants(name) {
                            pairs.add(name, text);
                        }
                    })?;
                }
            }
        }
        Ok(())
    }
}
