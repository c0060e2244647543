//! A template as a filter: does a line have this form, and what stands at its variables?

use memchr::memmem::Finder;

use super::mask::WILDCARD;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Constant text before the first variable; the whole text if there is none.
    head: String,
    /// Constant text between variables, in order.
    inner: Vec<Finder<'static>>,
    /// Constant text after the last variable, if there is a variable.
    tail: Option<String>,
}

impl Pattern {
    /// Parses constant text with `<*>` for variables. Every text is a pattern.
    pub fn parse(text: &str) -> Self {
        let mut parts: Vec<&str> = text.trim_ascii_end().split(WILDCARD).collect();
        let tail = if parts.len() > 1 { parts.pop() } else { None };
        let head = parts[0].to_owned();
        let inner = parts[1..].iter().filter(|part| !part.is_empty());
        let inner = inner.map(|part| Finder::new(part.as_bytes()).into_owned()).collect();
        Self { head, inner, tail: tail.map(str::to_owned) }
    }

    /// Whether the line, but for blanks at its end, has this form. A variable may be empty.
    pub fn matches(&self, line: &str) -> bool {
        self.walk(line, |_| {})
    }

    /// What stands at each variable, in order; empty if the line does not match. Constants match as
    /// early as they can. Variables with nothing between them count as one.
    pub fn variables<'a>(&self, line: &'a str) -> Vec<&'a str> {
        let mut variables = Vec::with_capacity(self.inner.len() + 1);
        if !self.walk(line, |variable| variables.push(variable)) {
            variables.clear();
        }
        variables
    }

    fn walk<'a>(&self, line: &'a str, mut found: impl FnMut(&'a str)) -> bool {
        let line = line.trim_ascii_end();
        let Some(tail) = &self.tail else { return line == self.head };
        let Some(mut rest) = line.strip_prefix(self.head.as_str()) else { return false };
        for constant in &self.inner {
            let Some(at) = constant.find(rest.as_bytes()) else { return false };
            found(&rest[..at]);
            rest = &rest[at + constant.needle().len()..];
        }
        let Some(last) = rest.strip_suffix(tail.as_str()) else { return false };
        found(last);
        true
    }
}
