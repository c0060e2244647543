//! Sequences of doubles, bit for bit: as integers scaled by a power of ten where they are decimals,
//! as XOR differences (Gorilla) where they are not.
//!
//! ```text
//! sequence := nothing, if there is no number
//!           | u8 exponent (0–15) | varint n, n × (varint gap, bits u64 LE) | integers (see `ints`)
//!           | 0xff | first bits u64 LE | bit stream
//! ```
//! In the first form, number = integer ÷ 10^exponent. Division is correctly rounded, so a decimal of
//! up to 15 digits comes back as the very double that its text stands for. What does not come back
//! (−0.0, NaN, infinities, a stray true float) stands in the list of exceptions with its bits, and
//! its place among the integers repeats the one before it.
//!
//! The bit stream of the second form holds, for each number after the first, `0` if it equals its
//! predecessor, else `10` and the bits inside the previous window, or `11`, five bits of leading
//! zeros, six bits of window width minus one, and the bits inside that new window.

use throughline_model::codec::{Reader, put_varint};
use throughline_model::{Error, Result};

use super::bits::{BitReader, BitWriter};
use super::{SEQUENCE_LEN_MAX, ints};

const XOR: u8 = 0xff;
const EXPONENT_MAX: usize = 15;
const POWERS: [f64; EXPONENT_MAX + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Integers up to here are exact as doubles.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;
/// After so many numbers that are no decimals, and none that is, XOR is tried at once.
const HOPELESS: usize = 8;

/// Appends the encoded sequence of doubles, given as bits.
pub fn encode(bits: &[u64], out: &mut Vec<u8>) {
    if bits.is_empty() {
        return;
    }
    match Decimals::find(bits) {
        Some(decimals) => decimals.encode(out),
        None => encode_xor(bits, out),
    }
}

/// Appends the bits of `len` doubles to `values`, and moves the reader past them.
pub fn decode(reader: &mut Reader<'_>, len: usize, values: &mut Vec<u64>) -> Result<()> {
    if len > SEQUENCE_LEN_MAX {
        return Err(Error::corrupt(format!(
            "a sequence of {len} numbers, the limit is {SEQUENCE_LEN_MAX}"
        )));
    }
    if len == 0 {
        return Ok(());
    }
    let [form] = reader.array()?;
    match POWERS.get(usize::from(form)) {
        Some(power) => decode_decimals(reader, *power, len, values),
        None if form == XOR => decode_xor(reader, len, values),
        None => Err(Error::corrupt(format!("float sequence of form {form}"))),
    }
}

struct Decimals {
    exponent: usize,
    integers: Vec<i64>,
    exceptions: Vec<(usize, u64)>,
}

impl Decimals {
    /// The numbers as decimals; nothing if more than one in four is none, since XOR is shorter then.
    fn find(bits: &[u64]) -> Option<Self> {
        let exponent = exponent(bits)?;
        let power = POWERS[exponent];
        let exceptions_max = bits.len() / 4;
        let mut found =
            Decimals { exponent, integers: Vec::with_capacity(bits.len()), exceptions: Vec::new() };
        let mut last = 0;
        for (i, number) in bits.iter().enumerate() {
            match scaled(*number, power) {
                Some(integer) => last = integer,
                None if found.exceptions.len() == exceptions_max => return None,
                None => found.exceptions.push((i, *number)),
            }
            found.integers.push(last);
        }
        // Exceptions at the head would make a jump from zero.
        if let Some(leading) =
            found.exceptions.iter().enumerate().take_while(|(n, e)| *n == e.0).last()
        {
            let count = leading.0 + 1;
            if let Some(first) = found.integers.get(count).copied() {
                found.integers[..count].fill(first);
            }
        }
        Some(found)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.exponent as u8);
        put_varint(out, self.exceptions.len() as u64);
        let mut next = 0;
        for (at, bits) in &self.exceptions {
            put_varint(out, (at - next) as u64);
            out.extend_from_slice(&bits.to_le_bytes());
            next = at + 1;
        }
        ints::encode(&self.integers, out);
    }
}

/// The least exponent that serves all decimals among the numbers; nothing if they seem to be none.
fn exponent(bits: &[u64]) -> Option<usize> {
    let mut exponent = 0;
    let mut strangers = 0;
    let mut decimals = 0;
    for number in bits {
        match (exponent..=EXPONENT_MAX).find(|e| scaled(*number, POWERS[*e]).is_some()) {
            Some(found) => {
                exponent = found;
                decimals += 1;
            }
            None => strangers += 1,
        }
        if strangers > bits.len() / 4 || (strangers == HOPELESS && decimals == 0) {
            return None;
        }
    }
    Some(exponent)
}

/// The integer that stands for a double at this power of ten, if it brings back the same bits.
#[inline]
fn scaled(bits: u64, power: f64) -> Option<i64> {
    let product = f64::from_bits(bits) * power;
    if product.is_nan() || product.abs() >= INTEGER_MAX {
        return None;
    }
    let integer = product.round_ties_even() as i64;
    (unscaled(integer, power) == bits).then_some(integer)
}

#[inline]
fn unscaled(integer: i64, power: f64) -> u64 {
    (integer as f64 / power).to_bits()
}

