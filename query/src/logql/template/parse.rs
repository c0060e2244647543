//! Pieces of a template into nodes.

use regex::Regex;

use super::functions::{self, Entry};
use super::lex::{Piece, Token};
use super::value::Value;

/// How deep blocks and parentheses may nest.
const DEPTH_MAX: usize = 32;
/// The size of a template in nodes at most.
const NODES_MAX: usize = 10_000;

/// A piece of a template that can be filled in.
pub enum Node {
    Text(String),
    Print(Expr),
    /// Branches with their conditions, and what is taken if none holds.
    If(Vec<(Expr, Vec<Node>)>, Vec<Node>),
    With(Expr, Vec<Node>, Vec<Node>),
    Range {
        key: Option<String>,
        value: Option<String>,
        over: Expr,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    /// The name, whether it is new, and its value.
    Assign(String, bool, Expr),
    Break,
    Continue,
}

/// A value to be worked out.
pub enum Expr {
    Literal(Value<'static>),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    /// A function, its arguments, and its first one as a regular expression if it is a literal.
    Call(&'static Entry, Vec<Expr>, Option<Regex>),
    /// `and` and `or` look at no more arguments than they need.
    Logic(bool, Vec<Expr>),
    /// What is taken of a value in parentheses.
    Access(Box<Expr>, Vec<String>),
}

/// How a block ends.
#[derive(PartialEq)]
enum Stop {
    Text,
    End,
    Else(Vec<Token>),
}

/// The nodes of a template; the message says what is wrong.
pub fn parse(pieces: Vec<Piece>) -> Result<Vec<Node>, String> {
    let mut parser = Parser { pieces: pieces.into_iter(), depth: 0, nodes: 0 };
    let (nodes, stop) = parser.block()?;
    match stop {
        Stop::Text => Ok(nodes),
        Stop::End => Err("'end' closes nothing".to_owned()),
        Stop::Else(_) => Err("'else' belongs to nothing".to_owned()),
    }
}

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    depth: usize,
    nodes: usize,
}

impl Parser {
    // Nodes up to `end`, `else` or the end of the text.
    fn block(&mut self) -> Result<(Vec<Node>, Stop), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("blocks nest deeper than {DEPTH_MAX} levels"));
        }
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            self.nodes += 1;
            if self.nodes > NODES_MAX {
                return Err(format!("template has more than {NODES_MAX} pieces"));
            }
            let tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(tokens) => tokens,
            };
            match tokens.first() {
                Some(Token::Word(word)) if word == "end" && tokens.len() == 1 => {
                    self.depth -= 1;
                    return Ok((nodes, Stop::End));
                }
                Some(Token::Word(word)) if word == "else" => {
                    self.depth -= 1;
                    return Ok((nodes, Stop::Else(tokens[1..].to_vec())));
                }
                _ => nodes.push(self.action(&tokens)?),
            }
        }
        self.depth -= 1;
        Ok((nodes, Stop::Text))
    }

    fn action(&mut self, tokens: &[Token]) -> Result<Node, String> {
        match tokens {
            [] => Err("an action is empty".to_owned()),
            [Token::Word(word), rest @ ..] if word == "if" => self.branches(rest),
            [Token::Word(word), rest @ ..] if word == "with" => {
                let over = pipeline(rest)?;
                let (body, stop) = self.block()?;
                let otherwise = self.otherwise(stop, "with")?;
                Ok(Node::With(over, body, otherwise))
            }
            [Token::Word(word), rest @ ..] if word == "range" => self.range(rest),
            [Token::Word(word)] if word == "break" => Ok(Node::Break),
            [Token::Word(word)] if word == "continue" => Ok(Node::Continue),
            [Token::Variable(name, path), Token::Symbol(symbol), rest @ ..]
                if path.is_empty() && matches!(*symbol, ":=" | "=") =>
            {
                Ok(Node::Assign(name.clone(), *symbol == ":=", pipeline(rest)?))
            }
            _ => Ok(Node::Print(pipeline(tokens)?)),
        }
    }

    fn branches(&mut self, condition: &[Token]) -> Result<Node, String> {
        let mut branches = Vec::new();
        let mut condition = pipeline(condition)?;
        loop {
            let (body, stop) = self.block()?;
            branches.push((condition, body));
            match stop {
                Stop::Else(tokens) => match &tokens[..] {
                    [Token::Word(word), rest @ ..] if word == "if" => condition = pipeline(rest)?,
                    _ => {
                        let otherwise = self.otherwise(Stop::Else(tokens), "if")?;
                        return Ok(Node::If(branches, otherwise));
                    }
                },
                stop => {
                    let otherwise = self.otherwise(stop, "if")?;
                    return Ok(Node::If(branches, otherwise));
                }
            }
        }
    }

    fn otherwise(&mut self, stop: Stop, what: &str) -> Result<Vec<Node>, String> {
        match stop {
            Stop::End => Ok(Vec::new()),
            Stop::Else(tokens) if tokens.is_empty() => match self.block()? {
                (body, Stop::End) => Ok(body),
                _ => Err(format!("'end' of '{what}' is missing")),
            },
            Stop::Else(_) => Err("unexpected words behind 'else'".to_owned()),
            Stop::Text => Err(format!("'end' of '{what}' is missing")),
        }
    }

    fn range(&mut self, tokens: &[Token]) -> Result<Node, String> {
        let assigns = Token::Symbol(":=");
        let (key, value, rest) = match tokens {
            [Token::Variable(key, _), comma, Token::Variable(value, _), assign, rest @ ..]
                if *comma == Token::Symbol(",") && *assign == assigns =>
            {
                (Some(key.clone()), Some(value.clone()), rest)
            }
            [Token::Variable(value, _), assign, rest @ ..] if *assign == assigns => {
                (None, Some(value.clone()), rest)
            }
            rest => (None, None, rest),
        };
        let over = pipeline(rest)?;
        let (body, stop) = self.block()?;
        let otherwise = self.otherwise(stop, "range")?;
        Ok(Node::Range { key, value, over, body, otherwise })
    }
}

