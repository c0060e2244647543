//! Rules of relabelling as the configuration has them.

use super::raw;
use crate::records::Read;
use crate::scrape::relabel::{Action, Rule, anchored};

/// The rules under a key.
pub(super) fn all(key: &str, rules: &[raw::Rule]) -> Read<Vec<Rule>> {
    let rule = |(i, rule)| one(rule).map_err(|err| format!("{key}, rule {}: {err}", i + 1));
    rules.iter().enumerate().map(rule).collect()
}

fn one(rule: &raw::Rule) -> Read<Rule> {
    let action = rule.action.as_deref().map_or(Ok(Action::Replace), Action::named)?;
    let target = rule.target_label.clone().unwrap_or_default();
    let modulus = rule.modulus.unwrap_or(0);
    let needs_target = matches!(
        action,
        Action::Replace
            | Action::HashMod
            | Action::Lowercase
            | Action::Uppercase
            | Action::KeepEqual
            | Action::DropEqual
    );
    if needs_target && target.is_empty() {
        return Err("target_label is needed".to_owned());
    }
    if action == Action::HashMod && modulus == 0 {
        return Err("modulus is needed for hashmod, and not 0".to_owned());
    }
    let pattern = rule.regex.as_ref().map_or_else(|| "(.*)".to_owned(), raw::Scalar::text);
    Ok(Rule {
        sources: rule.source_labels.clone(),
        separator: rule.separator.clone().unwrap_or_else(|| ";".to_owned()),
        regex: anchored(&pattern)?,
        target,
        replacement: rule.replacement.as_ref().map_or_else(|| "$1".to_owned(), raw::Scalar::text),
        modulus,
        action,
    })
}
