//! What goes over the wire of lists of names.

use serde::Serialize;
use throughline_query::complete::Names;
use utoipa::ToSchema;

/// A name with how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NameCount {
    /// The name.
    #[schema(example = "cart")]
    pub name: String,
    /// Items that carry it, of those that were looked at.
    pub count: u64,
}

/// Services, most frequent first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Services {
    /// The services.
    pub services: Vec<NameCount>,
    /// Whether the list is whole.
    #[serde(flatten)]
    pub whole: Wholeness,
}

/// Operations of a service, most frequent first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Operations {
    /// The operations.
    pub operations: Vec<NameCount>,
    /// Whether the list is whole.
    #[serde(flatten)]
    pub whole: Wholeness,
}

/// Attribute names, most frequent first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttributeNames {
    /// The names.
    pub attributes: Vec<NameCount>,
    /// Whether the list is whole.
    #[serde(flatten)]
    pub whole: Wholeness,
}

/// A value of an attribute as text, with how often it occurs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValueCount {
    /// The value.
    #[schema(example = "/cart")]
    pub value: String,
    /// Items that carry it, of those that were looked at.
    pub count: u64,
}

/// Values of an attribute, most frequent first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttributeValues {
    /// The values.
    pub values: Vec<ValueCount>,
    /// Whether the list is whole.
    #[serde(flatten)]
    pub whole: Wholeness,
}

/// Whether a list is whole.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Wholeness {
    /// Not everything was looked at or listed: there may be more.
    pub truncated: bool,
    /// Segments that could not be read.
    pub partial: Vec<String>,
}

/// Lists as one, most frequent first, cut at `limit`.
pub fn merge(lists: Vec<Names>, limit: usize) -> (Vec<NameCount>, Wholeness) {
    let mut whole = Wholeness::default();
    let mut names: Vec<NameCount> = Vec::new();
    for list in lists {
        whole.truncated |= list.truncated;
        whole.partial.extend(list.stats.scan.partial);
        for one in list.names {
            match names.iter_mut().find(|known| known.name == one.name) {
                Some(known) => known.count = known.count.max(one.count),
                None => names.push(NameCount { name: one.name, count: one.count }),
            }
        }
    }
    names.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    whole.truncated |= names.len() > limit;
    names.truncate(limit);
    whole.partial.sort();
    whole.partial.dedup();
    (names, whole)
}
