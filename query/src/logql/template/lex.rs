//! Text of a template into pieces: what is copied, and actions between `{{` and `}}` as tokens.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Copied as it is.
    Text(String),
    /// The tokens of an action.
    Action(Vec<Token>),
}

/// A token of an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// `.a.b`, without the first dot; empty for the dot itself.
    Field(Vec<String>),
    /// `$x.a`: the name without its dollar, and what is taken of it.
    Variable(String, Vec<String>),
    /// A function or keyword.
    Word(String),
    /// Text.
    String(String),
    /// An integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// `|`, `(`, `)`, `,`, `=` or `:=`.
    Symbol(&'static str),
}

/// All pieces; the message says what is wrong.
pub fn lex(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trims_next = false;
    while let Some(open) = rest.find("{{") {
        let inner = &rest[open + 2..];
        let trims = inner.starts_with("- ") || inner.starts_with("-\n");
        push_text(&mut pieces, &rest[..open], trims_next, trims);
        let inner = if trims { &inner[1..] } else { inner };
        if let Some(comment) = inner.trim_start().strip_prefix("/*") {
            let end = comment.find("*/").ok_or("a comment is not closed")?;
            let behind = comment[end + 2..].trim_start();
            trims_next = behind.starts_with("-}}");
            let behind = behind.strip_prefix('-').unwrap_or(behind);
            rest = behind.strip_prefix("}}").ok_or("'}}' is missing behind a comment")?;
            continue;
        }
        let (tokens, behind, trims) = action(inner)?;
        pieces.push(Piece::Action(tokens));
        (rest, trims_next) = (behind, trims);
    }
    push_text(&mut pieces, rest, trims_next, false);
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &str, trims_start: bool, trims_end: bool) {
    let text = if trims_start { text.trim_start() } else { text };
    let text = if trims_end { text.trim_end() } else { text };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

// The tokens up to `}}`, what is behind it, and whether that loses its first spaces.
fn action(text: &str) -> Result<(Vec<Token>, &str, bool), String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        if let Some(behind) = trimmed.strip_prefix("}}") {
            return Ok((tokens, behind, false));
        }
        if let Some(behind) = trimmed.strip_prefix("-}}")
            && trimmed.len() < rest.len()
        {
            return Ok((tokens, behind, true));
        }
        rest = trimmed;
        let Some(first) = rest.chars().next() else {
            return Err("'}}' is missing".to_owned());
        };
        let (token, behind) = token(first, rest)?;
        tokens.push(token);
        rest = behind;
    }
}

fn token(first: char, rest: &str) -> Result<(Token, &str), String> {
    const SYMBOLS: &[&str] = &[":=", "|", "(", ")", ",", "="];
    if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
        return Ok((Token::Symbol(symbol), &rest[symbol.len()..]));
    }
    match first {
        '"' => quoted(rest),
        '`' => {
            let inner = &rest[1..];
            let end = inner.find('`').ok_or("a string is not closed")?;
            Ok((Token::String(inner[..end].to_owned()), &inner[end + 1..]))
        }
        '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            let (path, behind) = path(rest);
            Ok((Token::Field(path), behind))
        }
        '$' => {
            let (name, behind) = word(&rest[1..]);
            let (path, behind) =
                if behind.starts_with('.') { path(behind) } else { (vec![], behind) };
            Ok((Token::Variable(name.to_owned(), path), behind))
        }
        c if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => number(rest),
        c if c.is_alphabetic() || c == '_' => {
            let (word, behind) = word(rest);
            Ok((Token::Word(word.to_owned()), behind))
        }
        c => Err(format!("unexpected character '{}'", c.escape_debug())),
    }
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    text.split_at(end)
}

fn path(text: &str) -> (Vec<String>, &str) {
    let (mut path, mut rest) = (Vec::new(), text);
    while let Some(behind) = rest.strip_prefix('.') {
        let (name, behind) = word(behind);
        if !name.is_empty() {
            path.push(name.to_owned());
        }
        rest = behind;
    }
    (path, rest)
}

fn number(text: &str) -> Result<(Token, &str), String> {
    let is_number = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '+');
    let end = text.find(|c: char| !is_number(c)).unwrap_or(text.len());
    let (number, behind) = text.split_at(end);
    if let Ok(int) = number.parse() {
        return Ok((Token::Int(int), behind));
    }
    match number.parse() {
        Ok(float) => Ok((Token::Float(float), behind)),
        Err(_) => Err(format!("'{number}' is no number")),
    }
}

fn quoted(text: &str) -> Result<(Token, &str), String> {
    let mut out = String::new();
    let mut chars = text[1..].chars();
    loop {
        match chars.next() {
            Some('"') => return Ok((Token::String(out), chars.as_str())),
            Some('\\') => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(c @ ('\\' | '"' | '\'')) => out.push(c),
                Some('u') => {
                    let hex = chars.as_str().get(..4).ok_or("\\u needs 4 digits")?;
                    let code = u32::from_str_radix(hex, 16).map_err(|_| "\\u needs 4 digits")?;
                    out.push(char::from_u32(code).ok_or("\\u is no character")?);
                    chars = chars.as_str()[4..].chars();
                }
                Some(c) => return Err(format!("unknown escape '\\{c}'")),
                None => return Err("a string is not closed".to_owned()),
            },
            Some(c) => out.push(c),
            None => return Err("a string is not closed".to_owned()),
        }
    }
}
