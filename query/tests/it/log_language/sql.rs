//! Conditions of lowered SQL, taken apart and worked out over one record, by SQL's own rules: what is
//! compared with null is null, and only what is true counts.

use throughline_query::logs::language::Level;
use throughline_query::logs::language::kernels::amount::{as_number, bytes_of, duration_in};
use throughline_query::logs::language::kernels::text::PreparedText;
use throughline_query::logs::language::kernels::wildcard::PreparedWildcard;

use super::oracle::Record;

/// The conditions of a statement of one SELECT, but for its range of time.
pub fn conditions(sql: &str) -> Vec<String> {
    let from = sql.find("\nWHERE ").map_or(sql.len(), |at| at + 7);
    let end = ["\nGROUP BY", "\nORDER BY", "\nLIMIT"].iter().filter_map(|w| sql.find(w)).min();
    let all = sql[from..end.unwrap_or(sql.len())].split("\n  AND ");
    all.skip(2).map(str::to_owned).collect()
}

/// Whether a record meets a condition.
pub fn holds(condition: &str, record: &Record) -> bool {
    let mut eval = Eval { tokens: tokens(condition), at: 0, record };
    let value = eval.or();
    assert_eq!(eval.at, eval.tokens.len(), "{condition}");
    value == Value::Bool(true)
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Symbol(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Bool(bool),
    Text(String),
    Number(f64),
}

fn tokens(sql: &str) -> Vec<Token> {
    let chars = sql.chars().collect::<Vec<_>>();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&char) = chars.get(at) {
        let start = at;
        at += 1;
        if char == '\'' || char == '"' {
            let mut text = String::new();
            while chars[at] != char || chars.get(at + 1) == Some(&char) {
                at += usize::from(chars[at] == char);
                text.push(chars[at]);
                at += 1;
            }
            at += 1;
            tokens.push(if char == '"' { Token::Word(text) } else { Token::Text(text) });
        } else if char.is_ascii_digit() || (char == '-' && chars[at].is_ascii_digit()) {
            while chars.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '.') {
                at += 1;
            }
            let text = chars[start..at].iter().collect::<String>();
            tokens.push(Token::Number(text.parse().expect("a number")));
        } else if char.is_alphabetic() {
            while chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                at += 1;
            }
            tokens.push(Token::Word(chars[start..at].iter().collect()));
        } else if !char.is_whitespace() {
            let double =
                chars.get(at).is_some_and(|next| "<>".contains(char) && "=>".contains(*next));
            at += usize::from(double);
            tokens.push(Token::Symbol(chars[start..at].iter().collect()));
        }
    }
    tokens
}

struct Eval<'r> {
    tokens: Vec<Token>,
    at: usize,
    record: &'r Record,
}

impl Eval<'_> {
    fn word(&mut self, word: &str) -> bool {
        self.take(&Token::Word(word.to_owned()))
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        self.take(&Token::Symbol(symbol.to_owned()))
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Value {
        let mut left = self.and();
        while self.word("OR") {
            let right = self.and();
            left = match (left, right) {
                (Value::Bool(true), _) | (_, Value::Bool(true)) => Value::Bool(true),
                (Value::Bool(false), Value::Bool(false)) => Value::Bool(false),
                _ => Value::Null,
            };
        }
        left
    }

    fn and(&mut self) -> Value {
        let mut left = self.not();
        while self.word("AND") {
            left = and(left, self.not());
        }
        left
    }

    fn not(&mut self) -> Value {
        if !self.word("NOT") {
            return self.comparison();
        }
        match self.not() {
            Value::Bool(value) => Value::Bool(!value),
            _ => Value::Null,
        }
    }

    fn comparison(&mut self) -> Value {
        let left = self.operand();
        if self.word("IS") {
            let not = self.word("NOT");
            let is = if self.word("NULL") {
                left == Value::Null
            } else if self.word("TRUE") {
                left == Value::Bool(true)
            } else {
                assert!(self.word("DISTINCT") && self.word("FROM"));
                left != self.operand()
            };
            return Value::Bool(is != not);
        }
        let not = self.word("NOT");
        if self.word("LIKE") {
            let Value::Text(pattern) = self.operand() else { panic!("a pattern") };
            return of_text(&left, |text| like(text, &pattern) != not);
        }
        if self.word("IN") {
            let found = self.arguments().contains(&left);
            return if left == Value::Null { Value::Null } else { Value::Bool(found != not) };
        }
        if self.word("BETWEEN") {
            let low = self.operand();
            assert!(self.word("AND"));
            let high = self.operand();
            return and(compare(&left, ">=", &low), compare(&left, "<=", &high));
        }
        for operator in ["=", "<>", "<=", ">=", "<", ">"] {
            if self.symbol(operator) {
                let right = self.operand();
                return compare(&left, operator, &right);
            }
        }
        left
    }

    fn operand(&mut self) -> Value {
        if self.symbol("(") {
            let inner = self.or();
            assert!(self.symbol(")"));
            return inner;
        }
        self.at += 1;
        match self.tokens[self.at - 1].clone() {
            Token::Text(text) => Value::Text(text),
            Token::Number(number) => Value::Number(number),
            Token::Word(word) => self.named(&word),
            Token::Symbol(symbol) => panic!("{symbol}"),
        }
    }

    fn named(&mut self, word: &str) -> Value {
        let record = self.record;
        if self.symbol("[") {
            let Value::Text(key) = self.operand() else { panic!("a key") };
            assert!(self.symbol("]"));
            let set = if word == "attributes" { &record.attributes } else { &record.resource };
            return set.get(&key).cloned().map_or(Value::Null, Value::Text);
        }
        if self.tokens.get(self.at) == Some(&Token::Symbol("(".to_owned())) {
            let arguments = self.arguments();
            return call(word, &arguments);
        }
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
        match word {
            "true" | "false" => Value::Bool(word == "true"),
            "TIMESTAMP" => match self.operand() {
                Value::Text(time) => Value::Text(time.trim_end_matches('Z').to_owned()),
                other => panic!("{other:?}"),
            },
            "time" => Value::Text(record.time.clone()),
            "body" => text(&record.body),
            "trace_id" => text(&record.trace_id),
            "service_name" => Value::Text(record.service.clone()),
            "severity_text" => Value::Text(record.severity_text.clone()),
            "severity_number" => Value::Number(f64::from(record.severity_number)),
            other => panic!("{other}"),
        }
    }

    fn arguments(&mut self) -> Vec<Value> {
        assert!(self.symbol("("));
        let mut arguments = vec![self.or()];
        while self.symbol(",") {
            arguments.push(self.or());
        }
        assert!(self.symbol(")"));
        arguments
    }
}

