//! Words that hold digits: which part of them is a value, and which part a name. Letters beyond ASCII
//! end a part: scripts without blanks write numbers between words.

use super::mask::{CLASS, DIGIT, LETTER, Mask};

/// Hexadecimal digits in a row, one of them a decimal digit, that are an id.
const HEX_ID_MIN: usize = 8;

/// Digits that a name may have inside, as in `log4j` or `x86`.
const NAME_DIGITS_MAX: usize = 2;

/// Letters that such a name has at least.
const NAME_LETTERS_MIN: usize = 4;

/// Bytes of a group of an IPv6 or hardware address.
const HEX_GROUP_MAX: usize = 4;

/// Bytes that an IPv6 address may have.
const HEX_ADDRESS_MAX: usize = 48;

/// Masks a word part by part: parts are runs of letters and digits between joints.
pub(super) fn mask(mask: &mut Mask<'_>, start: usize, end: usize) {
    let line = mask.line;
    if is_uuid(&line[start..end]) {
        return mask.variable(start, end);
    }
    let mut at = start;
    while at < end {
        let from = at;
        let (mut digits, mut letters, mut digits_at, mut runs) = (0, 0, 0, 0);
        let mut hex = true;
        let mut before = 0;
        while at < end {
            let class = CLASS[line[at] as usize];
            if class == DIGIT {
                if before != DIGIT {
                    runs += 1;
                    if digits == 0 {
                        digits_at = at;
                    }
                }
                digits += 1;
            } else if class == LETTER && line[at] < 0x80 {
                letters += 1;
                hex &= line[at].is_ascii_hexdigit();
            } else {
                break;
            }
            before = class;
            at += 1;
        }
        if digits > 0 {
            // A percentage changes like a unit.
            let to = at + usize::from(before == DIGIT && at + 1 == end && line[at] == b'%');
            let part = Part { from, to, digits, letters, digits_at, runs, hex, last: before };
            part.mask(mask, start);
        }
        at += usize::from(at == from || at < end);
    }
}

/// A run of letters and digits with at least one digit.
struct Part {
    from: usize,
    to: usize,
    digits: usize,
    letters: usize,
    digits_at: usize,
    /// Runs of digits.
    runs: usize,
    hex: bool,
    /// Class of its last byte.
    last: u8,
}

impl Part {
    fn mask(&self, mask: &mut Mask<'_>, word: usize) {
        let whole = self.digits_at == self.from
            || (self.hex && self.to - self.from >= HEX_ID_MIN)
            || mask.after_variable(self.from, word);
        if whole {
            // A sign belongs to its number unless it joins it to a name.
            let sign = self.from > word
                && matches!(mask.line[self.from - 1], b'-' | b'+')
                && (self.from - 1 == word
                    || CLASS[mask.line[self.from - 2] as usize] & (LETTER | DIGIT) == 0);
            return mask.variable(self.from - usize::from(sign), self.to);
        }
        if self.runs == 1 && self.last == DIGIT {
            return mask.variable(self.digits_at, self.to);
        }
        let name =
            self.runs == 1 && self.digits <= NAME_DIGITS_MAX && self.letters >= NAME_LETTERS_MIN;
        if !name {
            mask.variable(self.from, self.to);
        }
    }
}

fn is_uuid(word: &[u8]) -> bool {
    word.len() == 36
        && word.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether a word is an e-mail address, or a login at a host: `name@host.domain`.
pub(super) fn is_address(word: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', word) else { return false };
    let (name, host) = (&word[..at], &word[at + 1..]);
    let inner = |byte: &u8| CLASS[*byte as usize] == LETTER || matches!(byte, b'.' | b'-' | b'_');
    at > 0
        && CLASS[name[0] as usize] == LETTER
        && name.iter().chain(host).all(inner)
        && host.iter().rposition(|&byte| byte == b'.').is_some_and(|dot| dot > 0)
}

/// Where an IPv6 or hardware address that begins at `start` ends.
pub(super) fn after_colon_hex(line: &[u8], start: usize) -> Option<usize> {
    let (mut colons, mut digits, mut group, mut double) = (0, 0, 0, false);
    let mut end = start;
    for &byte in line[start..].iter().take(HEX_ADDRESS_MAX) {
        match byte {
            b':' => {
                double |= group == 0 && colons > 0;
                colons += 1;
                group = 0;
            }
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => {
                digits += usize::from(byte.is_ascii_digit());
                group += 1;
                if group > HEX_GROUP_MAX {
                    return None;
                }
            }
            _ => break,
        }
        end += 1;
        if colons == 0 && end > start + HEX_GROUP_MAX {
            return None;
        }
    }
    // A colon at the end is punctuation.
    if end > start && line[end - 1] == b':' && !double {
        end -= 1;
        colons -= 1;
    }
    let next = line.get(end).map_or(0, |&byte| CLASS[byte as usize]);
    let bounded = next & (LETTER | DIGIT) == 0;
    (bounded && digits > 0 && (colons >= 4 || (double && colons >= 2))).then_some(end)
}
