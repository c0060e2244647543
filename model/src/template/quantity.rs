//! Numbers with a unit behind a blank: `512 bytes (0.5 KB)`. The unit belongs to the value, since it
//! changes with the magnitude: `900 B` and `1.2 KB` are one variable.

/// Units of size and time.
const UNITS: &[&[u8]] = &[
    b"B", b"KB", b"MB", b"GB", b"TB", b"kB", b"KiB", b"MiB", b"GiB", b"TiB", b"bytes", b"byte",
    b"ns", b"us", b"ms", b"s", b"m", b"h", b"sec", b"secs", b"msec", b"usec", b"second",
    b"seconds", b"min", b"mins", b"minute", b"minutes", b"hour", b"hours",
];

/// Bytes of the longest unit.
const UNIT_BYTES_MAX: usize = 7;

/// Where the quantity ends whose number is the word at `start..end`; none without a unit.
#[inline]
pub(super) fn after(line: &[u8], start: usize, end: usize) -> Option<usize> {
    if line.get(end) != Some(&b' ') || !is_number(&line[start..end]) {
        return None;
    }
    let end = after_unit(line, end + 1)?;
    Some(after_brackets(line, end).unwrap_or(end))
}

fn is_number(word: &[u8]) -> bool {
    word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

fn after_unit(line: &[u8], start: usize) -> Option<usize> {
    let letters = line[start..].iter().take(UNIT_BYTES_MAX + 1);
    let length = letters.take_while(|byte| byte.is_ascii_alphabetic()).count();
    let end = start + length;
    let ends = line.get(end).is_none_or(|&byte| {
        matches!(byte, b' ' | b',' | b';' | b')' | b']' | b'}' | b'"' | b'.' | b'\n' | b':')
    });
    (ends && UNITS.contains(&&line[start..end])).then_some(end)
}

/// The same quantity said again in brackets.
fn after_brackets(line: &[u8], end: usize) -> Option<usize> {
    let inner = line[end..].strip_prefix(b" (")?;
    let start = line.len() - inner.len();
    let digits = inner.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    if digits == 0 || inner.get(digits) != Some(&b' ') {
        return None;
    }
    let after = after_unit(line, start + digits + 1)?;
    (line.get(after) == Some(&b')')).then_some(after + 1)
}
