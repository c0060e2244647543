//! What the three signals share: values, attributes, resources, scopes, and the walk from a request
//! down to its items.
//!
//! All requests have one shape, with the same field numbers:
//! ```text
//! request := 1: { 1: resource, 2: { 1: scope, 2: item, 3: schema url }*, 3: schema url }*
//! ```
//! Fields may stand in any order, so each level is read twice: first for what describes the items,
//! then for the items.

use throughline_model::codec::{put_bytes, put_nested};
use throughline_model::columns::AttributesBuilder;
use throughline_model::value::{self, VALUE_DEPTH_MAX, tag};
use throughline_model::{Error, Result, attrs};

use super::origin::OriginReader;
use super::plain;
use super::wire::{Fields, Pieces};

/// Items (spans, log records, data points) that one request may carry: bounds the memory that a
/// small body of tiny items can claim.
pub const ITEMS_PER_REQUEST_MAX: u64 = 1 << 20;

/// Items for which room is made before they are read, at most.
const ITEMS_AHEAD_MAX: usize = 4096;

/// Why the item being read cannot be kept, if it cannot; the first reason counts.
#[derive(Debug, Default)]
pub struct Verdict {
    reason: Option<String>,
}

impl Verdict {
    /// A verdict that begins with what is known of the item's origin.
    pub fn new(reason: Option<&str>) -> Self {
        Self { reason: reason.map(str::to_owned) }
    }

    /// Refuses the item, unless it already is.
    #[cold]
    pub fn refuse(&mut self, reason: impl FnOnce() -> String) {
        self.reason.get_or_insert_with(reason);
    }

    /// The reason for refusal.
    pub fn reason(self) -> Option<String> {
        self.reason
    }

    /// A time in nanoseconds; refuses what an `i64` cannot hold.
    #[inline]
    pub fn time(&mut self, name: &str, time_ns: u64) -> i64 {
        i64::try_from(time_ns).unwrap_or_else(|_| {
            self.refuse(|| format!("{name} {time_ns} exceeds {}", i64::MAX));
            0
        })
    }

    /// An id that may be absent: no bytes and all zeros mean the same; refuses another length.
    #[inline]
    pub fn optional_id<const N: usize>(&mut self, name: &str, bytes: &[u8]) -> Option<[u8; N]> {
        match <[u8; N]>::try_from(bytes) {
            Ok(id) => Some(id).filter(|id| id.iter().any(|byte| *byte != 0)),
            Err(_) if bytes.is_empty() => None,
            Err(_) => {
                self.refuse(|| format!("{name} has {} bytes, expected {N} or none", bytes.len()));
                None
            }
        }
    }

    /// An id that must be there and not be zero.
    #[inline]
    pub fn required_id<const N: usize>(&mut self, name: &str, bytes: &[u8]) -> [u8; N] {
        match <[u8; N]>::try_from(bytes) {
            Ok(id) if id.iter().any(|byte| *byte != 0) => id,
            Ok(id) => {
                self.refuse(|| format!("{name} is all zero"));
                id
            }
            Err(_) => {
                self.refuse(|| format!("{name} has {} bytes, expected {N}", bytes.len()));
                [0; N]
            }
        }
    }
}

/// Appends an encoded value: the merge of the `AnyValue` messages in `pieces`.
#[inline]
pub fn put_any_value(
    out: &mut Vec<u8>,
    pieces: &[&[u8]],
    depth: usize,
    verdict: &mut Verdict,
) -> Result<()> {
    let mut current = OneOf::Empty;
    for piece in pieces {
        let mut fields = Fields::new(piece);
        while let Some(field) = fields.next_field()? {
            let next = match field.number {
                1 => OneOf::Str(field.utf8("AnyValue.string_value")?),
                2 => OneOf::Bool(field.varint("AnyValue.bool_value")? != 0),
                3 => OneOf::Int(field.varint("AnyValue.int_value")? as i64),
                4 => OneOf::Double(field.double("AnyValue.double_value")?),
                5 => current.nested(tag::ARRAY, field.bytes("AnyValue.array_value")?),
                6 => current.nested(tag::KVLIST, field.bytes("AnyValue.kvlist_value")?),
                7 => OneOf::Bytes(field.bytes("AnyValue.bytes_value")?),
                8 => {
                    // An index into a table that only profiles carry: no value here.
                    field.varint("AnyValue.string_value_strindex")?;
                    OneOf::Empty
                }
                _ => continue,
            };
            if let OneOf::Nested(tag, pieces) = std::mem::replace(&mut current, next) {
                // A value that a later one replaces must still be well-formed.
                put_nested_value(&mut Vec::new(), tag, pieces.as_slice(), depth, verdict)?;
            }
        }
    }
    match current {
        OneOf::Empty => out.push(tag::EMPTY),
        OneOf::Str(text) => {
            out.push(tag::STRING);
            out.extend_from_slice(text);
        }
        OneOf::Bool(flag) => value::put_bool(out, flag),
        OneOf::Int(number) => value::put_int(out, number),
        OneOf::Double(number) => value::put_double(out, number),
        OneOf::Bytes(bytes) => {
            out.push(tag::BYTES);
            out.extend_from_slice(bytes);
        }
        OneOf::Nested(tag, pieces) => {
            put_nested_value(out, tag, pieces.as_slice(), depth, verdict)?;
        }
    }
    Ok(())
}

