//! The text of a log search: words, phrases, prefixes, exclusions.
//!
//! ```text
//! text := term*        term := ['-'] (word ['*'] | '"' phrase '"')
//! ```
//! What a word is, `model::words` says. A term of several words (`user.id`, or a phrase) matches them
//! side by side, whatever stands between; a term without any is looked for as it is.

use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::words::Phrase;

use crate::{Error, Result};

/// The most terms in a text.
const TERMS_MAX: usize = 64;

/// The conditions of a text on the body.
pub(super) fn predicates(text: &str) -> Result<Vec<Predicate>> {
    let terms = terms(text)?;
    if terms.len() > TERMS_MAX {
        return Err(Error::invalid(
            "query",
            format!("the text has {} terms, the limit is {TERMS_MAX}", terms.len()),
        ));
    }
    Ok(terms.iter().map(Term::predicate).collect())
}

#[derive(Debug, PartialEq, Eq, Default)]
struct Term {
    text: String,
    excluded: bool,
    prefix: bool,
}

fn terms(text: &str) -> Result<Vec<Term>> {
    let mut terms = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let excluded = rest.starts_with('-') && rest.len() > 1;
        if excluded {
            rest = &rest[1..];
        }
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some((phrase, after)) = quoted.split_once('"') else {
                return Err(Error::invalid("query", format!("the phrase \"{quoted} has no end")));
            };
            terms.push(Term { text: phrase.to_owned(), excluded, prefix: false });
            rest = after.trim_start();
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let (word, prefix) = match word.strip_suffix('*') {
            Some(word) if !word.is_empty() => (word, true),
            _ => (word, false),
        };
        terms.push(Term { text: word.to_owned(), excluded, prefix });
        rest = after.trim_start();
    }
    terms.retain(|term| !term.text.is_empty());
    Ok(terms)
}

impl Term {
    fn predicate(&self) -> Predicate {
        let op = match (Phrase::of(&self.text, self.prefix), self.excluded) {
            (Some(phrase), false) => Op::Phrase(phrase),
            (Some(phrase), true) => Op::NotPhrase(phrase),
            (None, false) => Op::Contains(self.text.clone()),
            (None, true) => Op::NotContains(self.text.clone()),
        };
        Predicate { target: Target::Column(col::BODY.to_owned()), op }
    }
}

/// A condition that an operand equals a column's value.
pub(super) fn equal(column: &str, operand: Operand) -> Predicate {
    Predicate { target: Target::Column(column.to_owned()), op: Op::Eq(operand) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_match_bodies() {
        let cases = [
            ("error", "An ERROR occurred", true),
            ("error", "errors", false),
            ("err*", "errors", true),
            ("an occurred", "an error occurred", true),
            ("\"error occurred\"", "An error occurred.", true),
            ("\"occurred error\"", "An error occurred.", false),
            ("user.id", "the user.id is 7", true),
            ("-timeout error", "error: refused", true),
            ("-timeout error", "error: timeout", false),
            ("-\"not found\"", "file not found", false),
            ("=>", "a => b", true),
            ("größe", "Die GRÖSSE und Größe", true),
            ("", "anything", true),
        ];
        for (text, body, expected) in cases {
            let met = predicates(text).expect("parses").iter().all(|p| match &p.op {
                Op::Phrase(phrase) => phrase.is_in(body),
                Op::NotPhrase(phrase) => !phrase.is_in(body),
                Op::Contains(part) => body.contains(part.as_str()),
                Op::NotContains(part) => !body.contains(part.as_str()),
                other => panic!("{other:?}"),
            });
            assert_eq!(met, expected, "{text} in {body}");
        }
        assert!(predicates("\"open").is_err());
    }
}
