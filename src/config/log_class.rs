//! Classes of log records with a retention of their own.

use std::time::Duration;

use serde_json::{Map, Value};
use throughline_api::native::logs::delete::wire::DeleteLogs;
use throughline_model::predicate::Predicate;
use throughline_query::logs::conditions;

use super::value::SettingValue;

/// Classes at most: each is a look at every segment.
const CLASSES_MAX: usize = 32;

/// A class of log records.
#[derive(Clone, Debug, PartialEq)]
pub struct LogClass {
    /// What it is called.
    pub name: String,
    /// Age at which its records are deleted.
    pub keep: Option<Duration>,
    /// What its records meet, in the words of `POST /api/v1/logs/delete`.
    pub of: DeleteLogs,
}

impl LogClass {
    /// The conditions.
    pub fn predicates(&self) -> Result<Vec<Predicate>, String> {
        let wrong = |what: String| format!("class '{}': {what}", self.name);
        let search = self.of.search(0).map_err(|err| wrong(err.to_string()))?;
        if search.time.is_some() {
            return Err(wrong("a class has no start and no end, 'keep' says how long".to_owned()));
        }
        match conditions(&search).map_err(|err| wrong(err.to_string()))? {
            none if none.is_empty() => {
                Err(wrong("it has no condition; retention.logs is for all records".to_owned()))
            }
            some => Ok(some),
        }
    }

    fn read(mut entries: Map<String, Value>) -> Result<Self, String> {
        let mut text = |key: &str| match entries.remove(key) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            Some(other) => Err(format!("a class has {key} = {other}, which is no text")),
            None => Err(format!("a class without '{key}'")),
        };
        let name = text("name")?;
        let keep = text("keep").and_then(|text| Option::<Duration>::parse(&text));
        let keep = keep.map_err(|wrong| format!("class '{name}': keep: {wrong}"))?;
        let of = serde_json::from_value(Value::Object(entries));
        let of = of.map_err(|wrong| format!("class '{name}': {wrong}"))?;
        let class = Self { name, keep, of };
        class.predicates()?;
        Ok(class)
    }
}

impl SettingValue for Vec<LogClass> {
    const KIND: &'static str = "tables, as JSON in the environment";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let tables: Vec<Map<String, Value>> = serde_json::from_str(text)
            .map_err(|wrong| format!("'{text}' is no list of tables: {wrong}"))?;
        if tables.len() > CLASSES_MAX {
            return Err(format!("{} classes, at most {CLASSES_MAX}", tables.len()));
        }
        let classes: Vec<LogClass> =
            tables.into_iter().map(LogClass::read).collect::<Result<_, _>>()?;
        for (at, class) in classes.iter().enumerate() {
            if classes[..at].iter().any(|other| other.name == class.name) {
                return Err(format!("two classes are called '{}'", class.name));
            }
        }
        Ok(classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_say_what_and_how_long() {
        let text = r#"[{"name": "noise", "keep": "2d", "severity_max": "debug", "service": ["cart"]},
            {"name": "audit", "keep": "forever", "filter": ["event.category=audit"]}]"#;
        let classes = Vec::<LogClass>::parse(text).expect("classes");
        assert_eq!(classes[0].keep, Some(Duration::from_secs(2 * 86_400)));
        assert_eq!((classes[1].keep, classes[1].of.filter.len()), (None, 1));
        assert_eq!(classes[0].predicates().expect("conditions").len(), 2);
        assert_eq!(Vec::<LogClass>::parse(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_with_a_class_is_said_with_its_name() {
        for (text, told) in [
            ("nonsense", "no list of tables"),
            (r#"[{"keep": "1d"}]"#, "without 'name'"),
            (r#"[{"name": "a", "query": "x"}]"#, "without 'keep'"),
            (r#"[{"name": "a", "keep": "1d"}]"#, "class 'a': it has no condition"),
            (r#"[{"name": "a", "keep": "long", "query": "x"}]"#, "class 'a': keep: "),
            (r#"[{"name": "a", "keep": "1d", "servce": ["x"]}]"#, "unknown field `servce`"),
            (r#"[{"name": "a", "keep": "1d", "severity": "loud"}]"#, "'loud' is none of"),
            (r#"[{"name": "a", "keep": "1d", "query": "x", "end": "now"}]"#, "no start"),
            (
                r#"[{"name": "a", "keep": "1d", "query": "x"}, {"name": "a", "keep": "1d", "query": "y"}]"#,
                "two classes are called 'a'",
            ),
        ] {
            let wrong = Vec::<LogClass>::parse(text).expect_err(text);
            assert!(wrong.contains(told), "{text}: {wrong}");
        }
    }
}
