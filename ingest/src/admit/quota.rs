//! A tenant's share: a bucket of bytes that fills at a steady rate, from which requests are paid by
//! their inflated size.
//!
//! A request is admitted while its tenant's bucket is not empty, and may take it below: so a request
//! larger than the whole bucket is admitted too, and pays by the wait of those after it. Over any time
//! a tenant sends at most the burst, the rate times that time, and one request. A refused request costs
//! nothing, nor does a repeated one, which is answered before it is asked to pay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;
use throughline_model::time::SECOND_NS;

use crate::{Error, ErrorKind, Result};

/// Tenants with a bucket of their own. Full buckets are forgotten when there are more, since a new one
/// is full too; where none is full, further tenants share one.
const TENANTS_MAX: usize = 10_000;

/// What a byte is in a balance, so that no part of one is lost however often a bucket is looked at.
const UNITS_PER_BYTE: i128 = SECOND_NS as i128;

/// The buckets of all tenants.
#[derive(Debug)]
pub struct Quota {
    bytes_per_second: u64,
    burst_bytes: u64,
    tenants_max: usize,
    buckets: Mutex<Buckets>,
    refused_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Buckets {
    of_tenant: HashMap<Arc<str>, Bucket>,
    shared: Option<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// What is left, in [`UNITS_PER_BYTE`]; below zero it is owed.
    balance: i128,
    at_ns: i64,
}

impl Quota {
    /// Buckets that hold `burst_bytes` and fill at `bytes_per_second`; no limit if that is zero.
    pub fn new(bytes_per_second: u64, burst_bytes: u64) -> Self {
        Self {
            bytes_per_second,
            burst_bytes: burst_bytes.max(1),
            tenants_max: TENANTS_MAX,
            buckets: Mutex::default(),
            refused_bytes: AtomicU64::new(0),
        }
    }

    /// Pays for a request, or says when to come back.
    pub fn pay(&self, tenant: &Arc<str>, bytes: usize, now_ns: i64) -> Result<()> {
        if self.bytes_per_second == 0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock();
        let bucket = self.bucket(&mut buckets, tenant, now_ns);
        if bucket.balance > 0 {
            bucket.balance -= bytes as i128 * UNITS_PER_BYTE;
            return Ok(());
        }
        let owed = bucket.balance;
        drop(buckets);
        self.refused_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Err(self.refusal(tenant, owed))
    }

    /// Gives back what was paid for a request that was not stored.
    pub fn refund(&self, tenant: &Arc<str>, bytes: usize, now_ns: i64) {
        if self.bytes_per_second == 0 {
            return;
        }
        let mut buckets = self.buckets.lock();
        let full = self.full();
        let bucket = self.bucket(&mut buckets, tenant, now_ns);
        bucket.balance = (bucket.balance + bytes as i128 * UNITS_PER_BYTE).min(full);
    }

    /// Inflated bytes of requests refused, those that came again counted again.
    pub fn refused_bytes(&self) -> u64 {
        self.refused_bytes.load(Ordering::Relaxed)
    }

    /// Tenants that have a bucket now.
    pub fn tenants(&self) -> usize {
        self.buckets.lock().of_tenant.len()
    }

    fn full(&self) -> i128 {
        i128::from(self.burst_bytes) * UNITS_PER_BYTE
    }

