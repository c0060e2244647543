//! `service_edges` and `operations`: tables that read rollups.
//!
//! A row is one bucket of fifteen seconds. Conditions on time are pushed down; others are checked
//! above the scan.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int32Builder, Int64Array, ListBuilder, RecordBatch,
    RecordBatchOptions, StringViewArray, TimestampNanosecondArray, UInt64Array, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use throughline_model::exponential::Distribution;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_storage::scan::rollup::{
    EdgeRow, EdgesRequest, OperationKey, OperationRows, OperationsRequest, ROLLUP_NS, read_edges,
    read_operations,
};

use super::columns::{KINDS, Make, STATUS_CODES, SqlColumn, exploded, required, schema_of};
use super::exec::{BatchStream, Order, Scan, ScanExec};
use super::produce::{Output, stream};
use crate::sql::pushdown;
use crate::sql::session::Query;
use crate::{Error, Result};

/// Edges that become one batch.
const BATCH_ROWS: usize = 8192;
/// What is read at once of edges, so that a long range is not held whole; of a very long one, one of
/// so many parts.
const EDGES_RANGE_NS: i64 = 960 * ROLLUP_NS;
const EDGES_RANGES_MAX: i64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Edges,
    Operations,
}

/// The tables.
pub(super) fn tables(query: &Arc<Query>) -> Vec<(&'static str, Arc<dyn TableProvider>)> {
    let tables = [
        ("service_edges", Source::Edges, edge_columns()),
        ("operations", Source::Operations, operation_columns()),
    ];
    let provider = |(name, source, columns): (&'static str, Source, Vec<SqlColumn>)| {
        let schema = schema_of(&columns);
        let table = RollupTable { name, source, columns, schema, query: query.clone() };
        (name, Arc::new(table) as Arc<dyn TableProvider>)
    };
    tables.map(provider).into()
}

fn time() -> SqlColumn {
    required("time", Make::Time(col::TIME))
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

fn edge_columns() -> Vec<SqlColumn> {
    let mut columns = vec![
        time(),
        exploded("client", DataType::Utf8View),
        exploded("server", DataType::Utf8View),
        exploded("connection_type", DataType::Utf8View),
        exploded("calls", DataType::UInt64),
        exploded("failed", DataType::UInt64),
        exploded("weighted_calls", DataType::Float64),
        exploded("weighted_failed", DataType::Float64),
    ];
    for [count, sum, zero, buckets, counts] in [
        [
            "client_count",
            "client_sum_ns",
            "client_zero_count",
            "client_buckets",
            "client_bucket_counts",
        ],
        [
            "server_count",
            "server_sum_ns",
            "server_zero_count",
            "server_buckets",
            "server_bucket_counts",
        ],
    ] {
        columns.extend([
            exploded(count, DataType::UInt64),
            exploded(sum, DataType::Int64),
            exploded(zero, DataType::UInt64),
            exploded(buckets, list(DataType::Int32)),
            exploded(counts, list(DataType::UInt64)),
        ]);
    }
    columns
}

fn operation_columns() -> Vec<SqlColumn> {
    vec![
        time(),
        exploded("service_name", DataType::Utf8View),
        exploded("name", DataType::Utf8View),
        exploded("kind", DataType::Utf8View),
        exploded("kind_number", DataType::Int32),
        exploded("status_code", DataType::Utf8View),
        exploded("status_code_number", DataType::Int32),
        exploded("spans", DataType::UInt64),
        exploded("weighted_spans", DataType::Float64),
        exploded("sum_ns", DataType::Int64),
        exploded("zero_count", DataType::UInt64),
        exploded("buckets", list(DataType::Int32)),
        exploded("bucket_counts", list(DataType::UInt64)),
    ]
}

#[derive(Debug)]
struct RollupTable {
    name: &'static str,
    source: Source,
    columns: Vec<SqlColumn>,
    schema: SchemaRef,
    query: Arc<Query>,
}

impl RollupTable {
    /// The range of time that a condition leaves, if that is all it says.
    fn push_down(&self, filter: &Expr) -> Option<TimeRange> {
        let pushed = pushdown::convert(filter, &self.columns)?;
        (pushed.exact && pushed.predicates.is_empty()).then_some(pushed.time)
    }
}

#[async_trait]
impl TableProvider for RollupTable {
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
            Some(_) => TableProviderFilterPushDown::Exact,
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
        let mut time = TimeRange::ALL;
        for pushed in filters.iter().filter_map(|filter| self.push_down(filter)) {
            time.start_ns = time.start_ns.max(pushed.start_ns);
            time.end_ns = time.end_ns.min(pushed.end_ns);
        }
        let scan = RollupScan {
            table: self.name,
            source: self.source,
            schema: schema_of(&columns),
            columns,
            time,
            query: self.query.clone(),
        };
        Ok(Arc::new(ScanExec::new(Arc::new(scan), limit)))
    }
}

