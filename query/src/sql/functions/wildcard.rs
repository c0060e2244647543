//! `has_wildcard`: words in which `*` stands for any characters. False where there is no text.

use std::sync::Arc;

use arrow::array::{BooleanArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::exec_err;
use datafusion::logical_expr::Expr;
use throughline_model::words::{Phrase, is_word_char, words};

use super::{Prepared, TextFunction};
use crate::logs::language::kernels::wildcard::PreparedWildcard;

const NAME: &str = "has_wildcard";

/// The function.
pub(super) fn udf() -> TextFunction {
    let patterns = Prepared::<PreparedWildcard>::new();
    let run = move |texts: &StringViewArray, literals: &[&str]| {
        let [pattern] = literals else {
            return exec_err!("has_wildcard takes a text and a pattern");
        };
        let pattern = patterns.of(pattern, |pattern| Ok(PreparedWildcard::new(pattern)))?;
        let has = |text: Option<&str>| Some(text.is_some_and(|text| pattern.is_in(text)));
        Ok(Arc::new(texts.iter().map(has).collect::<BooleanArray>()) as _)
    };
    TextFunction::new(NAME, 1, DataType::Boolean, run)
}

/// The text that a call looks at and words that every text has for which it is true, so that an index
/// can be asked.
pub(crate) fn whole_words(expr: &Expr) -> Option<(&Expr, Vec<Phrase>)> {
    let Expr::ScalarFunction(call) = expr else { return None };
    let [text, Expr::Literal(pattern, _)] = call.args.as_slice() else { return None };
    if call.func.name() != NAME {
        return None;
    }
    Some((text, whole(pattern.try_as_str().flatten()?)))
}

// Words that no star touches.
fn whole(pattern: &str) -> Vec<Phrase> {
    let mut parts = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match (char, parts.last_mut()) {
            ('*', _) => parts.push(String::new()),
            ('\\', Some(part)) => part.extend(chars.next()),
            (other, Some(part)) => part.push(other),
            (_, None) => {}
        }
    }
    let count = parts.len();
    let mut found = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let touched_before = number > 0 && part.starts_with(is_word_char);
        let touched_behind = number + 1 < count && part.ends_with(is_word_char);
        let all = words(part).collect::<Vec<_>>();
        let end = all.len().saturating_sub(usize::from(touched_behind));
        let whole = all.get(usize::from(touched_before)..end).unwrap_or_default();
        found.extend(whole.iter().filter_map(|word| Phrase::of(word, false)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_no_star_touches_are_whole() {
        for (pattern, expected) in [
            ("user * failed", vec!["user", "failed"]),
            ("conn* reset by p*r", vec!["reset", "by"]),
            ("*ction", vec![]),
            ("a*b", vec![]),
            (r"a\*b", vec!["a", "b"]),
            ("a-b*", vec!["a"]),
            ("", vec![]),
        ] {
            let expected = expected.iter().filter_map(|word| Phrase::of(word, false));
            let expected = expected.collect::<Vec<_>>();
            assert_eq!(format!("{:?}", whole(pattern)), format!("{expected:?}"), "{pattern}");
        }
    }
}
