//! Work on the parts of one query by several threads, which end with it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::{Error, Result};

/// Does `work` for each of `0..count`, by at most so many threads, and gives the results in order. After an
/// error no more is begun.
pub(crate) fn in_parallel<T: Send>(
    count: usize,
    threads_max: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let threads = threads_max.min(count);
    if threads < 2 {
        return (0..count).map(work).collect();
    }
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done = Mutex::new(Vec::with_capacity(count));
    let run = || {
        while !is_over.load(Ordering::Relaxed) {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                break;
            }
            let outcome = work(i);
            is_over.fetch_or(outcome.is_err(), Ordering::Relaxed);
            done.lock().push((i, outcome));
        }
    };
    // The caller is a task of the query and waits, so that shutdown waits for these as well.
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| {
            scope.spawn(run);
        });
        run();
    });
    let mut done = done.into_inner();
    done.sort_by_key(|(i, _)| *i);
    let found = done.into_iter().map(|(_, outcome)| outcome).collect::<Result<Vec<_>>>()?;
    match found.len() == count {
        true => Ok(found),
        false => Err(Error::internal("a part of a query was not done")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_an_error_ends_the_work() {
        let squares = in_parallel(100, 3, |i| Ok(i * i)).expect("works");
        assert_eq!(squares, (0..100).map(|i| i * i).collect::<Vec<_>>());
        let failed = in_parallel(100, 3, |i| match i {
            7 => Err(Error::invalid("part", "seven")),
            i => Ok(i),
        });
        assert!(failed.is_err_and(|err| err.to_string().contains("seven")));
        assert!(in_parallel(0, 3, |_| Ok(())).expect("does nothing").is_empty());
    }
}
