//! The lines of a `_bulk` body: what to do with which document.

use serde::Deserialize;
use serde_json::Value;
use throughline_model::{Error, Result};

use super::split_line;

/// Items that one body may have: bounds the answer, which says something of each.
pub const ITEMS_MAX: usize = 1 << 17;

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Stores a document that is not there yet.
    Create,
    /// Stores a document.
    Index,
    /// Changes one, which log records do not.
    Update,
    /// Deletes one.
    Delete,
}

impl Verb {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Index => "index",
            Verb::Update => "update",
            Verb::Delete => "delete",
        }
    }
}

/// One action with its document.
#[derive(Debug)]
pub struct Item<'a> {
    /// What to do.
    pub verb: Verb,
    /// Where; empty if nothing says so.
    pub index: &'a str,
    /// The id that the sender gave, or none.
    pub id: &'a str,
    /// The document; the reason if the item is refused whatever it holds.
    pub document: std::result::Result<&'a [u8], &'static str>,
}

/// An action line.
#[derive(Debug)]
pub struct Action {
    verb: Verb,
    index: String,
    id: String,
}

#[derive(Deserialize)]
struct Line {
    create: Option<Target>,
    index: Option<Target>,
    update: Option<Target>,
    delete: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    _index: Value,
    #[serde(default)]
    _id: Value,
}

impl Action {
    /// Reads an action line; the reason if it is none.
    pub fn parse(line: &[u8]) -> std::result::Result<Action, String> {
        let line: Line = serde_json::from_slice(line).map_err(|err| err.to_string())?;
        let found = [
            (Verb::Create, line.create),
            (Verb::Index, line.index),
            (Verb::Update, line.update),
            (Verb::Delete, line.delete),
        ];
        let mut found =
            found.into_iter().filter_map(|(verb, target)| target.map(|target| (verb, target)));
        match (found.next(), found.next()) {
            (Some((verb, target)), None) => {
                Ok(Action { verb, index: text(target._index), id: text(target._id) })
            }
            _ => Err("one of create, index, update, delete is expected".to_owned()),
        }
    }

    /// The action with its document, in the index that the path names if it names none itself.
    pub fn item<'a>(
        &'a self,
        path_index: &'a str,
        document: std::result::Result<&'a [u8], &'static str>,
    ) -> Item<'a> {
        let index = if self.index.is_empty() { path_index } else { &self.index };
        Item { verb: self.verb, index, id: &self.id, document }
    }
}

// Ids may be numbers.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Hands the items of a `_bulk` body to `take`. Empty lines before an action are of no account.
pub fn items(
    path_index: &str,
    body: &[u8],
    mut take: impl FnMut(Item<'_>) -> Result<()>,
) -> Result<()> {
    let (mut rest, mut count, mut line_number) = (body, 0, 0u64);
    // Most lines are those of the item before.
    let mut known: Option<(&[u8], Action)> = None;
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        rest = after;
        line_number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        count += 1;
        if count > ITEMS_MAX {
            return Err(Error::invalid(format!(
                "the bulk has more than {ITEMS_MAX} items: send smaller ones"
            )));
        }
        let action = match known.take() {
            Some((same, action)) if same == line => action,
            _ => Action::parse(line).map_err(|reason| {
                Error::invalid(format!("malformed action in line {line_number}: {reason}"))
            })?,
        };
        let document = match action.verb {
            Verb::Delete => Err("delete is not supported: log records are never changed"),
            _ if rest.is_empty() => Err("the document is missing"),
            verb => {
                let (document, after) = split_line(rest);
                rest = after;
                line_number += 1;
                match verb {
                    Verb::Update => Err("update is not supported: log records are never changed"),
                    _ => Ok(document),
                }
            }
        };
        take(action.item(path_index, document))?;
        known = Some((line, action));
    }
    Ok(())
}
