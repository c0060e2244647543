//! Where the value of a label is stored.

use std::sync::Arc;

use throughline_model::Signal;
use throughline_model::predicate::Target;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_storage::View;
use throughline_storage::scan::{KnownKeys, ScanContext, known_keys};

use super::names::{self, is_of_stream, label_name};
use super::origins::{Keys, Known, Origins};
use crate::Result;

/// Where a label comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// No record has it.
    Nowhere,
    /// A column of its own.
    Column(&'static str),
    /// The severity.
    Level,
    /// One attribute, whose value is never a kvlist.
    Attribute(Target),
    /// Several places, by record: only the labels of each tell.
    Rows,
}

/// The attributes that there are.
pub struct Places {
    items: KnownKeys,
    origins: Known,
}

impl Places {
    /// Those that records of a range of time may have.
    pub async fn of_view(
        view: &Arc<View>,
        time: TimeRange,
        origins: &Origins,
        context: &ScanContext,
    ) -> Result<Self> {
        let items = known_keys(view, Signal::Logs, time, context).await?;
        Ok(Self { items, origins: origins.of_view(view, time, context).await? })
    }

    /// Nothing is known: every label but those of columns is in any place.
    pub fn unknown() -> Self {
        Self { items: KnownKeys::default(), origins: Known::default() }
    }

    /// The resources and scopes.
    pub fn origins(&self) -> &Known {
        &self.origins
    }

    /// Where a label comes from.
    pub fn of(&self, label: &str) -> Place {
        if label == names::SERVICE {
            return Place::Column(col::SERVICE_NAME);
        }
        let column = match label {
            names::LEVEL => Some(Place::Level),
            names::TRACE_ID => Some(Place::Column(col::TRACE_ID)),
            names::SPAN_ID => Some(Place::Column(col::SPAN_ID)),
            names::SEVERITY_TEXT => Some(Place::Column(col::SEVERITY_TEXT)),
            names::SEVERITY_NUMBER => Some(Place::Column(col::SEVERITY_NUMBER)),
            names::EVENT_NAME => Some(Place::Column(col::EVENT_NAME)),
            names::FLAGS => Some(Place::Column(col::FLAGS)),
            names::SCOPE_NAME | names::SCOPE_VERSION => Some(Place::Rows),
            _ => None,
        };
        if !self.items.is_complete {
            return column.filter(|column| *column == Place::Level).unwrap_or(Place::Rows);
        }
        let items = matching(&self.items.keys, label).map(|key| key.map(Target::Attribute));
        let resources = matching(&self.origins.resource_keys, label);
        let resources = resources.map(|key| key.map(Target::ResourceAttribute));
        let scopes = matching(&self.origins.scope_keys, label);
        let scopes = scopes.map(|key| key.map(Target::ScopeAttribute));
        let mut found = items.chain(resources).chain(scopes);
        match (found.next(), found.next(), column) {
            (None, _, column) => column.unwrap_or(Place::Nowhere),
            (Some(Some(target)), None, None) => Place::Attribute(target),
            _ => Place::Rows,
        }
    }

    /// Whether a label may be one of a stream.
    pub fn is_of_stream(&self, label: &str) -> bool {
        label == names::SERVICE
            || self.origins.resource_keys.iter().any(|(key, is_nested)| {
                is_of_stream(key) && is_match(key, *is_nested, label).is_some()
            })
    }
}

// The keys that may come to a label; none for a key whose values are kvlists.
fn matching<'a>(keys: &'a Keys, label: &'a str) -> impl Iterator<Item = Option<String>> + 'a {
    keys.iter().filter_map(move |(key, is_nested)| is_match(key, *is_nested, label))
}

fn is_match(key: &str, is_nested: bool, label: &str) -> Option<Option<String>> {
    let behind = label.strip_prefix(&*label_name(key))?;
    match is_nested {
        false => behind.is_empty().then(|| Some(key.to_owned())),
        true => (behind.is_empty() || behind.starts_with('_')).then_some(None),
    }
}
