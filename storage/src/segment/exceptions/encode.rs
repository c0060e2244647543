//! Exceptions as a section of an index.
//!
//! ```text
//! section := sealed (see `index::section`), whose form is the algorithm of the fingerprints, of
//!            varint left out | varint groups, group*
//! group   := hash u64 LE | type | message | stack trace | varint origins, origin*
//!            | varint samples, (varint origin | time i64 LE | trace, span id: len, bytes)* | users
//! origin  := service | version | source u8 | first, last i64 LE
//!            | varint minutes, (varint minutes since the one before, varint count)*
//! users   := varint hashes, (hash u64 LE, name)*
//! ```
//! Texts are length-prefixed. A section whose fingerprints follow another algorithm is not read: the
//! rows are.

use throughline_model::codec::{Reader, put_bytes, put_varint};
use throughline_model::exception::{ALGORITHM, Fingerprint};
use throughline_model::{SpanId, TraceId};

use super::{
    ExceptionCounts, ExceptionGroup, ExceptionOrigin, ExceptionSample, ExceptionSource,
    ExceptionText, Exceptions, Users,
};
use crate::segment::index::section::{seal, unseal};
use crate::{Error, Result};

/// The bytes of the section.
pub(crate) fn write(exceptions: &Exceptions) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    put_varint(&mut out, exceptions.left_out);
    put_varint(&mut out, exceptions.groups.len() as u64);
    for (fingerprint, group) in &exceptions.groups {
        out.extend_from_slice(&fingerprint.hash.to_le_bytes());
        put_group(&mut out, group);
    }
    seal(ALGORITHM, &out)
}

/// Undoes [`write`]; none if the fingerprints are of another algorithm.
pub(crate) fn read(section: &[u8]) -> Result<Option<Exceptions>> {
    let Some(bytes) = unseal(ALGORITHM, section)? else { return Ok(None) };
    let mut reader = Reader::new(&bytes);
    let mut exceptions = Exceptions { left_out: reader.varint()?, ..Exceptions::default() };
    for _ in 0..reader.varint()? {
        let hash = u64::from_le_bytes(reader.array()?);
        let group = read_group(&mut reader)?;
        exceptions.origins += group.origins.len();
        exceptions.groups.insert(Fingerprint { algorithm: ALGORITHM, hash }, group);
    }
    Ok(Some(exceptions))
}

fn put_group(out: &mut Vec<u8>, group: &ExceptionGroup) {
    let ExceptionText { kind, message, stacktrace } = &group.text;
    [kind, message, stacktrace].iter().for_each(|text| put_bytes(out, text.as_bytes()));
    put_varint(out, group.origins.len() as u64);
    for (origin, counts) in &group.origins {
        put_bytes(out, origin.service.as_bytes());
        put_bytes(out, origin.version.as_bytes());
        out.push(origin.source as u8);
        out.extend_from_slice(&counts.first_ns.to_le_bytes());
        out.extend_from_slice(&counts.last_ns.to_le_bytes());
        put_varint(out, counts.minutes.len() as u64);
        let mut before = 0i64;
        for (minute, count) in &counts.minutes {
            put_varint(out, minute.wrapping_sub(before) as u64);
            put_varint(out, *count);
            before = *minute;
        }
    }
    put_varint(out, group.samples.len() as u64);
    for sample in &group.samples {
        let place = group.origins.keys().position(|origin| *origin == sample.origin);
        // A sample whose origin was left out is shown under the first that was not.
        put_varint(out, place.unwrap_or_default() as u64);
        out.extend_from_slice(&sample.time_ns.to_le_bytes());
        put_bytes(out, sample.trace_id.as_ref().map_or(&[][..], |id| &id.0));
        put_bytes(out, sample.span_id.as_ref().map_or(&[][..], |id| &id.0));
    }
    group.users.put_bytes(out);
}

fn read_group(reader: &mut Reader<'_>) -> Result<ExceptionGroup> {
    let mut text = || -> Result<String> { Ok(reader.str()?.to_owned()) };
    let text = ExceptionText { kind: text()?, message: text()?, stacktrace: text()? };
    let mut origins = Vec::new();
    for _ in 0..reader.varint()? {
        origins.push(read_origin(reader)?);
    }
    let mut samples = Vec::new();
    for _ in 0..reader.varint()? {
        let origin = origins.get(reader.varint()? as usize);
        let (origin, _) = origin.ok_or_else(|| Error::corrupt("a sample has no origin"))?;
        let origin = origin.clone();
        let time_ns = i64::from_le_bytes(reader.array()?);
        let id = |bytes: &'_ [u8]| (!bytes.is_empty()).then(|| bytes.to_vec());
        let (trace_id, span_id) = (id(reader.bytes()?), id(reader.bytes()?));
        let trace_id = trace_id.map(|id| TraceId::from_slice(&id)).transpose()?;
        let span_id = span_id.map(|id| SpanId::from_slice(&id)).transpose()?;
        samples.push(ExceptionSample { time_ns, trace_id, span_id, origin });
    }
    let users = Users::read(reader)?;
    Ok(ExceptionGroup { text, origins: origins.into_iter().collect(), samples, users })
}

fn read_origin(reader: &mut Reader<'_>) -> Result<(ExceptionOrigin, ExceptionCounts)> {
    let (service, version) = (reader.str()?.to_owned(), reader.str()?.to_owned());
    let source = match reader.array()? {
        [0] => ExceptionSource::Span,
        [1] => ExceptionSource::Log,
        [other] => return Err(Error::corrupt(format!("source {other} of exceptions is unknown"))),
    };
    let first_ns = i64::from_le_bytes(reader.array()?);
    let last_ns = i64::from_le_bytes(reader.array()?);
    let mut minutes = std::collections::BTreeMap::new();
    let mut minute = 0i64;
    for _ in 0..reader.varint()? {
        minute = minute.wrapping_add(reader.varint()? as i64);
        minutes.insert(minute, reader.varint()?);
    }
    let origin = ExceptionOrigin { service, version, source };
    Ok((origin, ExceptionCounts { first_ns, last_ns, minutes }))
}
