//! Pieces of SQL text.

/// A literal.
pub(super) fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A list of literals in parentheses.
pub(super) fn strings<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let texts = texts.into_iter().map(string).collect::<Vec<_>>();
    format!("({})", texts.join(", "))
}

/// An identifier.
pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A number: whole ones without a point.
pub(super) fn number(number: f64) -> String {
    const WHOLE_MAX: f64 = 1e15;
    if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
        format!("{}", number as i64)
    } else {
        format!("{number:?}")
    }
}

/// A number that is no integer to SQL.
pub(super) fn float(number: f64) -> String {
    format!("{number:?}")
}

/// Text in a LIKE pattern.
pub(super) fn like_part(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(char);
    }
    out
}
