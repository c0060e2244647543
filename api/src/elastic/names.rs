//! Names of fields: what Elasticsearch's clients call them, and what the log language does.

use super::condition::quoted;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// The time of the record.
    Time,
    /// The text of the record, looked at by its words.
    Body,
    /// Its level.
    Level,
    /// Anything else, as the log language writes it.
    Other(String),
}

/// What Elasticsearch's mappings put behind the name of a text to have it whole.
const WHOLE: &str = ".keyword";
const TIME: [&str; 3] = ["@timestamp", "timestamp", "_time"];
const BODY: [&str; 3] = ["message", "body", "msg"];
const LEVEL: [&str; 3] = ["level", "log.level", "severity"];
/// Names in the Elastic Common Schema, and ours.
const RENAMED: [(&str, &str); 5] = [
    ("trace.id", "trace_id"),
    ("span.id", "span_id"),
    ("service.name", "service"),
    ("_index", "attributes.elasticsearch.index"),
    ("_id", "attributes.elasticsearch.id"),
];
/// The levels that the log language knows, and how else they are spelled.
const LEVELS: [(&str, &[&str]); 6] = [
    ("trace", &[]),
    ("debug", &[]),
    ("info", &["information", "informational", "notice"]),
    ("warn", &["warning"]),
    ("error", &["err"]),
    ("fatal", &["critical", "crit", "emergency", "alert"]),
];

impl Name {
    /// What a client's name stands for.
    pub fn of(name: &str) -> Self {
        let name = name.strip_suffix(WHOLE).filter(|rest| !rest.is_empty()).unwrap_or(name);
        if TIME.contains(&name) {
            return Self::Time;
        }
        if BODY.contains(&name) {
            return Self::Body;
        }
        if LEVEL.contains(&name) {
            return Self::Level;
        }
        let renamed = RENAMED.iter().find(|(theirs, _)| *theirs == name);
        Self::Other(renamed.map_or_else(|| quoted(name), |(_, ours)| (*ours).to_owned()))
    }

    /// What the log language calls it.
    pub fn text(&self) -> &str {
        match self {
            Self::Time => "time",
            Self::Body => "body",
            Self::Level => "level",
            Self::Other(name) => name,
        }
    }
}

/// The level that a word means.
pub fn level(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let known = LEVELS.iter().find(|(name, also)| *name == word || also.contains(&word.as_str()));
    known.map(|(name, _)| *name)
}

/// Whether a name matches a pattern with `*`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            let Some((_, behind)) = rest.split_once(before) else { return false };
            rest = behind;
        }
    }
    match last {
        None => rest.is_empty(),
        Some(part) => rest.ends_with(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, expected) in [
            ("*", "a.b", true),
            ("a*", "a.b", true),
            ("*b", "a.b", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("a", "ab", false),
            ("ab*b", "ab", false),
            ("logs-*", "logs-app", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn names_are_told_apart() {
        assert_eq!(Name::of("@timestamp"), Name::Time);
        assert_eq!(Name::of("log.level"), Name::Level);
        assert_eq!(Name::of("message.keyword"), Name::Body);
        assert_eq!(Name::of("trace.id").text(), "trace_id");
        assert_eq!(Name::of("http.status").text(), "\"http.status\"");
    }
}
