//! Messages out of datagrams: whole, in chunks, compressed or not.
//!
//! ```text
//! chunk   := 1e 0f | id, 8 bytes | number u8 | count u8 (at most 128) | part of the message
//! message := zlib (78 …) | gzip (1f 8b …) | JSON
//! ```

use std::collections::{HashMap, VecDeque};
use std::io::Read as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::MESSAGE_BYTES_MAX;

const MAGIC: [u8; 2] = [0x1e, 0x0f];
const HEADER_BYTES: usize = 12;
/// Chunks of a message.
const CHUNKS_MAX: u8 = 128;
/// Messages of which chunks are missing, and their bytes; beyond either the oldest is given up.
const UNFINISHED_MAX: usize = 1024;
const UNFINISHED_BYTES_MAX: usize = 8 << 20;
/// How long a message waits for its other chunks.
const UNFINISHED_AGE_MAX: Duration = Duration::from_secs(5);

/// What a datagram comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// A message.
    Message(Vec<u8>),
    /// A part of one of which others are missing.
    Part,
    /// Nothing that can be read.
    Nothing,
}

type Key = (IpAddr, [u8; 8]);

struct Unfinished {
    parts: Vec<Option<Vec<u8>>>,
    missing: usize,
    bytes: usize,
    since: Instant,
}

/// Puts the chunks of messages together.
#[derive(Default)]
pub struct Chunks {
    messages: HashMap<Key, Unfinished>,
    oldest: VecDeque<Key>,
    bytes: usize,
    /// Messages that were given up since somebody asked.
    lost: u64,
}

impl Chunks {
    /// Takes a datagram.
    pub fn take(&mut self, peer: IpAddr, datagram: &[u8], now: Instant) -> Taken {
        if !datagram.starts_with(&MAGIC) {
            return inflated(datagram.to_vec());
        }
        let (Some(header), Some(part)) =
            (datagram.first_chunk::<HEADER_BYTES>(), datagram.get(HEADER_BYTES..))
        else {
            return Taken::Nothing;
        };
        let id: [u8; 8] = std::array::from_fn(|at| header[2 + at]);
        let (number, count) = (header[10], header[11]);
        if count == 0 || count > CHUNKS_MAX || number >= count {
            return Taken::Nothing;
        }
        self.expire(now);
        let key = (peer, id);
        let message = self.messages.entry(key).or_insert_with(|| {
            self.oldest.push_back(key);
            let parts = vec![None; usize::from(count)];
            Unfinished { missing: parts.len(), parts, bytes: 0, since: now }
        });
        // A chunk that comes twice, or does not fit the others, says nothing new.
        if let Some(slot @ None) = message.parts.get_mut(usize::from(number)) {
            *slot = Some(part.to_vec());
            message.missing -= 1;
            message.bytes += part.len();
            self.bytes += part.len();
        }
        if message.missing > 0 {
            while self.messages.len() > UNFINISHED_MAX || self.bytes > UNFINISHED_BYTES_MAX {
                self.give_up();
            }
            return Taken::Part;
        }
        match self.remove(&key) {
            Some(whole) => inflated(whole.parts.into_iter().flatten().flatten().collect()),
            None => Taken::Nothing,
        }
    }

    /// How many messages were given up since this was last asked.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    fn expire(&mut self, now: Instant) {
        while let Some(key) = self.oldest.front() {
            let is_young = |message: &Unfinished| {
                now.saturating_duration_since(message.since) <= UNFINISHED_AGE_MAX
            };
            if self.messages.get(key).is_some_and(is_young) {
                return;
            }
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        let Some(key) = self.oldest.front().copied() else { return };
        if self.remove(&key).is_some() {
            self.lost += 1;
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Unfinished> {
        self.oldest.retain(|other| other != key);
        let message = self.messages.remove(key)?;
        self.bytes -= message.bytes;
        Some(message)
    }
}

// A message that inflates beyond what is taken is nothing: half a JSON text cannot be read.
fn inflated(message: Vec<u8>) -> Taken {
    let limit = MESSAGE_BYTES_MAX as u64 + 1;
    let mut out = Vec::new();
    let read = match message.as_slice() {
        [0x1f, 0x8b, ..] => {
            flate2::read::GzDecoder::new(&message[..]).take(limit).read_to_end(&mut out)
        }
        [0x78, _, ..] => {
            flate2::read::ZlibDecoder::new(&message[..]).take(limit).read_to_end(&mut out)
        }
        _ => {
            out = message;
            Ok(out.len())
        }
    };
    match read {
        Ok(_) if !out.is_empty() && out.len() <= MESSAGE_BYTES_MAX => Taken::Message(out),
        _ => Taken::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::Ipv4Addr;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn chunk(id: u8, number: u8, count: u8, part: &[u8]) -> Vec<u8> {
        let mut datagram = MAGIC.to_vec();
        datagram.extend([id; 8]);
        datagram.extend([number, count]);
        datagram.extend(part);
        datagram
    }

    #[test]
    fn chunks_make_a_message_in_any_order() {
        let mut chunks = Chunks::default();
        let now = Instant::now();
        let mut take = |datagram: Vec<u8>| chunks.take(PEER, &datagram, now);
        assert_eq!(take(chunk(1, 2, 3, b"c")), Taken::Part);
        assert_eq!(take(chunk(1, 0, 3, b"a")), Taken::Part);
        assert_eq!(take(chunk(1, 0, 3, b"x")), Taken::Part, "a chunk that comes twice");
        assert_eq!(take(chunk(2, 0, 2, b"other")), Taken::Part);
        assert_eq!(take(chunk(1, 1, 3, b"b")), Taken::Message(b"abc".to_vec()));
        assert_eq!(take(b"{}".to_vec()), Taken::Message(b"{}".to_vec()));
        for bad in [chunk(3, 3, 3, b""), chunk(3, 0, 129, b""), MAGIC.to_vec(), Vec::new()] {
            assert_eq!(take(bad), Taken::Nothing);
        }
    }

    #[test]
    fn compressed_messages_are_inflated_within_bounds() {
        let mut chunks = Chunks::default();
        let now = Instant::now();
        let fast = flate2::Compression::fast();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), fast);
        zlib.write_all(b"{\"a\":1}").expect("written");
        let zlib = zlib.finish().expect("written");
        assert_eq!(chunks.take(PEER, &zlib, now), Taken::Message(b"{\"a\":1}".to_vec()));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), fast);
        gzip.write_all(&vec![b' '; MESSAGE_BYTES_MAX + 1]).expect("written");
        let bomb = gzip.finish().expect("written");
        assert_eq!(chunks.take(PEER, &bomb, now), Taken::Nothing);
        assert_eq!(chunks.take(PEER, &bomb[..20], now), Taken::Nothing);
    }

    #[test]
    fn what_stays_unfinished_is_given_up() {
        let mut chunks = Chunks::default();
        let now = Instant::now();
        for id in 0..=255 {
            chunks.take(PEER, &chunk(id, 0, 2, &[0; 60_000]), now);
        }
        assert!(
            chunks.bytes <= UNFINISHED_BYTES_MAX && chunks.messages.len() == chunks.oldest.len()
        );
        let given_up = chunks.take_lost();
        assert_eq!(given_up, 256 - chunks.messages.len() as u64);
        let later = now + UNFINISHED_AGE_MAX + Duration::from_secs(1);
        chunks.take(PEER, &chunk(7, 0, 2, b""), later);
        assert_eq!(chunks.messages.len(), 1);
        assert_eq!((given_up + chunks.take_lost(), chunks.bytes), (256, 0));
    }
}
