//! Relabelling: rules that change, add and drop the labels of targets and samples, or drop the whole.
//!
//! Labels are pairs in any order; a label with an empty value is none.

use md5::{Digest as _, Md5};
use regex::Regex;
use throughline_model::go_regex;

use crate::records::Read;

/// Labels of a target or sample.
pub type Labels = Vec<(String, String)>;

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named as in the configuration
pub enum Action {
    Replace,
    Lowercase,
    Uppercase,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
}

impl Action {
    /// The action of that name.
    pub fn named(name: &str) -> Read<Self> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "replace" => Action::Replace,
            "lowercase" => Action::Lowercase,
            "uppercase" => Action::Uppercase,
            "keep" => Action::Keep,
            "drop" => Action::Drop,
            "keepequal" => Action::KeepEqual,
            "dropequal" => Action::DropEqual,
            "hashmod" => Action::HashMod,
            "labelmap" => Action::LabelMap,
            "labeldrop" => Action::LabelDrop,
            "labelkeep" => Action::LabelKeep,
            other => {
                return Err(format!(
                    "action '{other}' is none of replace, lowercase, uppercase, keep, drop, keepequal, \
                     dropequal, hashmod, labelmap, labeldrop, labelkeep"
                ));
            }
        })
    }
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Labels whose values, joined, are looked at.
    pub sources: Vec<String>,
    /// What they are joined with.
    pub separator: String,
    /// What is looked for in the whole value, or in names of labels.
    pub regex: Regex,
    /// The label that is set.
    pub target: String,
    /// To what; `$1` is what the first parentheses matched.
    pub replacement: String,
    /// For [`Action::HashMod`].
    pub modulus: u64,
    /// What it does.
    pub action: Action,
}

/// A pattern that has to match the whole.
pub fn anchored(pattern: &str) -> Read<Regex> {
    go_regex::anchored(pattern).map_err(|err| format!("regex '{pattern}': {err}"))
}

/// The value of a label; of one that is missing, the empty text.
pub fn get<'l>(labels: &'l [(String, String)], name: &str) -> &'l str {
    labels.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}

/// Sets a label; an empty value removes it.
pub fn set(labels: &mut Labels, name: &str, value: &str) {
    let place = labels.iter().position(|(own, _)| own == name);
    match place {
        Some(place) if value.is_empty() => {
            labels.remove(place);
        }
        Some(place) => value.clone_into(&mut labels[place].1),
        None if value.is_empty() => {}
        None => labels.push((name.to_owned(), value.to_owned())),
    }
}

/// Applies rules one after the other; whether the whole stays.
pub fn apply(rules: &[Rule], labels: &mut Labels) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

impl Rule {
    fn apply(&self, labels: &mut Labels) -> bool {
        let values = self.sources.iter().map(|name| get(labels, name)).collect::<Vec<_>>();
        let value = values.join(&self.separator);
        match self.action {
            Action::Keep => return self.regex.is_match(&value),
            Action::Drop => return !self.regex.is_match(&value),
            Action::KeepEqual => return get(labels, &self.target) == value,
            Action::DropEqual => return get(labels, &self.target) != value,
            Action::Replace => self.replace(&value, labels),
            Action::Lowercase => set(labels, &self.target, &value.to_lowercase()),
            Action::Uppercase => set(labels, &self.target, &value.to_uppercase()),
            Action::HashMod => {
                let hash = Md5::digest(value.as_bytes());
                let last = hash[8..].iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
                set(labels, &self.target, &(last % self.modulus.max(1)).to_string());
            }
            Action::LabelMap => self.map(labels),
            Action::LabelDrop => labels.retain(|(name, _)| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|(name, _)| self.regex.is_match(name)),
        }
        true
    }

    fn replace(&self, value: &str, labels: &mut Labels) {
        let Some(found) = self.regex.captures(value) else { return };
        let (mut target, mut replacement) = (String::new(), String::new());
        found.expand(&self.target, &mut target);
        found.expand(&self.replacement, &mut replacement);
        if !target.is_empty() {
            set(labels, &target, &replacement);
        }
    }

    fn map(&self, labels: &mut Labels) {
        let mapped = labels.iter().filter_map(|(name, value)| {
            let found = self.regex.captures(name)?;
            let mut target = String::new();
            found.expand(&self.replacement, &mut target);
            Some((target, value.clone()))
        });
        for (name, value) in mapped.collect::<Vec<_>>() {
            set(labels, &name, &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(
        action: Action,
        sources: &[&str],
        regex: &str,
        target: &str,
        replacement: &str,
    ) -> Rule {
        Rule {
            sources: sources.iter().map(|name| (*name).to_owned()).collect(),
            separator: ";".to_owned(),
            regex: anchored(regex).expect("a pattern"),
            target: target.to_owned(),
            replacement: replacement.to_owned(),
            modulus: 8,
            action,
        }
    }

    /// `check(rule, labels, labels afterwards; none if the whole is dropped)`.
    fn check(rule: &Rule, before: &str, after: Option<&str>) {
        let parse = |text: &str| {
            let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Labels>()
        };
        let mut labels = parse(before);
        let stays = rule.apply(&mut labels);
        labels.sort();
        let text = labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        assert_eq!(stays.then(|| text.join(" ")).as_deref(), after, "{rule:?}");
    }

    #[test]
    fn every_action_does_what_its_name_says() {
        use Action::*;
        let host = rule(Replace, &["address"], "([^:]+):(\\d+)", "host_$2", "${1}!");
        check(&host, "address=web:80", Some("address=web:80 host_80=web!"));
        check(&host, "address=web", Some("address=web"));
        check(&rule(Replace, &["a", "b"], "(.*)", "c", "$1"), "a=1 b=2", Some("a=1 b=2 c=1;2"));
        check(&rule(Replace, &[], "(.*)", "a", ""), "a=1 b=2", Some("b=2"));
        check(&rule(Lowercase, &["a"], "", "b", ""), "a=ÄB", Some("a=ÄB b=äb"));
        check(&rule(Uppercase, &["a"], "", "a", ""), "a=x", Some("a=X"));
        check(&rule(Keep, &["a"], "x|y", "", ""), "a=xy", None);
        check(&rule(Keep, &["a"], "x|y", "", ""), "a=y", Some("a=y"));
        check(&rule(Drop, &["a"], "x.*", "", ""), "a=xy", None);
        check(&rule(Drop, &["a"], "", "", ""), "b=1", None);
        check(&rule(KeepEqual, &["a"], "", "b", ""), "a=1 b=2", None);
        check(&rule(DropEqual, &["a"], "", "b", ""), "a=1 b=2", Some("a=1 b=2"));
        check(&rule(HashMod, &["a"], "", "shard", ""), "a=x", Some("a=x shard=6"));
        check(
            &rule(LabelMap, &[], "meta_(.+)", "", "k8s_$1"),
            "meta_x=1",
            Some("k8s_x=1 meta_x=1"),
        );
        check(&rule(LabelDrop, &[], "tmp_.*", "", ""), "tmp_a=1 b=2", Some("b=2"));
        check(&rule(LabelKeep, &[], "b", "", ""), "tmp_a=1 b=2", Some("b=2"));
    }
}
