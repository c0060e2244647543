//! Shapes cut into words and the separators between them, as numbers.

use hashbrown::HashMap;

use super::groups;
use super::mask::{AT, BREAK, CLASS, JOINT, SPACE, WILDCARD};

/// The number of the word `<*>`.
pub(super) const ANY: u32 = 0;

/// Where words end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// At blanks, brackets, quotes, commas, colons and equals signs.
    Fine,
    /// At blanks only, so that a value of any punctuation is one word.
    Blanks,
    /// At blanks outside of values in brackets.
    Values,
}

/// Texts of tokens by number, and what each token counts as when rows are compared.
pub(super) struct Tokens {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
    keys: Vec<u32>,
    /// Tokens that compare like variables though their text is constant, by the token of that text.
    variables: HashMap<u32, u32>,
}

impl Tokens {
    pub(super) fn new() -> Self {
        let mut tokens = Self {
            numbers: HashMap::new(),
            texts: Vec::new(),
            keys: Vec::new(),
            variables: HashMap::new(),
        };
        tokens.number(WILDCARD);
        tokens
    }

    pub(super) fn text(&self, token: u32) -> &str {
        &self.texts[token as usize]
    }

    /// The token that stands for it in comparisons: a word with a variable inside, such as
    /// `worker-<*>`, compares like a variable, and blanks compare alike however many.
    pub(super) fn key(&self, token: u32) -> u32 {
        self.keys[token as usize]
    }

    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        self.keys.push(number);
        if holds_variable(text) {
            self.keys[number as usize] = ANY;
        } else if text.contains("  ")
            && text.bytes().all(|byte| CLASS[byte as usize] & (SPACE | BREAK) != 0)
        {
            let mut narrow = text.replace("  ", " ");
            while narrow.contains("  ") {
                narrow = narrow.replace("  ", " ");
            }
            self.keys[number as usize] = self.number(&narrow);
        }
        number
    }

    /// A separator that covers both of two that differ only in how many blanks they have.
    pub(super) fn merged_separator(&mut self, one: u32, other: u32) -> u32 {
        if one == other {
            return one;
        }
        let key = self.key(one);
        let narrow = self.text(key);
        let blank = |byte: u8| CLASS[byte as usize] & SPACE != 0;
        let (Some(first), Some(last)) =
            (narrow.bytes().position(blank), narrow.bytes().rposition(blank))
        else {
            return one;
        };
        let text = format!("{}{WILDCARD}{}", &narrow[..first], &narrow[last..]);
        let number = self.number(&text);
        self.keys[number as usize] = key;
        number
    }

    /// A word that covers both: their common beginning and end, up to a joint, with a variable
    /// between. It compares like a variable.
    pub(super) fn merged(&mut self, one: u32, other: u32) -> u32 {
        if one == other || one == ANY || other == ANY {
            return if one == other { one } else { ANY };
        }
        let (a, b) = (self.text(one), self.text(other));
        if a == b {
            return self.variable(one);
        }
        let (a, b) = (a.as_bytes(), b.as_bytes());
        let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let head = a[..same].iter().rposition(|&byte| is_joint(byte)).map_or(0, |at| at + 1);
        let room = a.len().min(b.len()) - head;
        let same = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
        let from = a.len() - same.min(room);
        let tail =
            a[from..].iter().position(|&byte| is_joint(byte)).map_or(a.len(), |at| from + at);
        let text = self.text(one);
        let mut merged = text[..head].to_owned();
        push(&mut merged, WILDCARD);
        push(&mut merged, &text[tail..]);
        let number = self.number(&merged);
        self.variable(number)
    }

    /// A token of the same text that compares like a variable.
    pub(super) fn variable(&mut self, token: u32) -> u32 {
        if self.key(token) == ANY {
            return token;
        }
        let number = self.texts.len() as u32;
        let next = *self.variables.entry(token).or_insert(number);
        if next == number {
            self.texts.push(self.texts[token as usize].clone());
            self.keys.push(ANY);
        }
        next
    }
}

/// Whether a word may be cut behind or before this byte. Not at those of the wildcard itself.
fn is_joint(byte: u8) -> bool {
    CLASS[byte as usize] & (JOINT | AT | BREAK | SPACE) != 0 && !matches!(byte, b'*' | b'<' | b'>')
}

