//! What the entries of one series and one cell come to, and windows put together out of cells.

use super::grid::Cuts;

/// Cells that are allocated together.
const PAGE_CELLS: usize = 32;

/// What entries come to. Merging is associative, and the other side is never earlier.
pub trait Cell: Clone + Default {
    /// One more entry.
    fn add(&mut self, time_ns: i64, value: f64);
    /// The entries of another.
    fn merge(&mut self, later: &Self);
    /// Whether there are no entries.
    fn is_empty(&self) -> bool;
    /// How many entries are kept one by one.
    fn kept(&self) -> usize {
        0
    }
}

/// Entries, and a whole number of something.
#[derive(Clone, Copy, Default)]
pub struct Count {
    pub entries: u64,
    pub total: u64,
}

impl Cell for Count {
    fn add(&mut self, _: i64, value: f64) {
        self.entries += 1;
        self.total += value as u64;
    }

    fn merge(&mut self, later: &Self) {
        self.entries += later.entries;
        self.total += later.total;
    }

    fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

/// Entries and the sum of their values. Sums are only ever added up: nothing is lost by taking away.
#[derive(Clone, Copy, Default)]
pub struct Sum {
    pub entries: u64,
    pub sum: f64,
}

impl Cell for Sum {
    fn add(&mut self, _: i64, value: f64) {
        self.entries += 1;
        self.sum += value;
    }

    fn merge(&mut self, later: &Self) {
        self.entries += later.entries;
        self.sum += later.sum;
    }

    fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

/// The smallest or largest value; what is no number loses.
#[derive(Clone, Copy, Default)]
pub struct Extreme<const IS_MAX: bool> {
    pub value: Option<f64>,
}

impl<const IS_MAX: bool> Cell for Extreme<IS_MAX> {
    fn add(&mut self, _: i64, value: f64) {
        self.value = Some(match self.value {
            Some(own) if IS_MAX => own.max(value),
            Some(own) => own.min(value),
            None => value,
        });
    }

    fn merge(&mut self, later: &Self) {
        if let Some(value) = later.value {
            self.add(0, value);
        }
    }

    fn is_empty(&self) -> bool {
        self.value.is_none()
    }
}

/// Mean and squared distances from it.
#[derive(Clone, Copy, Default)]
pub struct Moments {
    pub entries: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// The variance of all entries.
    pub fn variance(&self) -> f64 {
        self.squares / self.entries
    }
}

impl Cell for Moments {
    fn add(&mut self, _: i64, value: f64) {
        self.entries += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.entries;
        self.squares += delta * (value - self.mean);
    }

    fn merge(&mut self, later: &Self) {
        if self.entries == 0.0 {
            *self = *later;
        } else if later.entries > 0.0 {
            let entries = self.entries + later.entries;
            let delta = later.mean - self.mean;
            self.mean += delta * later.entries / entries;
            self.squares += later.squares + delta * delta * self.entries * later.entries / entries;
            self.entries = entries;
        }
    }

    fn is_empty(&self) -> bool {
        self.entries == 0.0
    }
}

/// The first or last value; of several at one time the smallest or largest, so that the order of the
/// scan does not matter.
#[derive(Clone, Copy, Default)]
pub struct Edge<const IS_LAST: bool> {
    pub entry: Option<(i64, f64)>,
}

impl<const IS_LAST: bool> Cell for Edge<IS_LAST> {
    fn add(&mut self, time_ns: i64, value: f64) {
        let is_better = self.entry.is_none_or(|(own_ns, own)| {
            let order = time_ns.cmp(&own_ns).then(value.total_cmp(&own));
            if IS_LAST { order.is_gt() } else { order.is_lt() }
        });
        if is_better {
            self.entry = Some((time_ns, value));
        }
    }

    fn merge(&mut self, later: &Self) {
        if let Some((time_ns, value)) = later.entry {
            self.add(time_ns, value);
        }
    }

    fn is_empty(&self) -> bool {
        self.entry.is_none()
    }
}

/// All entries.
#[derive(Clone, Default)]
pub struct Samples {
    pub entries: Vec<(i64, f64)>,
}

impl Cell for Samples {
    fn add(&mut self, time_ns: i64, value: f64) {
        self.entries.push((time_ns, value));
    }

    fn merge(&mut self, later: &Self) {
        self.entries.extend_from_slice(&later.entries);
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn kept(&self) -> usize {
        self.entries.len()
    }
}

/// The cells of one series; only pages that have entries are there.
#[derive(Clone, Default)]
pub struct Pages<C> {
    pages: Vec<Option<Box<[C]>>>,
}

impl<C: Cell> Pages<C> {
    /// A cell, and how many cells were allocated for it.
    pub fn cell(&mut self, at: usize, cells: usize) -> (Option<&mut C>, usize) {
        let page_len = PAGE_CELLS.min(cells);
        let (page, within) = (at / page_len, at % page_len);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let mut allocated = 0;
        let page = self.pages[page].get_or_insert_with(|| {
            allocated = page_len;
            vec![C::default(); page_len].into()
        });
        (page.get_mut(within), allocated)
    }

    /// All cells with entries, by time.
    pub fn cells(&self) -> impl Iterator<Item = (usize, &C)> {
        let pages = self.pages.iter().enumerate();
        pages
            .filter_map(|(nth, page)| page.as_ref().map(|page| (nth, page)))
            .flat_map(|(nth, page)| {
                page.iter().enumerate().map(move |(at, c)| (nth * page.len() + at, c))
            })
            .filter(|(_, cell)| !cell.is_empty())
    }
}

/// What the window of each step comes to: cells enter at one end and leave at the other. The older
/// half is kept as sums from each cell to the half's end, the newer half as one sum, so that nothing
/// is ever taken away from a sum.
pub fn slide<'c, C: Cell + 'c>(
    cells: impl Iterator<Item = (usize, &'c C)>,
    cuts: &Cuts,
    steps: usize,
    mut found: impl FnMut(usize, &C),
) {
    let mut cells = cells.map(|(at, cell)| (cuts.steps_of(at), cell)).peekable();
    let mut older: Vec<(usize, C)> = Vec::new();
    let mut newer: Vec<(usize, &C)> = Vec::new();
    let mut newer_sum = C::default();
    for step in 0..steps {
        while let Some(((_, behind), cell)) = cells.next_if(|((first, _), _)| *first <= step) {
            newer.push((behind, cell));
            newer_sum.merge(cell);
        }
        loop {
            let has_left = |(behind, _): &(usize, C)| *behind <= step;
            if older.last().is_some_and(has_left) {
                older.pop();
            } else if older.is_empty() && newer.first().is_some_and(|(behind, _)| *behind <= step) {
                while let Some((behind, cell)) = newer.pop() {
                    let mut sum = cell.clone();
                    if let Some((_, later)) = older.last() {
                        sum.merge(later);
                    }
                    older.push((behind, sum));
                }
                newer_sum = C::default();
            } else {
                break;
            }
        }
        match older.last() {
            Some((_, sum)) => {
                let mut sum = sum.clone();
                sum.merge(&newer_sum);
                found(step, &sum);
            }
            None if !newer.is_empty() => found(step, &newer_sum),
            None => {}
        }
    }
}
