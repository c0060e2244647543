//! Numbers of payment cards in texts (ISO/IEC 7812): groups of digits that together are one, by their length, their
//! first digit and Luhn's check. What stands beside them (a security code, a quantity) hides none.

use std::ops::RangeInclusive;

/// Digits of a card's number.
const DIGITS: RangeInclusive<usize> = 13..=19;
/// The first digits of issuers of payment cards. Times since the epoch begin otherwise.
const ISSUERS: RangeInclusive<u8> = b'2'..=b'6';

/// A run of digits without anything between: its place in the text.
#[derive(Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
}

/// The text with `mark` in place of every number of a card; none if there is none.
pub fn without(text: &str, mark: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut kept: Option<String> = None;
    let (mut copied, mut at) = (0, 0);
    while let Some(groups) = next_groups(bytes, &mut at) {
        let mut first = 0;
        while first < groups.len() {
            let Some(count) = card_at(bytes, &groups[first..]) else {
                first += 1;
                continue;
            };
            let (start, end) = (groups[first].start, groups[first + count - 1].end);
            let kept = kept.get_or_insert_default();
            kept.push_str(&text[copied..start]);
            kept.push_str(mark);
            (copied, first) = (end, first + count);
        }
    }
    if let Some(kept) = &mut kept {
        kept.push_str(&text[copied..]);
    }
    kept
}

// The next groups with one blank or hyphen between each two, from `at` on, which moves behind them.
fn next_groups(bytes: &[u8], at: &mut usize) -> Option<Vec<Group>> {
    let mut groups = Vec::new();
    let mut start = *at + bytes[*at..].iter().position(u8::is_ascii_digit)?;
    loop {
        let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = start + digits;
        groups.push(Group { start, end });
        *at = end;
        match (bytes.get(end), bytes.get(end + 1)) {
            (Some(b' ' | b'-'), Some(next)) if next.is_ascii_digit() => start = end + 1,
            _ => return Some(groups),
        }
    }
}

// How many of the groups are a card's number, the most if several are.
fn card_at(bytes: &[u8], groups: &[Group]) -> Option<usize> {
    let first = groups.first()?;
    let is_part = first.start > 0 && continues(bytes[first.start - 1])
        || (first.start > 1 && bytes[first.start - 1] == b'.')
            && bytes[first.start - 2].is_ascii_digit();
    if is_part || !ISSUERS.contains(&bytes[first.start]) {
        return None;
    }
    let (mut digits, mut found) = (0, None);
    for (at, group) in groups.iter().enumerate() {
        digits += group.end - group.start;
        if digits > *DIGITS.end() {
            break;
        }
        let is_cut = bytes.get(group.end).is_some_and(|next| continues(*next));
        if digits >= *DIGITS.start() && !is_cut && passes(&bytes[first.start..group.end]) {
            found = Some(at + 1);
        }
    }
    found
}

// Whether a byte beside digits makes them part of something else, such as an id in hexadecimal.
fn continues(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

// Luhn's check.
fn passes(number: &[u8]) -> bool {
    let digits = number.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0');
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => u32::from(digit),
            (_, double @ 0..=9) => u32::from(double),
            (_, double) => u32::from(double - 9),
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_cards_are_found() {
        for (text, expected) in [
            ("4111 1111 1111 1111 123", "* 123"),
            ("4111111111111111 12", "* 12"),
            ("qty 2 4111111111111111", "qty 2 *"),
            ("qty 9 4111111111111111", "qty 9 *"),
            ("4111-1111-1111-1111-2", "*-2"),
            ("order_4111111111111111", "order_*"),
            ("3782 822463 10005 and 5555555555554444.", "* and *."),
            ("(4111111111111111)", "(*)"),
            ("4111111111111111 4111111111111111", "* *"),
        ] {
            assert_eq!(without(text, "*").as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "no digit",
            "4111111111111112",
            "1795176000000000008",
            "0af7651916cd43dd84111111111111111c",
            "0.4111111111111111",
            "4111  1111 1111 1111",
            "4111é",
            "é4111111111111111",
        ] {
            assert_eq!(without(text, "*"), None, "{text}");
        }
    }
}