enum OneOf<'a> {
    Empty,
    Str(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    Nested(u8, Pieces<'a>),
}

impl<'a> OneOf<'a> {
    /// An array or kvlist: merged with the one that stands here if that is of the same kind.
    fn nested(&mut self, tag: u8, piece: &'a [u8]) -> OneOf<'a> {
        match self {
            OneOf::Nested(here, pieces) if *here == tag => {
                let mut pieces = std::mem::replace(pieces, Pieces::one(&[]));
                pieces.push(piece);
                OneOf::Nested(tag, pieces)
            }
            _ => OneOf::Nested(tag, Pieces::one(piece)),
        }
    }
}

fn put_nested_value(
    out: &mut Vec<u8>,
    kind: u8,
    pieces: &[&[u8]],
    depth: usize,
    verdict: &mut Verdict,
) -> Result<()> {
    out.push(kind);
    if depth >= VALUE_DEPTH_MAX {
        verdict.refuse(|| format!("an attribute or body nests deeper than {VALUE_DEPTH_MAX}"));
        return Ok(());
    }
    for piece in pieces {
        let mut fields = Fields::new(piece);
        while let Some(field) = fields.next_field()? {
            if field.number != 1 {
                continue;
            }
            if kind == tag::KVLIST {
                let (key, value) = key_value(field.bytes("KeyValueList.values")?)?;
                put_bytes(out, key);
                put_value_prefixed(out, value.as_ref(), depth + 1, verdict)?;
            } else {
                let value = Pieces::one(field.bytes("ArrayValue.values")?);
                put_value_prefixed(out, Some(&value), depth + 1, verdict)?;
            }
        }
    }
    Ok(())
}

fn put_value_prefixed(
    out: &mut Vec<u8>,
    value: Option<&Pieces<'_>>,
    depth: usize,
    verdict: &mut Verdict,
) -> Result<()> {
    let mut result = Ok(());
    let pieces = value.map_or(&[][..], Pieces::as_slice);
    put_nested(out, |out| result = put_any_value(out, pieces, depth, verdict));
    result
}

/// Key and value of a `KeyValue` message. The key is UTF-8.
#[inline]
fn key_value(message: &[u8]) -> Result<(&[u8], Option<Pieces<'_>>)> {
    let mut key = &[][..];
    let mut value = None;
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => key = field.utf8("KeyValue.key")?,
            2 => Pieces::add(&mut value, field.bytes("KeyValue.value")?),
            3 => drop(field.varint("KeyValue.key_strindex")?),
            _ => {}
        }
    }
    Ok((key, value))
}

/// Pushes the attributes of items, which tend to have the keys of the item before, in its order: the
/// key that came at the same place is tried before the dictionary is asked.
#[derive(Default)]
pub struct AttributePusher {
    numbers: Vec<u32>,
    place: usize,
}

impl AttributePusher {
    /// Begins an item.
    #[inline]
    pub fn open_item(&mut self) {
        self.place = 0;
    }

    /// Pushes the attribute of one `KeyValue` message.
    #[inline]
    pub fn push(
        &mut self,
        attributes: &mut AttributesBuilder,
        message: &[u8],
        verdict: &mut Verdict,
    ) -> Result<()> {
        if let Some((key, value)) = plain::key_value(message) {
            let number = match self.numbers.get(self.place) {
                Some(number) if attributes.key(*number) == key => *number,
                _ => self.look_up(attributes, key)?,
            };
            self.place += 1;
            return attributes.push_numbered(number, |out| value.put(out));
        }
        let (key, value) = key_value(message)?;
        let number = match self.numbers.get(self.place) {
            Some(number) if attributes.key(*number) == key => *number,
            _ => self.look_up(attributes, key)?,
        };
        self.place += 1;
        let pieces = value.as_ref().map_or(&[][..], Pieces::as_slice);
        let mut result = Ok(());
        attributes.push_numbered(number, |out| result = put_any_value(out, pieces, 0, verdict))?;
        result
    }

