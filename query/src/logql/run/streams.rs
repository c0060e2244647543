//! Which streams there are, which labels they have, and with which values.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::hash_map::Entry as Slot;
use hashbrown::{HashMap, HashSet};
use throughline_model::time::TimeRange;
use throughline_storage::scan::{ScanOrder, ScanRequest, scan_logs};

use super::super::ast::LogExpr;
use super::super::labels::{Entry, Labels};
use super::super::pipeline::{TextTest, Wanted};
use super::super::pushdown::Pushdown;
use super::entries::Reading;
use super::place::{Place, Places};
use super::predicates::Pushed;
use super::tests;
use super::workers::feed;
use crate::engine::Admitted;
use crate::{Engine, Error, ErrorKind, QueryContext, QueryStatsSnapshot, Result};

/// Streams, and values of a label, in one answer at most.
pub const STREAMS_MAX: usize = 100_000;

/// Which streams are asked for.
#[derive(Clone, Debug)]
pub struct StreamsRequest {
    /// Selectors, of which a record meets one; none for all. Stages say nothing here.
    pub selectors: Vec<LogExpr>,
    /// When a stream had a record. Streams are told apart by segment, not by record, where selectors
    /// allow it: some may have had theirs a while before or after.
    pub time: TimeRange,
}

/// Streams.
#[derive(Clone, Debug, Default)]
pub struct StreamsAnswer {
    /// The labels of each, in order.
    pub streams: Vec<Labels>,
    /// What the question did.
    pub stats: QueryStatsSnapshot,
}

/// Names of labels, or values of one.
#[derive(Clone, Debug, Default)]
pub struct TextsAnswer {
    /// The texts, in order.
    pub texts: Vec<String>,
    /// What the question did.
    pub stats: QueryStatsSnapshot,
}

impl Engine {
    /// The streams that have records in a range of time.
    pub async fn log_streams(
        &self,
        request: &StreamsRequest,
        ctx: &QueryContext,
    ) -> Result<StreamsAnswer> {
        let admitted = self.admit(ctx).await?;
        let streams = admitted.budget.run(self.streams(request, &admitted)).await?;
        admitted.budget.stats.add_rows(streams.len());
        let streams = streams.into_iter().collect();
        Ok(StreamsAnswer { streams, stats: admitted.budget.stats.snapshot() })
    }

    /// The names of the labels of streams.
    pub async fn log_stream_labels(
        &self,
        request: &StreamsRequest,
        ctx: &QueryContext,
    ) -> Result<TextsAnswer> {
        let streams = self.log_streams(request, ctx).await?;
        let names = streams.streams.iter().flat_map(|stream| stream.pairs().map(|(name, _)| name));
        let names: BTreeSet<_> = names.collect();
        let texts = names.into_iter().map(str::to_owned).collect();
        Ok(TextsAnswer { texts, stats: streams.stats })
    }

    /// The values of a label: of streams, or of structured metadata where no stream has the label.
    pub async fn log_label_values(
        &self,
        label: &str,
        request: &StreamsRequest,
        ctx: &QueryContext,
    ) -> Result<TextsAnswer> {
        let admitted = self.admit(ctx).await?;
        let values = admitted.budget.run(self.values(label, request, &admitted)).await?;
        admitted.budget.stats.add_rows(values.len());
        let texts = values.into_iter().collect();
        Ok(TextsAnswer { texts, stats: admitted.budget.stats.snapshot() })
    }

