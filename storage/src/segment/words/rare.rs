//! Words with digits that a row group has only a few times: ids, amounts, offsets. Most words of a log
//! are such, each would cost a term of a dictionary, and nobody asks for more than a few of them. They
//! are kept as hashes, each with the block of rows that it is in; rows of the block are then looked at.
//!
//! ```text
//! rare  := shard*                   256 of them, by the highest byte of the hash
//! shard := varint n | (quotient in unary: that many zeros and a one, REMAINDER_BITS, BLOCK_BITS)*
//! ```
//! A hash becomes a number below `n << REMAINDER_BITS`; numbers ascend and are kept as differences
//! (Golomb coded). One of so many numbers is taken, so a word that is not there is found in a block by
//! chance about once in `1 << REMAINDER_BITS` row groups.

use throughline_model::codec::{Reader, put_varint};

use crate::metric::codec::bits::{BitReader, BitWriter};
use crate::segment::row_set::RowSet;
use crate::{Error, Result};

pub(super) const SHARDS: usize = 256;
/// Rows of a block.
const BLOCK_ROWS: usize = 128;
const BLOCK_BITS: u32 = 9;
const REMAINDER_BITS: u32 = 8;
/// Rows that blocks can name.
pub(super) const ROWS_MAX: usize = BLOCK_ROWS << BLOCK_BITS;

/// The shard of a hash.
pub(super) fn shard_of(hash: u64) -> usize {
    (hash >> 56) as usize
}

fn number(hash: u64, entries: usize) -> u64 {
    let range = (entries as u64) << REMAINDER_BITS;
    (u64::from(hash as u32) * range) >> 32
}

/// Appends a shard of (hash, row).
pub(super) fn put_shard(entries: &[(u64, u32)], out: &mut Vec<u8>) {
    put_varint(out, entries.len() as u64);
    let block = |row: u32| u64::from(row) / BLOCK_ROWS as u64;
    let mut numbers = entries
        .iter()
        .map(|(hash, row)| (number(*hash, entries.len()), block(*row)))
        .collect::<Vec<_>>();
    numbers.sort_unstable();
    let mut bits = BitWriter::new(out);
    let mut before = 0;
    for (number, block) in numbers {
        let gap = number - before;
        before = number;
        let mut zeros = gap >> REMAINDER_BITS;
        while zeros >= 32 {
            bits.put(0, 32);
            zeros -= 32;
        }
        bits.put(1 << zeros, zeros as u32 + 1);
        bits.put(gap & ((1 << REMAINDER_BITS) - 1), REMAINDER_BITS);
        bits.put(block, BLOCK_BITS);
    }
    bits.finish();
}

/// Adds the rows of the blocks in which a hash may be.
pub(super) fn find(shard: &[u8], hash: u64, into: &mut RowSet) -> Result<()> {
    let mut reader = Reader::new(shard);
    let entries = reader.varint()? as usize;
    if entries.saturating_mul((REMAINDER_BITS + BLOCK_BITS) as usize / 8) > shard.len() {
        return Err(Error::corrupt(format!("{entries} rare words in {} bytes", shard.len())));
    }
    let wanted = number(hash, entries);
    let mut bits = BitReader::new(reader.rest());
    let mut at = 0u64;
    for _ in 0..entries {
        let mut gap = 0u64;
        while bits.get(1)? == 0 {
            gap += 1 << REMAINDER_BITS;
        }
        at += gap + bits.get(REMAINDER_BITS)?;
        let block = bits.get(BLOCK_BITS)? as usize * BLOCK_ROWS;
        match at {
            _ if at == wanted => into.insert_range(block..block + BLOCK_ROWS),
            _ if at > wanted => break,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    #[test]
    fn what_is_there_is_found_and_little_else() {
        for count in [0u64, 1, 7, 1500] {
            let hash = |number: u64| xxh3_64(&number.to_le_bytes());
            let row = |number: u64| (number * 41 % 65_536) as u32;
            let entries = (0..count).map(|n| (hash(n), row(n))).collect::<Vec<_>>();
            let mut bytes = Vec::new();
            put_shard(&entries, &mut bytes);
            for number in 0..count {
                let mut found = RowSet::none(ROWS_MAX);
                find(&bytes, hash(number), &mut found).expect("reads back");
                assert!(found.contains(row(number) as usize), "{number} of {count}");
            }
            let mut wrong = RowSet::none(ROWS_MAX);
            (count..count + 1000).for_each(|n| find(&bytes, hash(n), &mut wrong).expect("reads"));
            assert!(wrong.count() / BLOCK_ROWS < 20, "{} by chance", wrong.count());
        }
    }
}