#[derive(Clone, Debug)]
struct RollupScan {
    table: &'static str,
    source: Source,
    columns: Vec<SqlColumn>,
    schema: SchemaRef,
    /// Starts of buckets.
    time: TimeRange,
    query: Arc<Query>,
}

impl Scan for RollupScan {
    fn describe(&self) -> String {
        let names = self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let mut text = format!("{}, columns=[{names}]", self.table);
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
        let scan = self.clone();
        let produce = move |output: &mut Output| match scan.source {
            Source::Edges => scan.produce_edges(output),
            Source::Operations => scan.produce_operations(output),
        };
        Ok(stream(&self.query.scan.tracker, limit, produce))
    }
}

/// The whole buckets whose starts lie in a range.
fn buckets_from(time: TimeRange) -> TimeRange {
    let up = |t_ns: i64| match t_ns {
        i64::MIN | i64::MAX => t_ns,
        t_ns => t_ns.saturating_add((ROLLUP_NS - t_ns.rem_euclid(ROLLUP_NS)) % ROLLUP_NS),
    };
    TimeRange { start_ns: up(time.start_ns), end_ns: up(time.end_ns) }
}

impl RollupScan {
    fn produce_edges(&self, output: &mut Output) -> Result<()> {
        let (view, context) = (&self.query.view, &self.query.scan);
        let all = buckets_from(self.time);
        let Some((first_ns, last_ns)) = view.spans.start_bounds() else { return Ok(()) };
        let mut start_ns = all.start_ns.max(first_ns - first_ns.rem_euclid(ROLLUP_NS));
        let past_ns = all.end_ns.min(last_ns.saturating_add(1));
        let part_ns = past_ns.saturating_sub(start_ns).max(0) / EDGES_RANGES_MAX;
        let part_ns = EDGES_RANGE_NS.max(part_ns - part_ns % ROLLUP_NS + ROLLUP_NS);
        while start_ns < past_ns && output.wants_more() {
            let end_ns = start_ns.saturating_add(part_ns).min(all.end_ns);
            let time = TimeRange { start_ns, end_ns };
            let request = EdgesRequest { time, step_ns: Some(ROLLUP_NS) };
            let rows = read_edges(view, &request, context)?;
            for rows in rows.chunks(BATCH_ROWS) {
                let arrays = self.columns.iter().map(|column| edge_array(column.name, rows));
                if !output.send(&self.assemble(arrays.collect::<Result<_>>()?, rows.len())?) {
                    return Ok(());
                }
            }
            start_ns = end_ns;
        }
        Ok(())
    }

