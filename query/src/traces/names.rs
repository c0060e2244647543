//! Services and operations as tracing clients list them: of spans alone, by name, with their kinds.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, UInt32Type};
use futures::TryStreamExt;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::value::ValueRef;
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest};

use crate::{Engine, Error, ErrorKind, QueryContext, QueryStatsSnapshot, Result};

/// The most names of one answer; more is an error, since a list cut off would look whole.
const NAMES_MAX: usize = 100_000;

/// What a service's spans are called, and their kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// The name of the spans.
    pub name: String,
    /// `SpanKind` as a number.
    pub kind: i32,
}

/// Names of spans, sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operations {
    /// The names, each once a kind.
    pub operations: Vec<Operation>,
    /// What the look did.
    pub stats: QueryStatsSnapshot,
}

impl Engine {
    /// Services that sent spans, by name.
    pub async fn span_services(
        &self,
        time: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<(Vec<String>, QueryStatsSnapshot)> {
        let mut names = BTreeSet::new();
        let stats = self
            .each_batch(fixed(&[col::SERVICE_NAME]), Vec::new(), time, ctx, |batch| {
                let dictionary = column(batch, col::SERVICE_NAME)?.as_dictionary::<UInt32Type>();
                let values = dictionary.values().as_string::<i32>();
                let mut used = vec![false; values.len()];
                dictionary.keys().iter().flatten().for_each(|key| used[key as usize] = true);
                let present = used.iter().enumerate().filter(|(_, used)| **used);
                present.for_each(|(number, _)| {
                    if !names.contains(values.value(number)) {
                        names.insert(values.value(number).to_owned());
                    }
                });
                check(names.len())
            })
            .await?;
        Ok((names.into_iter().collect(), stats))
    }

    /// Names and kinds of the spans of a service, or of all, that meet the predicates.
    pub async fn span_operations(
        &self,
        service: Option<&str>,
        predicates: Vec<Predicate>,
        time: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<Operations> {
        let mut predicates = predicates;
        predicates.extend(service.map(of_service));
        let mut kinds: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
        let stats = self
            .each_batch(fixed(&[col::NAME, col::KIND]), predicates, time, ctx, |batch| {
                let dictionary = column(batch, col::NAME)?.as_dictionary::<UInt32Type>();
                let values = dictionary.values().as_string::<i32>();
                let of_rows = column(batch, col::KIND)?.as_primitive::<Int32Type>().values();
                let mut pairs = BTreeSet::new();
                for (key, kind) in dictionary.keys().values().iter().zip(of_rows) {
                    pairs.insert((*key, *kind));
                }
                for (key, kind) in pairs {
                    let name = values.value(key as usize);
                    match kinds.get_mut(name) {
                        Some(known) => _ = known.insert(kind),
                        None => _ = kinds.insert(name.to_owned(), BTreeSet::from([kind])),
                    }
                }
                check(kinds.len())
            })
            .await?;
        let of_name = |(name, kinds): (String, BTreeSet<i32>)| {
            kinds.into_iter().map(move |kind| Operation { name: name.clone(), kind })
        };
        Ok(Operations { operations: kinds.into_iter().flat_map(of_name).collect(), stats })
    }

    /// Texts that attributes of a service's spans have, sorted: of each span that meets the predicates
    /// that of the first of the keys that it has.
    pub async fn span_values(
        &self,
        service: Option<&str>,
        keys: &[&str],
        predicates: Vec<Predicate>,
        time: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<Vec<String>> {
        let mut texts = BTreeSet::new();
        for (number, key) in keys.iter().enumerate() {
            let attribute = |key: &str| Target::Attribute(key.to_owned());
            let mut predicates = predicates.clone();
            predicates.extend(service.map(of_service));
            predicates.push(Predicate { target: attribute(key), op: Op::Exists });
            let earlier = keys[..number].iter();
            predicates
                .extend(earlier.map(|key| Predicate { target: attribute(key), op: Op::Missing }));
            let columns = vec![ScanColumn::Attribute(attribute(key))];
            self.each_batch(columns, predicates, time, ctx, |batch| {
                let dictionary = batch.column(0).as_dictionary::<UInt32Type>();
                let values = dictionary.values().as_binary::<i32>();
                let used: BTreeSet<u32> = dictionary.keys().iter().flatten().collect();
                for number in used {
                    let value = ValueRef::read(values.value(number as usize))?;
                    texts.extend(value.text()?.map(|text| text.into_owned()));
                }
                check(texts.len())
            })
            .await?;
        }
        Ok(texts.into_iter().collect())
    }

    async fn each_batch(
        &self,
        columns: Vec<ScanColumn>,
        predicates: Vec<Predicate>,
        time: Option<TimeRange>,
        ctx: &QueryContext,
        mut add: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<QueryStatsSnapshot> {
        let admitted = self.admit(ctx).await?;
        let request = ScanRequest {
            columns,
            predicates,
            time: time.unwrap_or(TimeRange::ALL),
            order: ScanOrder::Any,
            limit: None,
        };
        let scan = admitted.budget.scan.clone();
        let mut batches = scan::scan_spans(admitted.view.clone(), request, scan);
        let read = async {
            while let Some(batch) = batches.try_next().await? {
                add(&batch)?;
            }
            Ok(())
        };
        admitted.budget.run(read).await?;
        Ok(admitted.budget.stats.snapshot())
    }
}

fn of_service(name: &str) -> Predicate {
    let op = Op::Eq(Operand::Str(name.to_owned()));
    Predicate { target: Target::Column(col::SERVICE_NAME.to_owned()), op }
}

fn fixed(names: &[&str]) -> Vec<ScanColumn> {
    names.iter().map(|name| ScanColumn::Fixed((*name).to_owned())).collect()
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| Error::internal(format!("a scan without {name}")))
}

fn check(names: usize) -> Result<()> {
    if names <= NAMES_MAX {
        return Ok(());
    }
    let message = format!("there are more than {NAMES_MAX} names");
    Err(Error::new(ErrorKind::Limit, message))
}
