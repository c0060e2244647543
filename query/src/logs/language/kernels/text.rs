//! `has_word`, `has_phrase` and `has_prefix`.

use memchr::memmem::Finder;

use throughline_model::words::{Phrase, words};

/// A text to look for, prepared.
#[derive(Clone, Debug)]
pub enum PreparedText {
    /// Words side by side.
    Phrase(Phrase),
    /// A text without any word is looked for as it is.
    Part(Box<Finder<'static>>),
}

impl PreparedText {
    /// Words side by side, whatever stands between them: `has_word`, `has_phrase`.
    pub fn phrase(text: &str) -> Self {
        Self::new(text, false)
    }

    /// The same, where of the last word this is the beginning: `has_prefix`. A text that does not end
    /// in a word (`id=`) has no word to go on, and is a phrase.
    pub fn prefix(text: &str) -> Self {
        let ends_in_word = words(text).last().is_some_and(|last| text.ends_with(last));
        Self::new(text, ends_in_word)
    }

    fn new(text: &str, prefix: bool) -> Self {
        match Phrase::of(text, prefix) {
            Some(phrase) => Self::Phrase(phrase),
            None => Self::Part(Box::new(Finder::new(text.as_bytes()).into_owned())),
        }
    }

    /// Whether a text has it.
    pub fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Phrase(phrase) => phrase.is_in(text),
            Self::Part(finder) => finder.find(text.as_bytes()).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found() {
        for (text, within, expected) in [
            ("reset", "Connection RESET by peer", true),
            ("reset", "resets", false),
            ("connection-reset", "connection reset", true),
            ("user.id", "user_id", false),
            ("=>", "a => b", true),
            ("=>", "a = > b", false),
            ("失败", "登录失败了", true),
            ("", "anything", true),
        ] {
            assert_eq!(PreparedText::phrase(text).is_in(within), expected, "{text} in {within}");
        }
    }

    #[test]
    fn prefixes_are_found() {
        for (text, within, expected) in [
            ("conn", "Connection reset", true),
            ("nection", "Connection reset", false),
            ("connection re", "connection reset", true),
            ("id=", "id=7", true),
            ("id=", "ids=7", false),
            ("->", "a -> b", true),
        ] {
            assert_eq!(PreparedText::prefix(text).is_in(within), expected, "{text} in {within}");
        }
    }
}
