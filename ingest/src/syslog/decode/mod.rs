//! A batch of syslog messages to log records, by docs/translation.md.
//!
//! ```text
//! batch  := "syslog" SP made_at_ns SP number LF  frame*      the first line makes every batch its own
//! frame  := kept_len SP arrived_at_ns SP peer SP whole_len LF  kept_len bytes
//! ```
//! The receiver writes batches itself, so one that cannot be read is an error as a whole. No message is
//! refused, whatever is in it.

mod columns;
mod legacy;
mod message;
mod structured;

use std::io::Write as _;
use std::net::IpAddr;

use throughline_model::batch::Decoded;
use throughline_model::{Error, Result};

use columns::Columns;

const HEADER: &[u8] = b"syslog ";

/// A message with what is known of its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// When it arrived.
    pub at_ns: i64,
    /// Who sent it; empty if nobody knows.
    pub peer: &'a str,
    /// How long it was.
    pub whole_len: usize,
    /// What was kept of it.
    pub bytes: &'a [u8],
}

/// Begins a batch.
pub fn put_header(body: &mut Vec<u8>, made_at_ns: i64, number: u64) {
    // Writing to a Vec never fails.
    let _ = writeln!(body, "syslog {made_at_ns} {number}");
}

/// Appends a message to a batch.
pub fn put_frame(
    body: &mut Vec<u8>,
    arrived_at_ns: i64,
    peer: Option<IpAddr>,
    whole_len: usize,
    kept: &[u8],
) {
    let peer = peer.map_or_else(|| "-".to_owned(), |peer| peer.to_canonical().to_string());
    let _ = writeln!(body, "{} {arrived_at_ns} {peer} {whole_len}", kept.len());
    body.extend_from_slice(kept);
}

/// Decodes a batch.
pub fn decode(body: &[u8]) -> Result<Decoded> {
    let mut columns = Columns::new()?;
    each_frame(body, |arrived| columns.message(arrived))?;
    columns.finish()
}

/// Hands out the messages of a batch.
pub fn each_frame(body: &[u8], mut take: impl FnMut(&Arrived<'_>) -> Result<()>) -> Result<()> {
    let (header, mut rest) = split_line(body)?;
    if !header.starts_with(HEADER) {
        return Err(Error::invalid("the batch of syslog messages has no header"));
    }
    while !rest.is_empty() {
        let (line, after) = split_line(rest)?;
        let arrived = frame(line, after).ok_or_else(|| {
            let line = String::from_utf8_lossy(line);
            Error::invalid(format!("'{line}' is no header of a syslog message"))
        })?;
        rest = &after[arrived.bytes.len()..];
        take(&arrived)?;
    }
    Ok(())
}

fn frame<'a>(line: &'a [u8], after: &'a [u8]) -> Option<Arrived<'a>> {
    let mut fields = std::str::from_utf8(line).ok()?.split(' ');
    let len: usize = fields.next()?.parse().ok()?;
    let at_ns = fields.next()?.parse().ok()?;
    let peer = fields.next().filter(|peer| !peer.is_empty())?;
    let whole_len = fields.next()?.parse().ok()?;
    let peer = if peer == "-" { "" } else { peer };
    Some(Arrived { at_ns, peer, whole_len, bytes: after.get(..len)? })
}

fn split_line(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| Error::invalid("a batch of syslog messages breaks off"))?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}
