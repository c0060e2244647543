//! `spans`, `logs`, `span_events` and `span_links`: tables that read rows of the item schemas.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use throughline_model::predicate::Predicate;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest};

use super::columns::{self, KINDS, Make, STATUS_CODES, SqlColumn, optional, required, schema_of};
use super::exec::{BatchStream, Order, Scan, ScanExec};
use super::explode::Part;
use crate::sql::attribute_use::AttributeUse;
use crate::sql::pushdown;
use crate::sql::session::Query;
use crate::{Error, Result};

/// Where the rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Spans,
    Logs,
    Parts(Part),
}

/// A table of rows.
#[derive(Debug)]
pub(crate) struct ItemTable {
    name: &'static str,
    source: Source,
    columns: Vec<SqlColumn>,
    schema: SchemaRef,
    query: Arc<Query>,
}

impl ItemTable {
    /// Whether its rows are log records.
    pub fn is_logs(&self) -> bool {
        self.source == Source::Logs
    }

    /// Its columns.
    pub fn columns(&self) -> &[SqlColumn] {
        &self.columns
    }

    /// The query that it belongs to.
    pub fn query(&self) -> &Arc<Query> {
        &self.query
    }
}

/// The tables.
pub(super) fn tables(query: &Arc<Query>) -> Vec<(&'static str, Arc<dyn TableProvider>)> {
    let parts = |part: Part| {
        let mut columns = part_of_span_columns();
        columns.extend(part.columns());
        columns
    };
    let tables = [
        ("spans", Source::Spans, span_columns()),
        ("logs", Source::Logs, log_columns()),
        ("span_events", Source::Parts(Part::Events), parts(Part::Events)),
        ("span_links", Source::Parts(Part::Links), parts(Part::Links)),
    ];
    let provider = |(name, source, columns): (&'static str, Source, Vec<SqlColumn>)| {
        let schema = schema_of(&columns);
        let table = ItemTable { name, source, columns, schema, query: query.clone() };
        (name, Arc::new(table) as Arc<dyn TableProvider>)
    };
    tables.map(provider).into()
}

fn span_columns() -> Vec<SqlColumn> {
    vec![
        required("trace_id", Make::Id(col::TRACE_ID)),
        required("span_id", Make::Id(col::SPAN_ID)),
        optional("parent_span_id", Make::Id(col::PARENT_SPAN_ID)),
        required("trace_state", Make::Text(col::TRACE_STATE)),
        required("flags", Make::Number(col::FLAGS)),
        required("name", Make::Text(col::NAME)),
        required("kind", Make::Named(col::KIND, KINDS)),
        required("kind_number", Make::Number(col::KIND)),
        required("start_time", Make::Time(col::START_TIME)),
        required("end_time", Make::EndTime),
        required("duration_ns", Make::Number(col::DURATION_NS)),
        required("status_code", Make::Named(col::STATUS_CODE, STATUS_CODES)),
        required("status_code_number", Make::Number(col::STATUS_CODE)),
        required("status_message", Make::Text(col::STATUS_MESSAGE)),
        required("service_name", Make::Text(col::SERVICE_NAME)),
        required("scope_name", Make::ScopeName),
        required("scope_version", Make::ScopeVersion),
        required("attributes", Make::ItemSet),
        required("resource_attributes", Make::ResourceSet),
        required("scope_attributes", Make::ScopeSet),
        required("dropped_attributes_count", Make::Number(col::DROPPED_ATTRIBUTES_COUNT)),
        required("dropped_events_count", Make::Number(col::DROPPED_EVENTS_COUNT)),
        required("dropped_links_count", Make::Number(col::DROPPED_LINKS_COUNT)),
    ]
}

fn log_columns() -> Vec<SqlColumn> {
    vec![
        required("time", Make::Time(col::TIME)),
        optional("observed_time", Make::TimeOrNull(col::OBSERVED_TIME)),
        required("severity_number", Make::Number(col::SEVERITY_NUMBER)),
        required("severity_text", Make::Text(col::SEVERITY_TEXT)),
        optional("body", Make::Text(col::BODY)),
        required("event_name", Make::Text(col::EVENT_NAME)),
        optional("trace_id", Make::Id(col::TRACE_ID)),
        optional("span_id", Make::Id(col::SPAN_ID)),
        required("flags", Make::Number(col::FLAGS)),
        required("service_name", Make::Text(col::SERVICE_NAME)),
        required("scope_name", Make::ScopeName),
        required("scope_version", Make::ScopeVersion),
        required("attributes", Make::ItemSet),
        required("resource_attributes", Make::ResourceSet),
        required("scope_attributes", Make::ScopeSet),
        required("dropped_attributes_count", Make::Number(col::DROPPED_ATTRIBUTES_COUNT)),
        required("template", Make::Text(col::TEMPLATE)),
        required("template_id", Make::Text(col::TEMPLATE_ID)),
    ]
}

