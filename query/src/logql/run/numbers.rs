//! Queries for numbers: one scan for each range function, or counts where an index knows them.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_storage::scan::{
    Intervals, ScanOrder, ScanRequest, TallyBy, TallyRequest, scan_logs, tally_logs,
};

use super::super::ast::Expr;
use super::super::labels::Labels;
use super::super::metric::{Answer, CountShape, Grid, Leaf, LeafWorker, Limits, RangeEval};
use super::entries::Reading;
use super::names::{LEVEL, LEVEL_UNKNOWN, SERVICE};
use super::place::{Place, Places};
use super::predicates::Pushed;
use super::workers::feed;
use super::{NumbersAnswer, tests};
use crate::engine::Admitted;
use crate::logs::language::Level;
use crate::{Engine, QueryContext, Result};

impl Engine {
    /// The numbers that a query gives for the moments of a grid.
    pub async fn logql_numbers(
        &self,
        expr: &Expr,
        grid: Grid,
        ctx: &QueryContext,
    ) -> Result<NumbersAnswer> {
        let admitted = self.admit(ctx).await?;
        let answer = admitted.budget.run(self.numbers(expr, grid, &admitted)).await?;
        Ok(NumbersAnswer { answer, stats: admitted.budget.stats.snapshot() })
    }

    /// The same within a question that was admitted.
    pub(super) async fn numbers(
        &self,
        expr: &Expr,
        grid: Grid,
        admitted: &Admitted,
    ) -> Result<Answer> {
        let eval = RangeEval::new(expr, grid, Limits::default(), self.clock().now_ns())?;
        let eval = Arc::new(eval);
        let mut workers = Vec::new();
        for leaf in eval.leaves() {
            workers.extend(self.leaf(&eval, leaf, admitted).await?);
        }
        let tracker = &admitted.budget.scan.tracker;
        super::blocking(tracker, move || Ok(eval.finish(workers)?)).await
    }

    async fn leaf(
        &self,
        eval: &Arc<RangeEval>,
        leaf: &Arc<Leaf>,
        admitted: &Admitted,
    ) -> Result<Vec<LeafWorker>> {
        let (after_ns, last_ns) = leaf.range_ns();
        let time =
            TimeRange { start_ns: after_ns.saturating_add(1), end_ns: last_ns.saturating_add(1) };
        let (view, scan) = (&admitted.view, &admitted.budget.scan);
        let places = Places::of_view(view, time, self.origins(), scan).await?;
        let pushed = Pushed::new(leaf.pushdown(), &places)?;
        if pushed.is_nothing {
            return Ok(Vec::new());
        }
        let is_counted =
            |label: &str| matches!(label, SERVICE | LEVEL) || places.of(label) == Place::Nowhere;
        let shape = leaf.count_shape(is_counted).filter(|_| !pushed.is_wider);
        let mut workers = Vec::new();
        let mut predicates = pushed.predicates;
        if let Some(shape) = shape {
            let by_level = shape.by.iter().any(|label| label == LEVEL);
            let mut worker = eval.worker(leaf);
            let request = tally_request(&shape, &predicates, time, leaf.cuts());
            count(&mut worker, leaf, by_level, request, admitted).await?;
            workers.push(worker);
            if !by_level {
                return Ok(workers);
            }
            // Without a number, the level is in the text: these records are looked at.
            predicates.push(severity(Op::Eq(Operand::Int(0))));
        }
        let reading =
            Reading::new(leaf.structured(), tests(leaf.log())?, leaf.reads_line(), &places);
        let request = ScanRequest {
            columns: reading.columns(),
            predicates,
            time,
            order: ScanOrder::Any,
            limit: None,
        };
        let batches = scan_logs(view.clone(), request, scan.clone());
        let fresh = (0..self.parallelism().max(1)).map(|_| eval.worker(leaf)).collect();
        let origins = self.origins().clone();
        let reading = Arc::new(reading);
        let fed = feed(batches, fresh, scan, move |worker: &mut LeafWorker, batch| {
            reading.each(&batch, &origins, |entry, _| Ok(worker.add(entry)?))
        });
        workers.extend(fed.await?);
        Ok(workers)
    }
}

fn severity(op: Op) -> Predicate {
    Predicate { target: Target::Column(col::SEVERITY_NUMBER.to_owned()), op }
}

fn tally_request(
    shape: &CountShape,
    predicates: &[Predicate],
    time: TimeRange,
    cuts: Vec<i64>,
) -> TallyRequest {
    let by = |name: &str| shape.by.iter().any(|label| label == name);
    let mut predicates = predicates.to_vec();
    if by(LEVEL) {
        predicates.push(severity(Op::Ne(Operand::Int(0))));
    }
    TallyRequest {
        predicates,
        time,
        intervals: Intervals::Until(cuts.into()),
        by: TallyBy { service: by(SERVICE), severity: by(LEVEL), template: false },
        sums_bytes: shape.of_bytes,
    }
}

// Feeds a worker with counts.
async fn count(
    worker: &mut LeafWorker,
    leaf: &Leaf,
    by_level: bool,
    request: TallyRequest,
    admitted: &Admitted,
) -> Result<()> {
    let by_service = request.by.service;
    let cuts = leaf.cuts();
    let tally = tally_logs(&admitted.view, request, &admitted.budget.scan).await?;
    let mut streams: HashMap<(u32, &str), Labels> = HashMap::new();
    for row in &tally.rows {
        let Some(time_ns) = usize::try_from(row.interval).ok().and_then(|at| cuts.get(at)) else {
            continue;
        };
        let level = match by_level {
            true => Level::of_number(row.severity).map_or(LEVEL_UNKNOWN, Level::name),
            false => "",
        };
        let stream = streams.entry((row.service, level)).or_insert_with(|| {
            let service = tally.services.get(row.service as usize).filter(|_| by_service);
            Labels::new([(SERVICE, service.map_or("", |name| &**name)), (LEVEL, level)])
        });
        worker.add_count(stream, *time_ns, row.count, row.body_bytes)?;
    }
    Ok(())
}
