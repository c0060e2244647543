//! Resources and scopes as labels, and which of them there are.
//!
//! Both are few and shared by many records: each is read once and remembered, and so are the distinct
//! ones of a segment, which never change.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{TimestampNanosecondType, UInt32Type};
use futures::TryStreamExt;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use throughline_model::origin::{self, SERVICE_UNKNOWN};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::value::tag;
use throughline_model::{Signal, attrs};
use throughline_storage::scan::{ScanColumn, ScanContext, ScanOrder, ScanRequest, scan_tier};
use throughline_storage::segment::Segment;
use throughline_storage::{Tier, View};
use ulid::Ulid;

use super::super::labels::Labels;
use super::names::{self, is_of_stream, labels_of};
use crate::{Error, Result};

/// Resources and scopes that are remembered; with more, all are forgotten and read again.
const ORIGINS_MAX: usize = 65_536;
/// Segments whose origins are remembered.
const SEGMENTS_MAX: usize = 8192;

/// A resource as labels.
#[derive(Debug, Default)]
pub struct Origin {
    /// The labels of the stream.
    pub stream: Labels,
    /// The other attributes, which each record has as structured metadata; a name once.
    pub structured: Vec<(Box<str>, Box<str>)>,
}

/// Encoded resources and scopes, each once, and the keys of their attributes.
#[derive(Debug, Default)]
pub struct Distinct {
    pub resources: HashSet<Arc<[u8]>>,
    pub scopes: HashSet<Arc<[u8]>>,
    /// Keys of resources, and whether values of them are kvlists.
    pub resource_keys: Keys,
    /// The same of scopes.
    pub scope_keys: Keys,
}

/// Keys of attributes, and whether values of them are kvlists.
pub type Keys = HashMap<String, bool>;

/// The resources and scopes of a view, by segment and those of all heads: few parts have others than their
/// neighbours, and putting all of them into one set would cost each question more than it reads.
#[derive(Debug, Default)]
pub struct Known {
    parts: Vec<Arc<Distinct>>,
    /// Keys of resources, and whether values of them are kvlists.
    pub resource_keys: Keys,
    /// The same of scopes.
    pub scope_keys: Keys,
}

impl Known {
    /// Encoded resources; some come more than once.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<[u8]>> {
        self.parts.iter().flat_map(|part| &part.resources)
    }

    fn add(&mut self, part: Arc<Distinct>) {
        for (all, more) in [
            (&mut self.resource_keys, &part.resource_keys),
            (&mut self.scope_keys, &part.scope_keys),
        ] {
            more.iter().for_each(|(key, is_nested)| add_key(all, key, *is_nested));
        }
        self.parts.push(part);
    }
}

/// What is remembered of resources and scopes.
#[derive(Debug, Default)]
pub struct Origins {
    resources: Mutex<HashMap<Arc<[u8]>, Arc<Origin>>>,
    scopes: Mutex<HashMap<Arc<[u8]>, Arc<Origin>>>,
    /// By segment and how many of its rows are deleted, which only grow.
    segments: Mutex<HashMap<(Ulid, u64), Arc<Distinct>>>,
    /// What segments share is held once.
    shared: Mutex<HashSet<Arc<[u8]>>>,
}

impl Origins {
    /// The labels of a resource.
    pub fn resource(&self, encoded: &[u8]) -> Result<Arc<Origin>> {
        remembered(&self.resources, encoded, read_resource)
    }

    /// The labels of a scope, all of them structured metadata.
    pub fn scope(&self, encoded: &[u8]) -> Result<Arc<Origin>> {
        remembered(&self.scopes, encoded, read_scope)
    }

    /// The resources and scopes of the segments and heads that may have log records of a range of
    /// time, each once.
    pub async fn of_view(
        &self,
        view: &Arc<View>,
        time: TimeRange,
        context: &ScanContext,
    ) -> Result<Known> {
        let mut known = Known::default();
        for segment in view.logs.segments.iter() {
            if time.overlaps(segment.meta.min_time_ns, segment.meta.max_time_ns) {
                known.add(self.of_segment(segment, view, context).await?);
            }
        }
        let mut heads = Distinct::default();
        for batch in view.logs.heads.iter() {
            let times = column(batch, col::TIME)?.as_primitive::<TimestampNanosecondType>();
            if let (Some(first_ns), Some(last_ns)) = (min(times), max(times))
                && time.overlaps(first_ns, last_ns)
            {
                heads.add_batch(batch, self)?;
            }
        }
        known.add(Arc::new(heads));
        Ok(known)
    }

    async fn of_segment(
        &self,
        segment: &Arc<Segment>,
        view: &View,
        context: &ScanContext,
    ) -> Result<Arc<Distinct>> {
        let deleted = view.logs.deleted.clone();
        let key = (segment.meta.id, deleted.rows_of(segment.meta.id));
        if let Some(known) = self.segments.lock().get(&key) {
            return Ok(known.clone());
        }
        let partial_before = context.stats.snapshot().partial.len();
        let segments = Arc::new(vec![segment.clone()]);
        let tier = Tier { segments, deleted, ..Tier::default() };
        let fixed = |name: &str| ScanColumn::Fixed(name.to_owned());
        let request = ScanRequest {
            columns: vec![fixed(col::RESOURCE), fixed(col::SCOPE)],
            predicates: Vec::new(),
            time: TimeRange::ALL,
            order: ScanOrder::Any,
            limit: None,
        };
        let mut batches = scan_tier(Signal::Logs, &tier, request, context.clone());
        let mut found = Distinct::default();
        while let Some(batch) = batches.try_next().await? {
            found.add_batch(&batch, self)?;
        }
        let found = Arc::new(found);
        // What could not be read may be there next time.
        if context.stats.snapshot().partial.len() == partial_before {
            let mut segments = self.segments.lock();
            if segments.len() >= SEGMENTS_MAX {
                segments.clear();
            }
            segments.insert(key, found.clone());
        }
        Ok(found)
    }
}

