//! Where a page of traces ended: `<start in nanoseconds>.<trace id>`.

use throughline_model::TraceId;

use crate::{Error, Result};

/// The place of a trace in the order of pages: newest matched start first, then trace id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub start_ns: i64,
    pub trace_id: TraceId,
}

impl Place {
    pub fn parse(cursor: &str) -> Result<Self> {
        let parts = cursor.split_once('.').and_then(|(start, id)| {
            (id.len() == 32)
                .then(|| Some((start.parse().ok()?, TraceId::parse(id).ok()?)))
                .flatten()
        });
        match parts {
            Some((start_ns, trace_id)) => Ok(Self { start_ns, trace_id }),
            None => Err(Error::invalid(
                "cursor",
                format!("'{cursor}' is no cursor of a page of traces"),
            )),
        }
    }

    pub fn cursor(&self) -> String {
        format!("{}.{}", self.start_ns, self.trace_id)
    }

    /// Whether this place comes after `other`.
    pub fn is_after(&self, other: &Place) -> bool {
        (other.start_ns, self.trace_id) > (self.start_ns, other.trace_id)
    }
}
