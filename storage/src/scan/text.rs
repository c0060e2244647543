//! Conditions on the body of log records, answered by the word index as far as it can.
//!
//! A phrase needs all its words; a text that bodies contain, or that a regular expression requires,
//! needs the words that are whole in it and words that begin or end with what is not. Constant parts of
//! templates settle what several words side by side leave open.

use regex_syntax::hir::{Class, Hir, HirKind};
use throughline_model::predicate::{Op, Operand};
use throughline_model::words::{self, Phrase, breaks_between, folded};

use crate::Result;
use crate::segment::log_parts::Words;
use crate::segment::log_runs::LogRuns;
use crate::segment::templates::SegmentTemplates;
use crate::segment::words::Found;

/// What stands for a variable in the text of a template.
const VARIABLE: &str = "<*>";
/// With at most one of so many rows left, parts of words are not looked for.
const FEW_ROWS: usize = 16;
/// Texts of a regular expression that are looked for.
const REQUIRED_MAX: usize = 8;

/// What a condition on a text needs of it.
#[derive(Clone, Debug)]
pub(crate) enum TextNeed {
    Phrase(Phrase),
    /// It contains the text as it is.
    Contains(String),
    /// It contains all of these, in some case.
    Parts(Vec<String>),
}

impl TextNeed {
    /// What meets the condition, or fails it if the condition is negated; none if words cannot tell.
    pub(crate) fn of(op: &Op) -> Option<(Self, bool)> {
        Some(match op {
            Op::Phrase(phrase) => (Self::Phrase(phrase.clone()), false),
            Op::NotPhrase(phrase) => (Self::Phrase(phrase.clone()), true),
            // Every body contains nothing, and no record without one does.
            Op::Contains(text) | Op::NotContains(text) if text.is_empty() => return None,
            Op::Contains(text) => (Self::Contains(text.clone()), false),
            Op::NotContains(text) => (Self::Contains(text.clone()), true),
            Op::Eq(Operand::Text(text) | Operand::Str(text)) => {
                (Self::Parts(vec![text.clone()]), false)
            }
            Op::Matches(pattern) => (Self::Parts(required(pattern)?), false),
            Op::NotMatches(pattern) => (Self::Parts(required(pattern)?), true),
            _ => return None,
        })
    }

    /// The rows that have it.
    pub(crate) fn find(&self, words: &Words) -> Result<Found> {
        match self {
            Self::Phrase(phrase) => find_phrase(phrase, words),
            Self::Contains(text) => find_part(text, words, Found::unknown(words.part.rows())),
            Self::Parts(texts) => {
                let all = Found::unknown(words.part.rows());
                texts.iter().try_fold(all, |found, text| find_part(text, words, found))
            }
        }
    }

    /// Whether a single word decides it, so that nothing is left open.
    fn is_a_word(&self) -> bool {
        matches!(self, Self::Phrase(phrase) if phrase.words.len() == 1)
    }

    /// Settles rows whose template says that they have it.
    pub(crate) fn settle(
        &self,
        mut found: Found,
        runs: &LogRuns,
        templates: &SegmentTemplates,
    ) -> Found {
        if self.is_a_word() || found.maybe.is_empty() {
            return found;
        }
        let mut known: Vec<Option<bool>> = vec![None; templates.templates.len()];
        let has = |number: u32| {
            let template = templates.templates.get(number as usize)?;
            let known = known.get_mut(number as usize)?;
            Some(*known.get_or_insert_with(|| self.is_constant_in(&template.text)))
        };
        let mut has = has;
        let rows = runs.rows_where(|key| has(key.template).unwrap_or_default());
        let mut settled = found.maybe.clone();
        settled.intersect(&rows);
        found.maybe.subtract(&settled);
        found.sure.unite(&settled);
        found
    }

