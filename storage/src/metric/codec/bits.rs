//! A bit stream: numbers of given widths, lowest bit first, one after the other.

use throughline_model::{Error, Result};

/// Appends bits to a byte buffer. [`BitWriter::finish`] pads the last byte with zeros.
pub struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    pending: u128,
    pending_bits: u32,
}

impl<'a> BitWriter<'a> {
    /// A writer that begins at the next byte of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, pending: 0, pending_bits: 0 }
    }

    /// Appends the lowest `width` bits of `number` (at most 64); higher bits must be zero.
    #[inline]
    pub fn put(&mut self, number: u64, width: u32) {
        self.pending |= u128::from(number) << self.pending_bits;
        self.pending_bits += width;
        if self.pending_bits >= 64 {
            self.out.extend_from_slice(&(self.pending as u64).to_le_bytes());
            self.pending >>= 64;
            self.pending_bits -= 64;
        }
    }

    /// Writes what is pending.
    pub fn finish(self) {
        let bytes = self.pending_bits.div_ceil(8) as usize;
        self.out.extend_from_slice(&self.pending.to_le_bytes()[..bytes]);
    }
}

/// Reads what a [`BitWriter`] wrote.
pub struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// A reader at the first bit of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `width` bits (at most 64).
    #[inline]
    pub fn get(&mut self, width: u32) -> Result<u64> {
        let end = self.at + width as usize;
        if end > self.bytes.len() * 8 {
            return Err(Error::corrupt(format!("a bit stream ends {width} bits early")));
        }
        if width == 0 {
            return Ok(0);
        }
        let rest = &self.bytes[self.at / 8..];
        let word = match rest.first_chunk::<16>() {
            Some(chunk) => u128::from_le_bytes(*chunk),
            None => {
                let mut padded = [0u8; 16];
                padded[..rest.len()].copy_from_slice(rest);
                u128::from_le_bytes(padded)
            }
        };
        let mask = u64::MAX >> (64 - width);
        let number = (word >> (self.at % 8)) as u64 & mask;
        self.at = end;
        Ok(number)
    }

    /// How many bytes have been touched: where the next structure begins.
    pub fn bytes_read(&self) -> usize {
        self.at.div_ceil(8)
    }
}
