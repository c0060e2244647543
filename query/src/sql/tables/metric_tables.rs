//! `series`, `samples`, `metrics`, `histograms`, `exemplars`: tables that read series and their points.
//!
//! Conditions on series and on time are pushed down; others are checked above the scan.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;
use throughline_storage::metric::scan::{SeriesRequest, find_exemplars, find_series};

use super::columns::{SqlColumn, schema_of};
use super::exec::{BatchStream, Order, Scan, ScanExec};
use super::metric_columns::{self, Source, is_about_series};
use super::metric_rows::Rows;
use super::produce::{BATCH_ROWS, Output, stream};
use crate::Result;
use crate::services::series::{Ask, with_span_series};
use crate::sql::pushdown::{self, Pushed};
use crate::sql::session::Query;

/// The most exemplars that one scan reads.
const EXEMPLARS_MAX: usize = 1_000_000;

/// The tables.
pub(super) fn tables(query: &Arc<Query>) -> Vec<(&'static str, Arc<dyn TableProvider>)> {
    let provider = |(name, source, columns): (&'static str, Source, Vec<SqlColumn>)| {
        let schema = schema_of(&columns);
        let table = MetricTable { name, source, columns, schema, query: query.clone() };
        (name, Arc::new(table) as Arc<dyn TableProvider>)
    };
    metric_columns::tables().into_iter().map(provider).collect()
}

#[derive(Debug)]
struct MetricTable {
    name: &'static str,
    source: Source,
    columns: Vec<SqlColumn>,
    schema: SchemaRef,
    query: Arc<Query>,
}

impl MetricTable {
    /// What of a condition the scan decides.
    fn push_down(&self, filter: &Expr) -> Option<Pushed> {
        let pushed = pushdown::convert(filter, &self.columns)?;
        let all = pushed.predicates.len();
        let predicates = pushed.predicates.into_iter().filter(is_about_series).collect::<Vec<_>>();
        if predicates.is_empty() && pushed.time == TimeRange::ALL {
            return None;
        }
        let exact = pushed.exact && predicates.len() == all;
        Some(Pushed { predicates, exact, ..pushed })
    }
}

#[async_trait]
impl TableProvider for MetricTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match self.push_down(filter) {
            Some(pushed) if pushed.exact => TableProviderFilterPushDown::Exact,
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let columns: Vec<SqlColumn> = match projection {
            Some(indices) => indices.iter().map(|i| self.columns[*i].clone()).collect(),
            None => self.columns.clone(),
        };
        let mut predicates = Vec::new();
        let mut time = TimeRange::ALL;
        for pushed in filters.iter().filter_map(|filter| self.push_down(filter)) {
            predicates.extend(pushed.predicates);
            time.start_ns = time.start_ns.max(pushed.time.start_ns);
            time.end_ns = time.end_ns.min(pushed.time.end_ns);
        }
        let scan = MetricScan {
            table: self.name,
            source: self.source,
            schema: schema_of(&columns),
            columns,
            predicates,
            time,
            query: self.query.clone(),
        };
        Ok(Arc::new(ScanExec::new(Arc::new(scan), limit)))
    }
}

#[derive(Clone, Debug)]
struct MetricScan {
    table: &'static str,
    source: Source,
    columns: Vec<SqlColumn>,
    schema: SchemaRef,
    predicates: Vec<Predicate>,
    time: TimeRange,
    query: Arc<Query>,
}

impl Scan for MetricScan {
    fn describe(&self) -> String {
        let names = self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let mut text = format!("{}, columns=[{names}]", self.table);
        if !self.predicates.is_empty() {
            text.push_str(&format!(", predicates={:?}", self.predicates));
        }
        if self.time != TimeRange::ALL {
            text.push_str(&format!(", time=[{}, {})", self.time.start_ns, self.time.end_ns));
        }
        text
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn time_column(&self) -> Option<&str> {
        None
    }

    fn can_limit(&self) -> bool {
        true
    }

    fn run(&self, _: Order, limit: Option<usize>) -> Result<BatchStream> {
        if self.time.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let scan = self.clone();
        let tracker = &self.query.scan.tracker;
        Ok(stream(tracker, limit, move |output: &mut Output| scan.produce(output)))
    }
}

impl MetricScan {
    fn produce(&self, output: &mut Output) -> Result<()> {
        let context = &self.query.scan;
        let Self { predicates, time, .. } = self;
        let view = &with_span_series(&self.query.view, predicates, *time, Ask::ByName, context)?;
        let request = SeriesRequest { predicates: self.predicates.clone(), time: self.time };
        let attributes = self.query.attributes()?;
        let rows = Rows { columns: &self.columns, schema: &self.schema, attributes: &attributes };
        if !output.wants_more() {
            return Ok(());
        }
        if self.source == Source::Exemplars {
            let (set, found) = find_exemplars(view, &request, EXEMPLARS_MAX, context)?;
            for found in found.chunks(BATCH_ROWS) {
                if !output.send(&rows.exemplars(&set.table, found)?) {
                    break;
                }
            }
            return Ok(());
        }
        let set = find_series(view, &request, context)?;
        if self.source == Source::Series {
            for start in (0..set.len()).step_by(BATCH_ROWS) {
                let part = set.table.slice(start, BATCH_ROWS.min(set.len() - start));
                if !output.send(&rows.series(&part)?) {
                    break;
                }
            }
            return Ok(());
        }
        let mut reader = set.points(context)?;
        while let Some(groups) = reader.next_group()? {
            let Some(first) = groups.first().map(|group| group.series) else { continue };
            let part = set.table.slice(first, groups.len());
            let batch = match self.source {
                Source::Complex => rows.complex(&part, &groups)?,
                _ => rows.numbers(&part, &groups)?,
            };
            if !output.send(&batch) {
                break;
            }
        }
        Ok(())
    }
}