fn pipeline(tokens: &[Token]) -> Result<Expr, String> {
    let mut cursor = Cursor { tokens, at: 0, depth: 0 };
    let expr = cursor.pipeline()?;
    match cursor.peek() {
        None => Ok(expr),
        Some(token) => Err(format!("unexpected {}", describe(token))),
    }
}

fn describe(token: &Token) -> String {
    match token {
        Token::Field(path) => format!("'.{}'", path.join(".")),
        Token::Variable(name, _) => format!("'${name}'"),
        Token::Word(word) => format!("'{word}'"),
        Token::String(text) => format!("{text:?}"),
        Token::Int(number) => format!("'{number}'"),
        Token::Float(number) => format!("'{number}'"),
        Token::Symbol(symbol) => format!("'{symbol}'"),
    }
}

struct Cursor<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, symbol: &'static str) -> bool {
        let found = self.peek() == Some(&Token::Symbol(symbol));
        self.at += usize::from(found);
        found
    }

    // `a | f b | g`: each value is the last argument of the function behind it.
    fn pipeline(&mut self) -> Result<Expr, String> {
        let mut value = self.command(None)?;
        let mut calls = 0;
        while self.take("|") {
            calls += 1;
            if calls > DEPTH_MAX {
                return Err(format!("a pipeline has more than {DEPTH_MAX} functions"));
            }
            value = self.command(Some(value))?;
        }
        Ok(value)
    }

    fn command(&mut self, input: Option<Expr>) -> Result<Expr, String> {
        let Some(token) = self.peek().cloned() else {
            return Err("a value was expected at the end of an action".to_owned());
        };
        let is_literal = matches!(&token, Token::Word(word) if literal(word).is_some());
        let name = match token {
            Token::Word(word) if !is_literal => word,
            _ => {
                let value = self.operand()?;
                return match input {
                    Some(_) => Err("a function was expected behind '|'".to_owned()),
                    None => Ok(value),
                };
            }
        };
        self.at += 1;
        let mut arguments = Vec::new();
        while self.peek().is_some_and(|token| !is_behind(token)) {
            arguments.push(self.operand()?);
        }
        arguments.extend(input);
        call(&name, arguments)
    }

    fn operand(&mut self) -> Result<Expr, String> {
        let Some(token) = self.peek().cloned() else {
            return Err("a value was expected at the end of an action".to_owned());
        };
        self.at += 1;
        Ok(match token {
            Token::Field(path) => Expr::Field(path),
            Token::Variable(name, path) => Expr::Variable(name, path),
            Token::String(text) => Expr::Literal(Value::text(text)),
            Token::Int(number) => Expr::Literal(Value::Int(number)),
            Token::Float(number) => Expr::Literal(Value::Float(number)),
            Token::Word(word) => match literal(&word) {
                Some(value) => Expr::Literal(value),
                None => call(&word, Vec::new())?,
            },
            Token::Symbol("(") => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(format!("parentheses nest deeper than {DEPTH_MAX} levels"));
                }
                let inner = self.pipeline()?;
                if !self.take(")") {
                    return Err("')' is missing".to_owned());
                }
                self.depth -= 1;
                match self.peek() {
                    Some(Token::Field(path)) if !path.is_empty() => {
                        let path = path.clone();
                        self.at += 1;
                        Expr::Access(Box::new(inner), path)
                    }
                    _ => inner,
                }
            }
            Token::Symbol(symbol) => return Err(format!("unexpected '{symbol}'")),
        })
    }
}

fn is_behind(token: &Token) -> bool {
    matches!(token, Token::Symbol("|" | ")" | "," | "=" | ":="))
}

fn literal(word: &str) -> Option<Value<'static>> {
    match word {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        "nil" => Some(Value::Nil),
        _ => None,
    }
}

fn call(name: &str, arguments: Vec<Expr>) -> Result<Expr, String> {
    if matches!(name, "and" | "or") {
        if arguments.is_empty() {
            return Err(format!("{name} needs a value"));
        }
        return Ok(Expr::Logic(name == "and", arguments));
    }
    let Some(entry) = functions::find(name) else {
        return Err(format!("unknown function '{name}'"));
    };
    let count = arguments.len();
    if count < entry.arguments_min || count > entry.arguments_max {
        let (least, most) = (entry.arguments_min, entry.arguments_max);
        let wanted = if least == most { least.to_string() } else { format!("{least} or more") };
        return Err(format!("{name} takes {wanted} values and has {count}"));
    }
    let regex = match arguments.first() {
        Some(Expr::Literal(Value::Text(pattern))) if entry.takes_regex => {
            Some(functions::regex(pattern)?)
        }
        _ => None,
    };
    Ok(Expr::Call(entry, arguments, regex))
}
