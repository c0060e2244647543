//! Where in its text a query is wrong: the parser and the planner say line and column, an error says
//! characters from the start, as every error of a text does.

use datafusion::error::DataFusionError;

use crate::Error;

/// The error of a query with this text, and its place where it is known.
pub(super) fn located(err: DataFusionError, text: &str) -> Error {
    let position = position(&err, text);
    let error = Error::from(err);
    match position {
        Some(position) => error.with_position(position),
        None => error,
    }
}

fn position(err: &DataFusionError, text: &str) -> Option<usize> {
    match err {
        DataFusionError::Diagnostic(diagnostic, inner) => diagnostic
            .span
            .and_then(|span| offset(text, span.start.line, span.start.column))
            .or_else(|| position(inner, text)),
        DataFusionError::Context(_, inner) => position(inner, text),
        DataFusionError::Collection(all) => all.first().and_then(|first| position(first, text)),
        DataFusionError::SQL(parser, _) => named(&parser.to_string(), text),
        _ => None,
    }
}

// The parser keeps the place in nothing but its message, `… at Line: 1, Column: 8`, and that of the end
// not at all.
fn named(message: &str, text: &str) -> Option<usize> {
    if message.ends_with("found: EOF") {
        return Some(text.chars().count());
    }
    let (_, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits = column.find(|c: char| !c.is_ascii_digit()).unwrap_or(column.len());
    offset(text, line.parse().ok()?, column[..digits].parse().ok()?)
}

// Lines and columns count from one.
fn offset(text: &str, line: u64, column: u64) -> Option<usize> {
    let before = usize::try_from(line).ok()?.checked_sub(1)?;
    let in_line = usize::try_from(column).ok()?.checked_sub(1)?;
    let mut lines = text.split('\n').map(|line| line.chars().count());
    let start: usize = lines.by_ref().take(before).map(|chars| chars + 1).sum();
    // At the end of a text the column may be past it.
    lines.next().map(|chars| start + in_line.min(chars))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_characters_from_the_start() {
        let text = "SELECT 'ä'\n,  x\nFROM";
        for (line, column, expected) in [
            (1, 1, Some(0)),
            (1, 10, Some(9)),
            (2, 4, Some(14)),
            (3, 1, Some(16)),
            (3, 99, Some(20)),
            (4, 1, None),
            (0, 0, None),
        ] {
            assert_eq!(offset(text, line, column), expected, "{line}:{column}");
        }
        let message = "sql parser error: Expected: x, found: at Line: 3 at Line: 2, Column: 17";
        assert_eq!(named(message, text), Some(15));
        assert_eq!(named("Expected: an expression, found: EOF", text), Some(20));
        assert_eq!(named("recursion limit exceeded", text), None);
    }
}
