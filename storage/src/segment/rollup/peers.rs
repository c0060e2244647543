//! Whom a client or producer calls, as far as its attributes say.

use arrow::array::{AsArray, BinaryArray};
use arrow::datatypes::UInt32Type;
use throughline_model::attrs;
use throughline_model::value::{ValueRef, tag};

use super::{CLIENT, ConnectionType, PRODUCER};
use crate::Result;
use crate::segment::attributes::{AttributeValues, Routed, attributes_of};
use crate::segment::gather::Gather;
use crate::segment::layout::AttributeColumn;

/// The attributes that name a called side, the best first in each group.
pub(crate) const KEYS: &[&str] = &[
    "db.namespace",
    "db.name",
    "db.system.name",
    "db.system",
    "peer.service",
    "messaging.destination.name",
    "messaging.destination",
    "messaging.system",
    "server.address",
    "net.peer.name",
    "http.host",
    "net.sock.peer.name",
    "url.full",
    "http.url",
];
const DATABASE_NAMES: std::ops::Range<usize> = 0..4;
const DATABASE_SYSTEMS: std::ops::Range<usize> = 2..4;
const PEER_SERVICE: usize = 4;
const MESSAGING: std::ops::Range<usize> = 5..8;
const HOSTS: std::ops::Range<usize> = 8..12;
const ADDRESSES: std::ops::Range<usize> = 12..14;

/// Values of [`KEYS`] of one span.
type Found<'a> = [&'a [u8]; KEYS.len()];

/// Where the attributes of rows are.
pub(crate) enum Peers<'a> {
    /// In the columns of a row group that is being written.
    Columns {
        /// Columns of text, with the number of their key.
        columns: Vec<(usize, &'a AttributeValues, usize)>,
        /// The rest, if a key of ours may be there.
        rest: Option<&'a Routed>,
    },
    /// In the maps of batches in the item schema.
    Maps(Vec<BatchMap<'a>>),
}

/// The attributes of a batch.
pub(crate) struct BatchMap<'a> {
    offsets: &'a [i32],
    keys: &'a [u32],
    /// By number of key in the batch, its place in [`KEYS`].
    places: Vec<Option<usize>>,
    values: &'a BinaryArray,
}

impl<'a> Peers<'a> {
    /// Of a row group.
    pub(crate) fn of_columns(columns: &[AttributeColumn], routed: &'a Routed) -> Self {
        let place = |key: &str| KEYS.iter().position(|known| *known == key);
        let found = columns.iter().zip(&routed.columns).filter_map(|(column, values)| {
            let place = place(&column.key)?;
            values.is_text().then_some((place, values, 0))
        });
        let in_rest = routed.rest_keys.iter().any(|key| place(key).is_some());
        Self::Columns { columns: found.collect(), rest: in_rest.then_some(routed) }
    }

    /// Of batches in the item schema.
    pub(crate) fn of_batches(gather: &Gather<'a>) -> Result<Self> {
        let map = |batch| {
            let map = attributes_of(batch)?;
            let keys = map.keys().as_dictionary::<UInt32Type>();
            let names = keys.values().as_string::<i32>();
            let place = |name: Option<&str>| KEYS.iter().position(|known| Some(*known) == name);
            Ok(BatchMap {
                offsets: map.value_offsets(),
                keys: keys.keys().values(),
                places: names.iter().map(place).collect(),
                values: map.values().as_binary::<i32>(),
            })
        };
        Ok(Self::Maps(gather.batches.iter().map(map).collect::<Result<_>>()?))
    }

    /// Whom the span of a row calls. Rows are asked for in ascending order.
    pub(crate) fn of(
        &mut self,
        gather: &Gather<'_>,
        row: usize,
        kind: i32,
    ) -> Result<Option<(ConnectionType, &'a [u8])>> {
        let mut found: Found<'a> = [&[]; KEYS.len()];
        match self {
            Self::Columns { columns, rest } => {
                for (place, values, next) in columns {
                    let rows = values.rows();
                    while rows.get(*next).is_some_and(|at| (*at as usize) < row) {
                        *next += 1;
                    }
                    if rows.get(*next).is_some_and(|at| *at as usize == row) {
                        found[*place] = values.text(*next).unwrap_or_default();
                    }
                }
                if let Some(routed) = rest {
                    for entry in attrs::iter(routed.rest.row(row)) {
                        let (key, value) = entry?;
                        if let Some(place) = KEYS.iter().position(|known| *known == key) {
                            keep_first(&mut found[place], value);
                        }
                    }
                }
            }
            Self::Maps(maps) => {
                let at = gather.order[row];
                let map = &maps[at.batch as usize];
                let range = map.offsets[at.row as usize]..map.offsets[at.row as usize + 1];
                for i in range {
                    let Some(place) = map.places[map.keys[i as usize] as usize] else { continue };
                    keep_first(&mut found[place], map.values.value(i as usize));
                }
            }
        }
        Ok(peer(&found, kind))
    }
}

