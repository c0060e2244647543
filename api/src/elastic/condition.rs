//! Conditions, and how the log language writes them.

use super::names::{Name, level};

/// What holds for a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    All,
    /// If the other does not.
    Not(Box<Condition>),
    /// If all do.
    And(Vec<Condition>),
    /// If one does.
    Or(Vec<Condition>),
    /// What the log language says in one condition.
    Leaf(String),
}

impl Condition {
    /// Never.
    pub fn none() -> Self {
        Self::All.negated()
    }

    /// The opposite.
    pub fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// All of these.
    pub fn all(conditions: impl IntoIterator<Item = Condition>) -> Self {
        let mut kept = Vec::new();
        for condition in conditions {
            match condition {
                Self::All => {}
                Self::And(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::All,
            1 => kept.remove(0),
            _ => Self::And(kept),
        }
    }

    /// One of these; never, if there are none.
    pub fn any(conditions: impl IntoIterator<Item = Condition>) -> Self {
        let mut kept = Vec::new();
        for condition in conditions {
            match condition {
                Self::All => return Self::All,
                Self::Or(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::none(),
            1 => kept.remove(0),
            _ => Self::Or(kept),
        }
    }

    /// As the log language writes it.
    pub fn text(&self) -> String {
        let joined = |conditions: &[Self], word: &str| {
            conditions.iter().map(Self::inner).collect::<Vec<_>>().join(word)
        };
        match self {
            Self::All => "*".to_owned(),
            Self::Not(inner) => format!("NOT {}", inner.inner()),
            Self::And(conditions) => joined(conditions, " AND "),
            Self::Or(conditions) => joined(conditions, " OR "),
            Self::Leaf(text) => text.clone(),
        }
    }

    fn inner(&self) -> String {
        match self {
            Self::All | Self::Leaf(_) => self.text(),
            _ => format!("({})", self.text()),
        }
    }

    /// The field has this value; a body has these words side by side.
    pub fn equals(name: &Name, value: &str) -> Self {
        if *name == Name::Body && value.is_empty() {
            return Self::none(); // no word is looked for, so none is found
        }
        Self::Leaf(match name {
            Name::Body => quoted(value),
            Name::Level => match level(value) {
                Some(level) => format!("level:{level}"),
                None => format!("severity_text:={}", quoted(value)),
            },
            Name::Time | Name::Other(_) => format!("{}:={}", name.text(), quoted(value)),
        })
    }

    /// The field is there.
    pub fn exists(name: &Name) -> Self {
        match name {
            Name::Time => Self::All,
            Name::Body | Name::Level | Name::Other(_) => Self::Leaf(format!("{}:*", name.text())),
        }
    }

    /// The field, or a word of a body, begins so.
    pub fn begins(name: &Name, start: &str) -> Self {
        Self::Leaf(match name {
            Name::Body => format!("{}*", quoted(start)),
            Name::Level => format!("severity_text:{}*", quoted(start)),
            Name::Time | Name::Other(_) => format!("{}:{}*", name.text(), quoted(start)),
        })
    }

    /// The whole field, or a part of a body, matches a regular expression.
    pub fn matches(name: &Name, regex: &str, ignores_case: bool) -> Self {
        let case = if ignores_case { "(?i)" } else { "" };
        Self::Leaf(match name {
            Name::Body => format!("~{}", quoted_regex(&format!("{case}{regex}"))),
            Name::Level => {
                format!("severity_text:~{}", quoted_regex(&format!("(?i)^(?:{regex})$")))
            }
            Name::Time | Name::Other(_) => {
                format!("{}:~{}", name.text(), quoted_regex(&format!("{case}^(?:{regex})$")))
            }
        })
    }

    /// The field, or a word of a body, looks so: `*` is any text and `?` one character.
    pub fn wildcard(name: &Name, pattern: &str, ignores_case: bool) -> Self {
        if pattern.chars().all(|char| char == '*') {
            return Self::exists(name);
        }
        let start = pattern.strip_suffix('*').unwrap_or_default();
        let is_start = !start.is_empty() && !start.contains(['*', '?', '\\']);
        if is_start && (!ignores_case || *name == Name::Body) {
            return Self::begins(name, start);
        }
        let any = if *name == Name::Body { r"\w*" } else { "(?s:.*)" };
        let one = if *name == Name::Body { r"\w" } else { "(?s:.)" };
        let (mut regex, mut chars) = (String::new(), pattern.chars());
        while let Some(char) = chars.next() {
            match char {
                '*' => regex.push_str(any),
                '?' => regex.push_str(one),
                '\\' => regex.extend(chars.next().map(escaped)),
                char => regex.push_str(&escaped(char)),
            }
        }
        match name {
            Name::Body => Self::matches(name, &format!(r"\b{regex}\b"), true),
            _ => Self::matches(name, &regex, ignores_case),
        }
    }

    /// The field compares so with a number or a text.
    pub fn compares(name: &Name, symbol: &str, value: &str) -> Self {
        let value = match name {
            Name::Level => level(value).unwrap_or(value),
            _ => value,
        };
        let is_number = value.parse::<f64>().is_ok_and(f64::is_finite)
            && value.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        let value = if is_number { value.to_owned() } else { quoted(value) };
        Self::Leaf(format!("{}:{symbol}{value}", name.text()))
    }
}

fn escaped(char: char) -> String {
    match char.is_alphanumeric() || char.is_whitespace() || char == '_' || !char.is_ascii() {
        true => char.to_string(),
        false => format!("\\{char}"),
    }
}

/// A text in quotes.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

// A regular expression in quotes: a quote in it needs a backslash, if it has none.
fn quoted_regex(regex: &str) -> String {
    let (mut out, mut is_escaped) = (String::from('"'), false);
    for char in regex.chars() {
        if char == '"' && !is_escaped {
            out.push('\\');
        }
        out.push(char);
        is_escaped = char == '\\' && !is_escaped;
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use throughline_query::logs::language::parse;

    use super::super::lucene::{self, Options};
    use super::*;

    fn token() -> impl Strategy<Value = String> {
        let symbols = prop::sample::select(vec![
            "AND",
            "OR",
            "NOT",
            "+",
            "-",
            "!",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            " TO ",
            ":",
            "*",
            "?",
            "\"",
            "/",
            "\\",
            "^2",
            ">=",
            "<",
            "_exists_:",
            "message:",
            "@timestamp:",
            "level:",
            "http.status:",
            "now-1h",
            "5",
            " ",
        ]);
        prop_oneof![3 => symbols.prop_map(str::to_owned), 2 => "[a-zä\"\\\\.~|]{1,6}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        // Whatever is taken is a query there; that times have no wildcards, and the like, is said there.
        #[test]
        fn the_log_language_takes_what_lucene_does(tokens in prop::collection::vec(token(), 0..12), is_and: bool) {
            let options = Options { field: Name::Body, is_and, now_ns: 1_795_176_000_000_000_000 };
            let text = tokens.concat();
            if let Ok(condition) = lucene::parse(&text, &options) {
                let written = condition.text();
                let query = parse(&written);
                let why = query.as_ref().err().map(|err| err.message().to_owned());
                // A regular expression is the user's: what is wrong with it is said.
                let is_said = why.as_ref().is_some_and(|why| why.contains("regular expression"));
                prop_assert!(why.is_none() || is_said, "{text} -> {written}: {why:?}");
            }
        }
    }
}