fn decode_decimals(
    reader: &mut Reader<'_>,
    power: f64,
    len: usize,
    values: &mut Vec<u64>,
) -> Result<()> {
    let exceptions = reader.varint()?;
    let start = values.len();
    let mut list = Vec::new();
    let mut next = 0u64;
    for _ in 0..exceptions {
        let at = reader.varint()?.saturating_add(next);
        if at >= len as u64 {
            return Err(Error::corrupt(format!("exception at {at} of {len} numbers")));
        }
        list.push((at as usize, u64::from_le_bytes(reader.array()?)));
        next = at + 1;
    }
    let mut integers = Vec::new();
    ints::decode(reader, len, &mut integers)?;
    values.extend(integers.iter().map(|integer| unscaled(*integer, power)));
    list.iter().for_each(|(at, bits)| values[start + at] = *bits);
    Ok(())
}

fn encode_xor(bits: &[u64], out: &mut Vec<u8>) {
    out.push(XOR);
    out.extend_from_slice(&bits[0].to_le_bytes());
    let mut writer = BitWriter::new(out);
    let (mut window_low, mut window_width) = (0, 0);
    for pair in bits.windows(2) {
        let difference = pair[0] ^ pair[1];
        if difference == 0 {
            writer.put(0, 1);
            continue;
        }
        let leading = difference.leading_zeros().min(31);
        let trailing = difference.trailing_zeros();
        let fits =
            window_width > 0 && trailing >= window_low && 64 - leading <= window_low + window_width;
        // A much narrower difference pays for a new window.
        if fits && 64 - leading - trailing + 11 >= window_width {
            writer.put(0b01, 2);
        } else {
            (window_low, window_width) = (trailing, 64 - leading - trailing);
            writer.put(0b11, 2);
            writer.put(u64::from(leading), 5);
            writer.put(u64::from(window_width - 1), 6);
        }
        writer.put(difference >> window_low, window_width);
    }
    writer.finish();
}

fn decode_xor(reader: &mut Reader<'_>, len: usize, values: &mut Vec<u64>) -> Result<()> {
    let mut bits = u64::from_le_bytes(reader.array()?);
    values.reserve(len);
    values.push(bits);
    let mut stream = BitReader::new(reader.rest());
    let (mut low, mut width) = (0u32, 0u32);
    for _ in 1..len {
        if stream.get(1)? == 1 {
            if stream.get(1)? == 1 {
                let leading = stream.get(5)? as u32;
                width = stream.get(6)? as u32 + 1;
                low = 64u32.checked_sub(leading + width).ok_or_else(|| {
                    Error::corrupt(format!("an XOR window of {width} bits after {leading} zeros"))
                })?;
            }
            bits ^= stream.get(width)? << low;
        }
        values.push(bits);
    }
    let read = stream.bytes_read();
    reader.take(read)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(bits: &[u64]) -> usize {
        let mut bytes = Vec::new();
        encode(bits, &mut bytes);
        let mut reader = Reader::new(&bytes);
        let mut back = Vec::new();
        decode(&mut reader, bits.len(), &mut back).expect("decodes");
        assert_eq!(back, bits);
        assert!(reader.is_empty());
        bytes.len()
    }

    fn of(numbers: &[f64]) -> Vec<u64> {
        numbers.iter().map(|number| number.to_bits()).collect()
    }

    #[test]
    fn decimals_are_short_and_odd_numbers_exact() {
        let cents = (0..480).map(|i| f64::from(i * i % 100) / 100.0).collect::<Vec<_>>();
        assert!(round_trip(&of(&cents)) <= 480 + 40);
        let mut with_odd = cents.clone();
        with_odd[0] = f64::from_bits(0x7ff0_0000_0000_0002);
        with_odd[100] = f64::INFINITY;
        with_odd[101] = -0.0;
        with_odd[479] = f64::from_bits(0xfff8_0000_dead_beef);
        assert!(round_trip(&of(&with_odd)) <= 480 + 40 + 50);
        round_trip(&of(&[f64::NAN]));
        round_trip(&of(&[-0.0; 9]));
        round_trip(&of(&[f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e300, 0.1 + 0.2]));
    }

    #[test]
    fn true_floats_are_xored() {
        let floats = (1..480).map(|i| f64::from(i).sqrt()).collect::<Vec<_>>();
        assert!(round_trip(&of(&floats)) <= 480 * 8);
    }

    proptest! {
        #[test]
        fn any_bits_round_trip(bits in proptest::collection::vec(any::<u64>(), 0..100)) {
            round_trip(&bits);
        }

        #[test]
        fn mixtures_round_trip(
            numbers in proptest::collection::vec(
                prop_oneof![
                    8 => (-1_000_000i64..1_000_000, 0u32..6).prop_map(|(n, e)| n as f64 / 10f64.powi(e as i32)),
                    1 => any::<f64>(),
                    1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0), Just(f64::from_bits(0x7ff0_0000_0000_0002))],
                ],
                0..150,
            )
        ) {
            round_trip(&of(&numbers));
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..100), len in 0usize..300) {
            let _ = decode(&mut Reader::new(&bytes), len, &mut Vec::new());
        }
    }
}
