//! Inflating request bodies, capped in size and ratio while it happens.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use throughline_storage::Encoding;

use crate::{Error, Result};

/// Bytes inflated between two checks of the limits.
const STEP_BYTES: usize = 64 << 10;
/// Up to here any ratio is allowed: small bodies of one value repeated are no bombs.
const RATIO_FREE_BYTES: usize = 1 << 20;
/// log2 of the largest zstd window (RFC 8878 asks decoders for 8 MiB).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// What snappy's framing format begins with, and no block can.
const SNAPPY_FRAMES: &[u8] = b"\xff\x06\x00\x00sNaPpY";
/// More than what a byte of a snappy block can stand for: a copy of 64 bytes takes three.
const SNAPPY_RATIO_MAX: usize = 22;

/// How far a body may inflate.
#[derive(Clone, Copy, Debug)]
pub struct InflateLimits {
    /// The largest result.
    pub bytes_max: usize,
    /// The largest quotient of the result and the body.
    pub ratio_max: usize,
}

/// What replay allows: more than any setting did when the body was acknowledged.
pub const REPLAY_LIMITS: InflateLimits =
    InflateLimits { bytes_max: 1 << 30, ratio_max: usize::MAX };

/// Inflates a body. `grow` is asked for room before each step.
pub fn inflate(
    encoding: Encoding,
    body: &Bytes,
    limits: InflateLimits,
    grow: impl FnMut(usize) -> Result<()>,
) -> Result<Bytes> {
    let source = body.as_ref();
    match encoding {
        Encoding::Identity if body.len() > limits.bytes_max => {
            Err(too_large(body.len(), limits.bytes_max))
        }
        Encoding::Identity => Ok(body.clone()),
        Encoding::Gzip => read(MultiGzDecoder::new(source), "gzip", body.len(), limits, grow),
        // HTTP's deflate is zlib's format, but some senders leave its header away.
        Encoding::Deflate if has_zlib_header(source) => {
            read(ZlibDecoder::new(source), "deflate", body.len(), limits, grow)
        }
        Encoding::Deflate => read(DeflateDecoder::new(source), "deflate", body.len(), limits, grow),
        Encoding::Zstd => {
            let malformed = |err| Error::malformed(format!("malformed zstd body: {err}"));
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(source).map_err(malformed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(malformed)?;
            read(decoder, "zstd", body.len(), limits, grow)
        }
        Encoding::Snappy if source.starts_with(SNAPPY_FRAMES) => {
            read(snap::read::FrameDecoder::new(source), "snappy", body.len(), limits, grow)
        }
        Encoding::Snappy if body.is_empty() => Ok(body.clone()), // frames of nothing
        Encoding::Snappy => snappy_block(source, limits, grow),
    }
}

/// A block says how long it will be, and is inflated at once: what it says is checked before.
fn snappy_block(
    body: &[u8],
    limits: InflateLimits,
    mut grow: impl FnMut(usize) -> Result<()>,
) -> Result<Bytes> {
    let malformed = |err| Error::malformed(format!("malformed snappy body: {err}"));
    let len = snap::raw::decompress_len(body).map_err(malformed)?;
    if len > limits.bytes_max {
        return Err(too_large(len, limits.bytes_max));
    }
    if len / SNAPPY_RATIO_MAX > body.len() {
        return Err(Error::malformed(format!(
            "malformed snappy body: {} bytes cannot hold {len}",
            body.len()
        )));
    }
    if len > RATIO_FREE_BYTES && len / body.len().max(1) >= limits.ratio_max {
        return Err(past_ratio("snappy", body.len(), limits.ratio_max));
    }
    grow(len)?;
    snap::raw::Decoder::new().decompress_vec(body).map(Bytes::from).map_err(malformed)
}

fn past_ratio(name: &str, body_len: usize, ratio_max: usize) -> Error {
    Error::too_large(format!(
        "a {name} body of {body_len} bytes inflates to more than {ratio_max} times that"
    ))
}

fn has_zlib_header(body: &[u8]) -> bool {
    match body {
        [first, second, ..] => {
            first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31)
        }
        _ => false,
    }
}

fn read(
    mut source: impl Read,
    name: &str,
    body_len: usize,
    limits: InflateLimits,
    mut grow: impl FnMut(usize) -> Result<()>,
) -> Result<Bytes> {
    let mut inflated = Vec::with_capacity(body_len.saturating_mul(4).min(limits.bytes_max));
    loop {
        let len = inflated.len();
        grow(len + STEP_BYTES)?;
        inflated.resize(len + STEP_BYTES, 0);
        let read = source
            .read(&mut inflated[len..])
            .map_err(|err| Error::malformed(format!("malformed {name} body: {err}")))?;
        inflated.truncate(len + read);
        if read == 0 {
            return Ok(inflated.into());
        }
        if inflated.len() > limits.bytes_max {
            return Err(too_large(inflated.len(), limits.bytes_max));
        }
        let ratio_exceeded = inflated.len() / body_len.max(1) >= limits.ratio_max;
        if inflated.len() > RATIO_FREE_BYTES && ratio_exceeded {
            return Err(past_ratio(name, body_len, limits.ratio_max));
        }
    }
}

