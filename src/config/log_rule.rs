//! Rules that log records go through before they are stored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use throughline_api::native::logs::delete::wire::DeleteLogs;
use throughline_ingest::rules::{ParseSpec, RuleSpec, Rules};
use throughline_model::predicate::Predicate;
use throughline_query::logs::conditions;

use super::units::parse_share;
use super::value::SettingValue;

/// Rules at most: each looks at every log record.
const RULES_MAX: usize = 64;

/// What a rule does, as it is configured.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Does {
    parse: String,
    pattern: String,
    parse_from: String,
    parse_prefix: String,
    set: BTreeMap<String, String>,
    redact: Vec<String>,
    redact_patterns: Vec<String>,
    redact_in: Vec<String>,
    sample: Option<String>,
    drop: bool,
}

/// The keys of [`Does`]; all others are conditions.
const DOES: [&str; 10] = [
    "parse",
    "pattern",
    "parse_from",
    "parse_prefix",
    "set",
    "redact",
    "redact_patterns",
    "redact_in",
    "sample",
    "drop",
];

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRule {
    /// What it does.
    pub spec: RuleSpec,
    /// Which records it is for, in the words of `POST /api/v1/logs/delete`; all without any.
    pub of: DeleteLogs,
}

impl LogRule {
    /// The conditions.
    pub fn predicates(&self) -> Result<Vec<Predicate>, String> {
        let wrong = |what: String| format!("rule '{}': {what}", self.spec.name);
        let search = self.of.search(0).map_err(|err| wrong(err.to_string()))?;
        if search.time.is_some() {
            return Err(wrong("a rule has no start and no end".to_owned()));
        }
        conditions(&search).map_err(|err| wrong(err.to_string()))
    }

    fn read(mut entries: Map<String, Value>) -> Result<Self, String> {
        let name = match entries.remove("name") {
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => return Err("a rule without 'name'".to_owned()),
        };
        let wrong = |what: String| format!("rule '{name}': {what}");
        let does: Map<String, Value> =
            DOES.iter().filter_map(|key| entries.remove_entry(*key)).collect();
        let does: Does =
            serde_json::from_value(Value::Object(does)).map_err(|err| wrong(err.to_string()))?;
        let of = serde_json::from_value(Value::Object(entries));
        let of = of.map_err(|err| wrong(err.to_string()))?;
        let sample = does.sample.as_deref().map(parse_share).transpose().map_err(wrong)?;
        let parse = (!does.parse.is_empty()).then_some(ParseSpec {
            form: does.parse,
            pattern: does.pattern,
            from: does.parse_from,
            prefix: does.parse_prefix,
        });
        let spec = RuleSpec {
            parse,
            set: does.set.into_iter().collect(),
            redact: does.redact,
            redact_patterns: does.redact_patterns,
            redact_in: does.redact_in,
            sample,
            drop: does.drop,
            name,
        };
        Ok(Self { spec, of })
    }
}

/// The rules, ready to run.
pub fn rules(all: &[LogRule]) -> Result<Rules, String> {
    let specs = all.iter().map(|rule| Ok((rule.spec.clone(), rule.predicates()?)));
    Rules::new(specs.collect::<Result<_, String>>()?)
}

impl SettingValue for Vec<LogRule> {
    const KIND: &'static str = "tables, as JSON in the environment";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let tables: Vec<Map<String, Value>> = serde_json::from_str(text)
            .map_err(|wrong| format!("'{text}' is no list of tables: {wrong}"))?;
        if tables.len() > RULES_MAX {
            return Err(format!("{} rules, at most {RULES_MAX}", tables.len()));
        }
        let all: Self = tables.into_iter().map(LogRule::read).collect::<Result<_, _>>()?;
        // So that the start fails, not the first record.
        rules(&all)?;
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_say_for_what_and_what() {
        let text = r#"[
            {"name": "cards", "service": ["checkout"], "redact": ["card"], "redact_in": ["body"]},
            {"name": "noise", "severity_max": "debug", "sample": "10%"},
            {"name": "fields", "parse": "grok", "pattern": "%{WORD:verb}", "set": {"class": "x"}}]"#;
        let all = Vec::<LogRule>::parse(text).expect("rules");
        assert_eq!(all[0].spec.redact_in, ["body"]);
        assert_eq!(all[0].predicates().expect("conditions").len(), 1);
        assert_eq!(all[1].spec.sample, Some(0.1));
        assert_eq!(all[2].spec.set, [("class".to_owned(), "x".to_owned())]);
        assert!(all[2].predicates().expect("conditions").is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said_with_its_name() {
        for (text, told) in [
            ("nonsense", "no list of tables"),
            (r#"[{"drop": true}]"#, "without 'name'"),
            (r#"[{"name": "a"}]"#, "rule 'a': it does nothing"),
            (r#"[{"name": "a", "dorp": true}]"#, "unknown field `dorp`"),
            (r#"[{"name": "a", "drop": "yes"}]"#, "rule 'a': invalid type"),
            (r#"[{"name": "a", "drop": true, "filter": ["=x"]}]"#, "rule 'a': "),
            (r#"[{"name": "a", "sample": "many"}]"#, "rule 'a': "),
            (r#"[{"name": "a", "drop": true, "start": "now"}]"#, "no start"),
        ] {
            let wrong = Vec::<LogRule>::parse(text).expect_err(text);
            assert!(wrong.contains(told), "{text}: {wrong}");
        }
    }
}
