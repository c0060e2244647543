//! Sequences of 64-bit integers: differences to the predecessor, divided by their common divisor,
//! bit-packed in blocks.
//!
//! ```text
//! sequence := nothing, if there is no integer
//!           | zigzag varint first, and if there are more:
//!             0 | zigzag varint delta                          every delta is this one
//!             1 | blocks                                       deltas as they are
//!             2 | varint divisor | blocks                      deltas divided by the divisor
//! block    := u8 width (bits 0–6), sparse (bit 7) | zigzag varint base | body   64 deltas, the last may have fewer
//! body     := packed (delta − base), each in `width` bits
//!           | sparse: bitmap of the deltas that are not zero | those, packed as above
//! ```
//! Differences wrap around, so that every `i64` has a place. A counter's reset or an outlier widens
//! its own block only. A sparse block is for values that seldom change.

use throughline_model::codec::{Reader, put_varint};
use throughline_model::{Error, Result};

use super::bits::{BitReader, BitWriter};
use super::{SEQUENCE_LEN_MAX, unzigzag, zigzag};

const BLOCK: usize = 64;
const SPARSE: u8 = 0x80;

const MODE_CONSTANT: u8 = 0;
const MODE_PLAIN: u8 = 1;
const MODE_DIVIDED: u8 = 2;

/// Appends the encoded sequence.
pub fn encode(values: &[i64], out: &mut Vec<u8>) {
    let Some(first) = values.first() else { return };
    put_varint(out, zigzag(*first));
    if values.len() == 1 {
        return;
    }
    let deltas = || values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    let delta = values[1].wrapping_sub(*first);
    if deltas().all(|other| other == delta) {
        out.push(MODE_CONSTANT);
        put_varint(out, zigzag(delta));
        return;
    }
    let divisor = common_divisor(deltas());
    if divisor == 1 {
        out.push(MODE_PLAIN);
    } else {
        out.push(MODE_DIVIDED);
        put_varint(out, divisor as u64);
    }
    let mut block = [0i64; BLOCK];
    let mut filled = 0;
    for delta in deltas() {
        block[filled] = if divisor == 1 { delta } else { delta / divisor };
        filled += 1;
        if filled == BLOCK {
            encode_block(&block, out);
            filled = 0;
        }
    }
    if filled > 0 {
        encode_block(&block[..filled], out);
    }
}

/// The greatest divisor of all deltas; 1 where none is worth the division.
fn common_divisor(deltas: impl Iterator<Item = i64>) -> i64 {
    let mut divisor = 0u64;
    for delta in deltas {
        let delta = delta.unsigned_abs();
        if delta == 0 || (divisor != 0 && delta % divisor == 0) {
            continue;
        }
        divisor = greatest_common(divisor, delta);
        if divisor == 1 {
            return 1;
        }
    }
    i64::try_from(divisor).unwrap_or(1).max(1)
}

