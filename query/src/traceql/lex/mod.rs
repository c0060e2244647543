//! Text into tokens. A field with its scope (`parent.span."a b"`, `trace:id`) is one token, because
//! what may stand in an attribute's name may not stand elsewhere: `.a-b` is one attribute.

mod literal;
mod name;

use super::ast::{Field, Place};
use super::grammar::QUERY_CHARS_MAX;
use super::{Error, Result};
pub use name::is_name;

/// A word, symbol or literal.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// An operator or punctuation.
    Symbol(&'static str),
    /// A bare word: an intrinsic, a function, a literal such as `true`.
    Word(String),
    /// A field behind a dot, a scope or both.
    Field(Field),
    /// Text.
    String(String),
    /// An integer without its sign.
    Int(u64),
    /// A double without its sign.
    Float(f64),
    /// Nanoseconds without their sign.
    Duration(u64),
    /// Behind the last token.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Lexed {
    /// The token.
    pub token: Token,
    /// Where it stands.
    pub place: Place,
}

/// Longer ones first, so that the first that fits is the longest.
const SYMBOLS: &[&str] = &[
    "!>>", "!<<", "&>>", "&<<", "&&", "||", "=~", "!=", "!~", "!>", "!<", "&>", "&<", "&~", ">>",
    "<<", ">=", "<=", "{", "}", "(", ")", ",", "|", "=", "<", ">", "~", "!", "+", "-", "*", "/",
    "%", "^",
];

/// All tokens, ending with [`Token::End`].
pub fn lex(text: &str) -> Result<Vec<Lexed>> {
    let mut lexer = Lexer::new(text)?;
    let mut tokens = Vec::new();
    loop {
        let lexed = lexer.next()?;
        let is_end = lexed.token == Token::End;
        tokens.push(lexed);
        if is_end {
            return Ok(tokens);
        }
    }
}

/// All tokens before the first error, and where and what that is.
pub fn lex_start(text: &str) -> (Vec<Lexed>, Option<(usize, Error)>) {
    let mut tokens = Vec::new();
    let mut lexer = match Lexer::new(text) {
        Ok(lexer) => lexer,
        Err(err) => return (tokens, Some((0, err))),
    };
    loop {
        lexer.skip_space();
        let start = lexer.at;
        match lexer.next() {
            Ok(Lexed { token: Token::End, .. }) => return (tokens, None),
            Ok(lexed) => tokens.push(lexed),
            Err(err) => return (tokens, Some((start, err))),
        }
    }
}

/// Reads characters; positions are in characters.
struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn new(text: &str) -> Result<Self> {
        let chars = text.chars().take(QUERY_CHARS_MAX + 1).collect::<Vec<_>>();
        if chars.len() > QUERY_CHARS_MAX {
            let message = format!("query is longer than {QUERY_CHARS_MAX} characters");
            return Err(error(QUERY_CHARS_MAX, message));
        }
        Ok(Self { chars, at: 0 })
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.peek_at(i) == Some(c))
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&fits) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Result<Lexed> {
        self.skip_space();
        let start = self.at;
        let token = self.token()?;
        Ok(Lexed { token, place: Place { start, end: self.at } })
    }

    fn token(&mut self) -> Result<Token> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        match first {
            '"' => self.quoted().map(Token::String),
            '`' => self.raw().map(Token::String),
            '0'..='9' => self.number(),
            '.' => self.attribute(),
            _ if first.is_ascii_alphabetic() || first == '_' => self.word(),
            _ => self.symbol(first),
        }
    }

    fn symbol(&mut self, first: char) -> Result<Token> {
        if self.starts_with("==") {
            return Err(error(self.at, "found '==': equality is written '='"));
        }
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| self.starts_with(symbol)) {
            self.at += symbol.len();
            return Ok(Token::Symbol(symbol));
        }
        let message = match first {
            '&' => "found '&': both conditions are asked for with '&&'".to_owned(),
            '\'' => "found ''': text is written in double quotes or backquotes".to_owned(),
            _ => format!("unexpected character '{first}'"),
        };
        Err(error(self.at, message))
    }
}

/// A query that breaks a rule, and where.
pub fn error(position: usize, message: impl Into<String>) -> Error {
    Error::invalid("query", message).with_position(position)
}
