//! How sequences of numbers become bytes inside a chunk, without loss.
//!
//! Place in the flow: [`super::chunk`] cuts a series into chunks and hands each column of the chunk
//! (times, start times, values, bucket counts …) to one of these. The number of values is always
//! known to the reader from outside, so nothing here stores it.
//!
//! - [`bits`]: a bit stream
//! - [`ints`]: 64-bit integers as deltas, divided by their common divisor and bit-packed
//! - [`floats`]: doubles as scaled decimal integers, or XORed where they are no decimals
pub mod bits;
pub mod floats;
pub mod ints;

/// How many numbers one encoded sequence may hold: what a chunk writer never exceeds, and above
/// which a reader takes the count for damage rather than allocate for it.
pub const SEQUENCE_LEN_MAX: usize = 1 << 20;

pub(crate) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

pub(crate) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
