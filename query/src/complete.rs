//! What there is to ask about: services, operations, attribute names and values; the fields of spans in
//! the words of TraceQL are in [`fields`].

pub mod fields;
mod filter;

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray};
use arrow::datatypes::UInt32Type;
use futures::TryStreamExt;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::value::ValueRef;
use throughline_model::{Signal, attrs, origin};
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest, ScanStream};

use crate::engine::Admitted;
use crate::{Engine, Error, QueryContext, QueryStatsSnapshot, Result};

/// A name with how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameCount {
    /// The name.
    pub name: String,
    /// Items that carry it, of those that were looked at.
    pub count: u64,
}

/// Names, most frequent first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// The names.
    pub names: Vec<NameCount>,
    /// Whether not everything was looked at or listed: there may be more.
    pub truncated: bool,
    /// What the look did.
    pub stats: QueryStatsSnapshot,
}

/// The most names in one answer.
pub const NAMES_MAX: usize = 1000;

/// The most items that one look for attributes reads.
const ITEMS_MAX: usize = 200_000;

/// Whose attributes are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttributePlace {
    /// Those of spans and log records.
    #[default]
    Item,
    /// Those of resources.
    Resource,
    /// Those of scopes.
    Scope,
}

impl AttributePlace {
    fn target(self, key: &str) -> Target {
        match self {
            AttributePlace::Item => Target::Attribute(key.to_owned()),
            AttributePlace::Resource => Target::ResourceAttribute(key.to_owned()),
            AttributePlace::Scope => Target::ScopeAttribute(key.to_owned()),
        }
    }

    fn column(self) -> ScanColumn {
        match self {
            AttributePlace::Item => ScanColumn::Attributes,
            AttributePlace::Resource => ScanColumn::Fixed(col::RESOURCE.to_owned()),
            AttributePlace::Scope => ScanColumn::Fixed(col::SCOPE.to_owned()),
        }
    }
}

impl Engine {
    /// Services that sent spans or log records.
    pub async fn services(&self, time: Option<TimeRange>, ctx: &QueryContext) -> Result<Names> {
        let admitted = self.admit(ctx).await?;
        let mut counts = Counts::default();
        for signal in [Signal::Traces, Signal::Logs] {
            let column = ScanColumn::Fixed(col::SERVICE_NAME.to_owned());
            let request = request(column, Vec::new(), time, None);
            counts.scan(&admitted, signal, request, Counts::add_strings).await?;
        }
        Ok(counts.finish(&admitted, ""))
    }

