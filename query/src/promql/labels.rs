//! Label sets.

use std::fmt::{Display, Formatter, Result, Write};
use std::sync::Arc;

use super::numbers;

/// The label that holds a metric's name.
pub const NAME: &str = "__name__";
/// The label that holds a metric's type, where types are labels.
pub const TYPE: &str = "__type__";
/// The label that holds a metric's unit, where units are labels.
pub const UNIT: &str = "__unit__";
/// The label that holds the upper bound of a classic bucket.
pub const BUCKET: &str = "le";
/// The label that holds which quantile of a summary a series is.
pub const QUANTILE: &str = "quantile";

/// A label: its name and value.
pub type Label = (Arc<str>, Arc<str>);

/// A set of labels, sorted by name; none has an empty value. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Option<Arc<[Label]>>);

impl Labels {
    /// A set of labels in any order; those with an empty value are left out, and of two with one name
    /// the later stays.
    pub fn new(labels: impl IntoIterator<Item = Label>) -> Self {
        let mut labels = labels.into_iter().collect::<Vec<_>>();
        labels.sort_by(|a, b| a.0.cmp(&b.0));
        labels.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        labels.retain(|(_, value)| !value.is_empty());
        Self::sorted(labels)
    }

    /// A set of labels that are sorted, distinct and not empty.
    pub fn sorted(labels: Vec<Label>) -> Self {
        Self((!labels.is_empty()).then(|| labels.into()))
    }

    /// Of names and values.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::new(pairs.into_iter().map(|(name, value)| (name.into(), value.into())))
    }

    /// The labels, by name.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.as_deref().unwrap_or_default().iter()
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.iter().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The value of a label; of one that is missing, the empty text.
    pub fn get(&self, name: &str) -> &str {
        self.find(name).map_or("", |value| value)
    }

    /// The value of a label.
    pub fn find(&self, name: &str) -> Option<&Arc<str>> {
        self.iter().find(|(own, _)| &**own == name).map(|(_, value)| value)
    }

    /// The metric's name, or the empty text.
    pub fn name(&self) -> &str {
        self.get(NAME)
    }

    /// The labels that a test wants.
    pub fn filter(&self, wanted: impl Fn(&str) -> bool) -> Self {
        if self.iter().all(|(name, _)| wanted(name)) {
            return self.clone();
        }
        Self::sorted(self.iter().filter(|(name, _)| wanted(name)).cloned().collect())
    }

    /// Without name, type and unit: what a calculated value no longer has.
    pub fn without_metric(&self) -> Self {
        self.filter(|name| !is_of_metric(name))
    }

    /// Only those labels.
    pub fn only(&self, names: &[Arc<str>]) -> Self {
        self.filter(|own| names.iter().any(|name| **name == *own))
    }

    /// All but those labels.
    pub fn without(&self, names: &[Arc<str>]) -> Self {
        self.filter(|own| !names.iter().any(|name| **name == *own))
    }

    /// With a label set; an empty value removes it.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut labels = Vec::with_capacity(self.len() + 1);
        labels.extend(self.iter().filter(|(own, _)| &**own != name).cloned());
        if !value.is_empty() {
            let place = labels.partition_point(|(own, _)| &**own < name);
            labels.insert(place, (name.into(), value.into()));
        }
        Self::sorted(labels)
    }
}

impl From<&Labels> for Labels {
    fn from(labels: &Labels) -> Self {
        labels.clone()
    }
}

/// Whether a label says which metric it is, rather than which series of it.
pub fn is_of_metric(name: &str) -> bool {
    matches!(name, NAME | TYPE | UNIT)
}

impl Display for Labels {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_char('{')?;
        for (i, (name, value)) in self.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            let is_plain = |(i, c): (usize, char)| {
                c == '_' || c.is_ascii_alphabetic() || i > 0 && c.is_ascii_digit()
            };
            match name.char_indices().all(is_plain) {
                true => f.write_str(name)?,
                false => f.write_str(&numbers::quoted(name))?,
            }
            write!(f, "={}", numbers::quoted(value))?;
        }
        f.write_char('}')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_sorted_and_without_empty_values() {
        let labels = Labels::of([("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
        assert_eq!(labels.to_string(), r#"{a="1", b="3"}"#);
        assert_eq!(labels.get("c"), "");
        assert_eq!(labels.with("a", "").to_string(), r#"{b="3"}"#);
        assert_eq!(Labels::default(), Labels::of([("x", "")]));
    }
}