/// Appends; wildcards that touch become one.
pub(super) fn push(text: &mut String, token: &str) {
    let twice = text.ends_with(WILDCARD) && token.starts_with(WILDCARD);
    text.push_str(if twice { &token[WILDCARD.len()..] } else { token });
}

/// Whether a word has a variable in it and is one value: no list of words, as `key=<*>` is, or a list
/// of nothing but variables.
fn holds_variable(word: &str) -> bool {
    if !word.contains(WILDCARD) || word.bytes().all(|byte| CLASS[byte as usize] & SPACE != 0) {
        return false;
    }
    // A quoted value that begins with a variable names nothing: `"<*> /index.html HTTP/<*>"`.
    if word.starts_with("\"<*>") && word.ends_with('"') {
        return true;
    }
    let mut constant = word.split(WILDCARD).flat_map(str::bytes);
    let address = word.contains("://") || (word.starts_with('/') && word.contains('?'));
    let breaks = |byte: u8| {
        let class = CLASS[byte as usize];
        if address { ends_address(byte) } else { class & (BREAK | SPACE) != 0 }
    };
    let mut list = word.split(WILDCARD).flat_map(str::bytes);
    !constant.any(breaks)
        || list.all(|byte| matches!(byte, b',' | b' ' | b'[' | b']' | b'(' | b')' | b'"'))
}

/// Separator, word, separator, word, …, separator.
pub(super) fn cut(text: &str, cut: Cut, tokens: &mut Tokens) -> Vec<u32> {
    let bytes = text.as_bytes();
    let values = if cut == Cut::Values { groups::values(bytes) } else { Vec::new() };
    let mut values = values.iter().peekable();
    let mut row = Vec::new();
    let mut at = 0;
    loop {
        let start = at;
        let mut empty = false;
        while at < bytes.len() && is_separator(bytes, at, cut) {
            at += 1;
            empty = cut == Cut::Fine && is_empty_value(bytes, at);
            if empty {
                break;
            }
        }
        row.push(tokens.number(&text[start..at]));
        if at == bytes.len() && !empty {
            return row;
        }
        let start = at;
        let mut address = false;
        while !empty && at < bytes.len() {
            address |= bytes[at..].starts_with(SCHEME)
                || (bytes[at] == b'?' && bytes[start] == b'/' && cut == Cut::Fine);
            let next = bytes.get(at + 1).map_or(SPACE, |&byte| CLASS[byte as usize]);
            let ends = if address && (bytes[at] != b':' || next != SPACE) {
                ends_address(bytes[at])
            } else {
                is_separator(bytes, at, cut)
            };
            if ends {
                break;
            }
            at = match values.next_if(|value| value.start == at) {
                Some(value) => value.end,
                None => at + 1,
            };
        }
        row.push(tokens.number(&text[start..at]));
    }
}

/// An address with a scheme is one word, its port and query included.
const SCHEME: &[u8] = b"://";

fn ends_address(byte: u8) -> bool {
    CLASS[byte as usize] & SPACE != 0
        || matches!(byte, b'"' | b'\'' | b',' | b';' | b')' | b']' | b'}' | b'|')
}

/// Whether nothing stands where a value could: in `()`, `[]` and behind the sign of `key= other=`.
fn is_empty_value(bytes: &[u8], at: usize) -> bool {
    let next = bytes.get(at).copied();
    match bytes[at - 1] {
        b'(' => next == Some(b')'),
        b'[' => next == Some(b']'),
        b'{' => next == Some(b'}'),
        b'=' => matches!(next, None | Some(b' ' | b',')),
        _ => false,
    }
}

fn is_separator(text: &[u8], at: usize, cut: Cut) -> bool {
    let class = CLASS[text[at] as usize];
    if class & SPACE != 0 {
        return true;
    }
    if class & BREAK == 0 {
        return false;
    }
    match cut {
        Cut::Blanks | Cut::Values => {
            let next = text.get(at + 1).copied();
            let end = next.is_none_or(|next| CLASS[next as usize] & SPACE != 0);
            (matches!(text[at], b',' | b';' | b':') && end)
                // Between the members of a JSON object.
                || (cut == Cut::Values && text[at] == b',' && next == Some(b'"'))
        }
        Cut::Fine => {
            let wildcard = text[at..].starts_with(WILDCARD.as_bytes())
                || (at >= 2 && text[at - 2..].starts_with(WILDCARD.as_bytes()));
            !wildcard && !text[at..].starts_with(SCHEME)
        }
    }
}
