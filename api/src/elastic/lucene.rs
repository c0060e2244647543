//! Queries in Lucene's syntax to conditions.
//!
//! ```text
//! query  := clause ((AND | OR | nothing) clause)*     nothing is OR, or what `default_operator` says
//! clause := (+ | - | ! | NOT)? (name:)? value
//! value  := word | "phrase" | /regex/ | (query) | [low TO high] | {low TO high} | >=bound | *
//! ```
//! AND binds closer than OR. Beside clauses with `+` those without say nothing of which records match; clauses with `-`
//! or NOT exclude. Scores are not known, so `^2` means nothing; `~2` would, and is refused.

use super::condition::Condition;
use super::dates::moment;
use super::error::{ElasticError, Result};
use super::names::Name;

/// Parentheses in parentheses at most.
const DEPTH_MAX: usize = 10;
/// Bytes of a query at most.
const QUERY_BYTES_MAX: usize = 16 * 1024;

/// How a query is read.
#[derive(Clone, Debug)]
pub struct Options {
    /// The field of what names none.
    pub field: Name,
    /// Whether all clauses have to hold where nothing stands between them.
    pub is_and: bool,
    /// What `now` is.
    pub now_ns: i64,
}

/// Reads a query.
pub fn parse(text: &str, options: &Options) -> Result<Condition> {
    if text.len() > QUERY_BYTES_MAX {
        let detail = format!("query has {} bytes, at most {QUERY_BYTES_MAX}", text.len());
        return Err(ElasticError::invalid("query", "", detail));
    }
    let mut parser = Parser { text, at: 0, depth: 0, options };
    if parser.peek().is_none() {
        return Ok(Condition::All);
    }
    let condition = parser.query(&options.field)?;
    match parser.peek() {
        None => Ok(condition),
        Some(_) => Err(parser.wrong("a clause was expected")),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    options: &'t Options,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Occurs {
    May,
    Must,
    MustNot,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    // The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    // A word in capitals that ends here.
    fn eat_word(&mut self, word: &str) -> bool {
        self.peek();
        let ends = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '(', '"']);
        let found = self.rest().strip_prefix(word).is_some_and(ends);
        if found {
            self.at += word.len();
        }
        found
    }

    fn wrong(&self, what: &str) -> ElasticError {
        let column = self.text[..self.at].chars().count() + 1;
        let found = self.rest().split_whitespace().next().unwrap_or("the end");
        let detail =
            format!("cannot parse '{}': {what}, found '{found}' at column {column}", self.text);
        ElasticError::invalid("query", self.text, detail)
    }

    fn query(&mut self, field: &Name) -> Result<Condition> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong(&format!("at most {DEPTH_MAX} parentheses may nest")));
        }
        let mut groups = vec![self.joined(field)?];
        loop {
            match self.peek() {
                None | Some(')') => break,
                _ => {
                    let is_or = self.eat("||") || self.eat_word("OR");
                    let next = self.joined(field)?;
                    match groups.last_mut() {
                        Some(last) if !is_or && self.options.is_and => last.extend(next),
                        _ => groups.push(next),
                    }
                }
            }
        }
        self.depth -= 1;
        // A clause alone is one of several that may hold; joined ones have to together.
        let one = |group: Vec<(Occurs, Condition)>| match <[_; 1]>::try_from(group) {
            Ok([clause]) => clause,
            Err(group) => (Occurs::May, Condition::all(group.into_iter().map(required))),
        };
        Ok(combined(groups.into_iter().map(one).collect()))
    }

    // Clauses with AND between them.
    fn joined(&mut self, field: &Name) -> Result<Vec<(Occurs, Condition)>> {
        let mut clauses = vec![self.clause(field)?];
        loop {
            self.peek();
            if !self.eat("&&") && !self.eat_word("AND") {
                return Ok(clauses);
            }
            clauses.push(self.clause(field)?);
        }
    }

    fn clause(&mut self, field: &Name) -> Result<(Occurs, Condition)> {
        self.peek();
        let occurs = match self.eat_word("NOT") || self.eat("-") || self.eat("!") {
            true => Occurs::MustNot,
            false if self.eat("+") => Occurs::Must,
            false => Occurs::May,
        };
        let condition = self.value(field)?;
        if self.eat("^") {
            self.digits();
        }
        Ok((occurs, condition))
    }

    fn value(&mut self, field: &Name) -> Result<Condition> {
        match self.peek() {
            None => Err(self.wrong("a clause was expected")),
            Some('(') => {
                self.at += 1;
                let inner = self.query(field)?;
                match self.eat(")") {
                    true => Ok(inner),
                    false => Err(self.wrong("')' was expected")),
                }
            }
            Some('"') => {
                let text = self.phrase()?;
                self.no_slop()?;
                self.equals(field, &text)
            }
            Some('/') => {
                let regex = self.regex()?;
                Ok(Condition::matches(field, &regex, false))
            }
            Some('[' | '{') => self.range(field),
            Some('>' | '<') => self.bound(field),
            Some(_) => self.word(field),
        }
    }

    // What stands behind a name: a value, which has no name of its own.
    fn named(&mut self, name: &str) -> Result<Condition> {
        let is_word = !matches!(self.peek(), Some('(' | '"' | '/' | '[' | '{' | '>' | '<'));
        let before = self.at;
        if name == "_exists_" {
            let (name, _) = self.term()?;
            return match name.is_empty() {
                true => Err(self.wrong("the name of a field was expected")),
                false => Ok(Condition::exists(&Name::of(&name))),
            };
        }
        if is_word && self.term().is_ok_and(|(text, _)| !text.is_empty()) && self.eat(":") {
            return Err(self.wrong("a value was expected behind one name"));
        }
        self.at = before;
        match name {
            "*" => self.value(&self.options.field),
            name => self.value(&Name::of(name)),
        }
    }

    // A word, or a name and its value.
    fn word(&mut self, field: &Name) -> Result<Condition> {
        let (text, pattern) = self.term()?;
        if text.is_empty() {
            return Err(self.wrong("a clause was expected"));
        }
        if self.eat(":") {
            return self.named(&text);
        }
        self.no_slop()?;
        match pattern {
            Some(pattern) if pattern == "*" && *field == self.options.field => Ok(Condition::All),
            Some(pattern) => Ok(Condition::wildcard(field, &pattern, *field == Name::Body)),
            None => self.equals(field, &text),
        }
    }

    fn equals(&self, field: &Name, text: &str) -> Result<Condition> {
        if *field != Name::Time {
            return Ok(Condition::equals(field, text));
        }
        let at = moment("query", text, "", self.options.now_ns)?;
        Ok(Condition::all([between(">=", at.start_ns), between("<", at.end_ns)]))
    }

    // A term without escapes, and, if it has wildcards, as a pattern with them.
    fn term(&mut self) -> Result<(String, Option<String>)> {
        let (mut text, mut pattern, mut is_pattern) = (String::new(), String::new(), false);
        while let Some(char) = self.rest().chars().next() {
            if char.is_whitespace() || r#"()[]{}":^~"#.contains(char) {
                break;
            }
            self.at += char.len_utf8();
            if char != '\\' {
                is_pattern |= char == '*' || char == '?';
                text.push(char);
                pattern.push(char);
                continue;
            }
            let Some(escaped) = self.rest().chars().next() else {
                return Err(self.wrong("a character was expected behind '\\'"));
            };
            self.at += escaped.len_utf8();
            text.push(escaped);
            pattern.extend(['\\', escaped]);
        }
        Ok((text, is_pattern.then_some(pattern)))
    }

    fn phrase(&mut self) -> Result<String> {
        self.at += 1;
        self.until('"', true)
    }

    fn regex(&mut self) -> Result<String> {
        self.at += 1;
        self.until('/', false)
    }

    // Up to a character without a backslash before it; escapes of others stay, if they are not to be read.
    fn until(&mut self, end: char, unescapes: bool) -> Result<String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                _ if char == end => {
                    self.at += at + char.len_utf8();
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, escaped)) if unescapes || escaped == end => text.push(escaped),
                    Some((_, escaped)) => text.extend(['\\', escaped]),
                    None => break,
                },
                char => text.push(char),
            }
        }
        self.at = self.text.len();
        Err(self.wrong(&format!("'{end}' was expected")))
    }

    fn digits(&mut self) {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        self.at += end;
    }

    fn no_slop(&mut self) -> Result<()> {
        if !self.rest().starts_with('~') {
            return Ok(());
        }
        let detail = format!("'{}': ~ (words that are alike or near) is not supported", self.text);
        Err(ElasticError::unsupported(detail))
    }

    fn range(&mut self, field: &Name) -> Result<Condition> {
        let has_low = self.eat("[");
        if !has_low {
            self.eat("{");
        }
        let low = self.range_end()?;
        if !self.eat_word("TO") {
            return Err(self.wrong("TO was expected"));
        }
        let high = self.range_end()?;
        self.peek();
        let has_high = self.eat("]");
        if !has_high && !self.eat("}") {
            return Err(self.wrong("']' or '}' was expected"));
        }
        let mut conditions = Vec::new();
        if low != "*" {
            conditions.push(self.compared(field, if has_low { ">=" } else { ">" }, &low)?);
        }
        if high != "*" {
            conditions.push(self.compared(field, if has_high { "<=" } else { "<" }, &high)?);
        }
        match conditions.is_empty() {
            true => Ok(Condition::exists(field)),
            false => Ok(Condition::all(conditions)),
        }
    }

    // Times have colons: only what ends a range ends them.
    fn range_end(&mut self) -> Result<String> {
        if self.peek() == Some('"') {
            return self.phrase();
        }
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || "]}".contains(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.wrong("the end of a range was expected"));
        }
        self.at += end;
        Ok(rest[..end].replace('\\', ""))
    }

    fn bound(&mut self, field: &Name) -> Result<Condition> {
        let symbols = [">=", "<=", ">", "<"];
        let symbol = symbols.into_iter().find(|symbol| self.eat(symbol)).unwrap_or(">");
        let value = match self.peek() {
            Some('"') => self.phrase()?,
            _ => {
                let rest = self.rest();
                let ends = |c: char| c.is_whitespace() || "()".contains(c);
                let end = rest.find(ends).unwrap_or(rest.len());
                self.at += end;
                rest[..end].replace('\\', "")
            }
        };
        match value.is_empty() {
            true => Err(self.wrong("a bound was expected")),
            false => self.compared(field, symbol, &value),
        }
    }

    fn compared(&self, field: &Name, symbol: &str, value: &str) -> Result<Condition> {
        match field {
            Name::Time => {
                let at = moment("query", value, "", self.options.now_ns)?;
                Ok(match symbol {
                    ">=" => between(">=", at.start_ns),
                    ">" => between(">=", at.end_ns),
                    "<" => between("<", at.start_ns),
                    _ => between("<", at.end_ns),
                })
            }
            Name::Body => Err(self.wrong("a field that can be compared was expected before it")),
            field => Ok(Condition::compares(field, symbol, value)),
        }
    }
}

