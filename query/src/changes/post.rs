//! Changes that somebody posts.

use throughline_storage::PostedChange;

use super::Change;
use crate::{Engine, Error, Result};

/// Bytes of a title, a link, a service or a version.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Bytes of the attributes as JSON.
pub const ATTRIBUTES_BYTES_MAX: usize = 16 * 1024;

impl Engine {
    /// Keeps a change, and returns it with its number.
    pub async fn post_change(&self, change: PostedChange) -> Result<Change> {
        check(&change)?;
        let id = self.store().add_change(&change).await?;
        Ok(PostedChange { id, ..change }.into())
    }
}

fn check(change: &PostedChange) -> Result<()> {
    let texts = [
        ("title", &change.title, TEXT_BYTES_MAX),
        ("link", &change.link, TEXT_BYTES_MAX),
        ("service", &change.service, TEXT_BYTES_MAX),
        ("version", &change.version, TEXT_BYTES_MAX),
        ("attributes", &change.attributes, ATTRIBUTES_BYTES_MAX),
    ];
    for (field, text, bytes_max) in texts {
        if text.len() > bytes_max {
            let message = format!("{field} has {} bytes, the limit is {bytes_max}", text.len());
            return Err(Error::invalid(field, message));
        }
    }
    if change.title.trim().is_empty() {
        return Err(Error::invalid("title", "a change needs a title"));
    }
    // A link is shown to be followed: one that runs a script is not kept.
    let is_link = change.link.is_empty()
        || change.link.starts_with("https://")
        || change.link.starts_with("http://");
    if !is_link {
        let message = format!("link '{}' begins with neither https:// nor http://", change.link);
        return Err(Error::invalid("link", message));
    }
    Ok(())
}