    /// Names of a service's spans; of all services' without one.
    pub async fn operations(
        &self,
        service: Option<&str>,
        time: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<Names> {
        let admitted = self.admit(ctx).await?;
        let of_service = |name: &str| Predicate {
            target: Target::Column(col::SERVICE_NAME.to_owned()),
            op: Op::Eq(Operand::Str(name.to_owned())),
        };
        let column = ScanColumn::Fixed(col::NAME.to_owned());
        let request = request(column, service.map(of_service).into_iter().collect(), time, None);
        let mut counts = Counts::default();
        counts.scan(&admitted, Signal::Traces, request, Counts::add_strings).await?;
        Ok(counts.finish(&admitted, ""))
    }

    /// Texts of a column of log records (a name of `model::schema::col`) that begin with `prefix`, of at
    /// most a bounded number of records.
    pub async fn log_texts(
        &self,
        column: &str,
        prefix: &str,
        time: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<Names> {
        let admitted = self.admit(ctx).await?;
        let column = ScanColumn::Fixed(column.to_owned());
        let request = request(column, Vec::new(), time, Some(ITEMS_MAX));
        let mut counts = Counts::default();
        counts.scan(&admitted, Signal::Logs, request, Counts::add_strings).await?;
        Ok(counts.finish(&admitted, prefix))
    }

    /// Keys of attributes that begin with `prefix`. Those of items come from the indexes of segments
    /// where these lie in the range; of other rows, at most a bounded number is looked at.
    pub async fn attribute_names(
        &self,
        signal: Signal,
        place: AttributePlace,
        prefix: &str,
        time: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<Names> {
        let admitted = self.admit(ctx).await?;
        let request = request(place.column(), Vec::new(), time, Some(ITEMS_MAX));
        let mut counts = Counts::default();
        match place {
            AttributePlace::Item => counts.count_keys(&admitted, signal, request.time).await?,
            AttributePlace::Resource => {
                counts.scan(&admitted, signal, request, Counts::add_resource_keys).await?;
            }
            AttributePlace::Scope => {
                counts.scan(&admitted, signal, request, Counts::add_scope_keys).await?;
            }
        }
        Ok(counts.finish(&admitted, prefix))
    }

    /// Texts of an attribute's values that begin with `prefix`, of at most a bounded number of items.
    pub async fn attribute_values(
        &self,
        signal: Signal,
        place: AttributePlace,
        key: &str,
        prefix: &str,
        time: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<Names> {
        let admitted = self.admit(ctx).await?;
        let target = place.target(key);
        let exists = Predicate { target: target.clone(), op: Op::Exists };
        let column = ScanColumn::Attribute(target);
        let request = request(column, vec![exists], time, Some(ITEMS_MAX));
        let mut counts = Counts::default();
        counts.scan(&admitted, signal, request, Counts::add_values).await?;
        Ok(counts.finish(&admitted, prefix))
    }
}

fn request(
    column: ScanColumn,
    predicates: Vec<Predicate>,
    time: Option<TimeRange>,
    limit: Option<usize>,
) -> ScanRequest {
    let time = time.unwrap_or(TimeRange::ALL);
    ScanRequest { columns: vec![column], predicates, time, order: ScanOrder::Any, limit }
}

#[derive(Default)]
struct Counts {
    by_name: HashMap<String, u64>,
    items: usize,
    limited: bool,
}

impl Counts {
    async fn scan(
        &mut self,
        admitted: &Admitted,
        signal: Signal,
        request: ScanRequest,
        add: fn(&mut Self, &ArrayRef) -> Result<()>,
    ) -> Result<()> {
        let limit = request.limit;
        let (view, scan) = (admitted.view.clone(), admitted.budget.scan.clone());
        let batches = match signal {
            Signal::Traces => scan::scan_spans(view, request, scan),
            Signal::Logs => scan::scan_logs(view, request, scan),
            Signal::Metrics => return Err(not_of_series()),
        };
        admitted.budget.run(self.read(batches, add)).await?;
        self.limited |= limit.is_some_and(|limit| self.items >= limit);
        Ok(())
    }

    async fn count_keys(
        &mut self,
        admitted: &Admitted,
        signal: Signal,
        time: TimeRange,
    ) -> Result<()> {
        if signal == Signal::Metrics {
            return Err(not_of_series());
        }
        let count = async {
            let scan = &admitted.budget.scan;
            let keys = scan::attribute_keys(&admitted.view, signal, time, ITEMS_MAX, scan).await?;
            keys.counts.iter().for_each(|(key, count)| self.add(key, *count));
            self.read(keys.rest, Self::add_map_keys).await?;
            self.limited |= !keys.is_complete || self.items >= ITEMS_MAX;
            Ok(())
        };
        admitted.budget.run(count).await
    }

    async fn read(
        &mut self,
        mut batches: ScanStream,
        add: fn(&mut Self, &ArrayRef) -> Result<()>,
    ) -> Result<()> {
        while let Some(batch) = batches.try_next().await? {
            self.items += batch.num_rows();
            add(self, batch.column(0))?;
        }
        Ok(())
    }

    fn add(&mut self, name: &str, count: u64) {
        match self.by_name.get_mut(name) {
            Some(known) => *known += count,
            None => _ = self.by_name.insert(name.to_owned(), count),
        }
    }

    fn add_strings(&mut self, column: &ArrayRef) -> Result<()> {
        let dict = column.as_dictionary::<UInt32Type>();
        let names = dict.values().as_string::<i32>();
        for (number, count) in occurrences(dict) {
            self.add(names.value(number), count);
        }
        Ok(())
    }

    fn add_values(&mut self, column: &ArrayRef) -> Result<()> {
        let dict = column.as_dictionary::<UInt32Type>();
        let values = dict.values().as_binary::<i32>();
        for (number, count) in occurrences(dict) {
            if let Some(text) = ValueRef::read(values.value(number))?.text()? {
                self.add(&text, count);
            }
        }
        Ok(())
    }

    fn add_map_keys(&mut self, column: &ArrayRef) -> Result<()> {
        let map = column.as_map();
        let (first, last) = match map.value_offsets() {
            [first, .., last] => (*first as usize, *last as usize),
            _ => return Ok(()),
        };
        let keys = map.keys().slice(first, last - first);
        self.add_strings(&keys)
    }

    fn add_resource_keys(&mut self, column: &ArrayRef) -> Result<()> {
        self.add_origin_keys(column, origin::resource_attrs)
    }

    fn add_scope_keys(&mut self, column: &ArrayRef) -> Result<()> {
        self.add_origin_keys(column, |scope| Ok(origin::scope_parts(scope)?.3))
    }

    fn add_origin_keys(
        &mut self,
        column: &ArrayRef,
        set: fn(&[u8]) -> throughline_model::Result<&[u8]>,
    ) -> Result<()> {
        let dict = column.as_dictionary::<UInt32Type>();
        let origins = dict.values().as_binary::<i32>();
        for (number, count) in occurrences(dict) {
            for entry in attrs::iter(set(origins.value(number))?) {
                self.add(entry?.0, count);
            }
        }
        Ok(())
    }

    fn finish(self, admitted: &Admitted, prefix: &str) -> Names {
        self.finish_at(admitted, prefix, NAMES_MAX)
    }

    fn finish_at(self, admitted: &Admitted, prefix: &str, limit: usize) -> Names {
        let mut names = self
            .by_name
            .into_iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, count)| NameCount { name, count })
            .collect::<Vec<_>>();
        names.sort_by(|a, b| (b.count, &a.name).cmp(&(a.count, &b.name)));
        let truncated = self.limited || names.len() > limit;
        names.truncate(limit);
        admitted.budget.stats.add_rows(names.len());
        Names { names, truncated, stats: admitted.budget.stats.snapshot() }
    }
}

fn not_of_series() -> Error {
    Error::invalid("signal", "series are asked for by their labels")
}

// How often each entry of a dictionary occurs, for those that do.
fn occurrences(dict: &DictionaryArray<UInt32Type>) -> impl Iterator<Item = (usize, u64)> {
    let mut counts = vec![0u64; dict.values().len()];
    dict.keys().iter().flatten().for_each(|key| counts[key as usize] += 1);
    counts.into_iter().enumerate().filter(|(_, count)| *count > 0)
}
