//! Words, attributes and intrinsics behind a scope.

use super::super::Result;
use super::super::ast::{Field, Scope};
use super::super::grammar::{self, INTRINSIC_SCOPES, INTRINSICS, SCOPES};
use super::{Lexer, Token, error};

impl Lexer {
    /// A bare word, or a field that starts with a scope.
    pub(super) fn word(&mut self) -> Result<Token> {
        let start = self.at;
        let word = self.take_while(is_word);
        match self.peek() {
            Some('.') if word == "parent" => {
                self.at += 1;
                self.of_parent()
            }
            Some('.') => match SCOPES.iter().find(|(name, _)| *name == word) {
                Some((_, scope)) => {
                    self.at += 1;
                    self.named(*scope, false)
                }
                None => Err(self.unknown(start)),
            },
            Some(':') => self.scoped_intrinsic(&word, start, false),
            _ => Ok(Token::Word(word)),
        }
    }

    /// `.name`.
    pub(super) fn attribute(&mut self) -> Result<Token> {
        self.at += 1;
        self.named(Scope::Any, false)
    }

    // Behind `parent.`
    fn of_parent(&mut self) -> Result<Token> {
        let start = self.at;
        let word = self.take_while(is_word);
        if self.peek() == Some(':') && INTRINSIC_SCOPES.contains(&word.as_str()) {
            return self.scoped_intrinsic(&word, start, true);
        }
        let scope = SCOPES.iter().find(|(name, _)| *name == word);
        match scope {
            Some((_, scope)) if self.peek() == Some('.') => {
                self.at += 1;
                self.named(*scope, true)
            }
            _ => {
                self.at = start;
                self.named(Scope::Any, true)
            }
        }
    }

    fn named(&mut self, scope: Scope, parent: bool) -> Result<Token> {
        let start = self.at;
        let mut name = String::new();
        while let Some(next) = self.peek().filter(|c| is_name(*c)) {
            if next == '"' {
                self.quoted_part(&mut name)?;
            } else {
                name.push(next);
                self.at += 1;
            }
        }
        if name.is_empty() {
            return Err(error(start, "the name of an attribute was expected behind '.'"));
        }
        Ok(Token::Field(Field::Attribute { scope, parent, name }))
    }

    fn quoted_part(&mut self, name: &mut String) -> Result<()> {
        let start = self.at;
        self.at += 1;
        while let Some(next) = self.peek() {
            self.at += 1;
            match next {
                '"' => return Ok(()),
                '\\' => match self.peek() {
                    Some(escaped @ ('"' | '\\')) => {
                        name.push(escaped);
                        self.at += 1;
                    }
                    _ => {
                        let message = "in the quoted name of an attribute, only '\\\"' and '\\\\' \
                                       are known behind '\\'";
                        return Err(error(self.at - 1, message));
                    }
                },
                _ => name.push(next),
            }
        }
        Err(error(start, "unterminated name of an attribute: its closing '\"' is missing"))
    }

    fn scoped_intrinsic(&mut self, scope: &str, start: usize, parent: bool) -> Result<Token> {
        self.at += 1;
        let text = format!("{scope}:{}", self.take_while(is_word));
        if let Some(which) = grammar::scoped_intrinsic(&text) {
            return Ok(Token::Field(Field::Intrinsic { which, parent }));
        }
        let all = || INTRINSICS.iter().filter_map(|(.., scoped)| *scoped);
        let known = all().filter(|name| name.split(':').next() == Some(scope)).collect::<Vec<_>>();
        let hint = match grammar::did_you_mean(&text, all()) {
            Some(hint) => hint,
            None if known.is_empty() => format!("scopes are {}", INTRINSIC_SCOPES.join(", ")),
            None => format!("there are {}", known.join(", ")),
        };
        Err(error(start, format!("unknown field '{text}': {hint}")))
    }

    // At `foo.bar`, where foo is no scope.
    fn unknown(&mut self, start: usize) -> super::Error {
        self.take_while(is_name);
        let name = self.chars[start..self.at].iter().collect::<String>();
        let scope = name.split('.').next().unwrap_or_default();
        let scopes = SCOPES.iter().map(|(name, _)| *name).chain(["parent"]);
        let hint = match grammar::did_you_mean(scope, scopes) {
            Some(hint) => hint,
            None => format!("write .{name}, span.{name} or resource.{name}"),
        };
        error(start, format!("unknown field '{name}': {hint}"))
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What may stand in the name of an attribute without ending it.
pub fn is_name(c: char) -> bool {
    !c.is_whitespace() && !"{}()=~!<>&|^,".contains(c)
}
