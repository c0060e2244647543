//! The functions of templates, by what they are about.

mod codec;
mod compare;
mod number;
mod text;
mod times;

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::super::grammar::REGEX_BYTES_MAX;
use super::value::Value;
use super::{Context, OUTPUT_BYTES_MAX};

/// What a function is called with.
pub struct Arguments<'a, 'v> {
    /// The values, in order; a value of a pipeline is the last.
    pub values: &'a [Value<'v>],
    /// The first value as a regular expression, if it stands in the template.
    pub regex: Option<&'a Regex>,
    /// The line.
    pub context: &'a Context<'v>,
}

/// What a function gives, or why it does not.
pub type Outcome<'v> = Result<Value<'v>, String>;

/// A function.
pub struct Entry {
    pub name: &'static str,
    pub arguments_min: usize,
    pub arguments_max: usize,
    pub takes_regex: bool,
    pub run: for<'a, 'v> fn(&Arguments<'a, 'v>) -> Outcome<'v>,
}

/// More arguments than anybody writes.
const MANY: usize = 64;

const fn entry(
    name: &'static str,
    (arguments_min, arguments_max): (usize, usize),
    run: for<'a, 'v> fn(&Arguments<'a, 'v>) -> Outcome<'v>,
) -> Entry {
    Entry { name, arguments_min, arguments_max, takes_regex: false, run }
}

const fn with_regex(mut entry: Entry) -> Entry {
    entry.takes_regex = true;
    entry
}

/// The function of a name.
pub fn find(name: &str) -> Option<&'static Entry> {
    let tables = [text::TABLE, number::TABLE, compare::TABLE, codec::TABLE, times::TABLE];
    tables.into_iter().flatten().find(|entry| entry.name == name)
}

/// A regular expression of a template.
pub fn regex(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|_| format!("'{pattern}' is no regular expression"))
}

impl<'v> Arguments<'_, 'v> {
    fn at(&self, nth: usize) -> &Value<'v> {
        self.values.get(nth).unwrap_or(&Value::Nil)
    }

    fn text(&self, nth: usize) -> Cow<'_, str> {
        self.at(nth).show()
    }

    fn int(&self, nth: usize) -> i64 {
        self.at(nth).int()
    }

    fn float(&self, nth: usize) -> f64 {
        self.at(nth).float()
    }

    // How often something is repeated, so that the text stays in bounds.
    fn times(&self, nth: usize, text: &str) -> Result<usize, String> {
        let times = usize::try_from(self.int(nth)).unwrap_or(0);
        if times.saturating_mul(text.len().max(1)) > OUTPUT_BYTES_MAX {
            return Err(format!("the text would be longer than {OUTPUT_BYTES_MAX} bytes"));
        }
        Ok(times)
    }

    fn with_regex<T>(&self, run: impl FnOnce(&Regex) -> T) -> Result<T, String> {
        match self.regex {
            Some(regex) => Ok(run(regex)),
            None => regex(&self.text(0)).map(|regex| run(&regex)),
        }
    }
}

fn text_value<'v>(text: impl Into<String>) -> Outcome<'v> {
    Ok(Value::text(text.into()))
}
