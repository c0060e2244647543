//! The labels of a series: checked, in order, and encoded as an attribute set.

use throughline_model::codec::{put_bytes, put_nested};
use throughline_model::value;

use crate::records::Read;

/// The label with a series' name.
pub const NAME: &str = "__name__";
/// Labels of a series, at most.
const LABELS_MAX: usize = 1024;

/// Labels as they stand on the wire, which may be in any order and not even text.
#[derive(Default)]
pub struct Labels<'a> {
    pairs: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Labels<'a> {
    /// No labels.
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// One more.
    pub fn push(&mut self, name: &'a [u8], value: &'a [u8]) {
        self.pairs.push((name, value));
    }

    /// The labels with a value, by name, each name once.
    pub fn checked(&mut self) -> Read<Vec<(&'a str, &'a str)>> {
        // A label without a value is none.
        self.pairs.retain(|(_, value)| !value.is_empty());
        if self.pairs.len() > LABELS_MAX {
            return Err(format!("{} labels, the limit is {LABELS_MAX}", self.pairs.len()));
        }
        self.pairs.sort_unstable_by_key(|(name, _)| *name);
        if let Some(pair) = self.pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("label '{}' stands twice", String::from_utf8_lossy(pair[0].0)));
        }
        let mut checked = Vec::with_capacity(self.pairs.len());
        for (name, value) in &self.pairs {
            checked.push((text("label name", name)?, text("label value", value)?));
        }
        match checked.first() {
            Some(("", value)) => Err(format!("the label with value '{value}' has no name")),
            _ => Ok(checked),
        }
    }

    /// The name of the series. `set` is given all other labels.
    pub fn series(&mut self, set: &mut Vec<u8>) -> Read<&'a str> {
        let labels = self.checked()?;
        let mut series_name = None;
        for (name, value) in labels {
            match name {
                NAME => series_name = Some(value),
                _ => put(set, name, value),
            }
        }
        series_name.ok_or_else(|| format!("a series without a {NAME}"))
    }
}

/// Appends a label to an attribute set.
pub fn put(set: &mut Vec<u8>, name: &str, value: &str) {
    put_bytes(set, name.as_bytes());
    put_nested(set, |out| value::put_string(out, value));
}

fn text<'a>(what: &str, bytes: &'a [u8]) -> Read<&'a str> {
    std::str::from_utf8(bytes)
        .map_err(|_| format!("{what} '{}' is not UTF-8", String::from_utf8_lossy(bytes)))
}
