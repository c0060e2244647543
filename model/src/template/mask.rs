//! The first step of the miner: a line becomes its *shape*, the same text with `<*>` where a value
//! is recognised by its form alone (numbers, ids, addresses, times). One pass over the bytes.

use super::date;
use super::quantity;
use super::word;

/// Stands for a variable in shapes and templates.
pub const WILDCARD: &str = "<*>";

/// Bytes of a line that are looked at. What follows is one variable.
pub const LINE_BYTES_MAX: usize = 4 * 1024;

/// Words of a line that are looked at. What follows is one variable.
pub const LINE_WORDS_MAX: usize = 256;

/// Classes of bytes; those of a word are collected by `or`.
pub(super) const SPACE: u8 = 1;
pub(super) const BREAK: u8 = 2;
pub(super) const DIGIT: u8 = 4;
pub(super) const LETTER: u8 = 8;
pub(super) const AT: u8 = 16;
/// Stands inside words: `_`, `-`, `.`, `/` and the like.
pub(super) const JOINT: u8 = 32;

/// The class of each byte.
pub(super) static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [JOINT; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' | b'\r' | b'\n' => SPACE,
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => LETTER,
            b'@' => AT,
            b'=' | b':' | b',' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}' => BREAK,
            b'"' | b'\'' | b'|' | b'<' | b'>' | b'`' => BREAK,
            _ => JOINT,
        };
        byte += 1;
    }
    table
}

/// The shape under construction.
pub(super) struct Mask<'a> {
    pub(super) line: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Everything before this position of `line` is in `out`.
    copied: usize,
    /// Where the last variable ended in `line`; `usize::MAX` before the first one.
    variable_end: usize,
}

impl Mask<'_> {
    /// Declares `line[start..end]` a variable. Variables with at most one joining byte between them
    /// are one: `10.0.0.1:80`, `1,000`, `03/04`.
    #[inline]
    pub(super) fn variable(&mut self, start: usize, end: usize) {
        let joined = self.variable_end != usize::MAX
            && (start == self.variable_end
                || (start == self.variable_end + 1 && joins(self.line[start - 1])));
        if !joined {
            let start = self.without_padding(start);
            self.out.extend_from_slice(&self.line[self.copied..start]);
            self.out.extend_from_slice(WILDCARD.as_bytes());
        }
        self.copied = end;
        self.variable_end = end;
    }

    /// Whether the byte at `position` of a word that begins at `word` follows a variable in that word
    /// directly or after one joint.
    #[inline]
    pub(super) fn after_variable(&self, position: usize, word: usize) -> bool {
        self.variable_end != usize::MAX
            && self.variable_end > word
            && position <= self.variable_end + 1
    }

    /// Columns are padded to a width, so the number of blanks before a number says nothing: all but
    /// the first belong to the variable.
    #[inline]
    fn without_padding(&self, start: usize) -> usize {
        let blank = |at: usize| matches!(self.line[at], b' ' | b'\t');
        let mut start = start;
        while start >= self.copied + 2 && blank(start - 1) && blank(start - 2) {
            start -= 1;
        }
        // `[  12.5]`, where a long number leaves no blank.
        if start >= self.copied + 2
            && blank(start - 1)
            && matches!(self.line[start - 2], b'[' | b'(')
        {
            start -= 1;
        }
        start
    }

    /// The same for numbers that are padded on their right.
    #[inline]
    fn skip_padding(&mut self, end: usize) -> usize {
        let blank = |at: usize| self.line.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        let mut end = end;
        if self.copied == end {
            while blank(end) && blank(end + 1) {
                end += 1;
            }
            self.copied = end;
        }
        end
    }
}

#[inline]
fn joins(byte: u8) -> bool {
    matches!(byte, b':' | b'.' | b',' | b'/' | b'-' | b'_' | b'+' | b'@' | b'#' | b'|' | b'*')
}

/// Writes the shape of `line` into `out`, which is emptied first.
pub(super) fn mask(line: &str, out: &mut Vec<u8>) {
    out.clear();
    let line = line.as_bytes();
    let (looked_at, cut) = looked_at(line);
    let mut mask = Mask { line: looked_at, out, copied: 0, variable_end: usize::MAX };
    let mut words = 0;
    let mut at = 0;
    let mut end = looked_at.len();
    while at < looked_at.len() {
        let start = at;
        let mut classes = 0;
        while at < looked_at.len() {
            let class = CLASS[looked_at[at] as usize];
            if class & (SPACE | BREAK) != 0 {
                break;
            }
            classes |= class;
            at += 1;
        }
        if at == start {
            at += 1;
            continue;
        }
        words += 1;
        if words > LINE_WORDS_MAX {
            end = start;
            break;
        }
        at = masked_word(&mut mask, start, at, classes);
    }
    let copied = mask.copied.min(end);
    out.extend_from_slice(&looked_at[copied..end]);
    if (cut || end < looked_at.len()) && !out.ends_with(WILDCARD.as_bytes()) {
        out.extend_from_slice(WILDCARD.as_bytes());
    }
}

/// Masks the word at `start..end` as its bytes' `classes` ask, and says where to go on.
#[inline]
fn masked_word(mask: &mut Mask<'_>, start: usize, end: usize, classes: u8) -> usize {
    if classes & DIGIT == 0 {
        if classes & AT != 0 && word::is_address(&mask.line[start..end]) {
            mask.variable(start, end);
        } else if end - start >= 3
            && end - start <= 4
            && let Some(after) = date::after_named(mask.line, start)
        {
            mask.variable(start, after);
            return after;
        } else if end - start <= 4
            && mask.line.get(end) == Some(&b':')
            && let Some(after) = word::after_colon_hex(mask.line, start)
        {
            mask.variable(start, after);
            return after;
        }
        return end;
    }
    if let Some(after) = date::after_numeric(mask.line, start) {
        mask.variable(start, after);
        return mask.skip_padding(after);
    }
    if let Some(after) = word::after_colon_hex(mask.line, start) {
        mask.variable(start, after);
        return after;
    }
    if let Some(after) = quantity::after(mask.line, start, end) {
        let less = start > 0 && mask.line[start - 1] == b'<';
        mask.variable(start - usize::from(less), after);
        return mask.skip_padding(after);
    }
    word::mask(mask, start, end);
    mask.skip_padding(end)
}

/// The part of a line that decides its shape, and whether that leaves anything out: the first line
/// of a body of many (a stack trace says the rest), unless it is a JSON document over many lines.
fn looked_at(line: &[u8]) -> (&[u8], bool) {
    let line = line.trim_ascii_end();
    let document = matches!(line.first(), Some(b'{' | b'['));
    let mut end = line.len();
    if !document {
        let skipped = line.len() - line.trim_ascii_start().len();
        if let Some(newline) = memchr::memchr(b'\n', &line[skipped..]) {
            end = skipped + newline + 1;
        }
    }
    if end > LINE_BYTES_MAX {
        end = LINE_BYTES_MAX;
        // A cut word would be a word that nobody wrote; a line of one word is cut in a character.
        let word = line[..end].iter().rposition(|&byte| CLASS[byte as usize] & SPACE != 0);
        end = match word {
            Some(blank) => blank + 1,
            None => (0..=end).rev().find(|&at| line[at] & 0xC0 != 0x80).unwrap_or(0),
        };
    }
    (&line[..end], end < line.len())
}
