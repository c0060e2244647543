//! Where a page of groups ended: `<place>.<fingerprint>`.

use throughline_model::exception::Fingerprint;

use crate::{Error, Result};

/// The place of a group in the order of pages: the larger first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// What the order is by.
    pub key: i64,
    /// Tells apart what is equal in that.
    pub fingerprint: Fingerprint,
}

impl Place {
    pub fn parse(cursor: &str) -> Result<Self> {
        let parts = cursor.split_once('.').and_then(|(key, fingerprint)| {
            let fingerprint = Fingerprint::parse(fingerprint).ok()?;
            Some(Self { key: key.parse().ok()?, fingerprint })
        });
        parts.ok_or_else(|| {
            Error::invalid("cursor", format!("'{cursor}' is no cursor of a page of exceptions"))
        })
    }

    pub fn cursor(&self) -> String {
        format!("{}.{}", self.key, self.fingerprint)
    }
}
