//! The tally as a table: step, service, severity, template, and how many records.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::{FutureExt, StreamExt};
use throughline_model::schema;
use throughline_storage::scan::{Intervals, Tally, TallyBy, TallyRequest, tally_logs};

use super::{SERVICE, SEVERITY, TEMPLATE, TEMPLATE_ID};
use crate::sql::session::Query;
use crate::sql::tables::exec::{BatchStream, Order, Scan, ScanExec};
use crate::{Error, Result};

/// The start of a step.
pub(super) const STEP: &str = "step";
/// How many records.
pub(super) const COUNT: &str = "n";

#[derive(Debug)]
pub(super) struct TallyTable {
    request: TallyRequest,
    query: Arc<Query>,
    schema: SchemaRef,
}

impl TallyTable {
    pub fn new(request: TallyRequest, query: Arc<Query>) -> Self {
        let field = |name: &str, of: DataType| Field::new(name, of, false);
        let columns = Schema::new(vec![
            field(STEP, schema::timestamp()),
            field(SERVICE, DataType::Utf8View),
            field(SEVERITY, DataType::Int32),
            field(TEMPLATE, DataType::Utf8View),
            field(TEMPLATE_ID, DataType::Utf8View),
            field(COUNT, DataType::Int64),
        ]);
        Self { request, query, schema: Arc::new(columns) }
    }
}

#[async_trait]
impl TableProvider for TallyTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        let has = |name: &str| schema.column_with_name(name).is_some();
        let mut request = self.request.clone();
        request.by = TallyBy {
            service: has(SERVICE),
            severity: has(SEVERITY),
            template: has(TEMPLATE) || has(TEMPLATE_ID),
        };
        if !has(STEP) {
            request.intervals = Intervals::One;
        }
        let scan = TallyScan { request, query: self.query.clone(), schema };
        Ok(Arc::new(ScanExec::new(Arc::new(scan), None)))
    }
}

#[derive(Debug)]
struct TallyScan {
    request: TallyRequest,
    query: Arc<Query>,
    schema: SchemaRef,
}

impl Scan for TallyScan {
    fn describe(&self) -> String {
        let TallyRequest { predicates, time, intervals, by, .. } = &self.request;
        format!(
            "logs, counts by {intervals:?} {by:?}, predicates={predicates:?}, time=[{}, {})",
            time.start_ns, time.end_ns
        )
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn time_column(&self) -> Option<&str> {
        None
    }

    fn can_limit(&self) -> bool {
        false
    }

    fn run(&self, _: Order, _: Option<usize>) -> Result<BatchStream> {
        if self.request.time.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let (query, request, schema) =
            (self.query.clone(), self.request.clone(), self.schema.clone());
        let run = async move {
            let intervals = request.intervals.clone();
            let tally = tally_logs(&query.view, request, &query.scan).await?;
            batch_of(&tally, &intervals, &schema)
        };
        Ok(run.into_stream().boxed())
    }
}

fn batch_of(tally: &Tally, intervals: &Intervals, schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = &tally.rows;
    let start_of = |number: i64| match intervals {
        Intervals::Steps { origin_ns, step_ns } => {
            origin_ns.saturating_add(number.saturating_mul(*step_ns))
        }
        _ => 0,
    };
    let ids = tally.templates.iter().map(|template| format!("{:016x}", template.hash));
    let ids = ids.collect::<Vec<_>>();
    let column = |field: &Arc<Field>| -> Result<ArrayRef> {
        let array: ArrayRef = match field.name().as_str() {
            STEP => {
                let times = rows.iter().map(|row| start_of(row.interval));
                Arc::new(TimestampNanosecondArray::from_iter_values(times))
            }
            SERVICE => {
                let names = rows.iter().map(|row| &*tally.services[row.service as usize]);
                Arc::new(StringArray::from_iter_values(names))
            }
            SEVERITY => Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.severity))),
            TEMPLATE => {
                let texts = rows.iter().map(|row| &*tally.templates[row.template as usize].text);
                Arc::new(StringArray::from_iter_values(texts))
            }
            TEMPLATE_ID => {
                let ids = rows.iter().map(|row| &ids[row.template as usize]);
                Arc::new(StringArray::from_iter_values(ids))
            }
            COUNT => {
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.count as i64)))
            }
            name => return Err(Error::internal(format!("counts have no column {name}"))),
        };
        Ok(arrow::compute::cast(&array, field.data_type())?)
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
