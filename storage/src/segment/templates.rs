//! The templates of a segment of log records: what its bodies look like once variables are left out.
//!
//! Mined from the bodies when a head is flushed; a merge unites the templates of its inputs without
//! reading a body (`model::template`). Numbers are local to the segment, hashes are not.
//!
//! ```text
//! section := crc32c u32 LE | form u8 | varint length | zstd of (varint n, (len, text | hash u64 LE | varint rows)*)
//! ```

use throughline_model::codec::{Reader, put_bytes, put_varint};
use throughline_model::template::Template;

use super::index::section::{seal, unseal};
use crate::{Error, Result};

const FORM: u8 = 1;

/// The templates of a segment, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentTemplates {
    /// Each with the rows that have it.
    pub templates: Vec<Template>,
}

impl SegmentTemplates {
    pub(crate) fn write(&self) -> Result<Vec<u8>> {
        if self.templates.is_empty() {
            return Ok(Vec::new());
        }
        let mut plain = Vec::new();
        put_varint(&mut plain, self.templates.len() as u64);
        for template in &self.templates {
            put_bytes(&mut plain, template.text.as_bytes());
            plain.extend_from_slice(&template.hash.to_le_bytes());
            put_varint(&mut plain, template.count);
        }
        seal(FORM, &plain)
    }

    pub(crate) fn read(section: &[u8]) -> Result<Self> {
        if section.is_empty() {
            return Ok(Self::default());
        }
        let plain = unseal(FORM, section)?;
        let plain = plain.ok_or_else(|| Error::corrupt("templates have an unknown form"))?;
        let mut reader = Reader::new(&plain);
        let templates = (0..reader.varint()?)
            .map(|_| {
                let text = reader.str()?.to_owned();
                let hash = u64::from_le_bytes(reader.array()?);
                Ok(Template { text, hash, count: reader.varint()? })
            })
            .collect::<Result<_>>()?;
        Ok(Self { templates })
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.templates.iter().map(|t| t.text.len() + size_of::<Template>()).sum()
    }
}
