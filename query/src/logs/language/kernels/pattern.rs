//! `pattern_extract`: fields out of a text by a pattern `user=<user> from <ip>:<_>`.
//!
//! The text before the first field is looked for anywhere; a field goes up to the next text of the
//! pattern, the last one to the end. `<_>` is left out, `<<` means `<`. A text that lacks a piece has
//! none of the fields behind it. A field that stands in quotes in the text (`"a b"`) goes up to its
//! closing quote and comes without the quotes, if the pattern itself has none around it.

/// Fields of a pattern at most.
const FIELDS_MAX: usize = 64;

/// A piece of a pattern or template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// A field in `<` and `>`.
    Field(String),
}

// `<name>` is a field, `<<` the character; anything else after `<` is wrong.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find('<') {
        literal.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('<') {
            literal.push('<');
            rest = after;
            continue;
        }
        let Some(end) = rest.find('>').filter(|end| *end > 0) else {
            return Err(
                "a name and '>' were expected behind '<': for the character write '<<'".into()
            );
        };
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Field(rest[..end].to_owned()));
        rest = &rest[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    let fields = pieces.iter().filter(|piece| matches!(piece, Piece::Field(_))).count();
    match fields {
        0 => Err("a field such as <name> was expected in the text".into()),
        1..=FIELDS_MAX => Ok(pieces),
        _ => Err(format!("more than {FIELDS_MAX} fields")),
    }
}

/// A pattern, prepared.
#[derive(Clone, Debug)]
pub struct Pattern {
    pieces: Vec<Piece>,
}

impl Pattern {
    /// Prepares a pattern; the error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let pieces = pieces(pattern)?;
        let is_field = |piece: &Piece| matches!(piece, Piece::Field(_));
        if pieces.windows(2).any(|pair| pair.iter().all(is_field)) {
            return Err("a text was expected between two fields".into());
        }
        let pattern = Self { pieces };
        if pattern.names().next().is_none() {
            return Err("the pattern has no field with a name".into());
        }
        Ok(pattern)
    }

    /// The names of its fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(name) if name != "_" => Some(name.as_str()),
            _ => None,
        })
    }

    /// A field of a text; none where the text does not have it.
    pub fn extract(&self, text: &str, name: &str) -> Option<String> {
        let mut rest = text;
        let mut pieces = self.pieces.iter().peekable();
        if let Some(Piece::Text(start)) = self.pieces.first() {
            rest = &rest[rest.find(start.as_str())? + start.len()..];
            pieces.next();
        }
        while let Some(piece) = pieces.next() {
            let Piece::Field(field) = piece else { return None };
            let until = match pieces.next() {
                Some(Piece::Text(text)) => Some(text.as_str()),
                _ => None,
            };
            let (value, after) = up_to(rest, until)?;
            if field == name {
                return Some(value);
            }
            rest = after;
        }
        None
    }
}

// The value up to a text, and what follows that.
fn up_to<'t>(rest: &'t str, until: Option<&str>) -> Option<(String, &'t str)> {
    if let Some(inner) = rest.strip_prefix('"')
        && let Some((value, after)) = quoted(inner)
    {
        match until {
            None if after.is_empty() => return Some((value, after)),
            Some(until) => {
                if let Some(after) = after.strip_prefix(until) {
                    return Some((value, after));
                }
            }
            None => {}
        }
    }
    match until {
        None => Some((rest.to_owned(), "")),
        Some(until) => {
            let at = rest.find(until)?;
            Some((rest[..at].to_owned(), &rest[at + until.len()..]))
        }
    }
}

// A text up to its closing quote, `\"` and `\\` being characters of it.
fn quoted(inner: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &inner[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// A text with fields in it, as `format` takes it.
#[derive(Clone, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Prepares a template; the error says what is wrong with it.
    pub fn new(template: &str) -> Result<Self, String> {
        pieces(template).map(|pieces| Self { pieces })
    }

    /// Its pieces in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The text with each field replaced by what `value` gives for it, or by nothing.
    pub fn fill(&self, value: impl Fn(&str) -> Option<String>) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(name) => value(name).unwrap_or_default(),
        };
        self.pieces.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let text = r#"GET "/a b" from 10.0.0.1:80 <x> took 5ms"#;
        for (pattern, name, expected) in [
            ("from <ip>:<port> ", "ip", Some("10.0.0.1")),
            ("from <ip>:<port> ", "port", Some("80")),
            ("<method> <path> from", "method", Some("GET")),
            ("<method> <path> from", "path", Some("/a b")),
            ("\"<path>\"", "path", Some("/a b")),
            ("took <time>", "time", Some("5ms")),
            ("<_> took <time>", "time", Some("5ms")),
            ("<<<tag>> ", "tag", Some("x")),
            ("missing <x>", "x", None),
            ("from <ip> nowhere", "ip", None),
            ("from <ip>:", "port", None),
        ] {
            let pattern = Pattern::new(pattern).expect(pattern);
            assert_eq!(pattern.extract(text, name).as_deref(), expected, "{pattern:?} {name}");
        }
        for wrong in ["no field", "<_>", "<a><b>", "<", "<>", "<open"] {
            assert!(Pattern::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn templates_are_filled() {
        let template = Template::new("<<<a>: <b>>").expect("valid");
        let filled = template.fill(|name| (name == "a").then(|| "1".to_owned()));
        assert_eq!(filled, "<1: >");
    }
}
