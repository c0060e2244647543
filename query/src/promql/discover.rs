//! Which series, labels, metrics and exemplars there are, as Prometheus's clients ask for them.

use std::collections::{BTreeMap, BTreeSet};

use throughline_model::{SpanId, TraceId};

use super::ast::Expr;
use super::labels::{BUCKET, Labels, QUANTILE};
use super::matcher::Matcher;
use super::{ParseError, Source};
use crate::context::QueryStatsSnapshot;
use crate::{Engine, Error, QueryContext, Result};

/// The most exemplars in one answer.
pub const EXEMPLARS_MAX: usize = 100_000;

/// Which series a question is about.
#[derive(Clone, Debug, Default)]
pub struct SeriesQuery {
    /// A series must meet all conditions of one of these; without any, all series are meant.
    pub selectors: Vec<Vec<Matcher>>,
    /// The first millisecond at which it must have a point.
    pub start_ms: i64,
    /// The last one.
    pub end_ms: i64,
    /// Things in the answer at most; none for all.
    pub limit: Option<usize>,
}

/// Things in order.
#[derive(Clone, Debug, Default)]
pub struct Found<T> {
    /// The things.
    pub items: Vec<T>,
    /// Whether there are more.
    pub truncated: bool,
    /// What the query did.
    pub stats: QueryStatsSnapshot,
}

/// What is known about the metrics of one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metadata {
    /// `counter`, `gauge`, `histogram`, `summary` or `unknown`.
    pub metric_type: String,
    /// What it measures.
    pub help: String,
    /// In which unit.
    pub unit: String,
}

/// An exemplar.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Milliseconds since the epoch.
    pub time_ms: i64,
    /// The value.
    pub value: f64,
    /// The trace during which it was measured.
    pub trace_id: Option<TraceId>,
    /// The span during which it was measured.
    pub span_id: Option<SpanId>,
    /// Its other labels.
    pub labels: Vec<(String, String)>,
}

/// How many series, labels and values there are.
#[derive(Clone, Debug, Default)]
pub struct Cardinality {
    /// All series.
    pub series: usize,
    /// Distinct pairs of label and value.
    pub pairs: usize,
    /// Series by metric, the greatest first.
    pub by_metric: Vec<(String, usize)>,
    /// Values by label.
    pub by_label: Vec<(String, usize)>,
    /// Bytes of values by label.
    pub bytes_by_label: Vec<(String, usize)>,
    /// Series by `label=value`.
    pub by_pair: Vec<(String, usize)>,
}

/// The selectors of a query.
pub fn selectors(text: &str) -> std::result::Result<Vec<Vec<Matcher>>, ParseError> {
    let expr = super::expression(text)?;
    let mut found = Vec::new();
    collect(&expr, &mut found);
    Ok(found)
}

fn collect(expr: &Expr, found: &mut Vec<Vec<Matcher>>) {
    match expr {
        Expr::Vector(vector) => found.push(vector.matchers.clone()),
        Expr::Matrix(matrix) => found.push(matrix.selector.matchers.clone()),
        other => other.children().into_iter().for_each(|child| collect(child, found)),
    }
}

fn cut<T>(items: Vec<T>, limit: Option<usize>, stats: QueryStatsSnapshot) -> Found<T> {
    let mut items = items;
    let truncated = limit.is_some_and(|limit| items.len() > limit);
    items.truncate(limit.unwrap_or(usize::MAX));
    Found { items, truncated, stats }
}

impl Engine {
    /// The label sets of series.
    pub async fn promql_series(
        &self,
        query: &SeriesQuery,
        ctx: &QueryContext,
    ) -> Result<Found<Labels>> {
        let (all, stats) = self.label_sets(query, ctx).await?;
        Ok(cut(all, query.limit, stats))
    }

    /// The names of labels.
    pub async fn promql_label_names(
        &self,
        query: &SeriesQuery,
        ctx: &QueryContext,
    ) -> Result<Found<String>> {
        if query.selectors.is_empty() {
            let (start_ms, end_ms) = (query.start_ms, query.end_ms);
            let read = move |source: &Source| source.label_names(start_ms, end_ms);
            let (names, stats) = self.read_series(ctx, read).await?;
            return Ok(cut(names, query.limit, stats));
        }
        let (all, stats) = self.label_sets(query, ctx).await?;
        let names = all.iter().flat_map(|labels| labels.iter().map(|(name, _)| &**name));
        let names = names.collect::<BTreeSet<_>>();
        Ok(cut(names.into_iter().map(str::to_owned).collect(), query.limit, stats))
    }

