//! The byte codec that values, attribute sets, resources, scopes, events and links share.
//!
//! Numbers are LEB128 varints unless a fixed width is named; strings and byte strings are
//! length-prefixed. Nothing is self-describing: reader and writer follow the same layout, which the
//! module of each structure draws.

use crate::{Error, Result};

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a length-prefixed byte string.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends what `fill` writes, prefixed with its length.
pub fn put_nested(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    // One byte is enough for nearly every length; a longer prefix moves what was written.
    let start = out.len();
    out.push(0);
    fill(out);
    let len = out.len() - start - 1;
    if len < 0x80 {
        out[start] = len as u8;
        return;
    }
    let prefix_len = (usize::BITS - len.leading_zeros()).div_ceil(7) as usize;
    let end = out.len();
    out.resize(end + prefix_len - 1, 0);
    out.copy_within(start + 1..end, start + prefix_len);
    for (i, slot) in out[start..start + prefix_len].iter_mut().enumerate() {
        let more = if i + 1 < prefix_len { 0x80 } else { 0 };
        *slot = (len >> (7 * i)) as u8 & 0x7f | more;
    }
}

/// Reads what the `put_` functions wrote; every error is [`crate::ErrorKind::Corrupt`].
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything is read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// A varint.
    pub fn varint(&mut self) -> Result<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Error::corrupt("a varint is longer than 10 bytes"))
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(Error::corrupt(format!("{len} bytes expected, {} left", self.rest.len()))),
        }
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A length-prefixed byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.varint()?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// A length-prefixed UTF-8 string.
    pub fn str(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Error::corrupt("a string is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_lengths_of_every_prefix_width() {
        for len in [0usize, 1, 127, 128, 129, 16_383, 16_384, 3_000_000] {
            let mut out = vec![7];
            put_nested(&mut out, |out| out.resize(out.len() + len, 0xab));
            let mut expected = vec![7];
            put_bytes(&mut expected, &vec![0xab; len]);
            assert_eq!(out, expected, "{len}");
        }
    }
}