    fn look_up(&mut self, attributes: &mut AttributesBuilder, key: &[u8]) -> Result<u32> {
        let number = attributes.key_number(key)?;
        match self.numbers.get_mut(self.place) {
            Some(slot) => *slot = number,
            None => self.numbers.push(number),
        }
        Ok(number)
    }
}

/// Appends one `KeyValue` message to an encoded attribute set.
pub fn put_attribute(set: &mut Vec<u8>, message: &[u8], verdict: &mut Verdict) -> Result<()> {
    let (key, value) = key_value(message)?;
    put_bytes(set, key);
    put_value_prefixed(set, value.as_ref(), 0, verdict)
}

/// Sorts an encoded set by key, in place of `set`, unless it already is sorted.
pub fn sort_attributes(set: &mut Vec<u8>) -> Result<()> {
    let mut previous = "";
    let mut sorted = true;
    for entry in attrs::iter(set) {
        let (key, _) = entry?;
        sorted &= previous <= key;
        previous = key;
    }
    if !sorted {
        *set = attrs::canonical(set)?;
    }
    Ok(())
}

/// A part of a request, in the order in which [`walk`] hands them over.
pub enum Part<'a> {
    /// The encoded resource of the scopes that follow.
    Resource(&'a [u8]),
    /// The encoded scope of the items that follow, and how many these are.
    Scope(&'a [u8], usize),
    /// An item's message; with a reason if its resource or scope cannot be kept.
    Item(&'a [u8], Option<&'a str>),
}

/// Reads a request and hands its parts to `each`.
pub fn walk(request: &[u8], mut each: impl FnMut(Part<'_>) -> Result<()>) -> Result<()> {
    let mut origin = OriginReader::default();
    let mut fields = Fields::new(request);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            walk_resource(field.bytes("resource entries of the request")?, &mut origin, &mut each)?;
        }
    }
    Ok(())
}

fn walk_resource(
    message: &[u8],
    origin: &mut OriginReader,
    each: &mut impl FnMut(Part<'_>) -> Result<()>,
) -> Result<()> {
    let mut verdict = Verdict::default();
    origin.read_resource(message, &mut verdict)?;
    each(Part::Resource(&origin.resource))?;
    let resource_refused = verdict.reason();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        if field.number != 2 {
            continue;
        }
        let scope_message = field.bytes("scope entries of a resource")?;
        let mut verdict = Verdict::new(resource_refused.as_deref());
        let items = origin.read_scope(scope_message, &mut verdict)?;
        each(Part::Scope(&origin.scope, items.min(ITEMS_AHEAD_MAX)))?;
        let refused = verdict.reason();
        let mut items = Fields::new(scope_message);
        while let Some(item) = items.next_field()? {
            if item.number == 2 {
                each(Part::Item(item.bytes("items of a scope")?, refused.as_deref()))?;
            }
        }
    }
    Ok(())
}

/// What was refused of a request, and a message for its sender.
#[derive(Debug, Default)]
pub struct Refusals {
    /// How many items.
    pub count: u64,
    messages: Vec<String>,
}

impl Refusals {
    /// How many refusals are described; the others are counted.
    const MESSAGES_MAX: usize = 3;

    /// Notes a refused item: its kind and its position among all of its kind in the request.
    pub fn add(&mut self, what: &str, position: u64, reason: &str) {
        self.count += 1;
        if self.messages.len() < Self::MESSAGES_MAX {
            self.messages.push(format!("{what}[{position}]: {reason}"));
        }
    }

    /// The message; empty if nothing was refused.
    pub fn message(&self) -> String {
        let described = self.messages.len() as u64;
        let mut message = self.messages.join("; ");
        if self.count > described {
            message.push_str(&format!("; and {} more", self.count - described));
        }
        message
    }
}

/// Fails once a request has more items than it may.
pub fn check_items(items: u64) -> Result<()> {
    if items > ITEMS_PER_REQUEST_MAX {
        return Err(Error::invalid(format!(
            "the request has more than {ITEMS_PER_REQUEST_MAX} items: send smaller batches"
        )));
    }
    Ok(())
}
