//! The one physical operator of our tables: a scan that yields batches in a table's types.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    SortOrderPushdownResult,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use crate::Result;

/// Batches of a table.
pub(crate) type BatchStream = BoxStream<'static, Result<RecordBatch>>;

/// In which order a scan answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Order {
    /// As rows come.
    #[default]
    Any,
    /// By the table's time, descending.
    NewestFirst,
}

/// A scan of a table, ready to run. It has one partition; what runs in parallel is its own affair.
pub(crate) trait Scan: fmt::Debug + Send + Sync + 'static {
    /// What to show in `EXPLAIN`.
    fn describe(&self) -> String;
    /// The schema of its batches.
    fn schema(&self) -> SchemaRef;
    /// The column by which [`Order::NewestFirst`] sorts, if the scan can.
    fn time_column(&self) -> Option<&str>;
    /// Whether the scan can stop after a number of rows.
    fn can_limit(&self) -> bool;
    /// Runs it.
    fn run(&self, order: Order, limit: Option<usize>) -> Result<BatchStream>;
}

/// [`Scan`] as a node of a physical plan.
#[derive(Clone, Debug)]
pub(crate) struct ScanExec {
    scan: Arc<dyn Scan>,
    order: Order,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl ScanExec {
    /// A node that runs `scan`.
    pub fn new(scan: Arc<dyn Scan>, limit: Option<usize>) -> Self {
        Self::with_order(scan, limit, Order::Any)
    }

    fn with_order(scan: Arc<dyn Scan>, limit: Option<usize>, order: Order) -> Self {
        let mut equivalence = EquivalenceProperties::new(scan.schema());
        if let (Order::NewestFirst, Some(time)) = (order, scan.time_column())
            && let Ok(index) = scan.schema().index_of(time)
        {
            let column = Arc::new(Column::new(time, index));
            equivalence.add_ordering([PhysicalSortExpr::new(column, NEWEST_FIRST)]);
        }
        let properties = Arc::new(PlanProperties::new(
            equivalence,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { scan, order, limit, properties }
    }
}

const NEWEST_FIRST: arrow::compute::SortOptions =
    arrow::compute::SortOptions { descending: true, nulls_first: true };

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanExec: {}", self.scan.describe())?;
        if self.order == Order::NewestFirst {
            write!(f, ", newest first")?;
        }
        match self.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn supports_limit_pushdown(&self) -> bool {
        false // it has no child to push to; its own limit is `with_fetch`
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        self.scan.can_limit().then(|| Arc::new(Self { limit, ..self.clone() }) as _)
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
    ) -> DfResult<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        let by_time = |sort: &PhysicalSortExpr| {
            let column = sort.expr.downcast_ref::<Column>().map(Column::name);
            sort.options.descending && column.is_some() && column == self.scan.time_column()
        };
        // A limit that is set already counts rows in any order.
        if let ([only], None) = (order, self.limit)
            && by_time(only)
        {
            let inner = Self::with_order(self.scan.clone(), None, Order::NewestFirst);
            return Ok(SortOrderPushdownResult::Exact { inner: Arc::new(inner) });
        }
        Ok(SortOrderPushdownResult::Unsupported)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let stream = self.scan.run(self.order, self.limit)?;
        let stream = stream.map_err(DataFusionError::from).boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.scan.schema(), stream)))
    }
}
