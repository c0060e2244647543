//! The memory that all heads may hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::{Error, Result};

/// How many bytes the heads hold, and their limit.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: u64,
    used: AtomicU64,
    /// Told whenever bytes come back.
    freed: Notify,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self { bytes_max, used: AtomicU64::new(0), freed: Notify::new() })
    }

    /// Bytes held.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    /// Whether three quarters are held, so that heads should be flushed before their time.
    pub fn is_tight(&self) -> bool {
        self.used() > self.bytes_max / 4 * 3
    }

    /// Takes bytes at once, limit or not (replay flushes when the budget is tight instead).
    pub fn take(self: &Arc<Self>, bytes: u64) -> Reservation {
        self.used.fetch_add(bytes, Ordering::AcqRel);
        Reservation { bytes, budget: Some(self.clone()) }
    }

    fn try_take(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        let fits = |used: u64| (used == 0 || used + bytes <= self.bytes_max).then(|| used + bytes);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).ok()?;
        Some(Reservation { bytes, budget: Some(self.clone()) })
    }

    /// Takes bytes, waiting briefly for a flush. A batch larger than the whole budget is let in when
    /// there is nothing else.
    pub async fn reserve(self: &Arc<Self>, bytes: u64, patience: Duration) -> Result<Reservation> {
        if let Some(reservation) = self.try_take(bytes) {
            return Ok(reservation);
        }
        let waiting = async {
            loop {
                let freed = self.freed.notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                if let Some(reservation) = self.try_take(bytes) {
                    return reservation;
                }
                freed.await;
            }
        };
        tokio::time::timeout(patience, waiting).await.map_err(|_| {
            Error::overloaded(format!(
                "heads hold {} of heads_bytes_max = {} bytes and {bytes} more arrived",
                self.used(),
                self.bytes_max
            ))
        })
    }
}

/// Bytes taken from a [`Budget`], given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    bytes: u64,
    budget: Option<Arc<Budget>>,
}

impl Reservation {
    /// Nothing of no budget.
    pub fn none() -> Self {
        Self { bytes: 0, budget: None }
    }

    /// How many bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives some of the bytes back.
    pub fn give_back(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        if let Some(budget) = &self.budget {
            budget.used.fetch_sub(bytes, Ordering::AcqRel);
            budget.freed.notify_waiters();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.used.fetch_sub(self.bytes, Ordering::AcqRel);
            budget.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_room_and_gives_up() {
        let budget = Budget::new(100);
        let first = budget.reserve(90, Duration::ZERO).await.expect("fits");
        let refused = budget.reserve(20, Duration::ZERO).await.expect_err("full");
        assert_eq!(refused.kind(), crate::ErrorKind::Overloaded);
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve(20, Duration::from_secs(60)).await.map(|r| r.bytes()) }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiting.await.expect("no panic").expect("room"), 20);
        let oversized = budget.reserve(1000, Duration::ZERO).await.expect("alone");
        assert_eq!(budget.used(), 1000);
        drop(oversized);
        assert_eq!(budget.used(), 0);
    }
}
