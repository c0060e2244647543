//! What a word of a text is: the one rule that scans, the word index and the query languages share.
//!
//! A word is a maximal run of letters, digits and underscores; a character of a script without spaces
//! (Han, kana, Hangul, Thai) is a word by itself. Words compare lower-cased, character by character.
//! `user.id=Ü7` has the words `user`, `id` and `ü7`.

/// The words of a text, as they stand in it.
pub fn words(text: &str) -> Words<'_> {
    Words { text, at: 0 }
}

/// See [`words`].
#[derive(Clone, Debug)]
pub struct Words<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Words<'t> {
    /// Where the next word is looked for.
    pub fn offset(&self) -> usize {
        self.at
    }
}

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let bytes = self.text.as_bytes();
        let mut start = None;
        while let Some(&byte) = bytes.get(self.at) {
            let (class, len) = if byte < 0x80 {
                (ASCII[byte as usize], 1)
            } else {
                let char = self.text[self.at..].chars().next()?;
                (class_of(char), char.len_utf8())
            };
            match (class, start) {
                (Class::Part, _) => start = start.or(Some(self.at)),
                (Class::None, None) => {}
                (Class::Whole, None) => {
                    self.at += len;
                    return Some(&self.text[self.at - len..self.at]);
                }
                (Class::None | Class::Whole, Some(start)) => {
                    return Some(&self.text[start..self.at]);
                }
            }
            self.at += len;
        }
        start.map(|start| &self.text[start..])
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Between words.
    None,
    /// Part of a word.
    Part,
    /// A word by itself.
    Whole,
}

const ASCII: [Class; 128] = {
    let mut table = [Class::None; 128];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_' {
            table[byte] = Class::Part;
        }
        byte += 1;
    }
    table
};

fn class_of(char: char) -> Class {
    let is_whole = matches!(u32::from(char),
        0x0e00..=0x0e7f | 0x1100..=0x11ff | 0x3040..=0x30ff | 0x3130..=0x318f | 0x31f0..=0x31ff
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff | 0xff66..=0xff9f
        | 0x2_0000..=0x2_fa1f);
    match char.is_alphanumeric() {
        true if is_whole => Class::Whole,
        true => Class::Part,
        false if char == '_' => Class::Part,
        false => Class::None,
    }
}

/// Whether a character is of a word.
pub fn is_word_char(char: char) -> bool {
    class_of(char) != Class::None
}

/// Whether a word breaks between two neighbours that are both of words.
pub fn breaks_between(before: char, after: char) -> bool {
    class_of(before) != Class::Part || class_of(after) != Class::Part
}

/// Appends a word as it is compared.
pub fn fold(word: &str, out: &mut String) {
    if word.is_ascii() {
        let start = out.len();
        out.push_str(word);
        out[start..].make_ascii_lowercase();
    } else {
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
}

/// A word as it is compared.
pub fn folded(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    fold(word, &mut out);
    out
}

/// Whether a word of a text is the folded one.
fn is_word(word: &str, folded: &str) -> bool {
    if word.is_ascii() {
        return word.eq_ignore_ascii_case(folded);
    }
    word.chars().flat_map(char::to_lowercase).eq(folded.chars())
}

/// Whether a word of a text begins with the folded one.
fn begins_with(word: &str, folded: &str) -> bool {
    if word.is_ascii() {
        let start = word.as_bytes().get(..folded.len());
        return start.is_some_and(|start| start.eq_ignore_ascii_case(folded.as_bytes()));
    }
    let mut chars = word.chars().flat_map(char::to_lowercase);
    folded.chars().all(|wanted| chars.next() == Some(wanted))
}

/// Words side by side, whatever stands between them; of the last perhaps only the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Phrase {
    /// Folded; at least one.
    pub words: Vec<String>,
    /// Whether the last is a beginning.
    pub prefix: bool,
}

impl Phrase {
    /// The phrase of the words of a text; none if it has none.
    pub fn of(text: &str, prefix: bool) -> Option<Self> {
        let words = words(text).map(folded).collect::<Vec<_>>();
        (!words.is_empty()).then_some(Self { words, prefix })
    }

    /// Whether a text has the phrase.
    pub fn is_in(&self, text: &str) -> bool {
        let Some((first, rest)) = self.words.split_first() else { return false };
        let mut at = words(text);
        while let Some(word) = at.next() {
            let met = match rest.is_empty() && self.prefix {
                true => begins_with(word, first),
                false => is_word(word, first),
            };
            if met && self.goes_on(rest, at.clone()) {
                return true;
            }
        }
        false
    }

    fn goes_on(&self, rest: &[String], mut at: Words<'_>) -> bool {
        let last = rest.len().saturating_sub(1);
        rest.iter().enumerate().all(|(number, wanted)| match at.next() {
            Some(word) if number == last && self.prefix => begins_with(word, wanted),
            Some(word) => is_word(word, wanted),
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_have_words() {
        for (text, expected) in [
            ("", vec![]),
            (" - ", vec![]),
            ("user.id=Ü7, a_b", vec!["user", "id", "Ü7", "a_b"]),
            ("登录失败 ok", vec!["登", "录", "失", "败", "ok"]),
            ("x登y", vec!["x", "登", "y"]),
            ("tail", vec!["tail"]),
            ("🙂smile🙂", vec!["smile"]),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn phrases_are_found() {
        for (phrase, prefix, text, expected) in [
            ("error", false, "An ERROR occurred", true),
            ("error", false, "errors", false),
            ("err", true, "errors", true),
            ("error occurred", false, "An error: occurred.", true),
            ("occurred error", false, "An error occurred.", false),
            ("a a b", false, "a a a b", true),
            ("größe", false, "Die GRÖSSE und GRÖßE", true),
            ("失败", false, "登录失败", true),
            ("connection re", true, "the connection was; Connection-Reset", true),
            ("i̇x", false, "İX", false),
        ] {
            let phrase = Phrase::of(phrase, prefix).expect("has words");
            assert_eq!(phrase.is_in(text), expected, "{phrase:?} in {text}");
        }
    }

    proptest! {
        #[test]
        fn every_part_of_a_text_is_a_phrase_of_it(text in ".{0,40}", cut in 0usize..40) {
            let all = words(&text).map(folded).collect::<Vec<_>>();
            let rest = all.get(cut..).unwrap_or_default().to_vec();
            if !rest.is_empty() {
                let phrase = Phrase { words: rest, prefix: false };
                prop_assert!(phrase.is_in(&text));
            }
            let joined = words(&text).flat_map(str::chars).collect::<String>();
            let kept = text.chars().filter(|char| is_word_char(*char)).collect::<String>();
            prop_assert_eq!(joined, kept);
        }
    }
}
