//! Levels of severity: OpenTelemetry's ranges of numbers, and the words that loggers write for them.

/// The levels by rank, the least severe first.
pub const LEVEL_NAMES: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// Words of each level, lower-cased; the first is its name.
const WORDS: [&[&str]; 6] = [
    &["trace", "trc", "finest", "verbose"],
    &["debug", "dbg", "dbug", "fine"],
    &["info", "inf", "information", "informational", "notice"],
    &["warn", "warning", "wrn"],
    &["error", "err", "severe", "critical", "crit", "dpanic", "alert"],
    &["fatal", "panic", "emergency", "emerg"],
];

/// Severity numbers of one level.
const NUMBERS_PER_LEVEL: i32 = 4;

/// A level: its rank in [`LEVEL_NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// All of them, the least severe first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..LEVEL_NAMES.len() as u8).map(Self)
    }

    /// The level that a word names, in any case.
    pub fn of_word(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        let rank = WORDS.iter().position(|words| words.contains(&word.as_str()))?;
        Some(Self(rank as u8))
    }

    /// The level of a severity number; none below 1. Numbers above 24 count as the highest.
    pub fn of_number(number: i32) -> Option<Self> {
        let rank = (number - 1).checked_div(NUMBERS_PER_LEVEL)?;
        (number >= 1).then(|| Self(rank.min(LEVEL_NAMES.len() as i32 - 1) as u8))
    }

    /// The level of a record: by its number, and where that says none, by its text.
    pub fn of_record(number: i32, text: &str) -> Option<Self> {
        if number == 0 { Self::of_word(text) } else { Self::of_number(number) }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        LEVEL_NAMES.get(usize::from(self.0)).copied().unwrap_or("fatal")
    }

    /// The words for it, lower-cased.
    pub fn words(self) -> &'static [&'static str] {
        WORDS.get(usize::from(self.0)).copied().unwrap_or(&[])
    }

    /// Its lowest severity number.
    pub fn number_min(self) -> i32 {
        i32::from(self.0) * NUMBERS_PER_LEVEL + 1
    }

    /// Its highest severity number; none for the highest level.
    pub fn number_max(self) -> Option<i32> {
        let is_last = usize::from(self.0) + 1 >= LEVEL_NAMES.len();
        (!is_last).then(|| self.number_min() + NUMBERS_PER_LEVEL - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_have_levels() {
        for (number, text, expected) in [
            (0, "", None),
            (0, " WARNING ", Some("warn")),
            (0, "whatever", None),
            (1, "error", Some("trace")),
            (4, "", Some("trace")),
            (5, "", Some("debug")),
            (17, "", Some("error")),
            (20, "", Some("error")),
            (21, "", Some("fatal")),
            (99, "", Some("fatal")),
            (-3, "error", None),
            (i32::MIN + 1, "", None),
        ] {
            let level = Level::of_record(number, text).map(Level::name);
            assert_eq!(level, expected, "{number} {text}");
        }
        let error = Level::of_word("crit").expect("a level");
        assert_eq!((error.number_min(), error.number_max()), (17, Some(20)));
        assert_eq!(Level::of_word("fatal").expect("a level").number_max(), None);
    }
}
