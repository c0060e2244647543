//! Attributes and scopes as wire types share them.

use serde::{Serialize, Serializer};
use throughline_model::Value;
use throughline_model::origin;
use utoipa::ToSchema;

use crate::render::value::AttributesJson;

/// An instrumentation scope.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Scope {
    /// Name of the instrumentation library.
    #[schema(example = "io.opentelemetry.http")]
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its attributes in their own types.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub attributes: Vec<(String, Value)>,
}

impl From<origin::Scope> for Scope {
    fn from(scope: origin::Scope) -> Self {
        Self { name: scope.name, version: scope.version, attributes: scope.attributes }
    }
}

/// Attributes as an object.
pub fn attributes<S: Serializer>(
    entries: &[(String, Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    AttributesJson(entries).serialize(serializer)
}

/// An id as hex digits, or null.
pub fn optional_text<T: std::fmt::Display, S: Serializer>(
    id: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    id.as_ref().map(ToString::to_string).serialize(serializer)
}
