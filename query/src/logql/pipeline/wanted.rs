//! Which labels the stages behind a stage look at, so that parsers may leave out the others.

use super::super::grammar::EXTRACTED;
use super::super::labels::{Labels, fingerprint};

/// A label's name with its fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub(super) text: Box<str>,
    pub(super) print: u32,
}

impl Name {
    /// The name of a label.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), print: fingerprint(text) }
    }
}

/// Labels that somebody looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// Only these.
    Some {
        /// The labels. A parser may make others as well.
        names: Vec<Name>,
        /// Whether somebody asks if a line can be parsed: then all of it must be looked at.
        errors: bool,
    },
}

impl Wanted {
    /// Only these labels.
    pub fn only<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut wanted = Self::Some { names: Vec::new(), errors: false };
        names.into_iter().for_each(|name| wanted.add(name.as_ref()));
        wanted
    }

    /// The labels, if they are only some. A label may come from another whose name lacks the suffix.
    pub fn names(&self) -> Option<impl Iterator<Item = &str>> {
        let Self::Some { names, .. } = self else { return None };
        Some(names.iter().flat_map(|name| {
            let base = name.text.strip_suffix(EXTRACTED);
            std::iter::once(&*name.text).chain(base)
        }))
    }

    /// Another label, and what it may come from.
    pub(super) fn add(&mut self, name: &str) {
        if name.starts_with("__error") {
            self.add_errors();
        }
        if let Self::Some { names, .. } = self
            && !names.iter().any(|own| &*own.text == name)
        {
            names.push(Name::new(name));
        }
    }

    fn add_errors(&mut self) {
        if let Self::Some { errors, .. } = self {
            *errors = true;
        }
    }

    /// Whether a parser should make this label: it is wanted itself, or under the name that it gets
    /// where the stream has one of that name.
    pub(super) fn wants(&self, name: &str) -> bool {
        let Self::Some { names, .. } = self else { return true };
        let print = fingerprint(name);
        names.iter().any(|own| {
            (own.print == print && *own.text == *name)
                || own.text.strip_suffix(EXTRACTED).is_some_and(|base| base == name)
        })
    }

    pub(super) fn wants_exactly(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some { names, .. } => names.iter().any(|own| &*own.text == name),
        }
    }

    /// Whether a label may be wanted whose name begins with this and an underscore.
    pub(super) fn wants_below(&self, prefix: &str) -> bool {
        let Self::Some { names, .. } = self else { return true };
        names
            .iter()
            .any(|own| own.text.strip_prefix(prefix).is_some_and(|behind| behind.starts_with('_')))
    }

    /// How many labels a parser has to find before it may stop; zero if it need not start.
    pub(super) fn missing(&self, stream: &Labels) -> usize {
        let Self::Some { names, errors } = self else { return usize::MAX };
        if *errors || names.iter().any(|own| own.text.ends_with(EXTRACTED)) {
            return usize::MAX;
        }
        names.iter().filter(|own| stream.index_of(&own.text).is_none()).count()
    }
}
