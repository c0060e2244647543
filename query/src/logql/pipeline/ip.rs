//! `ip("…")`: addresses in text, and ranges of them: one, from-to, or a network.

use std::net::IpAddr;

/// Addresses of one family, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange {
    is_v4: bool,
    first: u128,
    last: u128,
}

fn number(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => (true, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (false, u128::from(v6)),
    }
}

impl IpRange {
    /// The range that a text names: `10.0.0.1`, `10.0.0.1-10.0.0.9`, `10.0.0.0/8`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some((first, last)) = text.split_once('-') {
            let (is_v4, first) = number(first.trim().parse().ok()?);
            let (is_last_v4, last) = number(last.trim().parse().ok()?);
            let range = Self { is_v4, first, last };
            return (is_v4 == is_last_v4 && first <= last).then_some(range);
        }
        let Some((address, bits)) = text.split_once('/') else {
            let (is_v4, address) = number(text.parse().ok()?);
            return Some(Self { is_v4, first: address, last: address });
        };
        let (is_v4, address) = number(address.parse().ok()?);
        let bits = bits.parse::<u32>().ok()?;
        let width = if is_v4 { 32 } else { 128 };
        let host = u128::MAX.checked_shr(128 - width + bits).unwrap_or(0);
        let first = address & !host;
        (bits <= width).then_some(Self { is_v4, first, last: first | host })
    }

    fn has(&self, address: IpAddr) -> bool {
        let (is_v4, address) = number(address);
        is_v4 == self.is_v4 && self.first <= address && address <= self.last
    }

    /// Whether an address in the range stands anywhere in the text.
    pub fn is_in(&self, text: &str) -> bool {
        let belongs = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
        text.split(|c| !belongs(c)).any(|run| if self.is_v4 { self.v4(run) } else { self.v6(run) })
    }

    // A run may go on behind the address: `10.0.0.1:8080`.
    fn v4(&self, run: &str) -> bool {
        let pieces = run.split(|c: char| !(c.is_ascii_digit() || c == '.'));
        let mut pieces = pieces.map(|piece| piece.trim_matches('.'));
        pieces.any(|piece| piece.parse().is_ok_and(|address| self.has(address)))
    }

    fn v6(&self, run: &str) -> bool {
        let is = |text: &str| text.parse().is_ok_and(|address| self.has(address));
        let run = run.trim_matches('.');
        run.contains(':') && (is(run) || is(run.strip_suffix(':').unwrap_or(run)))
    }
}
