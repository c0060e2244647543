//! Room for request bodies in memory, handed out in bytes before a body is read or inflated.
//!
//! A request takes what it is expected to need, waits for it within bounds, and may then take more
//! without waiting (a body that inflates to more than expected). It holds what it took until it is
//! answered. No single request can need more than there is, so a refused one can always come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::{Error, ErrorKind, Result};

/// Bytes of one unit of the semaphore.
const UNIT_BYTES: usize = 1024;

/// The room.
#[derive(Clone, Debug)]
pub struct Room {
    semaphore: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    units_max: usize,
    waiting_requests_max: usize,
    waiting_max: Duration,
}

/// Room taken; given back on drop.
#[derive(Debug)]
pub struct Permit {
    room: Room,
    held: OwnedSemaphorePermit,
}

impl Room {
    /// Room for `bytes_max` bytes, for which `waiting_requests_max` requests may wait at a time.
    pub fn new(bytes_max: usize, waiting_requests_max: usize, waiting_max: Duration) -> Self {
        let units_max = units(bytes_max).clamp(1, u32::MAX as usize / 2);
        Self {
            semaphore: Arc::new(Semaphore::new(units_max)),
            waiting: Arc::default(),
            units_max,
            waiting_requests_max,
            waiting_max,
        }
    }

    /// Takes room for `bytes`, and waits for it if need be.
    pub async fn take(&self, bytes: usize) -> Result<Permit> {
        let wanted = units(bytes).clamp(1, self.units_max);
        match self.semaphore.clone().try_acquire_many_owned(wanted as u32) {
            Ok(held) => return Ok(Permit { room: self.clone(), held }),
            Err(TryAcquireError::Closed) => return Err(closed()),
            Err(TryAcquireError::NoPermits) => {}
        }
        let _waiting = Waiting::enter(self)?;
        let acquire = self.semaphore.clone().acquire_many_owned(wanted as u32);
        match tokio::time::timeout(self.waiting_max, acquire).await {
            Ok(Ok(held)) => Ok(Permit { room: self.clone(), held }),
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(overloaded(format!(
                "no room for {bytes} bytes within {} ms",
                self.waiting_max.as_millis()
            ))),
        }
    }

    /// Bytes taken now.
    pub fn bytes_taken(&self) -> usize {
        (self.units_max - self.semaphore.available_permits()) * UNIT_BYTES
    }

    /// Requests that wait now.
    pub fn requests_waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Permit {
    /// Takes more room until there is enough for `bytes`, without waiting.
    pub fn grow_to(&mut self, bytes: usize) -> Result<()> {
        let wanted = units(bytes).min(self.room.units_max);
        let Some(more) = wanted.checked_sub(self.held.num_permits()).filter(|more| *more > 0)
        else {
            return Ok(());
        };
        match self.room.semaphore.clone().try_acquire_many_owned(more as u32) {
            Ok(held) => {
                self.held.merge(held);
                Ok(())
            }
            Err(_) => Err(overloaded(format!("no room for a body of {bytes} bytes"))),
        }
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        self.held.num_permits() * UNIT_BYTES
    }
}

/// Counts a waiting request while it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(room: &'a Room) -> Result<Self> {
        let before = room.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&room.waiting);
        if before >= room.waiting_requests_max {
            return Err(overloaded(format!("{before} requests are already waiting")));
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES)
}

fn overloaded(message: String) -> Error {
    Error::new(ErrorKind::Overloaded, message)
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the server is shutting down")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(waiting: usize) -> Room {
        Room::new(10 * UNIT_BYTES, waiting, Duration::from_millis(1))
    }

    #[tokio::test]
    async fn room_is_taken_grown_and_given_back() {
        let room = room(1);
        let mut first = room.take(UNIT_BYTES + 1).await.expect("empty");
        assert_eq!((first.bytes(), room.bytes_taken()), (2 * UNIT_BYTES, 2 * UNIT_BYTES));
        first.grow_to(1).expect("never shrinks");
        first.grow_to(9 * UNIT_BYTES).expect("fits");
        let mut second = room.take(0).await.expect("one unit is left");
        assert_eq!(second.grow_to(2000).expect_err("full").kind(), ErrorKind::Overloaded);
        drop(first);
        second.grow_to(usize::MAX).expect("capped by what there is");
        drop(second);
        assert_eq!(room.bytes_taken(), 0);
    }

    #[tokio::test]
    async fn waiting_is_bounded_in_number_and_time() {
        let patient = Room { waiting_max: Duration::from_secs(3600), ..room(1) };
        let all = patient.take(usize::MAX).await.expect("capped");
        let waiter = tokio::spawn({
            let room = patient.clone();
            async move { room.take(1).await.map(|permit| permit.bytes()) }
        });
        while patient.requests_waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let refused = patient.take(1).await.expect_err("one waits already");
        assert_eq!(refused.kind(), ErrorKind::Overloaded);
        drop(all);
        assert_eq!(waiter.await.expect("no panic").expect("room"), UNIT_BYTES);

        let hasty = room(1);
        let _all = hasty.take(usize::MAX).await.expect("capped");
        assert!(hasty.take(1).await.expect_err("too late").to_string().contains("within 1 ms"));
        assert_eq!(hasty.requests_waiting(), 0);
    }
}
