//! Which groups match a search: few numbers of each of all groups, then everything of those on the
//! page.

use std::collections::{HashMap, HashSet};

use throughline_model::exception::{Fingerprint, head_of};
use throughline_model::time::TimeRange;
use throughline_storage::ExceptionState;
use throughline_storage::scan;
use throughline_storage::segment::{ExceptionSample, Exceptions};

use super::cursor::Place;
use super::gather::{Gather, Steps, count_in};
use super::{
    ExceptionDetail, ExceptionOrder, ExceptionPage, ExceptionSearch, ExceptionStatus, GROUPS_MAX,
    GROUPS_PAGE_MAX, is_regression,
};
use crate::engine::Admitted;
use crate::{Engine, Error, ErrorKind, QueryContext, Result};

/// The most words of a text.
const WORDS_MAX: usize = 32;
/// Bytes of type and message that a text is looked for in.
const SEARCHED_BYTES_MAX: usize = 512;

impl Engine {
    /// The groups that match a search, page by page.
    pub async fn exception_groups(
        &self,
        search: &ExceptionSearch,
        ctx: &QueryContext,
    ) -> Result<ExceptionPage> {
        check_limit(search.limit)?;
        let after = search.cursor.as_deref().map(Place::parse).transpose()?;
        let time = search.time.unwrap_or(TimeRange::ALL);
        let steps = search.step_ns.map(|step_ns| Steps::new(time, step_ns)).transpose()?;
        let admitted = self.admit(ctx).await?;
        let states = self.states().await?;
        let mut list = List {
            time,
            services: search.services.iter().cloned().collect(),
            words: words(&search.text)?,
            states,
            entries: HashMap::new(),
            left_out: 0,
            truncated: false,
        };
        list = admitted.budget.run(fold(&admitted, list, List::add)).await?;
        let now_ns = self.clock().now_ns();
        let mut found = list.matching(search, now_ns);
        let total = found.len() as u64;
        found.retain(|(place, _)| after.is_none_or(|after| *place < after));
        let mut next = None;
        if found.len() > search.limit {
            found.truncate(search.limit);
            next = found.last().map(|(place, _)| place.cursor());
        }
        let wanted = found.iter().map(|(place, _)| place.fingerprint);
        let gather = Gather::new(wanted, time, list.services, steps);
        let gathered = admitted.budget.run(fold(&admitted, gather, Gather::add)).await?;
        let mut details = gathered.finish();
        let detail = |(place, status): &(Place, ExceptionStatus)| {
            let mut detail = details.remove(&place.fingerprint)?;
            detail.status = *status;
            detail.state = list.states.get(&place.fingerprint).cloned();
            Some(detail)
        };
        let groups = found.iter().filter_map(detail).collect::<Vec<_>>();
        admitted.budget.stats.add_rows(groups.len());
        let stats = admitted.budget.stats.snapshot();
        let List { left_out, truncated, .. } = list;
        Ok(ExceptionPage { groups, total, next, left_out, truncated, stats })
    }

    /// One group: how it stands, its origins, its occurrences over time, samples. Not found if no
    /// occurrence of it is stored.
    pub async fn exception_group(
        &self,
        fingerprint: Fingerprint,
        time: Option<TimeRange>,
        step_ns: Option<i64>,
        ctx: &QueryContext,
    ) -> Result<(ExceptionDetail, crate::QueryStatsSnapshot)> {
        let time = time.unwrap_or(TimeRange::ALL);
        let steps = step_ns.map(|step_ns| Steps::new(time, step_ns)).transpose()?;
        let admitted = self.admit(ctx).await?;
        let gather = Gather::new([fingerprint].into_iter(), time, HashSet::new(), steps);
        let gathered = admitted.budget.run(fold(&admitted, gather, Gather::add)).await?;
        let state = self.states().await?.remove(&fingerprint);
        let came_back = state.as_ref().is_some_and(|state| gathered.came_back(state));
        let detail = gathered.finish().remove(&fingerprint);
        let mut detail = detail.ok_or_else(|| not_found(fingerprint))?;
        detail.status = ExceptionStatus::of(state.as_ref(), came_back, self.clock().now_ns());
        detail.state = state;
        admitted.budget.stats.add_rows(1);
        Ok((detail, admitted.budget.stats.snapshot()))
    }