impl Origins {
    fn shared(&self, encoded: &[u8]) -> Arc<[u8]> {
        let mut shared = self.shared.lock();
        if let Some(known) = shared.get(encoded) {
            return known.clone();
        }
        if shared.len() >= ORIGINS_MAX {
            shared.clear();
        }
        let new: Arc<[u8]> = Arc::from(encoded);
        shared.insert(new.clone());
        new
    }
}

fn remembered(
    known: &Mutex<HashMap<Arc<[u8]>, Arc<Origin>>>,
    encoded: &[u8],
    read: fn(&[u8]) -> Result<Origin>,
) -> Result<Arc<Origin>> {
    if let Some(origin) = known.lock().get(encoded) {
        return Ok(origin.clone());
    }
    let origin = Arc::new(read(encoded)?);
    let mut known = known.lock();
    if known.len() >= ORIGINS_MAX {
        known.clear();
    }
    Ok(known.entry(Arc::from(encoded)).or_insert(origin).clone())
}

fn read_resource(encoded: &[u8]) -> Result<Origin> {
    let mut stream: Vec<(String, String)> = Vec::new();
    let mut structured = Vec::new();
    let set = origin::resource_attrs(encoded)?;
    for entry in attrs::iter(set) {
        let (key, value) = entry?;
        let list = if is_of_stream(key) { &mut stream } else { &mut structured };
        labels_of(key, value, &mut |name, text| list.push((name.to_owned(), text.to_owned())))?;
    }
    stream.retain(|(name, _)| name != names::SERVICE);
    let service = origin::service_name(set);
    let service = if service.is_empty() { SERVICE_UNKNOWN } else { service };
    stream.push((names::SERVICE.to_owned(), service.to_owned()));
    // Of two attributes with one name the first counts.
    stream.reverse();
    Ok(Origin { stream: Labels::new(stream), structured: each_once(structured) })
}

fn read_scope(encoded: &[u8]) -> Result<Origin> {
    let (name, version, _, set) = origin::scope_parts(encoded)?;
    let mut structured = Vec::new();
    for (label, text) in [(names::SCOPE_NAME, name), (names::SCOPE_VERSION, version)] {
        if !text.is_empty() {
            structured.push((label.to_owned(), text.to_owned()));
        }
    }
    for entry in attrs::iter(set) {
        let (key, value) = entry?;
        let mut add = |name: &str, text: &str| structured.push((name.to_owned(), text.to_owned()));
        labels_of(key, value, &mut add)?;
    }
    Ok(Origin { stream: Labels::default(), structured: each_once(structured) })
}

fn each_once(pairs: Vec<(String, String)>) -> Vec<(Box<str>, Box<str>)> {
    let mut kept: Vec<(Box<str>, Box<str>)> = Vec::with_capacity(pairs.len());
    for (name, text) in pairs {
        if !kept.iter().any(|(own, _)| **own == *name) {
            kept.push((name.into(), text.into()));
        }
    }
    kept
}

impl Distinct {
    fn add_batch(&mut self, batch: &RecordBatch, origins: &Origins) -> Result<()> {
        let resources = column(batch, col::RESOURCE)?;
        let set = origin::resource_attrs;
        add(&mut self.resources, &mut self.resource_keys, resources, set, origins)?;
        let scopes = column(batch, col::SCOPE)?;
        add(&mut self.scopes, &mut self.scope_keys, scopes, scope_attrs, origins)
    }
}

fn scope_attrs(scope: &[u8]) -> throughline_model::Result<&[u8]> {
    Ok(origin::scope_parts(scope)?.3)
}

fn add_key(keys: &mut Keys, key: &str, is_nested: bool) {
    *keys.entry_ref(key).or_insert(false) |= is_nested;
}

fn add(
    all: &mut HashSet<Arc<[u8]>>,
    keys: &mut Keys,
    column: &ArrayRef,
    set: fn(&[u8]) -> throughline_model::Result<&[u8]>,
    origins: &Origins,
) -> Result<()> {
    let dict = column.as_dictionary::<UInt32Type>();
    let values = dict.values().as_binary::<i32>();
    let mut seen = vec![false; values.len()];
    for number in dict.keys().values() {
        let number = *number as usize;
        if std::mem::replace(&mut seen[number], true) || all.contains(values.value(number)) {
            continue;
        }
        for entry in attrs::iter(set(values.value(number))?) {
            let (key, value) = entry?;
            add_key(keys, key, value.first() == Some(&tag::KVLIST));
        }
        all.insert(origins.shared(values.value(number)));
    }
    Ok(())
}

/// A column of a batch that a scan was asked for.
pub fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Error::internal(format!("a scan of log records answered without {name}")))
}
