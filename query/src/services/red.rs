//! Rate, errors and durations of operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use throughline_storage::View;
use throughline_storage::scan::ScanContext;
use throughline_storage::scan::rollup::{
    Coverage, OperationKey, OperationRows, OperationsRequest, SpanRef, Steps, read_exemplars,
    read_operations,
};

use super::{Durations, OperationRed, Operations, OperationsQuery, check_rows, check_step};
use crate::{Engine, QueryContext, Result};

impl Engine {
    /// Rate, errors and durations of operations.
    pub async fn operations_red(
        &self,
        query: &OperationsQuery,
        ctx: &QueryContext,
    ) -> Result<Operations> {
        check_step(query.step_ns)?;
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let (view, scan, query) = (admitted.view.clone(), budget.scan.clone(), query.clone());
        let mut answer = super::off_the_workers(budget, move || read(&view, &query, &scan)).await?;
        budget.stats.add_rows(answer.operations.len());
        answer.stats = budget.stats.snapshot();
        Ok(answer)
    }
}

#[derive(Default)]
struct Sums {
    spans: u64,
    weighted: f64,
    durations: Durations,
    /// The bucket of the slowest span, and the span.
    slowest: Option<(i32, SpanRef)>,
}

fn read(view: &Arc<View>, query: &OperationsQuery, scan: &ScanContext) -> Result<Operations> {
    let mut sums: BTreeMap<(i64, OperationKey), Sums> = BTreeMap::new();
    let steps = query.step_ns.map_or(Steps::ONE, |step_ns| Steps { origin_ns: 0, step_ns });
    let request = OperationsRequest {
        time: query.time,
        durations: true,
        cut_buckets: true,
        nameless_steps: (!query.by_name).then_some(steps),
    };
    let mut wanted: Vec<Option<OperationKey>> = Vec::new();
    let coverage = read_operations(view, &request, scan, |keys, rows| {
        wanted.extend(keys[wanted.len()..].iter().map(|key| wanted_key(query, key)));
        for row in 0..rows.keys.len() {
            let Some(key) = &wanted[rows.keys[row] as usize] else { continue };
            let start_ns = match query.step_ns {
                Some(step) => rows.starts_ns[row].div_euclid(step).saturating_mul(step),
                None => query.time.start_ns,
            };
            sums.entry((start_ns, key.clone())).or_default().add(&rows, row);
        }
        Ok(())
    })?;
    let Coverage { names_complete, .. } = coverage;
    check_rows(sums.len())?;
    let slowest = sums.values().filter_map(|sums| sums.slowest.map(|(_, span)| span));
    let slowest = if query.exemplars { slowest.collect() } else { Vec::new() };
    let mut exemplars = read_exemplars(view, &slowest, scan)?.into_iter();
    let row = |((start_ns, key), sums): ((i64, OperationKey), Sums)| OperationRed {
        service: key.service,
        name: key.name,
        kind: key.kind,
        status_code: key.status_code,
        start_ns,
        spans: sums.spans,
        weighted_spans: sums.weighted,
        durations: sums.durations,
        exemplar: sums.slowest.and_then(|_| exemplars.next().flatten()),
    };
    let operations = sums.into_iter().map(row).collect();
    Ok(Operations { operations, names_complete, ..Operations::default() })
}

/// Under which key the spans of an operation count, if they do.
fn wanted_key(query: &OperationsQuery, key: &OperationKey) -> Option<OperationKey> {
    let is_service =
        query.services.is_empty() || query.services.iter().any(|name| **name == *key.service);
    let is_kind = query.kinds.is_empty() || query.kinds.contains(&key.kind);
    let name = if query.by_name { key.name.clone() } else { Arc::from("") };
    (is_service && is_kind).then(|| OperationKey { name, ..key.clone() })
}

impl Sums {
    fn add(&mut self, rows: &OperationRows, row: usize) {
        self.spans += rows.counts[row];
        self.weighted += rows.weighted[row];
        let Some(durations) = &rows.durations else { return };
        let weight = rows.weighted[row] / rows.counts[row].max(1) as f64;
        self.durations.sum_ns += durations.sum_ns(row) as f64 * weight;
        durations.add_to(row, weight, &mut self.durations.distribution);
        let top = durations.buckets(row).last().map_or(i32::MIN, |(bucket, _)| bucket);
        if self.slowest.is_none_or(|(known, _)| known < top) {
            self.slowest = Some((top, durations.slowest(row)));
        }
    }
}
