//! The labels of a series: checked, in order, and encoded as an attribute set.

use throughline_model::codec::{put_bytes, put_nested};
use throughline_model::value;

use crate::records::Read;

/// The label with a series' name.
pub const NAME: &str = "__name__";
const LABEL_NAME: &str = "label name";
const LABEL_VALUE: &str = "label value";
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
        self.check()?;
        let pairs = self.pairs.iter();
        pairs
            .map(|(name, value)| Ok((text(LABEL_NAME, name)?, text(LABEL_VALUE, value)?)))
            .collect()
    }

    /// The name of the series. `set` is given all other labels.
    pub fn series(&mut self, set: &mut Vec<u8>) -> Read<&'a str> {
        self.check()?;
        let mut series_name = None;
        for (name, value) in &self.pairs {
            if *name == NAME.as_bytes() {
                series_name = Some(text(LABEL_VALUE, value)?);
            } else {
                put_bytes(set, name);
                put_nested(set, |out| value::put_string_bytes(out, value));
            }
        }
        series_name.ok_or_else(|| format!("a series without a {NAME}"))
    }

    /// Puts the labels in order, without those that have no value, and refuses what is no text or stands twice.
    fn check(&mut self) -> Read<()> {
        // A label without a value is none.
        self.pairs.retain(|(_, value)| !value.is_empty());
        if self.pairs.len() > LABELS_MAX {
            return Err(format!("{} labels, the limit is {LABELS_MAX}", self.pairs.len()));
        }
        // Senders have to send them in order, and do.
        if !self.pairs.is_sorted_by(|a, b| a.0 < b.0) {
            self.pairs.sort_unstable_by_key(|(name, _)| *name);
            if let Some(pair) = self.pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(format!("label '{}' stands twice", String::from_utf8_lossy(pair[0].0)));
            }
        }
        for (name, value) in &self.pairs {
            check_text(LABEL_NAME, name)?;
            check_text(LABEL_VALUE, value)?;
        }
        match self.pairs.first() {
            Some((b"", value)) => {
                let value = String::from_utf8_lossy(value);
                Err(format!("the label with value '{value}' has no name"))
            }
            _ => Ok(()),
        }
    }
}

/// Appends a label to an attribute set.
pub fn put(set: &mut Vec<u8>, name: &str, value: &str) {
    put_bytes(set, name.as_bytes());
    put_nested(set, |out| value::put_string(out, value));
}

/// Most texts are ASCII, which is seen sooner than that they are UTF-8.
fn check_text(what: &str, bytes: &[u8]) -> Read<()> {
    if bytes.is_ascii() { Ok(()) } else { text(what, bytes).map(drop) }
}

fn text<'a>(what: &str, bytes: &'a [u8]) -> Read<&'a str> {
    std::str::from_utf8(bytes)
        .map_err(|_| format!("{what} '{}' is not UTF-8", String::from_utf8_lossy(bytes)))
}