    // Whether every text of a template has it.
    fn is_constant_in(&self, template: &str) -> bool {
        let pieces = template.split(VARIABLE).collect::<Vec<_>>();
        let last = pieces.len() - 1;
        pieces.iter().enumerate().any(|(number, piece)| match self {
            Self::Contains(text) => piece.contains(text.as_str()),
            Self::Phrase(phrase) => phrase.is_in(whole_words(piece, number > 0, number < last)),
            Self::Parts(_) => false,
        })
    }
}

// A piece without the words at its ends that variables may go on.
fn whole_words(piece: &str, open_start: bool, open_end: bool) -> &str {
    let mut rest = piece;
    if open_start {
        rest = rest.trim_start_matches(words::is_word_char);
    }
    if open_end {
        rest = rest.trim_end_matches(words::is_word_char);
    }
    rest
}

fn find_phrase(phrase: &Phrase, words: &Words) -> Result<Found> {
    let mut found: Option<Found> = None;
    let last = phrase.words.len() - 1;
    for (number, word) in phrase.words.iter().enumerate() {
        let one = match number == last && phrase.prefix {
            true => words.part.prefix(word, &words.bytes)?,
            false => words.part.word(word, &words.bytes)?,
        };
        let both = match found.take() {
            Some(before) => before.and(&one),
            None => one,
        };
        if both.sure.is_empty() && both.maybe.is_empty() {
            return Ok(both); // a word that is absent ends the work
        }
        found = Some(both);
    }
    let found = found.unwrap_or_else(|| Found::unknown(words.part.rows()));
    Ok(if last > 0 { found.unsure() } else { found })
}

// Rows among those found that may contain a text, in any case. What is sure of it is not.
fn find_part(text: &str, words: &Words, mut found: Found) -> Result<Found> {
    let rows = words.part.rows();
    let (whole, edges) = split(text);
    for word in whole {
        if found.maybe.is_empty() {
            return Ok(found);
        }
        found = found.and(&words.part.word(&word, &words.bytes)?).unsure();
    }
    for (part, is_start) in edges {
        if found.maybe.count() * FEW_ROWS <= rows {
            break;
        }
        let one = match is_start {
            true => words.part.prefix(&part, &words.bytes)?,
            false => words.part.containing(&part, &words.bytes)?,
        };
        found = found.and(&one).unsure();
    }
    Ok(found)
}

// The words that are whole in a text, and the parts of words at its ends: whether each begins a word.
fn split(text: &str) -> (Vec<String>, Vec<(String, bool)>) {
    let (mut whole, mut edges) = (Vec::new(), Vec::new());
    let mut all = words::words(text);
    while let Some(word) = all.next() {
        let end = all.offset();
        let start = end - word.len();
        let first = word.chars().next().unwrap_or(' ');
        let is_closed = breaks_between(first, 'a'); // a word by itself goes on nowhere
        let (open_start, open_end) = (start == 0 && !is_closed, end == text.len() && !is_closed);
        match (open_start, open_end) {
            (false, false) => whole.push(folded(word)),
            (false, true) => edges.push((folded(word), true)),
            (true, _) => edges.push((folded(word), false)),
        }
    }
    edges.sort_by_key(|(part, is_start)| (!is_start, std::cmp::Reverse(part.len())));
    (whole, edges)
}

/// Texts that whatever matches a regular expression contains, in some case; none if there are none.
pub(crate) fn required(pattern: &str) -> Option<Vec<String>> {
    let hir = regex_syntax::Parser::new().parse(pattern).ok()?;
    let mut texts = Vec::new();
    let mut open = String::new();
    collect(&hir, &mut open, &mut texts);
    close(&mut open, &mut texts);
    texts.retain(|text| words::words(text).next().is_some());
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    texts.truncate(REQUIRED_MAX);
    (!texts.is_empty()).then_some(texts)
}

fn close(open: &mut String, texts: &mut Vec<String>) {
    if !open.is_empty() {
        texts.push(std::mem::take(open));
    }
}