fn too_large(len: usize, limit: usize) -> Error {
    Error::too_large(format!("the body has {len} bytes or more, the limit is {limit}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;
    use crate::ErrorKind;

    const LIMITS: InflateLimits = InflateLimits { bytes_max: 4 << 20, ratio_max: 100 };

    fn deflated(encoding: Encoding, body: &[u8], raw: bool) -> Bytes {
        let level = Compression::best();
        match encoding {
            Encoding::Identity => Ok(body.to_vec()),
            Encoding::Gzip => {
                let mut writer = GzEncoder::new(Vec::new(), level);
                writer.write_all(body).and_then(|()| writer.finish())
            }
            Encoding::Zstd => zstd::encode_all(body, 3),
            Encoding::Deflate if raw => {
                let mut writer = DeflateEncoder::new(Vec::new(), level);
                writer.write_all(body).and_then(|()| writer.finish())
            }
            Encoding::Deflate => {
                let mut writer = ZlibEncoder::new(Vec::new(), level);
                writer.write_all(body).and_then(|()| writer.finish())
            }
            Encoding::Snappy if raw => {
                Ok(snap::raw::Encoder::new().compress_vec(body).expect("in memory"))
            }
            Encoding::Snappy => {
                let mut writer = snap::write::FrameEncoder::new(Vec::new());
                writer.write_all(body).expect("in memory");
                writer.into_inner().map_err(|err| err.into_error())
            }
        }
        .expect("in memory")
        .into()
    }

    fn text(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * i / 7 % 251) as u8).collect()
    }

    const ENCODINGS: [(Encoding, bool); 7] = [
        (Encoding::Identity, false),
        (Encoding::Gzip, false),
        (Encoding::Zstd, false),
        (Encoding::Deflate, false),
        (Encoding::Deflate, true),
        (Encoding::Snappy, false),
        (Encoding::Snappy, true),
    ];

    #[test]
    fn every_encoding_round_trips() {
        for (encoding, raw) in ENCODINGS {
            for len in [0, 1, 1000, STEP_BYTES, 300_000] {
                let body = deflated(encoding, &text(len), raw);
                let inflated = inflate(encoding, &body, LIMITS, |_| Ok(())).expect("well-formed");
                assert_eq!(inflated, text(len), "{encoding:?} {len}");
            }
        }
    }

    #[test]
    fn bombs_stop_early() {
        for (encoding, raw) in ENCODINGS {
            let bomb = deflated(encoding, &vec![0; 64 << 20], raw);
            let mut room_asked = 0;
            let err = inflate(encoding, &bomb, LIMITS, |bytes| {
                room_asked = bytes;
                Ok(())
            })
            .expect_err("too large");
            assert_eq!(err.kind(), ErrorKind::TooLarge, "{encoding:?}: {err}");
            assert!(room_asked <= LIMITS.bytes_max + 2 * STEP_BYTES, "{encoding:?}");
        }
    }

    #[test]
    fn damage_is_malformed() {
        for (encoding, raw) in ENCODINGS.into_iter().skip(1) {
            let body = deflated(encoding, &text(100_000), raw);
            let err = inflate(encoding, &body.slice(..body.len() / 2), LIMITS, |_| Ok(()))
                .expect_err("truncated");
            assert_eq!(err.kind(), ErrorKind::Malformed, "{encoding:?}");
            let err =
                inflate(encoding, &Bytes::from_static(b"\xff\xfenothing"), LIMITS, |_| Ok(()))
                    .expect_err("garbage");
            assert_eq!(err.kind(), ErrorKind::Malformed, "{encoding:?}");
        }
    }

    #[test]
    fn a_snappy_block_cannot_claim_what_it_does_not_hold() {
        let claims = Bytes::from_static(b"\x80\x80\x80\x01\x00a");
        let err = inflate(Encoding::Snappy, &claims, LIMITS, |_| Ok(())).expect_err("a lie");
        assert_eq!(err.to_string(), "malformed snappy body: 6 bytes cannot hold 2097152");
    }

    #[test]
    fn no_room_stops_it() {
        let body = deflated(Encoding::Gzip, &text(200_000), false);
        let refuse = |_| Err(Error::new(ErrorKind::Overloaded, "full"));
        let err = inflate(Encoding::Gzip, &body, LIMITS, refuse).expect_err("no room");
        assert_eq!(err.kind(), ErrorKind::Overloaded);
    }
}
