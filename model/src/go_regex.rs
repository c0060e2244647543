//! Regular expressions as Prometheus reads them, in the syntax of the crate `regex`.
//!
//! Prometheus has RE2's syntax as Go has it (regexp/syntax). What differs is rewritten: braces that repeat nothing
//! stand for themselves, `\d`, `\s` and `\w` are of ASCII, `\Q…\E` quotes, `\101` is octal, and classes hold neither
//! classes nor operators.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

/// A pattern of Prometheus' for the crate `regex`.
fn translated(pattern: &str) -> String {
    Translation { rest: pattern.chars().peekable(), out: String::with_capacity(pattern.len()) }
        .run()
}

/// A pattern that has to match the whole value, and whose dot matches a newline.
pub fn anchored(pattern: &str) -> Result<Regex, String> {
    let translated = translated(pattern);
    let build = |pattern: &str| {
        Regex::new(pattern).map_err(|err| match err {
            regex::Error::Syntax(text) => text.lines().last().unwrap_or_default().to_owned(),
            other => other.to_string(),
        })
    };
    // By itself first: "a)(b" is no pattern, though it would be one between parentheses.
    build(&translated)?;
    build(&format!("^(?s:{translated})$"))
}

struct Translation<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

/// The ASCII class of a letter behind a backslash, as it stands in a class.
fn perl_class(letter: char) -> Option<&'static str> {
    match letter.to_ascii_lowercase() {
        'd' => Some("0-9"),
        's' => Some("\\t\\n\\x0C\\r "),
        'w' => Some("0-9A-Za-z_"),
        _ => None,
    }
}

/// Whether braces begin with a number of times: `{2}`, `{2,}`, `{2,3}`.
fn is_repetition(rest: &Peekable<Chars<'_>>) -> bool {
    let inner: String = rest.clone().take_while(|c| *c != '}').collect();
    let is_closed = rest.clone().nth(inner.chars().count()).is_some();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_closed
        && match inner.split_once(',') {
            Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
            None => is_number(&inner),
        }
}

impl Translation<'_> {
    fn run(mut self) -> String {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => self.escape(false),
                '[' => self.class(),
                '{' if !is_repetition(&self.rest) => self.out.push_str("\\{"),
                c => self.out.push(c),
            }
        }
        self.out
    }

    /// What follows a backslash.
    fn escape(&mut self, is_in_class: bool) {
        let Some(c) = self.rest.next() else {
            self.out.push('\\');
            return;
        };
        if let Some(class) = perl_class(c) {
            self.perl(class, c.is_ascii_uppercase(), is_in_class);
        } else if c == 'Q' && !is_in_class {
            self.quoted();
        } else if c.is_digit(8) && (c == '0' || self.rest.peek().is_some_and(|c| c.is_digit(8))) {
            self.octal(c);
        } else if c == 'b' && !is_in_class {
            self.out.push_str("(?-u:\\b)");
        } else if c == 'p' || c == 'P' {
            self.property(c);
        } else if c == 'x' {
            self.out.push_str("\\x");
            self.braces();
        } else if c.is_ascii_punctuation() {
            self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
        } else {
            self.out.push('\\');
            self.out.push(c);
        }
    }

    fn perl(&mut self, class: &str, is_negated: bool, is_in_class: bool) {
        let parts = match (is_negated, is_in_class) {
            (true, _) => ["[^", class, "]"],
            (false, true) => ["", class, ""],
            (false, false) => ["[", class, "]"],
        };
        self.out.extend(parts);
    }

    /// The text up to `\E`, or to the end.
    fn quoted(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
        }
    }

    /// Up to three digits.
    fn octal(&mut self, first: char) {
        let mut code = first.to_digit(8).unwrap_or_default();
        for _ in 0..2 {
            let Some(digit) = self.rest.next_if(|c| c.is_digit(8)) else { break };
            code = code * 8 + digit.to_digit(8).unwrap_or_default();
        }
        self.out.push_str(&format!("\\x{{{code:x}}}"));
    }

    fn property(&mut self, letter: char) {
        self.out.push('\\');
        self.out.push(letter);
        self.braces();
    }

    /// A name or number in braces, if there is one.
    fn braces(&mut self) {
        if self.rest.peek() != Some(&'{') {
            return;
        }
        for c in self.rest.by_ref() {
            self.out.push(c);
            if c == '}' {
                break;
            }
        }
    }

    /// A class: `[` and the operators of sets stand for themselves in it.
    fn class(&mut self) {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        if self.rest.next_if_eq(&']').is_some() {
            self.out.push_str("\\]");
        }
        let mut before = '[';
        while let Some(c) = self.rest.next() {
            match c {
                ']' => {
                    self.out.push(']');
                    return;
                }
                '\\' => self.escape(true),
                '[' if self.rest.peek() == Some(&':') => self.named(),
                '[' | '&' | '~' => self.out.extend(['\\', c]),
                '-' if before == '-' => self.out.push_str("\\-"),
                c => self.out.push(c),
            }
            before = c;
        }
    }

    /// `[:alpha:]`, or a bracket that stands for itself.
    fn named(&mut self) {
        let inner: String = self.rest.clone().take_while(|c| *c != ']').collect();
        let is_named = inner.len() > 2 && inner.ends_with(':');
        if !is_named {
            self.out.push_str("\\[");
            return;
        }
        self.out.extend(["[", &inner, "]"]);
        self.rest.nth(inner.chars().count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_go_match_as_in_go() {
        for (pattern, matching, not_matching) in [
            (r"\$\{pod}.*", "${pod}x", "pod"),
            ("a{2}", "aa", "a{2}"),
            ("a{2,}b{1,2}", "aaabb", "aab{1,2}"),
            ("a{,2}", "a{,2}", "aa"),
            ("a{", "a{", "a"),
            ("{x}", "{x}", "x"),
            (r"\d+", "42", "٤٢"),
            (r"\w+", "a_1", "é"),
            (r"\W", "é", "e"),
            (r"[\d.]+", "1.2", "1,2"),
            (r"[^\w]+", "é-", "e"),
            (r"[\D]", "x", "1"),
            (r"\Qa.b\E.", "a.bc", "axbc"),
            (r"\Q*", "*", "x"),
            (r"\101\x41\x{42}", "AAB", "ABB"),
            (r"\<a\>", "<a>", "a"),
            (r"\/api\-v1\_x\.", "/api-v1_x.", "/api-v1_xy"),
            ("[[]a", "[a", "a"),
            ("[]a]+", "]a", "b"),
            ("[^]]", "a", "]"),
            ("[a&&b]", "&", "c"),
            ("[a~~b]", "~", "c"),
            ("[[:alpha:]_]+", "a_", "1"),
            (r"a\b.b", "a.b", "axb"),
            (r"\pL\p{Greek}", "aα", "a1"),
            (".", "\n", ""),
            ("(?i)ab", "AB", "b"),
        ] {
            let regex = anchored(pattern).unwrap_or_else(|err| panic!("{pattern}: {err}"));
            assert!(regex.is_match(matching), "{pattern} {matching}");
            assert!(!regex.is_match(not_matching), "{pattern} {not_matching}");
        }
        // As what a dashboard leaves of a variable: a pattern, if one without a match.
        assert!(!anchored("${pod}.*").expect("a pattern").is_match("${pod}"));
        for pattern in ["(", "a{2,1}", "*", r"\8", "[b-a]", "(?P<a", r"\", "a)(b"] {
            assert!(anchored(pattern).is_err(), "{pattern}");
        }
    }
}