    async fn values(
        &self,
        label: &str,
        request: &StreamsRequest,
        admitted: &Admitted,
    ) -> Result<BTreeSet<String>> {
        let scan = &admitted.budget.scan;
        let places = Places::of_view(&admitted.view, request.time, self.origins(), scan).await?;
        let mut values = BTreeSet::new();
        if places.is_of_stream(label) {
            for stream in self.streams(request, admitted).await? {
                values.extend(stream.get(label).map(str::to_owned));
            }
            return Ok(values);
        }
        if places.of(label) == Place::Nowhere {
            return Ok(values);
        }
        let all = [LogExpr::default()];
        let selectors = if request.selectors.is_empty() { &all } else { &*request.selectors };
        for selector in selectors {
            let wanted = Wanted::only([label]);
            let name = label.to_owned();
            let found = self.scanned(selector, wanted, request.time, &places, admitted, {
                move |found: &mut BTreeSet<String>, entry: &Entry<'_>| {
                    let own = entry.structured.iter().find(|(own, _)| *own == name);
                    if let Some((_, value)) = own
                        && !found.contains(*value)
                    {
                        found.insert((*value).to_owned());
                    }
                    check(found.len())
                }
            });
            values.extend(found.await?.into_iter().flatten());
        }
        check(values.len())?;
        Ok(values)
    }

    /// The streams that have records in a range of time.
    pub(super) async fn streams(
        &self,
        request: &StreamsRequest,
        admitted: &Admitted,
    ) -> Result<BTreeSet<Labels>> {
        let scan = &admitted.budget.scan;
        let places = Places::of_view(&admitted.view, request.time, self.origins(), scan).await?;
        let mut all = HashMap::new();
        for resource in places.origins().resources() {
            if let Slot::Vacant(slot) = all.entry(Arc::as_ptr(resource).addr()) {
                slot.insert(self.origins().resource(resource)?);
            }
        }
        let streams = || all.values().map(|origin| &origin.stream);
        let mut found = BTreeSet::new();
        if request.selectors.is_empty() {
            found.extend(streams().cloned());
        }
        for selector in &request.selectors {
            let tests = tests(selector)?;
            let is_decided = |(name, _): &(String, TextTest)| {
                places.of(name) == Place::Nowhere
                    || (places.is_of_stream(name) && places.of(name) != Place::Rows)
            };
            if tests.iter().all(is_decided) {
                let passes = |stream: &&Labels| {
                    let passes = |(name, test): &(String, TextTest)| {
                        test.passes(stream.get(name).unwrap_or_default())
                    };
                    tests.iter().all(passes)
                };
                found.extend(streams().filter(passes).cloned());
            } else {
                let (none, collect) = (Wanted::only::<&str>([]), Seen::add);
                let seen = self.scanned(selector, none, request.time, &places, admitted, collect);
                seen.await?.into_iter().for_each(|seen| found.extend(seen.all));
            }
        }
        check(found.len())?;
        Ok(found)
    }

    // Workers that have seen the entries that a selector and its line filters keep.
    async fn scanned<W: Default + Send + 'static>(
        &self,
        selector: &LogExpr,
        wanted: Wanted,
        time: TimeRange,
        places: &Places,
        admitted: &Admitted,
        take: impl Fn(&mut W, &Entry<'_>) -> Result<()> + Clone + Send + 'static,
    ) -> Result<Vec<W>> {
        let pushed = Pushed::new(&Pushdown::new(selector), places)?;
        if pushed.is_nothing {
            return Ok(Vec::new());
        }
        let reading = Arc::new(Reading::new(&wanted, tests(selector)?, false, places));
        let request = ScanRequest {
            columns: reading.columns(),
            predicates: pushed.predicates,
            time,
            order: ScanOrder::Any,
            limit: None,
        };
        let scan = &admitted.budget.scan;
        let batches = scan_logs(admitted.view.clone(), request, scan.clone());
        let workers = (0..self.parallelism().max(1)).map(|_| W::default()).collect();
        let origins = self.origins().clone();
        feed(batches, workers, scan, move |worker: &mut W, batch| {
            reading.each(&batch, &origins, |entry, _| take(worker, entry))
        })
        .await
    }
}

// The streams of the entries that a worker saw.
#[derive(Default)]
struct Seen {
    /// The stream of the last entry: neighbours mostly share it.
    last: Option<Labels>,
    all: HashSet<Labels>,
}

impl Seen {
    fn add(&mut self, entry: &Entry<'_>) -> Result<()> {
        if self.last.as_ref().is_some_and(|last| last.is_same(entry.stream)) {
            return Ok(());
        }
        self.last = Some(entry.stream.clone());
        self.all.insert(entry.stream.clone());
        check(self.all.len())
    }
}

fn check(found: usize) -> Result<()> {
    if found > STREAMS_MAX {
        let message = format!("there are more than {STREAMS_MAX}: a selector would leave fewer");
        return Err(Error::new(ErrorKind::Limit, message));
    }
    Ok(())
}