fn part_of_span_columns() -> Vec<SqlColumn> {
    vec![
        required("trace_id", Make::Id(col::TRACE_ID)),
        required("span_id", Make::Id(col::SPAN_ID)),
        required("service_name", Make::Text(col::SERVICE_NAME)),
        required("span_name", Make::Text(col::NAME)),
        required("span_start_time", Make::Time(col::START_TIME)),
    ]
}

#[async_trait]
impl TableProvider for ItemTable {
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
        let support = |filter: &&Expr| match pushdown::convert(filter, &self.columns) {
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
        let columns = match projection {
            Some(indices) => indices.iter().map(|i| self.columns[*i].clone()).collect(),
            None => self.columns.clone(),
        };
        let mut predicates = Vec::new();
        let mut time = TimeRange::ALL;
        for pushed in filters.iter().filter_map(|f| pushdown::convert(f, &self.columns)) {
            predicates.extend(pushed.predicates);
            time.start_ns = time.start_ns.max(pushed.time.start_ns);
            time.end_ns = time.end_ns.min(pushed.time.end_ns);
        }
        let scan = ItemScan {
            table: self.name,
            source: self.source,
            schema: schema_of(&columns),
            columns,
            predicates,
            time,
            attributes: self.query.attributes()?,
            query: self.query.clone(),
        };
        let limit = limit.filter(|_| scan.can_limit());
        Ok(Arc::new(ScanExec::new(Arc::new(scan), limit)))
    }
}

#[derive(Debug)]
struct ItemScan {
    table: &'static str,
    source: Source,
    columns: Vec<SqlColumn>,
    schema: SchemaRef,
    predicates: Vec<Predicate>,
    time: TimeRange,
    attributes: Arc<AttributeUse>,
    query: Arc<Query>,
}

impl ItemScan {
    fn request(&self, order: Order, limit: Option<usize>) -> ScanRequest {
        let mut columns = match self.source {
            // The attributes of events and links come out of the parts themselves.
            Source::Parts(_) => columns::scan_columns(&self.columns, &AttributeUse::default()),
            _ => columns::scan_columns(&self.columns, &self.attributes),
        };
        if let Source::Parts(part) = self.source {
            columns.push(ScanColumn::Fixed(part.source().to_owned()));
        }
        let order = match order {
            Order::Any => ScanOrder::Any,
            Order::NewestFirst => ScanOrder::NewestFirst,
        };
        ScanRequest { columns, predicates: self.predicates.clone(), time: self.time, order, limit }
    }
}

impl Scan for ItemScan {
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
        match self.source {
            Source::Spans => Some("start_time"),
            Source::Logs => Some("time"),
            Source::Parts(_) => None,
        }
    }

    fn can_limit(&self) -> bool {
        !matches!(self.source, Source::Parts(_))
    }

    fn run(&self, order: Order, limit: Option<usize>) -> Result<BatchStream> {
        if self.time.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let (request, query) = (self.request(order, limit), &self.query);
        let stream = match self.source {
            Source::Logs => {
                scan::scan_logs(query.view.clone(), request, query.scan.clone()).boxed()
            }
            _ => scan::scan_spans(query.view.clone(), request, query.scan.clone()).boxed(),
        };
        let maker = Maker {
            source: self.source,
            columns: self.columns.clone(),
            schema: self.schema.clone(),
            attributes: self.attributes.clone(),
        };
        Ok(stream.map(move |batch| maker.batch(&batch?)).boxed())
    }
}

// Turns a scan's batches into the table's.
struct Maker {
    source: Source,
    columns: Vec<SqlColumn>,
    schema: SchemaRef,
    attributes: Arc<AttributeUse>,
}

impl Maker {
    fn batch(&self, scanned: &RecordBatch) -> Result<RecordBatch> {
        let Source::Parts(part) = self.source else {
            let make = |column| columns::make(column, scanned, &self.attributes);
            let arrays = self.columns.iter().map(make).collect::<Result<Vec<_>>>()?;
            return self.assemble(arrays, scanned.num_rows());
        };
        let (repeated, added) = part.explode(scanned)?;
        let names = part.columns();
        let make = |column: &SqlColumn| {
            if column.make != Make::Exploded {
                return columns::make(column, &repeated, &self.attributes);
            }
            let at = names.iter().position(|added| added.name == column.name);
            let at = at.ok_or_else(|| Error::internal(format!("no part {}", column.name)))?;
            Ok(added[at].clone())
        };
        let arrays = self.columns.iter().map(make).collect::<Result<Vec<_>>>()?;
        self.assemble(arrays, repeated.num_rows())
    }

    fn assemble(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }
}