fn and(left: Value, right: Value) -> Value {
    match (left, right) {
        (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
        (Value::Bool(true), Value::Bool(true)) => Value::Bool(true),
        _ => Value::Null,
    }
}

fn of_text(value: &Value, test: impl Fn(&str) -> bool) -> Value {
    match value {
        Value::Text(text) => Value::Bool(test(text)),
        _ => Value::Null,
    }
}

fn compare(left: &Value, operator: &str, right: &Value) -> Value {
    use std::cmp::Ordering;
    let order = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return Value::Null,
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => left.partial_cmp(right).expect("numbers"),
        other => panic!("{other:?}"),
    };
    Value::Bool(match operator {
        "=" => order == Ordering::Equal,
        "<>" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

fn call(function: &str, arguments: &[Value]) -> Value {
    let text = |number: usize| match arguments.get(number) {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let number = |number: Option<f64>| number.map_or(Value::Null, Value::Number);
    let found = |is_in: bool| Value::Bool(text(0).is_some() && is_in);
    let (first, second) = (text(0).unwrap_or_default(), text(1).unwrap_or_default());
    match function {
        "coalesce" => arguments.iter().find(|v| **v != Value::Null).cloned().unwrap_or(Value::Null),
        "has_word" | "has_phrase" => found(PreparedText::phrase(second).is_in(first)),
        "has_prefix" => found(PreparedText::prefix(second).is_in(first)),
        "has_wildcard" => found(PreparedWildcard::new(second).is_in(first)),
        "contains" => of_text(&arguments[0], |text| text.contains(second)),
        "regexp_like" => {
            of_text(&arguments[0], |text| regex::Regex::new(second).expect("valid").is_match(text))
        }
        "lower" => text(0).map_or(Value::Null, |text| Value::Text(text.to_lowercase())),
        "trim" => text(0).map_or(Value::Null, |text| Value::Text(text.trim().to_owned())),
        "id_text" => arguments[0].clone(),
        "as_number" => number(text(0).and_then(as_number)),
        "duration_in" => number(text(0).and_then(|text| duration_in(text, second))),
        "bytes_of" => number(text(0).and_then(bytes_of)),
        "severity_level" => match arguments {
            [Value::Number(number), Value::Text(text)] => {
                let level = Level::of_record(*number as i32, text);
                level.map_or(Value::Null, |level| Value::Text(level.name().to_owned()))
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other}"),
    }
}

fn like(text: &str, pattern: &str) -> bool {
    let mut regex = String::from("(?s)^");
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '\\' => regex.push_str(&regex::escape(&chars.next().expect("a character").to_string())),
            other => regex.push_str(&regex::escape(&other.to_string())),
        }
    }
    regex::Regex::new(&(regex + "$")).expect("valid").is_match(text)
}
