//! Which values a column of a row group holds: exactly while they are few, else approximately.
//!
//! ```text
//! filter := 0 | varint count, u32 LE hash*           few values: their hashes, sorted
//!         | 1 | varint blocks, (8 × u32 LE)*         a split-block Bloom filter
//! ```
//! The Bloom filter takes [`BITS_PER_VALUE`] bits a distinct value, which answers wrongly "maybe"
//! about once in a hundred.

use hashbrown::HashSet;
use throughline_model::codec::{Reader, put_varint};
use xxhash_rust::xxh3::xxh3_64;

use crate::Result;

/// Up to so many distinct values are listed.
const LISTED_MAX: usize = 64;
const BITS_PER_VALUE: usize = 10;
const BLOCK_BITS: usize = 256;
const SALTS: [u32; 8] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// The hash under which a filter knows a value.
pub(crate) fn value_hash(value: &[u8]) -> u64 {
    xxh3_64(value)
}

/// A filter, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Listed(Vec<u32>),
    Bloom(Vec<[u32; 8]>),
}

impl Filter {
    /// A filter over the given hashes.
    pub(crate) fn of(hashes: &HashSet<u64>) -> Self {
        if hashes.len() <= LISTED_MAX {
            let mut listed = hashes.iter().map(|hash| *hash as u32).collect::<Vec<_>>();
            listed.sort_unstable();
            listed.dedup();
            return Self::Listed(listed);
        }
        let count = (hashes.len() * BITS_PER_VALUE).div_ceil(BLOCK_BITS);
        let mut blocks = vec![[0; 8]; count];
        for hash in hashes {
            let block = &mut blocks[block_of(*hash, count)];
            block.iter_mut().zip(mask_of(*hash)).for_each(|(word, bits)| *word |= bits);
        }
        Self::Bloom(blocks)
    }

    /// False if no value has this hash.
    pub(crate) fn may_contain(&self, hash: u64) -> bool {
        match self {
            Self::Listed(listed) => listed.binary_search(&(hash as u32)).is_ok(),
            Self::Bloom(blocks) => {
                let block = &blocks[block_of(hash, blocks.len())];
                block.iter().zip(mask_of(hash)).all(|(word, bits)| word & bits == bits)
            }
        }
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Listed(listed) => {
                out.push(0);
                put_varint(out, listed.len() as u64);
                listed.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
            }
            Self::Bloom(blocks) => {
                out.push(1);
                put_varint(out, blocks.len() as u64);
                let words = blocks.iter().flatten();
                words.for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let kind = reader.array::<1>()?[0];
        let count = reader.varint()? as usize;
        let width = if kind == 0 { 4 } else { 32 };
        let bytes = reader.take(count.saturating_mul(width))?;
        let words = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let words = words.collect::<Vec<_>>();
        Ok(match kind {
            0 => Self::Listed(words),
            _ if count == 0 => Self::Listed(Vec::new()),
            _ => {
                let (blocks, _) = words.as_chunks::<8>();
                Self::Bloom(blocks.to_vec())
            }
        })
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Listed(listed) => listed.len() * 4,
            Self::Bloom(blocks) => blocks.len() * 32,
        }
    }
}

fn block_of(hash: u64, count: usize) -> usize {
    (((hash >> 32) * count as u64) >> 32) as usize
}

fn mask_of(hash: u64) -> [u32; 8] {
    SALTS.map(|salt| 1 << ((hash as u32).wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_knows_its_values_and_few_others() {
        for count in [0u64, 1, 64, 65, 5_000] {
            let hashes = (0..count).map(|i| value_hash(&i.to_le_bytes())).collect::<HashSet<_>>();
            let mut bytes = Vec::new();
            Filter::of(&hashes).put(&mut bytes);
            let filter = Filter::read(&mut Reader::new(&bytes)).expect("reads back");
            assert!(hashes.iter().all(|hash| filter.may_contain(*hash)), "{count}");
            let others = (count..count + 10_000).map(|i| value_hash(&i.to_le_bytes()));
            let wrong = others.filter(|hash| filter.may_contain(*hash)).count();
            assert!(wrong < 300, "{wrong} of 10000 wrong with {count} values");
        }
    }
}
