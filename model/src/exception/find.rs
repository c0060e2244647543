//! Exceptions in the events of spans and in the attributes of log records.

use std::borrow::Cow;

use super::Exception;
use crate::codec::Reader;
use crate::value::ValueRef;
use crate::{Result, attrs};

/// How the keys of an exception's attributes begin: who looks through many rows looks for this first.
pub const KEY_PREFIX: &str = "exception.";
/// Attributes that name the user; the first that is there counts.
const USER_KEYS: [&str; 2] = ["enduser.id", "user.id"];

/// An event of a span that is an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExceptionEvent<'a> {
    /// When it happened, nanoseconds since the epoch; zero where the sender set no time.
    pub time_ns: i64,
    /// What happened.
    pub exception: Exception<'a>,
    /// The event's attributes, encoded.
    pub attributes: &'a [u8],
}

/// The exceptions among a span's encoded events. An event is one if it carries a type, a message or a
/// stack trace, whatever its name.
pub fn of_events(events: &[u8]) -> impl Iterator<Item = Result<ExceptionEvent<'_>>> {
    let mut outer = Reader::new(events);
    std::iter::from_fn(move || {
        while !outer.is_empty() {
            let event = outer.bytes().and_then(of_event);
            if event.is_err() {
                outer = Reader::new(&[]);
            }
            match event {
                Ok(None) => {}
                found => return found.transpose(),
            }
        }
        None
    })
}

fn of_event(event: &[u8]) -> Result<Option<ExceptionEvent<'_>>> {
    let mut reader = Reader::new(event);
    let time_ns = i64::from_le_bytes(reader.array()?);
    reader.bytes()?;
    reader.varint()?;
    let attributes = reader.rest();
    let exception = of_attributes(attrs::iter(attributes))?;
    Ok(exception.map(|exception| ExceptionEvent { time_ns, exception, attributes }))
}

/// The exception that a list of attributes describes, if it describes one.
pub fn of_attributes<'a>(
    attributes: impl Iterator<Item = Result<(&'a str, &'a [u8])>>,
) -> Result<Option<Exception<'a>>> {
    let mut found = Exception::default();
    for entry in attributes {
        let (key, value) = entry?;
        let Some(name) = key.strip_prefix(KEY_PREFIX) else { continue };
        let field = match name {
            "type" => &mut found.kind,
            "message" => &mut found.message,
            "stacktrace" => &mut found.stacktrace,
            _ => continue,
        };
        // The first of equal keys counts, as everywhere.
        if field.is_empty()
            && let ValueRef::String(text) = ValueRef::read(value)?
        {
            *field = text;
        }
    }
    Ok((!found.is_empty()).then_some(found))
}

/// The user that a list of attributes names.
pub fn user_of<'a>(
    attributes: impl Iterator<Item = Result<(&'a str, &'a [u8])>>,
) -> Result<Option<Cow<'a, str>>> {
    let mut users = USER_KEYS.map(|_| None);
    for entry in attributes {
        let (key, value) = entry?;
        let Some(rank) = USER_KEYS.iter().position(|known| *known == key) else { continue };
        if users[rank].is_none() {
            users[rank] = ValueRef::read(value)?.text()?.filter(|user| !user.is_empty());
        }
    }
    Ok(users.into_iter().flatten().next())
}