    fn produce_operations(&self, output: &mut Output) -> Result<()> {
        let (view, context) = (&self.query.view, &self.query.scan);
        let needs_durations = |column: &SqlColumn| {
            matches!(column.name, "sum_ns" | "zero_count" | "buckets" | "bucket_counts")
        };
        let durations = self.columns.iter().any(needs_durations);
        let time = buckets_from(self.time);
        let request =
            OperationsRequest { time, durations, cut_buckets: false, nameless_steps: None };
        // Storage knows no error for "enough".
        let mut failed = None;
        read_operations(view, &request, context, |keys, rows| {
            if failed.is_some() || !output.wants_more() {
                return Ok(());
            }
            let arrays =
                self.columns.iter().map(|column| operation_array(column.name, keys, &rows));
            let batch = arrays
                .collect::<Result<_>>()
                .and_then(|arrays| self.assemble(arrays, rows.keys.len()));
            match batch {
                Ok(batch) => {
                    output.send(&batch);
                }
                Err(err) => failed = Some(err),
            }
            Ok(())
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn assemble(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }
}

fn unknown(name: &str) -> Error {
    Error::internal(format!("rollups have no column '{name}'"))
}

fn times(times: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC"))
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(texts))
}

fn counts(counts: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(counts))
}

fn floats(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn edge_array(name: &str, rows: &[EdgeRow]) -> Result<ArrayRef> {
    let edges = || rows.iter().map(|row| &row.edge);
    let (side, part) = match name.split_once('_') {
        Some((side @ ("client" | "server"), part)) => (side, part),
        _ => ("", name),
    };
    let sides =
        || rows.iter().map(move |row| if side == "client" { &row.client } else { &row.server });
    let durations = || sides().map(|side| &side.durations);
    Ok(match part {
        "time" => times(rows.iter().map(|row| row.start_ns)),
        "client" => texts(edges().map(|edge| &*edge.client)),
        "server" => texts(edges().map(|edge| &*edge.server)),
        "connection_type" => texts(edges().map(|edge| edge.connection.name())),
        "calls" => counts(rows.iter().map(|row| row.calls)),
        "failed" => counts(rows.iter().map(|row| row.failed)),
        "weighted_calls" => floats(rows.iter().map(|row| row.weighted_calls)),
        "weighted_failed" => floats(rows.iter().map(|row| row.weighted_failed)),
        "count" => counts(durations().map(|durations| durations.count() as u64)),
        "sum_ns" => Arc::new(Int64Array::from_iter_values(sides().map(|side| side.sum_ns as i64))),
        "zero_count" => counts(durations().map(|durations| durations.zero as u64)),
        "buckets" => bucket_lists(durations().map(pairs)),
        "bucket_counts" => count_lists(durations().map(pairs)),
        other => return Err(unknown(other)),
    })
}

fn pairs(durations: &Distribution) -> impl Iterator<Item = (i32, u64)> + '_ {
    durations.buckets.iter().map(|(bucket, count)| (*bucket, *count as u64))
}

fn operation_array(name: &str, all: &[OperationKey], rows: &OperationRows) -> Result<ArrayRef> {
    let keys = || rows.keys.iter().map(|key| &all[*key as usize]);
    let kind = |number: i32| named(number, KINDS);
    let status = |number: i32| named(number, STATUS_CODES);
    let durations = || {
        let durations = rows.durations.as_ref();
        durations.ok_or_else(|| Error::internal("durations of operations were not read"))
    };
    let range = 0..rows.keys.len();
    Ok(match name {
        "time" => times(rows.starts_ns.iter().copied()),
        "service_name" => texts(keys().map(|key| &*key.service)),
        "name" => texts(keys().map(|key| &*key.name)),
        "kind" => {
            let names = keys().map(|key| kind(key.kind)).collect::<Vec<_>>();
            texts(names.iter().map(|name| &**name))
        }
        "kind_number" => Arc::new(Int32Array::from_iter_values(keys().map(|key| key.kind))),
        "status_code" => {
            let names = keys().map(|key| status(key.status_code)).collect::<Vec<_>>();
            texts(names.iter().map(|name| &**name))
        }
        "status_code_number" => {
            Arc::new(Int32Array::from_iter_values(keys().map(|key| key.status_code)))
        }
        "spans" => counts(rows.counts.iter().copied()),
        "weighted_spans" => floats(rows.weighted.iter().copied()),
        "sum_ns" => {
            let durations = durations()?;
            Arc::new(Int64Array::from_iter_values(range.map(|row| durations.sum_ns(row))))
        }
        "zero_count" => {
            let durations = durations()?;
            counts(range.map(|row| durations.zero(row)))
        }
        "buckets" => {
            let durations = durations()?;
            bucket_lists(range.map(|row| durations.buckets(row)))
        }
        "bucket_counts" => {
            let durations = durations()?;
            count_lists(range.map(|row| durations.buckets(row)))
        }
        other => return Err(unknown(other)),
    })
}

/// The name of a number; digits where the specification has none.
fn named(number: i32, names: &[&'static str]) -> std::borrow::Cow<'static, str> {
    let name = usize::try_from(number).ok().and_then(|i| names.get(i).copied());
    name.map_or_else(|| number.to_string().into(), Into::into)
}

fn bucket_lists(rows: impl Iterator<Item = impl Iterator<Item = (i32, u64)>>) -> ArrayRef {
    let mut lists = ListBuilder::new(Int32Builder::new());
    for row in rows {
        row.for_each(|(bucket, _)| lists.values().append_value(bucket));
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn count_lists(rows: impl Iterator<Item = impl Iterator<Item = (i32, u64)>>) -> ArrayRef {
    let mut lists = ListBuilder::new(UInt64Builder::new());
    for row in rows {
        row.for_each(|(_, count)| lists.values().append_value(count));
        lists.append(true);
    }
    Arc::new(lists.finish())
}
