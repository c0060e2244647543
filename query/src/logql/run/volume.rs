//! How much there is: of a query as a whole, and by labels over time.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use throughline_model::time::TimeRange;

use super::super::ast::{
    Expr, Grouping, LogExpr, MetricExpr, RangeAggregate, RangeExpr, Spot, VectorAggregate,
};
use super::super::grammar::{RangeOp, VectorOp};
use super::super::labels::Labels;
use super::super::metric::{Answer, Grid};
use super::streams::StreamsRequest;
use crate::engine::Admitted;
use crate::{Engine, Error, QueryContext, QueryStatsSnapshot, Result};

/// How much a selector finds.
#[derive(Clone, Debug, Default)]
pub struct StreamStats {
    /// Streams.
    pub streams: u64,
    /// Records.
    pub entries: u64,
    /// Bytes of their lines.
    pub bytes: u64,
    /// Segments that may have such records.
    pub segments: u64,
    /// What the question did.
    pub stats: QueryStatsSnapshot,
}

/// What volumes are told apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeBy {
    /// The values of these labels together; records without any of them are left out.
    Labels(Vec<String>),
    /// The labels that the selector names, together; without any, all of the stream.
    Selected,
    /// Each label of the streams by itself; of these names only, if there are any.
    Names(Vec<String>),
}

/// Which volumes are asked for.
#[derive(Clone, Debug)]
pub struct VolumeRequest {
    /// The records: a selector and line filters.
    pub selector: LogExpr,
    /// Their times.
    pub time: TimeRange,
    /// Length of a step of time; none for one volume of the whole range.
    pub step_ns: Option<i64>,
    /// What tells them apart.
    pub by: VolumeBy,
    /// Volumes at most, the largest ones.
    pub limit: usize,
}

/// Volumes, the largest first.
#[derive(Clone, Debug, Default)]
pub struct VolumeAnswer {
    /// The volumes.
    pub rows: Vec<VolumeRow>,
    /// What the question did.
    pub stats: QueryStatsSnapshot,
}

/// The volume of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeRow {
    /// What the group has in common; with [`VolumeBy::Names`] one label with an empty value.
    pub labels: Vec<(String, String)>,
    /// End of a step, and bytes of lines in it; steps without any are left out.
    pub bytes: Vec<(i64, u64)>,
}

impl Engine {
    /// How much a selector and line filters find.
    pub async fn log_stream_stats(
        &self,
        selector: &LogExpr,
        time: TimeRange,
        ctx: &QueryContext,
    ) -> Result<StreamStats> {
        let admitted = self.admit(ctx).await?;
        let sum = async |op: RangeOp| -> Result<u64> {
            let (expr, grid) = (summed(selector, op, Vec::new(), span(time)?), at_end(time));
            Ok(match self.numbers(&expr, grid, &admitted).await? {
                Answer::Vector(samples) => samples.iter().map(|sample| sample.value as u64).sum(),
                _ => 0,
            })
        };
        let work = async {
            let entries = sum(RangeOp::Count).await?;
            if entries == 0 {
                return Ok((0, 0, 0));
            }
            let of = StreamsRequest { selectors: vec![selector.clone()], time };
            let streams = self.streams(&of, &admitted).await?.len() as u64;
            Ok((streams, entries, sum(RangeOp::Bytes).await?))
        };
        let (streams, entries, bytes) = admitted.budget.run(work).await?;
        let segments = admitted.view.logs.segments.iter();
        let segments =
            segments.filter(|s| time.overlaps(s.meta.min_time_ns, s.meta.max_time_ns)).count();
        Ok(StreamStats {
            streams,
            entries,
            bytes,
            segments: if entries == 0 { 0 } else { segments as u64 },
            stats: admitted.budget.stats.snapshot(),
        })
    }

    /// Bytes of lines by labels.
    pub async fn log_volume(
        &self,
        request: &VolumeRequest,
        ctx: &QueryContext,
    ) -> Result<VolumeAnswer> {
        let admitted = self.admit(ctx).await?;
        let mut rows = admitted.budget.run(self.volumes(request, &admitted)).await?;
        let sum = |row: &VolumeRow| row.bytes.iter().map(|(_, bytes)| bytes).sum::<u64>();
        rows.sort_by(|a, b| sum(b).cmp(&sum(a)).then_with(|| a.labels.cmp(&b.labels)));
        rows.truncate(request.limit);
        admitted.budget.stats.add_rows(rows.len());
        Ok(VolumeAnswer { rows, stats: admitted.budget.stats.snapshot() })
    }

