//! `has_wildcard`: words side by side, in which `*` stands for any characters of a word.
//!
//! `time*out` finds "timeout" and "time_is_out", not "time out". `\*` and `\\` are themselves. A `*`
//! that no word touches stands for one word: `user * failed`. Beside a character that is a word by
//! itself (`登*`), it adds nothing.

use throughline_model::words::{breaks_between, fold, is_word_char, words};

/// A pattern, prepared.
#[derive(Clone, Debug)]
pub struct PreparedWildcard {
    words: Vec<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    /// Folded.
    Text(String),
    Any,
}

impl PreparedWildcard {
    /// Prepares a pattern. One without any word and star is met by every text.
    pub fn new(pattern: &str) -> Self {
        let mut builder = Builder::default();
        let mut chars = pattern.chars();
        while let Some(char) = chars.next() {
            match char {
                '*' => builder.star(),
                '\\' => builder.char(chars.next().unwrap_or('\\')),
                other => builder.char(other),
            }
        }
        builder.end_word();
        Self { words: builder.words }
    }

    /// Whether a text has such words.
    pub fn is_in(&self, text: &str) -> bool {
        let Some((first, rest)) = self.words.split_first() else { return true };
        let mut folded = String::new();
        let mut at = words(text);
        while let Some(word) = at.next() {
            let mut next = at.clone();
            let mut goes_on = |pieces: &Vec<Piece>| {
                next.next().is_some_and(|word| is_met(pieces, word, &mut String::new()))
            };
            if is_met(first, word, &mut folded) && rest.iter().all(&mut goes_on) {
                return true;
            }
        }
        false
    }
}

#[derive(Default)]
struct Builder {
    words: Vec<Vec<Piece>>,
    word: Vec<Piece>,
    last: Option<char>,
    /// Whether the word before ended only because it is one character of its own.
    glued: bool,
}

impl Builder {
    fn star(&mut self) {
        if let Some(last) = self.last
            && breaks_between(last, last)
        {
            self.end_word();
            self.glued = true;
        }
        if !(self.glued && self.word.is_empty()) && self.word.last() != Some(&Piece::Any) {
            self.word.push(Piece::Any);
        }
        self.last = None;
    }

    fn char(&mut self, char: char) {
        if !is_word_char(char) {
            self.end_word();
            self.last = None;
            return;
        }
        let stands_alone = breaks_between(char, char);
        if stands_alone {
            // `*登`: the star before adds nothing either.
            if self.word.as_slice() == [Piece::Any] {
                self.word.clear();
            }
            self.end_word();
        } else if self.last.is_some_and(|last| breaks_between(last, char)) {
            self.end_word();
        }
        self.glued = false;
        let mut folded = String::new();
        fold(char.encode_utf8(&mut [0; 4]), &mut folded);
        match self.word.last_mut() {
            Some(Piece::Text(text)) => text.push_str(&folded),
            _ => self.word.push(Piece::Text(folded)),
        }
        self.last = Some(char);
    }

    fn end_word(&mut self) {
        self.glued = false;
        if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }
}

// Whether a whole word meets the pieces. The text of a piece is taken where it comes first: what is left
// is then longest. Only the last piece is bound to the end.
fn is_met(pieces: &[Piece], word: &str, folded: &mut String) -> bool {
    folded.clear();
    fold(word, folded);
    let mut rest = folded.as_str();
    let mut anchored = true;
    for (number, piece) in pieces.iter().enumerate() {
        let is_last = number + 1 == pieces.len();
        match piece {
            Piece::Any => anchored = false,
            Piece::Text(text) if is_last && !anchored => return rest.ends_with(text.as_str()),
            Piece::Text(text) if anchored => match rest.strip_prefix(text.as_str()) {
                Some(after) => rest = after,
                None => return false,
            },
            Piece::Text(text) => match rest.find(text.as_str()) {
                Some(at) => {
                    rest = &rest[at + text.len()..];
                    anchored = true;
                }
                None => return false,
            },
        }
    }
    !anchored || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_found() {
        for (pattern, text, expected) in [
            ("time*out", "a Timeout happened", true),
            ("time*out", "time out", false),
            ("*out", "timeout", true),
            ("*out", "outer", false),
            ("*", "", false),
            ("*", "x", true),
            ("c*n", "connection", true),
            ("c*n", "cn", true),
            ("c*n", "connections", false),
            ("a*b*c", "xa aXbYc", true),
            ("a*bc*c", "abc", false),
            ("conn* reset", "connection: reset", true),
            ("user * failed", "user 7 failed", true),
            ("user * failed", "user failed", false),
            ("user.*", "user.id", true),
            ("登*", "登录", true),
            ("*录", "登录", true),
            ("*录", "录x", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "aXb", false),
            ("", "x", true),
        ] {
            assert_eq!(PreparedWildcard::new(pattern).is_in(text), expected, "{pattern} in {text}");
        }
    }
}
