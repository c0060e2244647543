//! The service map: edges between services.

use std::collections::BTreeMap;
use std::sync::Arc;

use throughline_model::time::TimeRange;
use throughline_storage::scan::rollup::{EdgeRow, EdgeSide, EdgesRequest, read_edges};

use super::{
    Durations, EdgesQuery, ServiceCalls, ServiceEdge, ServiceEdges, check_rows, check_step,
};
use crate::{Engine, QueryContext, QueryStatsSnapshot, Result};

impl Engine {
    /// The edges of the service map.
    pub async fn service_edges(
        &self,
        query: &EdgesQuery,
        ctx: &QueryContext,
    ) -> Result<ServiceEdges> {
        check_step(query.step_ns)?;
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let (view, scan, query) = (admitted.view.clone(), budget.scan.clone(), query.clone());
        let edges = super::off_the_workers(budget, move || {
            let request = EdgesRequest { time: query.time, step_ns: query.step_ns };
            let rows = read_edges(&view, &request, &scan)?;
            let is_wanted = |row: &EdgeRow| {
                let is_side = |side: &str| query.services.iter().any(|service| service == side);
                query.services.is_empty() || is_side(&row.edge.client) || is_side(&row.edge.server)
            };
            let edges = rows.into_iter().filter(is_wanted).map(ServiceEdge::from);
            let edges = edges.collect::<Vec<_>>();
            check_rows(edges.len())?;
            Ok(edges)
        })
        .await?;
        budget.stats.add_rows(edges.len());
        Ok(ServiceEdges { edges, stats: budget.stats.snapshot() })
    }
}

impl Engine {
    /// Calls between services that have spans, by names; and what the look did.
    pub async fn service_calls(
        &self,
        time: TimeRange,
        ctx: &QueryContext,
    ) -> Result<(Vec<ServiceCalls>, QueryStatsSnapshot)> {
        let query = EdgesQuery { time, step_ns: None, services: Vec::new() };
        let ServiceEdges { edges, stats } = self.service_edges(&query, ctx).await?;
        let mut calls: BTreeMap<(Arc<str>, Arc<str>), (u64, u64)> = BTreeMap::new();
        // What is called and has no spans is a mere name.
        let has_spans = |edge: &&ServiceEdge| edge.server_durations.distribution.count() > 0.0;
        for edge in edges.iter().filter(has_spans).filter(|edge| edge.client != edge.server) {
            let sums = calls.entry((edge.client.clone(), edge.server.clone())).or_default();
            *sums = (sums.0 + edge.calls, sums.1 + edge.failed);
        }
        let call = |((parent, child), (calls, errors)): ((Arc<str>, Arc<str>), _)| ServiceCalls {
            parent: parent.to_string(),
            child: child.to_string(),
            calls,
            errors,
        };
        Ok((calls.into_iter().map(call).collect(), stats))
    }
}

impl From<EdgeRow> for ServiceEdge {
    fn from(row: EdgeRow) -> Self {
        let durations =
            |side: EdgeSide| Durations { sum_ns: side.sum_ns, distribution: side.durations };
        Self {
            client: row.edge.client.clone(),
            server: row.edge.server.clone(),
            connection_type: row.edge.connection,
            start_ns: row.start_ns,
            calls: row.calls,
            failed: row.failed,
            weighted_calls: row.weighted_calls,
            weighted_failed: row.weighted_failed,
            client_durations: durations(row.client),
            server_durations: durations(row.server),
        }
    }
}
