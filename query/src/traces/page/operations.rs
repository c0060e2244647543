//! The spans of a trace by operation: how many, how long, how much of it themselves.

use super::columns::Rows;

const STATUS_ERROR: i32 = 2;

/// The most operations that a trace's statistics list.
pub const OPERATIONS_MAX: usize = 10_000;

/// The spans of one service and name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operation {
    /// The service.
    pub service: String,
    /// The name.
    pub name: String,
    /// Spans.
    pub count: u64,
    /// Spans with status ERROR.
    pub errors: u64,
    /// Sum of durations.
    pub total_ns: i64,
    /// Sum of self times.
    pub self_ns: i64,
    /// Duration that half of the spans do not exceed (nearest rank).
    pub p50_ns: i64,
    /// Duration that 95 % of the spans do not exceed (nearest rank).
    pub p95_ns: i64,
    /// Longest duration.
    pub max_ns: i64,
    /// `self_ns` as a part of the self times of all spans of the trace; 0 where these are none.
    pub share: f64,
}

/// Rows by service and name, each operation's together, in the order of numbers.
pub fn by_operation(rows: &Rows) -> Vec<u32> {
    let mut order = (0..rows.len() as u32).collect::<Vec<_>>();
    order.sort_unstable_by_key(|row| {
        let at = *row as usize;
        (rows.service[at], rows.name[at], *row)
    });
    order
}

/// Whether two rows are of one operation.
pub fn same_operation(rows: &Rows, a: u32, b: u32) -> bool {
    let key = |row: u32| (rows.service[row as usize], rows.name[row as usize]);
    key(a) == key(b)
}

/// The statistics, most self time first, and how many operations are left out.
pub fn operations(rows: &Rows, self_ns: &[i64]) -> (Vec<Operation>, u64) {
    let all_self_ns = self_ns.iter().fold(0f64, |sum, own| sum + *own as f64);
    let order = by_operation(rows);
    let mut all = order
        .chunk_by(|a, b| same_operation(rows, *a, *b))
        .map(|same| operation(rows, self_ns, same, all_self_ns))
        .collect::<Vec<_>>();
    all.sort_unstable_by(|a, b| {
        (b.self_ns, &a.service, &a.name).cmp(&(a.self_ns, &b.service, &b.name))
    });
    let cut = all.len().saturating_sub(OPERATIONS_MAX) as u64;
    all.truncate(OPERATIONS_MAX);
    (all, cut)
}

fn operation(rows: &Rows, self_ns: &[i64], same: &[u32], all_self_ns: f64) -> Operation {
    let mut found = Operation {
        service: rows.services[rows.service[same[0] as usize] as usize].clone(),
        name: rows.names[rows.name[same[0] as usize] as usize].clone(),
        count: same.len() as u64,
        ..Operation::default()
    };
    let mut durations = Vec::with_capacity(same.len());
    for row in same.iter().map(|row| *row as usize) {
        let duration_ns = rows.duration[row].max(0);
        durations.push(duration_ns);
        found.errors += u64::from(rows.status[row] == STATUS_ERROR);
        found.total_ns = found.total_ns.saturating_add(duration_ns);
        found.self_ns = found.self_ns.saturating_add(self_ns[row]);
    }
    durations.sort_unstable();
    let rank = |percent: usize| durations[(durations.len() * percent).div_ceil(100).max(1) - 1];
    (found.p50_ns, found.p95_ns, found.max_ns) = (rank(50), rank(95), rank(100));
    found.share = if all_self_ns > 0.0 { found.self_ns as f64 / all_self_ns } else { 0.0 };
    found
}
