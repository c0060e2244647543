//! Patterns in the way of grok: `%{IP:client} %{NUMBER:took:float}` as regular expressions.

/// How often patterns may stand in patterns.
const DEPTH_MAX: usize = 16;
/// Bytes that a pattern may come to.
const BYTES_MAX: usize = 64 << 10;

/// Patterns by name. Written for this: what the names say, no more.
const NAMED: &[(&str, &str)] = &[
    ("DATA", r".*?"),
    ("GREEDYDATA", r".*"),
    ("WORD", r"\b\w+\b"),
    ("NOTSPACE", r"\S+"),
    ("SPACE", r"\s*"),
    ("INT", r"[+-]?\d+"),
    ("POSINT", r"\b[1-9]\d*\b"),
    ("NONNEGINT", r"\b\d+\b"),
    ("NUMBER", r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"),
    ("BASE16NUM", r"(?:0[xX])?[0-9A-Fa-f]+"),
    ("QUOTEDSTRING", r#""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"#),
    ("UUID", r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    ("IPV4", r"(?:\d{1,3}\.){3}\d{1,3}"),
    ("IPV6", r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.\d{1,3}){0,3}"),
    ("IP", r"%{IPV4}|%{IPV6}"),
    ("HOSTNAME", r"\b[0-9A-Za-z](?:[0-9A-Za-z_-]*[0-9A-Za-z])?(?:\.[0-9A-Za-z-]+)*\b"),
    ("IPORHOST", r"%{IP}|%{HOSTNAME}"),
    ("HOSTPORT", r"%{IPORHOST}:%{POSINT}"),
    ("USERNAME", r"[\w.@-]+"),
    ("USER", r"%{USERNAME}"),
    ("EMAILADDRESS", r"[\w.%+-]+@%{HOSTNAME}"),
    ("PATH", r"(?:/[^\s?#]*)+|[A-Za-z]:(?:\\[^\s\\]*)+"),
    ("URIPATH", r"/[^\s?#]*"),
    ("URIPARAM", r"\?[^\s#]*"),
    ("URI", r"[A-Za-z][\w+.-]*://[^\s/?#]+(?:%{URIPATH})?(?:%{URIPARAM})?"),
    (
        "LOGLEVEL",
        r"(?i:trace|debug|info(?:rmation)?|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|alert|emerg(?:ency)?|fatal|severe)",
    ),
    ("YEAR", r"\d{4}"),
    ("MONTHNUM", r"0?[1-9]|1[0-2]"),
    ("MONTHDAY", r"0?[1-9]|[12]\d|3[01]"),
    ("MONTH", r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b"),
    ("TIME", r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"),
    ("TIMESTAMP_ISO8601", r"\d{4}-\d{2}-\d{2}[T ]%{TIME}\s?(?:Z|[+-]\d{2}:?\d{2})?"),
    ("HTTPDATE", r"\d{1,2}/[A-Za-z]{3}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}"),
    ("SYSLOGTIMESTAMP", r"%{MONTH} +\d{1,2} %{TIME}"),
];

/// A pattern as a regular expression, and which of its groups are numbers.
pub fn expanded(pattern: &str) -> Result<(String, Vec<String>), String> {
    let mut numbers = Vec::new();
    let mut out = String::new();
    expand(pattern, 0, &mut out, &mut numbers)?;
    Ok((out, numbers))
}

fn expand(
    pattern: &str,
    depth: usize,
    out: &mut String,
    numbers: &mut Vec<String>,
) -> Result<(), String> {
    if depth > DEPTH_MAX || out.len() > BYTES_MAX {
        return Err(format!("the pattern comes to more than {BYTES_MAX} bytes"));
    }
    let mut rest = pattern;
    while let Some(at) = rest.find("%{") {
        out.push_str(&rest[..at]);
        let (inside, behind) = rest[at + 2..]
            .split_once('}')
            .ok_or_else(|| format!("'{}' has no end", &rest[at..]))?;
        rest = behind;
        let mut parts = inside.split(':');
        let name = parts.next().unwrap_or_default();
        let (_, own) = NAMED.iter().find(|(own, _)| *own == name).ok_or_else(|| {
            let known: Vec<_> = NAMED.iter().map(|(name, _)| *name).collect();
            format!("'%{{{name}}}' is none of {}", known.join(", "))
        })?;
        match (parts.next(), parts.next()) {
            (None | Some(""), _) => out.push_str("(?:"),
            (Some(field), kind) => {
                match kind {
                    None | Some("string") => {}
                    Some("int" | "float" | "long" | "double") => numbers.push(field.to_owned()),
                    Some(other) => return Err(format!("'{other}' is none of int, float, string")),
                }
                out.push_str(&format!("(?P<{field}>"));
            }
        }
        expand(own, depth + 1, out, numbers)?;
        out.push(')');
    }
    out.push_str(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        for (name, _) in NAMED {
            let (text, _) = expanded(&format!("%{{{name}:field}}")).expect(name);
            regex::Regex::new(&text).unwrap_or_else(|err| panic!("{name}: {err}"));
        }
    }

    #[test]
    fn fields_are_groups() {
        let (text, numbers) = expanded("%{IP:client} took %{NUMBER:ms:float}").expect("a pattern");
        let regex = regex::Regex::new(&text).expect("an expression");
        let found = regex.captures("from 10.0.0.7 took 1.5").expect("matches");
        assert_eq!((&found["client"], &found["ms"]), ("10.0.0.7", "1.5"));
        assert_eq!(numbers, ["ms"]);
        for (wrong, told) in [("%{NOPE:x}", "none of"), ("%{IP", "no end"), ("%{INT:x:y}", "'y'")] {
            assert!(expanded(wrong).expect_err(wrong).contains(told), "{wrong}");
        }
    }
}