    async fn volumes(
        &self,
        request: &VolumeRequest,
        admitted: &Admitted,
    ) -> Result<Vec<VolumeRow>> {
        let whole = span(request.time)?;
        let (grid, range_ns) = match request.step_ns {
            None => (at_end(request.time), whole),
            Some(step_ns) if step_ns > 0 => {
                let TimeRange { start_ns, end_ns } = request.time;
                (Grid { start_ns, end_ns, step_ns }, step_ns)
            }
            Some(step_ns) => {
                let message = format!("a step of {step_ns} ns: it is above 0");
                return Err(Error::invalid("step", message));
            }
        };
        let by = match self.volume_labels(request, admitted).await? {
            by if by.is_empty() => return Ok(Vec::new()),
            by => by,
        };
        let expr = summed(&request.selector, RangeOp::Bytes, by, range_ns);
        let series = match self.numbers(&expr, grid, admitted).await? {
            Answer::Vector(samples) => samples
                .into_iter()
                .map(|sample| (sample.labels, vec![(request.time.end_ns, sample.value)]))
                .collect(),
            Answer::Matrix(series) => {
                series.into_iter().map(|series| (series.labels, series.points)).collect()
            }
            Answer::Scalar(..) => Vec::new(),
        };
        let mut groups: HashMap<Vec<(String, String)>, HashMap<i64, u64>> = HashMap::new();
        for (labels, points) in series {
            for group in groups_of(&labels, &request.by) {
                let volumes = groups.entry(group).or_default();
                for (time_ns, bytes) in &points {
                    *volumes.entry(*time_ns).or_default() += *bytes as u64;
                }
            }
        }
        let rows = groups.into_iter().map(|(labels, bytes)| {
            let mut bytes: Vec<_> = bytes.into_iter().collect();
            bytes.sort_unstable();
            VolumeRow { labels, bytes }
        });
        Ok(rows.collect())
    }

    // The labels that volumes are summed by.
    async fn volume_labels(
        &self,
        request: &VolumeRequest,
        admitted: &Admitted,
    ) -> Result<Vec<String>> {
        let selected: BTreeSet<_> =
            request.selector.matchers.iter().map(|matcher| matcher.name.clone()).collect();
        match &request.by {
            VolumeBy::Labels(names) => return Ok(names.clone()),
            VolumeBy::Names(names) if !names.is_empty() => return Ok(names.clone()),
            VolumeBy::Selected if !selected.is_empty() => {
                return Ok(selected.into_iter().collect());
            }
            VolumeBy::Names(_) | VolumeBy::Selected => {}
        }
        let selectors = vec![request.selector.clone()];
        let of = StreamsRequest { selectors, time: request.time };
        let streams = self.streams(&of, admitted).await?;
        let names: BTreeSet<_> =
            streams.iter().flat_map(|stream| stream.pairs().map(|(name, _)| name)).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }
}

fn span(time: TimeRange) -> Result<i64> {
    match time.end_ns.saturating_sub(time.start_ns) {
        span if span > 0 => Ok(span),
        _ => Err(Error::invalid("end", "the range ends before it starts")),
    }
}

// The moment whose window is a range: windows have their end and not their start.
fn at_end(time: TimeRange) -> Grid {
    Grid::instant(time.end_ns.saturating_sub(1))
}

// `sum by (…) (op(selector[range]))`
fn summed(selector: &LogExpr, op: RangeOp, by: Vec<String>, range_ns: i64) -> Expr {
    let at = Spot::default();
    let range = RangeExpr { log: selector.clone(), unwrap: None, range_ns, offset_ns: 0 };
    let of = RangeAggregate { op, parameter: None, range, grouping: None, at };
    let grouping = Some(Grouping { without: false, labels: by });
    let of = Box::new(MetricExpr::Range(of));
    let sum = VectorAggregate { op: VectorOp::Sum, parameter: None, grouping, of, at };
    Expr::Metric(MetricExpr::Aggregate(sum))
}

fn groups_of(labels: &Labels, by: &VolumeBy) -> Vec<Vec<(String, String)>> {
    match by {
        VolumeBy::Names(_) => {
            labels.pairs().map(|(name, _)| vec![(name.to_owned(), String::new())]).collect()
        }
        _ if labels.is_empty() => Vec::new(),
        _ => {
            let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            vec![labels.pairs().map(pair).collect()]
        }
    }
}