    pub(super) async fn states(&self) -> Result<HashMap<Fingerprint, ExceptionState>> {
        let states = self.store().exception_states().await?;
        Ok(states.into_iter().map(|state| (state.fingerprint, state)).collect())
    }
}

pub(super) fn not_found(fingerprint: Fingerprint) -> Error {
    Error::new(ErrorKind::NotFound, format!("no exception {fingerprint} is stored"))
}

async fn fold<A: Send + 'static>(
    admitted: &Admitted,
    sum: A,
    add: fn(&mut A, &Exceptions),
) -> Result<A> {
    Ok(scan::fold_exceptions(&admitted.view, &admitted.budget.scan, sum, add).await?)
}

fn check_limit(limit: usize) -> Result<()> {
    if (1..=GROUPS_PAGE_MAX).contains(&limit) {
        return Ok(());
    }
    let message = format!("a page has 1 to {GROUPS_PAGE_MAX} groups, {limit} were asked for");
    Err(Error::invalid("limit", message))
}

fn words(text: &str) -> Result<Vec<String>> {
    let words = text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    if words.len() > WORDS_MAX {
        let message = format!("the text has {} words, the limit is {WORDS_MAX}", words.len());
        return Err(Error::invalid("query", message));
    }
    Ok(words)
}

/// Sums up all groups.
struct List {
    time: TimeRange,
    services: HashSet<String>,
    words: Vec<String>,
    states: HashMap<Fingerprint, ExceptionState>,
    entries: HashMap<Fingerprint, Entry>,
    left_out: u64,
    truncated: bool,
}

struct Entry {
    first_ns: i64,
    last_ns: i64,
    count: u64,
    came_back: bool,
    newest: Option<ExceptionSample>,
    searched: String,
}

impl List {
    fn add(&mut self, part: &Exceptions) {
        self.left_out += part.left_out;
        for (fingerprint, group) in &part.groups {
            if self.entries.len() >= GROUPS_MAX && !self.entries.contains_key(fingerprint) {
                self.truncated = true;
                continue;
            }
            let entry = self.entries.entry(*fingerprint).or_insert_with(|| Entry {
                first_ns: i64::MAX,
                last_ns: i64::MIN,
                count: 0,
                came_back: false,
                newest: None,
                searched: String::new(),
            });
            let state = self.states.get(fingerprint);
            for (origin, counts) in &group.origins {
                let came_back = |state| is_regression(state, origin, counts.last_ns);
                entry.came_back |= state.is_some_and(came_back);
                if self.services.is_empty() || self.services.contains(&origin.service) {
                    entry.first_ns = entry.first_ns.min(counts.first_ns);
                    entry.last_ns = entry.last_ns.max(counts.last_ns);
                    entry.count += count_in(&self.time, counts);
                }
            }
            if !self.words.is_empty() && entry.newest.as_ref() <= group.samples.first() {
                entry.newest = group.samples.first().cloned();
                let (kind, message) = (&group.text.kind, &group.text.message);
                let text = format!("{kind} {}", head_of(message, SEARCHED_BYTES_MAX));
                entry.searched = text.to_lowercase();
            }
        }
    }

    // In the order asked for.
    fn matching(&self, search: &ExceptionSearch, now_ns: i64) -> Vec<(Place, ExceptionStatus)> {
        let mut found = Vec::new();
        for (fingerprint, entry) in &self.entries {
            let state = self.states.get(fingerprint);
            let status = ExceptionStatus::of(state, entry.came_back, now_ns);
            let is_wanted = search.statuses.is_empty() || search.statuses.contains(&status);
            let says = |word: &String| entry.searched.contains(word.as_str());
            if entry.count == 0 || !is_wanted || !self.words.iter().all(says) {
                continue;
            }
            let key = match search.order {
                ExceptionOrder::LastSeen => entry.last_ns,
                ExceptionOrder::FirstSeen => entry.first_ns,
                ExceptionOrder::Count => i64::try_from(entry.count).unwrap_or(i64::MAX),
            };
            found.push((Place { key, fingerprint: *fingerprint }, status));
        }
        found.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
        found
    }
}
