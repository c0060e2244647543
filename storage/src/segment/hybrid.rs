//! Parquet's hybrid of run lengths and bit packing, for dictionary numbers and definition levels.
//!
//! ```text
//! hybrid := run*
//! run    := varint (count << 1),          value in ceil(width / 8) bytes LE      the value, count times
//!         | varint (groups << 1 | 1),     groups × width bytes                   8 values a group, packed
//! ```
//! Values are packed from the lowest bit on. Only the last group may be filled up with zeros.

use throughline_model::codec::put_varint;

/// Fewer equal values in a row are packed.
const RUN_MIN: usize = 8;

/// The bits that numbers below `count` need.
pub(super) fn bit_width(count: usize) -> u8 {
    (usize::BITS - count.saturating_sub(1).leading_zeros()).max(1) as u8
}

/// Appends numbers of at most `width` bits.
pub(super) fn put_numbers(numbers: &[u32], width: u8, out: &mut Vec<u8>) {
    let mut packed = 0;
    let mut at = 0;
    while at < numbers.len() {
        let value = numbers[at];
        let run = numbers[at..].iter().take_while(|number| **number == value).count();
        // A group that is begun is filled from the run first.
        let fill = (at - packed).wrapping_neg() % 8;
        if run < fill + RUN_MIN {
            at += run;
            continue;
        }
        put_packed(&numbers[packed..at + fill], width, out);
        put_run(run - fill, value, width, out);
        at += run;
        packed = at;
    }
    put_packed(&numbers[packed..], width, out);
}

fn put_run(count: usize, value: u32, width: u8, out: &mut Vec<u8>) {
    put_varint(out, (count as u64) << 1);
    out.extend_from_slice(&value.to_le_bytes()[..usize::from(width).div_ceil(8)]);
}

fn put_packed(numbers: &[u32], width: u8, out: &mut Vec<u8>) {
    if numbers.is_empty() {
        return;
    }
    let groups = numbers.len().div_ceil(8);
    put_varint(out, (groups as u64) << 1 | 1);
    let end = out.len() + groups * usize::from(width);
    let (mut word, mut bits) = (0u64, 0u32);
    for number in numbers {
        word |= u64::from(*number) << bits;
        bits += u32::from(width);
        if bits >= 32 {
            out.extend_from_slice(&(word as u32).to_le_bytes());
            word >>= 32;
            bits -= 32;
        }
    }
    out.extend_from_slice(&word.to_le_bytes());
    // What was written past the last group is zeros.
    out.resize(end, 0);
}

/// Appends the definition levels of `rows` rows of which those in `present` (ascending, relative to
/// the first) have a value.
pub(super) fn put_levels(present: impl Iterator<Item = usize>, rows: usize, out: &mut Vec<u8>) {
    let mut bitmap = vec![0u8; rows.div_ceil(8)];
    present.for_each(|row| bitmap[row / 8] |= 1 << (row % 8));
    let whole = rows / 8;
    let mut packed = 0;
    let mut at = 0;
    while at < whole {
        let byte = bitmap[at];
        let run = bitmap[at..whole].iter().take_while(|other| **other == byte).count();
        if matches!(byte, 0x00 | 0xff) && (run > 1 || packed == at) {
            put_bitmap(&bitmap[packed..at], out);
            put_run(run * 8, u32::from(byte & 1), 1, out);
            packed = at + run;
        }
        at += run;
    }
    put_bitmap(&bitmap[packed..], out);
}

fn put_bitmap(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        put_varint(out, (bytes.len() as u64) << 1 | 1);
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Reads as many values as there are; what fills the last group is left out.
    fn read(mut bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let mut numbers = Vec::new();
        while !bytes.is_empty() {
            let mut reader = throughline_model::codec::Reader::new(bytes);
            let head = reader.varint().expect("a run") as usize;
            bytes = reader.rest();
            if head & 1 == 0 {
                let (value, rest) = bytes.split_at(usize::from(width).div_ceil(8));
                let mut word = [0; 4];
                word[..value.len()].copy_from_slice(value);
                numbers.extend(std::iter::repeat_n(u32::from_le_bytes(word), head >> 1));
                bytes = rest;
            } else {
                let (packed, rest) = bytes.split_at((head >> 1) * usize::from(width));
                let bit = |i: usize| u32::from(packed[i / 8] >> (i % 8) & 1);
                let width = usize::from(width);
                numbers.extend(
                    (0..(head >> 1) * 8)
                        .map(|i| (0..width).map(|b| bit(i * width + b) << b).sum::<u32>()),
                );
                bytes = rest;
            }
        }
        assert!(numbers.len() >= count && numbers.len() < count + 8, "{}", numbers.len());
        numbers.truncate(count);
        numbers
    }

    proptest! {
        #[test]
        fn numbers_come_back(
            runs in prop::collection::vec((0u32..70_000, 1usize..40), 0..60),
            narrow in 1u32..70_000,
        ) {
            let numbers: Vec<u32> = runs
                .iter()
                .flat_map(|(value, count)| std::iter::repeat_n(value % narrow, *count))
                .collect();
            let width = bit_width(narrow as usize);
            let mut bytes = Vec::new();
            put_numbers(&numbers, width, &mut bytes);
            prop_assert_eq!(read(&bytes, width, numbers.len()), numbers);
        }

        #[test]
        fn levels_come_back(runs in prop::collection::vec((any::<bool>(), 1usize..60), 0..40)) {
            let levels: Vec<u32> = runs
                .iter()
                .flat_map(|(set, count)| std::iter::repeat_n(u32::from(*set), *count))
                .collect();
            let present = (0..levels.len()).filter(|row| levels[*row] == 1);
            let mut bytes = Vec::new();
            put_levels(present, levels.len(), &mut bytes);
            prop_assert_eq!(read(&bytes, 1, levels.len()), levels);
        }
    }
}
