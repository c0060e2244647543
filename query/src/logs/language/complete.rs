//! What fits at a place of an incomplete query.
//!
//! The parser itself is asked: it runs over the text before the word at the cursor and notes what it
//! looked for where that ends. So what is proposed is what would be taken. Names of fields and their
//! values are the caller's to supply: [`Wanted`] says which.

use super::ast::Place;
use super::grammar::{COUNT_IF, FIXED, FUNCTIONS, Field, Fixed, MATH_FUNCTIONS, PIPES};
use super::level::LEVEL_NAMES;
use super::parse::{Expect, expected_behind};

/// Bytes before the cursor that are looked at for the start of the word.
const WORD_BYTES_MAX: usize = 4096;

/// What fits at a cursor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completions {
    /// The bytes that a chosen text takes the place of: the word before the cursor, or nothing.
    pub replace: Place,
    /// The word before the cursor, without its opening quote.
    pub typed: String,
    /// What the language itself proposes and begins with what is typed.
    pub items: Vec<Completion>,
    /// What the caller may add.
    pub wanted: Vec<Wanted>,
}

/// A text that fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// What it is.
    pub kind: Kind,
    /// Its name, to be shown.
    pub text: String,
    /// What is written when it is chosen.
    pub insert: String,
    /// What it does, in a few words.
    pub detail: &'static str,
}

/// What a completion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A fixed field.
    Field,
    /// A value.
    Value,
    /// A word of the language.
    Keyword,
    /// A pipe.
    Pipe,
    /// A function.
    Function,
    /// An operator or punctuation.
    Symbol,
}

/// What only the caller knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Names of attributes. In the filter bar (`true`) a colon is written behind them.
    FieldNames {
        /// Whether a condition is being written.
        in_filter: bool,
    },
    /// Values of this field.
    ValuesOf(String),
}

/// What fits at a cursor, which stands before this byte. Nothing fits where the query is wrong before it.
pub fn complete(text: &str, cursor: usize) -> Completions {
    let mut cursor = cursor.min(text.len());
    while !text.is_char_boundary(cursor) {
        cursor -= 1;
    }
    let before = &text[..cursor];
    let start = start_of_word(before);
    // A sign before a word negates it: what fits stands where the sign does.
    let signed = before[..start].trim_end_matches(['-', '+']);
    let expects = expected_behind(signed);
    let typed = before[start..].trim_start_matches(['"', '`']).to_owned();
    let is_quoted = before[start..].starts_with(['"', '`']);
    let mut found = Completions {
        replace: Place { start, end: cursor },
        typed,
        items: Vec::new(),
        wanted: Vec::new(),
    };
    for expect in &expects {
        found.add(expect, is_quoted);
    }
    let lower = found.typed.to_lowercase();
    let fits = |item: &Completion| {
        let is_term = matches!(item.kind, Kind::Field | Kind::Value);
        (is_term || signed.len() == start) && item.text.to_lowercase().starts_with(&lower)
    };
    found.items.retain(fits);
    found
}

// Where the word begins that the cursor stands behind, or the text in quotes that it stands in.
fn start_of_word(before: &str) -> usize {
    if let Some(open) = open_quote(before) {
        return open;
    }
    let window = before.len().saturating_sub(WORD_BYTES_MAX);
    let ends = |c: char| c.is_whitespace() || "()[]{}|:,=<>!~\"`".contains(c);
    let mut start = before.len();
    for (at, char) in before.char_indices().rev().take_while(|(at, _)| *at >= window) {
        if ends(char) {
            break;
        }
        start = at;
    }
    let word = &before[start..];
    start + word.len() - word.trim_start_matches(['-', '+']).len()
}

fn open_quote(before: &str) -> Option<usize> {
    let mut open = None;
    let mut escaped = false;
    for (at, char) in before.char_indices() {
        match (open, char) {
            (_, _) if escaped => escaped = false,
            (None | Some((_, '"')), '\\') => escaped = true,
            (None, '"' | '`') => open = Some((at, char)),
            (Some((_, quote)), char) if quote == char => open = None,
            _ => {}
        }
    }
    open.map(|(at, _)| at)
}

impl Completions {
    fn push(&mut self, kind: Kind, text: &str, insert: String, detail: &'static str) {
        if !self.items.iter().any(|item| item.text == text && item.kind == kind) {
            self.items.push(Completion { kind, text: text.to_owned(), insert, detail });
        }
    }

    fn want(&mut self, wanted: Wanted) {
        if !self.wanted.contains(&wanted) {
            self.wanted.push(wanted);
        }
    }

    fn add(&mut self, expect: &Expect, is_quoted: bool) {
        match expect {
            Expect::ValueOf(field) => self.values_of(field),
            Expect::Term => self.terms(),
            Expect::Field => self.fields(""),
            _ if is_quoted => {}
            Expect::Pipe => {
                for pipe in PIPES {
                    let Some(name) = pipe.names.first() else { continue };
                    self.push(Kind::Pipe, name, format!("{name} "), pipe.detail);
                }
            }
            Expect::Function => {
                for (_, names, detail) in FUNCTIONS {
                    let Some(name) = names.first() else { continue };
                    self.push(Kind::Function, name, format!("{name}("), detail);
                }
                let detail = "rows that meet a condition";
                self.push(Kind::Function, COUNT_IF, format!("{COUNT_IF}("), detail);
                self.push(Kind::Function, "p99", "p99(".to_owned(), "a quantile, p1 to p99");
            }
            Expect::MathFunction => {
                for (_, name, ..) in MATH_FUNCTIONS {
                    self.push(Kind::Function, name, format!("{name}("), "function of numbers");
                }
            }
            Expect::Keyword(words) => {
                for word in *words {
                    self.push(Kind::Keyword, word, format!("{word} "), "");
                }
            }
            Expect::Symbol(symbols) => {
                for symbol in *symbols {
                    self.push(Kind::Symbol, symbol, (*symbol).to_owned(), "");
                }
            }
        }
    }

    fn terms(&mut self) {
        self.fields(":");
        self.push(Kind::Keyword, "NOT", "NOT ".to_owned(), "records that do not meet it");
    }

    fn fields(&mut self, behind: &str) {
        for known in FIXED {
            let Some(name) = known.names.first() else { continue };
            self.push(Kind::Field, name, format!("{name}{behind}"), known.detail);
        }
        self.want(Wanted::FieldNames { in_filter: !behind.is_empty() });
    }

    fn values_of(&mut self, field: &str) {
        match Field::of(field) {
            Field::Fixed(Fixed::Level) => {
                for name in LEVEL_NAMES {
                    self.push(Kind::Value, name, name.to_owned(), "");
                }
            }
            Field::Fixed(Fixed::Time | Fixed::ObservedTime) => {
                for text in [">now-15m", ">now-1h", ">now-1d"] {
                    self.push(Kind::Value, text, text.to_owned(), "since then");
                }
            }
            _ => self.want(Wanted::ValuesOf(field.to_owned())),
        }
    }
}