fn keep_first<'a>(slot: &mut &'a [u8], value: &'a [u8]) {
    if slot.is_empty()
        && value.first() == Some(&tag::STRING)
        && let Ok(ValueRef::String(text)) = ValueRef::read(value)
    {
        *slot = text.as_bytes();
    }
}

fn peer<'a>(found: &Found<'a>, kind: i32) -> Option<(ConnectionType, &'a [u8])> {
    let first =
        |range: std::ops::Range<usize>| found[range].iter().copied().find(|text| !text.is_empty());
    if kind == CLIENT && first(DATABASE_SYSTEMS).is_some() {
        return Some((ConnectionType::Database, first(DATABASE_NAMES)?));
    }
    let service = first(PEER_SERVICE..PEER_SERVICE + 1);
    let host = || first(HOSTS).or_else(|| first(ADDRESSES).and_then(host_of));
    if kind == PRODUCER {
        let name = service.or_else(|| first(MESSAGING)).or_else(host)?;
        return Some((ConnectionType::Messaging, name));
    }
    Some((ConnectionType::Virtual, service.or_else(host)?))
}

/// The host of a URL.
fn host_of(url: &[u8]) -> Option<&[u8]> {
    let start = url.windows(3).position(|part| part == b"://")? + 3;
    let rest = &url[start..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let authority = &rest[..end.unwrap_or(rest.len())];
    let user = authority.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    let host = &authority[user..];
    let port = match host.first() {
        Some(b'[') => host.iter().position(|byte| *byte == b']').map(|at| at + 1),
        _ => host.iter().position(|byte| *byte == b':'),
    };
    let host = &host[..port.unwrap_or(host.len())];
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_urls() {
        for (url, host) in [
            ("https://example.com/a?b", Some("example.com")),
            ("http://user:secret@example.com:8080/a", Some("example.com")),
            ("http://[::1]:80", Some("[::1]")),
            ("http://example.com", Some("example.com")),
            ("/relative", None),
            ("http:///a", None),
        ] {
            assert_eq!(host_of(url.as_bytes()), host.map(str::as_bytes), "{url}");
        }
    }

    #[test]
    fn whom_a_span_calls() {
        let found = |pairs: &[(&str, &'static str)]| {
            let mut found: Found<'static> = [&[]; KEYS.len()];
            for (key, value) in pairs {
                let place = KEYS.iter().position(|known| known == key).expect("a key");
                found[place] = value.as_bytes();
            }
            found
        };
        let named = |pairs: &[(&str, &'static str)], kind| {
            let found = peer(&found(pairs), kind);
            found.map(|(connection, name)| (connection, String::from_utf8_lossy(name).into_owned()))
        };
        let yes = |connection, name: &str| Some((connection, name.to_owned()));
        use ConnectionType::{Database, Messaging, Virtual};
        let postgres = ("db.system", "postgresql");
        assert_eq!(named(&[postgres], CLIENT), yes(Database, "postgresql"));
        assert_eq!(named(&[postgres, ("db.name", "orders")], CLIENT), yes(Database, "orders"));
        let both = [postgres, ("db.namespace", "shop"), ("peer.service", "pg")];
        assert_eq!(named(&both, CLIENT), yes(Database, "shop"));
        assert_eq!(named(&[("db.name", "orders")], CLIENT), None, "no system");
        let kafka = [("messaging.system", "kafka"), ("messaging.destination.name", "orders")];
        assert_eq!(named(&kafka, PRODUCER), yes(Messaging, "orders"));
        assert_eq!(named(&kafka, CLIENT), None);
        let host = [("server.address", "api.example.com"), ("url.full", "https://b.example.com/")];
        assert_eq!(named(&host, CLIENT), yes(Virtual, "api.example.com"));
        assert_eq!(named(&host[1..], CLIENT), yes(Virtual, "b.example.com"));
        assert_eq!(named(&[], CLIENT), None);
    }
}