fn greatest_common(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn encode_block(deltas: &[i64], out: &mut Vec<u8>) {
    let (base, width) = base_and_width(deltas.iter().copied());
    let changed = deltas.iter().filter(|delta| **delta != 0).count();
    if changed * 2 < deltas.len() {
        let (base_changed, width_changed) =
            base_and_width(deltas.iter().copied().filter(|delta| *delta != 0));
        let sparse_bits = deltas.len() + changed * width_changed as usize;
        if sparse_bits < deltas.len() * width as usize {
            out.push(width_changed as u8 | SPARSE);
            put_varint(out, zigzag(base_changed));
            let mut writer = BitWriter::new(out);
            deltas.iter().for_each(|delta| writer.put(u64::from(*delta != 0), 1));
            for delta in deltas.iter().filter(|delta| **delta != 0) {
                writer.put(delta.wrapping_sub(base_changed) as u64, width_changed);
            }
            writer.finish();
            return;
        }
    }
    out.push(width as u8);
    put_varint(out, zigzag(base));
    let mut writer = BitWriter::new(out);
    deltas.iter().for_each(|delta| writer.put(delta.wrapping_sub(base) as u64, width));
    writer.finish();
}

/// The least of the numbers, and the bits that the greatest needs above it. Zeros for no numbers.
fn base_and_width(numbers: impl Iterator<Item = i64>) -> (i64, u32) {
    let (mut least, mut greatest) = (i64::MAX, i64::MIN);
    for number in numbers {
        least = least.min(number);
        greatest = greatest.max(number);
    }
    if least > greatest {
        return (0, 0);
    }
    (least, 64 - (greatest.wrapping_sub(least) as u64).leading_zeros())
}

/// Appends `len` integers to `values`, and moves the reader past them.
pub fn decode(reader: &mut Reader<'_>, len: usize, values: &mut Vec<i64>) -> Result<()> {
    if len > SEQUENCE_LEN_MAX {
        return Err(Error::corrupt(format!(
            "a sequence of {len} numbers, the limit is {SEQUENCE_LEN_MAX}"
        )));
    }
    if len == 0 {
        return Ok(());
    }
    values.reserve(len);
    let mut value = unzigzag(reader.varint()?);
    values.push(value);
    if len == 1 {
        return Ok(());
    }
    let [mode] = reader.array()?;
    let divisor = match mode {
        MODE_CONSTANT => {
            let delta = unzigzag(reader.varint()?);
            for _ in 1..len {
                value = value.wrapping_add(delta);
                values.push(value);
            }
            return Ok(());
        }
        MODE_PLAIN => 1,
        MODE_DIVIDED => reader.varint()? as i64,
        other => return Err(Error::corrupt(format!("integer sequence of mode {other}"))),
    };
    let mut left = len - 1;
    while left > 0 {
        let count = left.min(BLOCK);
        let mut deltas = [0i64; BLOCK];
        decode_block(reader, &mut deltas[..count])?;
        for delta in &deltas[..count] {
            value = value.wrapping_add(delta.wrapping_mul(divisor));
            values.push(value);
        }
        left -= count;
    }
    Ok(())
}

fn decode_block(reader: &mut Reader<'_>, deltas: &mut [i64]) -> Result<()> {
    let [header] = reader.array()?;
    let width = u32::from(header & !SPARSE);
    if width > 64 {
        return Err(Error::corrupt(format!("an integer block of {width} bits a number")));
    }
    let base = unzigzag(reader.varint()?);
    let mut bits = BitReader::new(reader.rest());
    if header & SPARSE != 0 {
        let changed = bits.get(deltas.len() as u32)?;
        for (i, delta) in deltas.iter_mut().enumerate() {
            if (changed >> i) & 1 == 1 {
                *delta = base.wrapping_add(bits.get(width)? as i64);
            }
        }
    } else {
        for delta in deltas.iter_mut() {
            *delta = base.wrapping_add(bits.get(width)? as i64);
        }
    }
    let read = bits.bytes_read();
    reader.take(read)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(values: &[i64]) -> usize {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        let mut reader = Reader::new(&bytes);
        let mut back = Vec::new();
        decode(&mut reader, values.len(), &mut back).expect("decodes");
        assert_eq!(back, values);
        assert!(reader.is_empty(), "{} bytes left of {values:?}", reader.rest().len());
        bytes.len()
    }

    #[test]
    fn shapes_take_the_bytes_that_they_should() {
        let regular = (0..480).map(|i| 1_795_176_000_000_000_000 + i * 15_000_000_000);
        assert!(round_trip(&regular.collect::<Vec<_>>()) <= 20);
        assert!(round_trip(&vec![42; 480]) <= 4);
        let multiples = (0..480i64).map(|i| i * i % 200 * 4096).collect::<Vec<_>>();
        assert!(round_trip(&multiples) <= 480 * 9 / 8 + 40);
        let seldom = (0..480i64).map(|i| i / 100 * 7).collect::<Vec<_>>();
        assert!(round_trip(&seldom) <= 8 * 11);
        let mut reset = (0..480i64).map(|i| i * 100 + i % 3).collect::<Vec<_>>();
        reset[240..].iter_mut().for_each(|value| *value -= 1_000_000_000);
        assert!(round_trip(&reset) <= 480 * 3 / 8 + 64 * 4 + 40);
    }

    #[test]
    fn extremes_round_trip() {
        round_trip(&[i64::MIN, i64::MAX, 0, i64::MIN, -1, 1, i64::MAX, i64::MAX]);
        round_trip(&[0, i64::MIN, 0]);
        round_trip(&[]);
        round_trip(&[i64::MIN]);
    }

    proptest! {
        #[test]
        fn any_integers_round_trip(values in proptest::collection::vec(any::<i64>(), 0..200)) {
            round_trip(&values);
        }

        #[test]
        fn small_steps_round_trip(steps in proptest::collection::vec(-3i64..200, 0..200), unit in 1i64..5000) {
            let mut value = 0;
            let values = steps.iter().map(|step| { value += step * unit; value }).collect::<Vec<_>>();
            round_trip(&values);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..100), len in 0usize..300) {
            let _ = decode(&mut Reader::new(&bytes), len, &mut Vec::new());
        }
    }
}
