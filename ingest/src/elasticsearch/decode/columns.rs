//! Documents for Elasticsearch to [`throughline_model::schema::logs`]: their names are those of the Elastic
//! Common Schema.

use throughline_model::Result;
use throughline_model::batch::Decoded;

use super::actions::Item;
use crate::records::document;
use crate::records::documents::{Documents, Given, Names, iso8601_or_millis};

const NAMES: Names<'_> = Names {
    body: &["message", "msg", "log", "event.original"],
    severity: &["log.level", "level", "severity"],
    time: &["@timestamp"],
    of_resource: &[],
    read_time: iso8601_or_millis,
};

/// The attributes that say where a document was meant to go.
const INDEX: &str = "elasticsearch.index";
const ID: &str = "elasticsearch.id";
/// Its size, where it was too large to be taken apart.
const WHOLE_BYTES: &str = "elasticsearch.whole_bytes";

/// The columns of a request.
pub struct Columns {
    documents: Documents,
    received_at_ns: i64,
}

impl Columns {
    /// No document yet.
    pub fn new(received_at_ns: i64) -> Result<Self> {
        Ok(Self { documents: Documents::new("items")?, received_at_ns })
    }

    /// Adds a document, or counts it as refused.
    pub fn item(&mut self, item: &Item<'_>) -> Result<()> {
        let given = Given {
            text: item.document.unwrap_or_default(),
            arrived_at_ns: self.received_at_ns,
            attributes: &[(INDEX, item.index), (ID, item.id)],
            whole_bytes: WHOLE_BYTES,
            ..Given::default()
        };
        let read = item.document.map_err(str::to_owned).and_then(document::read);
        self.documents.add(read, &NAMES, &given)
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        self.documents.finish()
    }
}
