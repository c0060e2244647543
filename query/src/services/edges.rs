//! The service map: edges between services.

use throughline_storage::scan::rollup::{EdgeRow, EdgeSide, EdgesRequest, read_edges};

use super::{Durations, EdgesQuery, ServiceEdge, ServiceEdges, check_rows, check_step};
use crate::{Engine, QueryContext, Result};

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