    /// The tenant's bucket as it is now.
    fn bucket<'a>(
        &self,
        buckets: &'a mut Buckets,
        tenant: &Arc<str>,
        now_ns: i64,
    ) -> &'a mut Bucket {
        let new = Bucket { balance: self.full(), at_ns: now_ns };
        let Buckets { of_tenant, shared } = buckets;
        if of_tenant.len() >= self.tenants_max && !of_tenant.contains_key(tenant) {
            of_tenant.retain(|_, bucket| {
                self.fill(bucket, now_ns);
                bucket.balance < self.full()
            });
        }
        let bucket = if of_tenant.len() < self.tenants_max || of_tenant.contains_key(tenant) {
            of_tenant.entry(tenant.clone()).or_insert(new)
        } else {
            shared.get_or_insert(new)
        };
        self.fill(bucket, now_ns);
        bucket
    }

    /// Adds what has come in since the bucket was last looked at. A clock that went back adds nothing.
    fn fill(&self, bucket: &mut Bucket, now_ns: i64) {
        let elapsed_ns = now_ns.saturating_sub(bucket.at_ns).max(0);
        let income = i128::from(elapsed_ns) * i128::from(self.bytes_per_second);
        bucket.balance = (bucket.balance + income).min(self.full());
        bucket.at_ns = now_ns;
    }

    fn refusal(&self, tenant: &str, owed: i128) -> Error {
        let rate = self.bytes_per_second;
        // One unit above nothing is enough; told in whole seconds.
        let wait_ns = (1 - owed) / i128::from(rate) + 1;
        let wait_s = (wait_ns + i128::from(SECOND_NS) - 1) / i128::from(SECOND_NS);
        let wait_s = u64::try_from(wait_s).unwrap_or(u64::MAX);
        Error::new(
            ErrorKind::Quota,
            format!(
                "tenant '{tenant}' is over its limit of {rate} bytes a second with a burst of {} \
                 bytes: come back in {wait_s} s",
                self.burst_bytes
            ),
        )
        .with_retry_after_s(wait_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: i64 = 1_795_176_000_000_000_000;

    fn tenant(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn a_bucket_is_emptied_overdrawn_and_filled_again() {
        let (quota, a) = (Quota::new(100, 250), tenant("a"));
        quota.pay(&a, 200, T0).expect("full");
        quota.pay(&a, 1_000, T0).expect("50 are left, and it may go below");
        // 950 are owed.
        let refused = quota.pay(&a, 1, T0).expect_err("empty");
        assert_eq!((refused.kind(), refused.retry_after_s()), (ErrorKind::Quota, Some(10)));
        let message = refused.to_string();
        for part in ["'a'", "100 bytes a second", "250 bytes", "in 10 s"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(quota.refused_bytes(), 1);
        let due = T0 + 9_500_000_000;
        assert_eq!(
            quota.pay(&a, 1, due).expect_err("paid back, not more").retry_after_s(),
            Some(1)
        );
        quota.pay(&a, 1, due + 10_000_000).expect("one byte");
        // It never holds more than the burst.
        let later = T0 + 3_600 * SECOND_NS;
        quota.pay(&a, 249, later).expect("full");
        quota.pay(&a, 1, later).expect("one is left");
        quota.pay(&a, 1, later).expect_err("empty");
    }

    #[test]
    fn who_comes_back_when_told_is_admitted() {
        for (rate, burst, size) in [(1, 1, 7), (3, 10, 64 << 20), (1 << 30, 1, 1), (7, 100, 1000)] {
            let (quota, a) = (Quota::new(rate, burst), tenant("a"));
            let mut now_ns = T0;
            for _ in 0..5 {
                quota.pay(&a, size, now_ns).expect("in time");
                while let Err(refused) = quota.pay(&a, 0, now_ns) {
                    let wait_s = refused.retry_after_s().expect("a time") as i64;
                    now_ns += wait_s * SECOND_NS;
                    quota.pay(&a, 0, now_ns).expect("the time that was told is enough");
                }
            }
        }
    }

    #[test]
    fn over_time_the_rate_holds() {
        const STEP_NS: i64 = SECOND_NS / 997;
        let (quota, a) = (Quota::new(1_000, 500), tenant("a"));
        let mut admitted = 0u64;
        for step in 0..100_000i64 {
            let size = 1 + (step * 7919 % 300) as usize;
            if quota.pay(&a, size, T0 + step * STEP_NS).is_ok() {
                admitted += size as u64;
            }
        }
        let seconds = 100_000 * STEP_NS as u64 / SECOND_NS as u64;
        assert!(admitted <= 500 + 1_000 * (seconds + 1) + 300, "{admitted} in {seconds} s");
        assert!(admitted >= 1_000 * (seconds - 1), "{admitted} in {seconds} s");
    }

    #[test]
    fn refunds_are_bounded_and_no_limit_is_none() {
        let (quota, a) = (Quota::new(10, 100), tenant("a"));
        quota.pay(&a, 150, T0).expect("full");
        quota.refund(&a, 150, T0);
        quota.refund(&a, 1_000, T0);
        quota.pay(&a, 100, T0).expect("full again");
        quota.pay(&a, 1, T0).expect_err("and no more than full");
        // A clock that is set back neither fills nor blocks.
        quota.pay(&a, 1, T0 - SECOND_NS).expect_err("nothing came in");
        quota.pay(&a, 1, T0).expect("one second since");
        let unlimited = Quota::new(0, 0);
        unlimited.pay(&a, usize::MAX, T0).expect("no limit");
        assert_eq!(unlimited.tenants(), 0);
    }

    #[test]
    fn tenants_are_apart_and_bounded() {
        let quota = Quota { tenants_max: 2, ..Quota::new(10, 100) };
        let [a, b, c, d] = ["a", "b", "c", "d"].map(tenant);
        quota.pay(&a, 110, T0).expect("full");
        quota.pay(&a, 1, T0).expect_err("empty");
        quota.pay(&b, 150, T0).expect("its own");
        // None is full: the others share one.
        quota.pay(&c, 150, T0).expect("the shared one is full");
        quota.pay(&d, 1, T0).expect_err("and now empty");
        assert_eq!(quota.tenants(), 2);
        // By now a's is full again, and makes room.
        let later = T0 + 12 * SECOND_NS;
        quota.pay(&d, 1, later).expect("its own");
        assert_eq!(quota.tenants(), 2);
    }
}
