//! Words for a severity, and OpenTelemetry's numbers for them.

/// By number, from the table of OpenTelemetry's log data model and what loggers write for its levels.
const LEVELS: [(i32, &[&str]); 9] = [
    (1, &["trace", "trc", "finest", "verbose"]),
    (5, &["debug", "dbg", "dbug", "fine"]),
    (9, &["info", "inf", "information", "informational"]),
    (10, &["notice"]),
    (13, &["warn", "warning", "wrn"]),
    (17, &["error", "err", "severe"]),
    (18, &["critical", "crit", "dpanic"]),
    (19, &["alert"]),
    (21, &["fatal", "panic", "emergency", "emerg"]),
];

/// The number of a severity's word, in any case.
pub fn severity_number(word: &str) -> Option<i32> {
    let word = word.trim();
    let is = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    LEVELS.iter().find(|(_, words)| is(words)).map(|(number, _)| *number)
}
