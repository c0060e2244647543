//! Text into tokens; spaces and comments (`#` to the end of the line) are left out.

mod literal;
pub mod units;

use super::error::{Error, Result};
use super::grammar::QUERY_BYTES_MAX;

/// A word, symbol or literal.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// An operator or punctuation.
    Symbol(&'static str),
    /// A bare word: a keyword, a function or a label.
    Word(String),
    /// Text, unquoted.
    String(String),
    /// A number without its sign.
    Number(f64),
    /// Nanoseconds without their sign.
    Duration(i64),
    /// Bytes: `5KB`.
    Bytes(u64),
    /// `--strict`, without the dashes.
    Flag(String),
    /// Behind the last token.
    End,
}

/// A token and the bytes of the query that it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Lexed {
    /// The token.
    pub token: Token,
    /// Its first byte.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

/// Longer ones first, so that the first that fits is the longest.
const SYMBOLS: &[&str] = &[
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "{", "}", "(", ")", "[", "]", ",",
    "|", "=", "<", ">", "+", "-", "*", "/", "%", "^",
];

/// All tokens, ending with [`Token::End`].
pub fn lex(text: &str) -> Result<Vec<Lexed>> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("query is longer than {QUERY_BYTES_MAX} bytes");
        return Err(Error::syntax(0, message));
    }
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space();
        let start = lexer.at;
        let token = lexer.token()?;
        let is_end = token == Token::End;
        tokens.push(Lexed { token, start, end: lexer.at });
        if is_end {
            return Ok(tokens);
        }
    }
}

/// Whether a text can stand as a label without quotes.
pub fn is_name(text: &str) -> bool {
    text.starts_with(starts_word) && text.chars().all(continues_word)
}

fn starts_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn continues_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Reads the text from the front.
struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn skip_space(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if self.peek() != Some('#') {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn token(&mut self) -> Result<Token> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        let second = self.rest().chars().nth(1);
        match first {
            '"' => self.quoted().map(Token::String),
            '`' => self.raw().map(Token::String),
            '0'..='9' => self.number(),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number(),
            _ if starts_word(first) => Ok(Token::Word(self.take_while(continues_word).to_owned())),
            _ => self.symbol(first),
        }
    }

    fn symbol(&mut self, first: char) -> Result<Token> {
        let rest = self.rest();
        if let Some(flag) = rest.strip_prefix("--").filter(|flag| flag.starts_with(starts_word)) {
            let end = flag.find(|c: char| !(continues_word(c) || c == '-')).unwrap_or(flag.len());
            self.at += 2 + end;
            return Ok(Token::Flag(flag[..end].to_owned()));
        }
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            self.at += symbol.len();
            return Ok(Token::Symbol(symbol));
        }
        let message = match first {
            '\'' => "found ''': text is written in double quotes or backquotes".to_owned(),
            '&' => "found '&': both conditions are asked for with 'and'".to_owned(),
            _ => format!("unexpected character '{}'", first.escape_debug()),
        };
        Err(Error::syntax(self.at, message))
    }
}
