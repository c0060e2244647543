//! Dates and times that are more than one word: `Jan  2 03:04:05`, `2024-01-02 03:04:05,123`,
//! `Mon, 02 Jan 2006 15:04:05 GMT`. A date is one variable, however its parts are padded.

/// Words that a date may have.
const DATE_WORDS_MAX: usize = 8;

const NAMES: &[&[u8]] = &[
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
    b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun",
];

const ZONES: &[&[u8]] =
    &[b"UTC", b"GMT", b"CET", b"CEST", b"EST", b"EDT", b"PST", b"PDT", b"CST", b"AM", b"PM"];

/// Where a date that begins with the name of a month or weekday at `start` ends.
#[inline]
pub(super) fn after_named(line: &[u8], start: usize) -> Option<usize> {
    if !line[start].is_ascii_uppercase() || !is_name(line, start) {
        return None;
    }
    let mut end = start + 3;
    let mut numbers = 0;
    for _ in 1..DATE_WORDS_MAX {
        let next = after_gap(line, end);
        if next == end {
            break;
        }
        let after = if is_name(line, next) { next + 3 } else { after_clock(line, next) };
        if after == next {
            break;
        }
        // The comma of `sales in Jan, 17 of them` and a number that goes on as a word are no date.
        if !ends_word(line, after) {
            break;
        }
        numbers += usize::from(line[next].is_ascii_digit());
        end = after;
    }
    (numbers > 0).then(|| after_zone(line, end))
}

/// Where a date of the form `2024-01-02` or `2024/01/02` at `start` ends, its time included.
#[inline]
pub(super) fn after_numeric(line: &[u8], start: usize) -> Option<usize> {
    if let Some(end) = after_common_log(line, start) {
        return Some(end);
    }
    let date = line.get(start..start + 10)?;
    let form = date.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => matches!(byte, b'-' | b'/' | b'.'),
        _ => byte.is_ascii_digit(),
    });
    if !form {
        return None;
    }
    let end = start + 10;
    let timed = match line.get(end) {
        Some(b'T') => true,
        Some(b' ') => is_clock(line, end + 1),
        _ => false,
    };
    if !timed {
        return ends_word(line, end).then_some(end);
    }
    let mut end = after_clock(line, end + 1);
    if line.get(end) == Some(&b'Z') {
        end += 1;
    }
    if !ends_word(line, end) {
        return None;
    }
    Some(after_zone(line, end))
}

/// `02/Jan/2006:15:04:05 +0000`.
fn after_common_log(line: &[u8], start: usize) -> Option<usize> {
    let date = line.get(start..start + 12)?;
    let form = date[2] == b'/' && date[6] == b'/' && date[11] == b':' && is_name(line, start + 3);
    if !form {
        return None;
    }
    let end = after_clock(line, start + 7);
    ends_word(line, end).then(|| after_zone(line, end))
}

fn is_name(line: &[u8], at: usize) -> bool {
    line.get(at..at + 3).is_some_and(|word| NAMES.contains(&word)) && ends_word(line, at + 3)
}

fn is_clock(line: &[u8], at: usize) -> bool {
    line.get(at..at + 3).is_some_and(|clock| {
        clock[0].is_ascii_digit() && clock[1].is_ascii_digit() && clock[2] == b':'
    })
}

/// After digits with `:`, `.`, `,` and `/` between them.
fn after_clock(line: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < line.len() {
        let inner = matches!(line[at], b':' | b'.' | b',' | b'/' | b'+' | b'-')
            && at > start
            && line.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !line[at].is_ascii_digit() && !inner {
            break;
        }
        at += 1;
    }
    at
}

/// After the blanks, or the comma and blanks, or the slash, between the words of a date.
fn after_gap(line: &[u8], end: usize) -> usize {
    let mut at = end;
    if line.get(at).is_some_and(|byte| matches!(byte, b',' | b'/' | b'-')) {
        at += 1;
    }
    while line.get(at) == Some(&b' ') && at < end + 4 {
        at += 1;
    }
    at
}

/// After a time zone behind a date, if there is one.
fn after_zone(line: &[u8], end: usize) -> usize {
    if line.get(end) != Some(&b' ') {
        return end;
    }
    let zone = &line[end + 1..];
    if let Some(b'+' | b'-') = zone.first()
        && zone.len() >= 5
        && zone[1..5].iter().all(u8::is_ascii_digit)
        && ends_word(line, end + 6)
    {
        return end + 6;
    }
    for name in ZONES {
        if zone.starts_with(name) && ends_word(line, end + 1 + name.len()) {
            return end + 1 + name.len();
        }
    }
    end
}

fn ends_word(line: &[u8], at: usize) -> bool {
    line.get(at).is_none_or(|&byte| !byte.is_ascii_alphanumeric() && byte < 0x80)
}
