//! A repair of physical plans: the planner may put a limit of all rows over several partitions.
//!
//! Where a scan sorts by itself, the planner's rule `PushdownSort` takes out a sort that kept its
//! partitions and leaves `GlobalLimitExec` for the sort's limit, though its input still has several
//! partitions; the plan is then refused. The sort gave so many rows of each partition, and what stands
//! above it merges them, so a limit of each partition is what it meant.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result as DfResult;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// The rule after which the repair belongs.
const AFTER: &str = "PushdownSort";

type Rules = Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>;

/// The planner's rules with the repair in its place.
pub(super) fn with_repair(rules: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>]) -> Rules {
    let repaired = rules.iter().flat_map(|rule| {
        let repair: Option<Arc<dyn PhysicalOptimizerRule + Send + Sync>> =
            (rule.name() == AFTER).then(|| Arc::new(LimitPartitions) as _);
        std::iter::once(rule.clone()).chain(repair)
    });
    repaired.collect()
}

#[derive(Debug)]
struct LimitPartitions;

impl PhysicalOptimizerRule for LimitPartitions {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let limit = plan.downcast_ref::<GlobalLimitExec>().filter(|limit| {
                limit.skip() == 0 && limit.input().output_partitioning().partition_count() > 1
            });
            match limit.and_then(|limit| Some((limit.input().clone(), limit.fetch()?))) {
                Some((input, fetch)) => {
                    Ok(Transformed::yes(Arc::new(LocalLimitExec::new(input, fetch)) as _))
                }
                None => Ok(Transformed::no(plan)),
            }
        })
        .data()
    }

    fn name(&self) -> &str {
        "limit_partitions"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