fn collect(hir: &Hir, open: &mut String, texts: &mut Vec<String>) {
    match hir.kind() {
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => open.push_str(text),
            Err(_) => close(open, texts),
        },
        HirKind::Concat(parts) => parts.iter().for_each(|part| collect(part, open, texts)),
        HirKind::Capture(capture) => collect(&capture.sub, open, texts),
        // Any one of a letter's cases.
        HirKind::Class(class) => match one_letter(class) {
            Some(letter) => open.push(letter),
            None => close(open, texts),
        },
        HirKind::Repetition(repetition) if repetition.min > 0 => {
            close(open, texts);
            collect(&repetition.sub, open, texts);
            close(open, texts);
        }
        HirKind::Empty => {}
        // They take no room, so what stands beside them stands side by side.
        HirKind::Look(_) => {}
        HirKind::Repetition(_) | HirKind::Alternation(_) => close(open, texts),
    }
}

fn one_letter(class: &Class) -> Option<char> {
    let mut letter = None;
    let mut add = |char: char| {
        let mut lower = char.to_lowercase();
        let folded = lower.next().filter(|_| lower.next().is_none())?;
        match letter {
            None => letter = Some(folded),
            Some(known) if known == folded => {}
            Some(_) => return None,
        }
        Some(())
    };
    match class {
        Class::Unicode(class) => {
            for range in class.ranges() {
                if range.len() > 4 {
                    return None;
                }
                (range.start()..=range.end()).try_for_each(&mut add)?;
            }
        }
        Class::Bytes(class) => {
            for range in class.ranges() {
                if range.len() > 4 || !range.end().is_ascii() {
                    return None;
                }
                (range.start()..=range.end()).try_for_each(|byte| add(char::from(byte)))?;
            }
        }
    }
    letter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_expressions_require_texts() {
        for (pattern, expected) in [
            ("timeout after \\d+ms", vec!["timeout after ", "ms"]),
            // A long s is an s to a regular expression, and not to words.
            ("(?i)Request (failed|ok)", vec!["reque", "t "]),
            ("a|b", vec![]),
            ("(?:conn)+ x?reset\\b now", vec!["reset now", "conn"]),
            ("^GET .*HTTP/1", vec!["HTTP/1", "GET "]),
            (".*", vec![]),
            ("(?i)Kelvin", vec!["kelvin"]),
        ] {
            let mut found = required(pattern).unwrap_or_default();
            found.sort_by_key(|text| std::cmp::Reverse(text.len()));
            let mut expected = expected;
            expected.sort_by_key(|text| std::cmp::Reverse(text.len()));
            let plain = |texts: &[&str]| texts.iter().map(|t| t.to_lowercase()).collect::<Vec<_>>();
            let found = found.iter().map(String::as_str).collect::<Vec<_>>();
            assert_eq!(plain(&found), plain(&expected), "{pattern}");
        }
    }

    #[test]
    fn texts_have_whole_words_and_ends() {
        let edge = |text: &str, is_start| (text.to_owned(), is_start);
        assert_eq!(
            split("out after 3m"),
            (vec!["after".into()], vec![edge("3m", true), edge("out", false)])
        );
        assert_eq!(split(" a "), (vec!["a".into()], vec![]));
        assert_eq!(split("imeou"), (vec![], vec![edge("imeou", false)]));
        assert_eq!(split("登录"), (vec!["登".into(), "录".into()], vec![]));
    }

    #[test]
    fn templates_settle_phrases() {
        let phrase = |text: &str| TextNeed::Phrase(Phrase::of(text, false).expect("words"));
        for (need, template, expected) in [
            (phrase("connection reset"), "Connection reset by <*>", true),
            (phrase("reset by"), "connection reset by<*>", false),
            (phrase("user logged"), "<*>user logged in", false),
            (phrase("logged in"), "<*>user logged in", true),
            (TextNeed::Contains("set by".into()), "connection reset by <*>", true),
            (TextNeed::Contains("Set by".into()), "connection reset by <*>", false),
        ] {
            assert_eq!(need.is_constant_in(template), expected, "{need:?} in {template}");
        }
    }
}
