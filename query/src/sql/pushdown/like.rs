//! Patterns and regular expressions of SQL.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::logical_expr::expr::Like;
use throughline_model::predicate::Op;

/// The regular expression that an operator asks for.
pub(super) fn regex(op: Operator, value: &ScalarValue) -> Option<String> {
    let pattern = value.try_as_str().flatten()?;
    match op {
        Operator::RegexMatch | Operator::RegexNotMatch => Some(pattern.to_owned()),
        Operator::RegexIMatch | Operator::RegexNotIMatch => Some(format!("(?i){pattern}")),
        _ => None,
    }
}

/// What a `LIKE` asks, as if it were not negated.
pub(super) fn op(like: &Like, pattern: &str) -> Op {
    match contained(pattern) {
        Some(part) if !like.case_insensitive => Op::Contains(part.to_owned()),
        _ => Op::Matches(like_regex(pattern, like.case_insensitive)),
    }
}

// The plain text inside `%text%`.
fn contained(pattern: &str) -> Option<&str> {
    let part = pattern.strip_prefix('%')?.strip_suffix('%')?;
    (!part.contains(['%', '_', '\\'])).then_some(part)
}

fn like_regex(pattern: &str, case_insensitive: bool) -> String {
    let mut regex = String::from(if case_insensitive { "(?is)^" } else { "(?s)^" });
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '\\' => {
                let literal = chars.next().unwrap_or('\\');
                regex.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
            }
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_patterns_become_regexes() {
        for (pattern, expected) in [
            ("a%", "(?s)^a.*$"),
            ("a_c.", r"(?s)^a.c\.$"),
            (r"100\%", r"(?s)^100%$"),
            ("%x%y%", "(?s)^.*x.*y.*$"),
        ] {
            assert_eq!(like_regex(pattern, false), expected, "{pattern}");
        }
        assert_eq!(contained("%a b%"), Some("a b"));
        assert_eq!(contained("%a_b%"), None);
        assert_eq!(contained("%"), None);
    }
}