    /// The values of a label.
    pub async fn promql_label_values(
        &self,
        name: &str,
        query: &SeriesQuery,
        ctx: &QueryContext,
    ) -> Result<Found<String>> {
        if query.selectors.is_empty() && !matches!(name, BUCKET | QUANTILE) {
            let (name, start_ms, end_ms) = (name.to_owned(), query.start_ms, query.end_ms);
            let read = move |source: &Source| source.label_values(&name, start_ms, end_ms);
            let (values, stats) = self.read_series(ctx, read).await?;
            return Ok(cut(values, query.limit, stats));
        }
        let (all, stats) = self.label_sets(query, ctx).await?;
        let values = all.iter().filter_map(|labels| labels.find(name).map(|value| &**value));
        let values = values.collect::<BTreeSet<_>>();
        Ok(cut(values.into_iter().map(str::to_owned).collect(), query.limit, stats))
    }

    /// What is known about metrics, by name.
    pub async fn promql_metadata(
        &self,
        metric: Option<&str>,
        ctx: &QueryContext,
    ) -> Result<BTreeMap<String, Vec<Metadata>>> {
        let metric = metric.map(str::to_owned);
        let (found, _) = self.read_series(ctx, move |source| source.metadata(metric)).await?;
        Ok(found)
    }

    /// Exemplars of the series that a query selects, by series.
    pub async fn promql_exemplars(
        &self,
        query: &SeriesQuery,
        ctx: &QueryContext,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>> {
        let query = query.clone();
        let read = move |source: &Source| {
            let mut all: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
            for matchers in &query.selectors {
                for (labels, exemplars) in
                    source.exemplars(matchers, query.start_ms, query.end_ms, EXEMPLARS_MAX)?
                {
                    all.entry(labels).or_insert(exemplars);
                }
            }
            Ok(all.into_iter().collect())
        };
        Ok(self.read_series(ctx, read).await?.0)
    }

    /// How many series there are, by metric, label and value: the greatest `limit` of each.
    pub async fn promql_cardinality(
        &self,
        query: &SeriesQuery,
        limit: usize,
        ctx: &QueryContext,
    ) -> Result<Cardinality> {
        let (all, _) = self.label_sets(query, ctx).await?;
        let mut metrics: BTreeMap<&str, usize> = BTreeMap::new();
        let mut pairs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for labels in &all {
            *metrics.entry(labels.name()).or_default() += 1;
            for (name, value) in labels.iter() {
                *pairs.entry((name, value)).or_default() += 1;
            }
        }
        let mut values: BTreeMap<&str, usize> = BTreeMap::new();
        let mut bytes: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, value) in pairs.keys() {
            *values.entry(name).or_default() += 1;
            *bytes.entry(name).or_default() += value.len();
        }
        let greatest = |counts: Vec<(String, usize)>| {
            let mut counts = counts;
            counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            counts.truncate(limit);
            counts
        };
        let named = |counts: BTreeMap<&str, usize>| {
            greatest(counts.into_iter().map(|(name, n)| (name.to_owned(), n)).collect())
        };
        Ok(Cardinality {
            series: all.len(),
            pairs: pairs.len(),
            by_metric: named(metrics),
            by_label: named(values),
            bytes_by_label: named(bytes),
            by_pair: greatest(
                pairs.iter().map(|((name, value), n)| (format!("{name}={value}"), *n)).collect(),
            ),
        })
    }

    async fn label_sets(
        &self,
        query: &SeriesQuery,
        ctx: &QueryContext,
    ) -> Result<(Vec<Labels>, QueryStatsSnapshot)> {
        let query = query.clone();
        let read = move |source: &Source| {
            let (start_ms, end_ms) = (query.start_ms, query.end_ms);
            if query.selectors.is_empty() {
                return source.labels(&[], start_ms, end_ms);
            }
            let mut all = BTreeSet::new();
            for matchers in &query.selectors {
                all.extend(source.labels(matchers, start_ms, end_ms)?);
            }
            Ok(all.into_iter().collect())
        };
        self.read_series(ctx, read).await
    }

    /// Runs a blocking read off the async workers, within the query's budget.
    async fn read_series<T: Send + 'static>(
        &self,
        ctx: &QueryContext,
        read: impl FnOnce(&Source) -> Result<T> + Send + 'static,
    ) -> Result<(T, QueryStatsSnapshot)> {
        let admitted = self.admit(ctx).await?;
        let (view, scan) = (admitted.view.clone(), admitted.budget.scan.clone());
        let tracker = scan.tracker.clone();
        let (index, threads) = (self.series_index().clone(), self.parallelism());
        let work = tracker.spawn_blocking(move || read(&Source::new(view, scan, index, threads)));
        let outcome = admitted.budget.run(async {
            work.await.map_err(|err| Error::internal(format!("a read of series failed: {err}")))?
        });
        Ok((outcome.await?, admitted.budget.stats.snapshot()))
    }
}
