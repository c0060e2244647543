//! `pattern_extract` and `regex_extract`: a named part of a text. Patterns and expressions are compiled
//! once a query.

use arrow::array::StringViewArray;
use arrow::datatypes::DataType;
use datafusion::common::{exec_datafusion_err, exec_err};
use regex::{Regex, RegexBuilder};

use super::{Prepared, TextFunction, mapped};
use crate::logs::language::grammar::REGEX_BYTES_MAX;
use crate::logs::language::kernels::pattern::Pattern;
use crate::logs::language::kernels::regexes::regex_extract;

/// The functions.
pub(super) fn all() -> [TextFunction; 2] {
    let (patterns, regexes) = (Prepared::<Pattern>::new(), Prepared::<Regex>::new());
    let by_pattern = move |texts: &StringViewArray, literals: &[&str]| {
        let [pattern, field] = literals else {
            return exec_err!("pattern_extract takes a text, a pattern and a field");
        };
        let pattern = patterns.of(pattern, |pattern| {
            Pattern::new(pattern).map_err(|err| exec_datafusion_err!("pattern '{pattern}': {err}"))
        })?;
        Ok(mapped(texts, |text| pattern.extract(text, field)))
    };
    let by_regex = move |texts: &StringViewArray, literals: &[&str]| {
        let [regex, group] = literals else {
            return exec_err!("regex_extract takes a text, a regular expression and a group");
        };
        let regex = regexes.of(regex, |regex| {
            let built = RegexBuilder::new(regex).size_limit(REGEX_BYTES_MAX).build();
            built.map_err(|err| exec_datafusion_err!("regular expression '{regex}': {err}"))
        })?;
        Ok(mapped(texts, |text| regex_extract(text, &regex, group).map(str::to_owned)))
    };
    [
        TextFunction::new("pattern_extract", 2, DataType::Utf8View, by_pattern),
        TextFunction::new("regex_extract", 2, DataType::Utf8View, by_regex),
    ]
}