/// The time of the record compares so.
pub fn between(symbol: &str, time_ns: i64) -> Condition {
    let time = throughline_model::time::format_rfc3339(time_ns);
    Condition::Leaf(format!("time:{symbol}\"{time}\""))
}

fn required((occurs, condition): (Occurs, Condition)) -> Condition {
    if occurs == Occurs::MustNot { condition.negated() } else { condition }
}

fn combined(clauses: Vec<(Occurs, Condition)>) -> Condition {
    let of = |occurs: Occurs| {
        clauses
            .iter()
            .filter(move |(own, _)| *own == occurs)
            .map(|(_, condition)| condition.clone())
    };
    let musts: Vec<_> = of(Occurs::Must).collect();
    let mays: Vec<_> = of(Occurs::May).collect();
    let asked = match (musts.is_empty(), mays.is_empty()) {
        (false, _) => Condition::all(musts),
        (true, false) => Condition::any(mays),
        (true, true) => Condition::All,
    };
    let not = of(Occurs::MustNot).map(Condition::negated);
    Condition::all(std::iter::once(asked).chain(not))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_become_conditions() {
        let options = Options { field: Name::Body, is_and: false, now_ns: 0 };
        for (query, expected) in [
            ("", "*"),
            ("*", "*"),
            ("error", "\"error\""),
            ("error timeout", "\"error\" OR \"timeout\""),
            ("error AND timeout", "\"error\" AND \"timeout\""),
            ("a AND b OR c", "(\"a\" AND \"b\") OR \"c\""),
            ("+a -b c", "\"a\" AND (NOT \"b\")"),
            ("NOT a", "NOT \"a\""),
            ("a AND NOT b", "\"a\" AND (NOT \"b\")"),
            ("\"no stock\"", "\"no stock\""),
            ("conn*", "\"conn\"*"),
            ("c?n*", r#"~"(?i)\bc\wn\w*\b""#),
            ("level:error", "level:error"),
            ("log.level:(WARN OR err)", "level:warn OR level:error"),
            ("level:odd", "severity_text:=\"odd\""),
            ("http.status:[400 TO 499}", "\"http.status\":>=400 AND \"http.status\":<499"),
            ("http.status:>=500", "\"http.status\":>=500"),
            ("service.name:cart*", "service:\"cart\"*"),
            ("host.name:*", "\"host.name\":*"),
            ("_exists_:user", "\"user\":*"),
            ("user:\"a b\"^2", "\"user\":=\"a b\""),
            (r"path:\/api\/v1", "\"path\":=\"/api/v1\""),
            ("path:/api.*/", "\"path\":~\"^(?:api.*)$\""),
            ("*:*", "*"),
            ("@timestamp:[2026-11-20 TO *]", "time:>=\"2026-11-20T00:00:00.000000000Z\""),
        ] {
            assert_eq!(parse(query, &options).expect(query).text(), expected, "{query}");
        }
        let options = Options { is_and: true, ..options };
        assert_eq!(parse("a b OR c", &options).expect("and").text(), "(\"a\" AND \"b\") OR \"c\"");
        for (query, told) in [
            ("(a", "')' was expected, found 'the end' at column 3"),
            ("a)", "a clause was expected, found ')' at column 2"),
            ("\"a", "'\"' was expected"),
            ("a AND", "a clause was expected"),
            ("a:[1 2]", "TO was expected, found '2]' at column 6"),
            ("roam~2", "is not supported"),
            ("a:b:c", "a value was expected behind one name, found 'c'"),
            ("_exists_:", "the name of a field was expected"),
            (&"(".repeat(20), "at most 10 parentheses"),
        ] {
            let body = parse(query, &options).expect_err(query).body();
            let reason = body["error"]["reason"].as_str().unwrap_or_default().to_owned();
            assert!(reason.contains(told), "{query}: {reason}");
        }
    }
}
