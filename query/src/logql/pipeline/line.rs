//! Line filters: what is looked for is prepared once.

use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};

use super::super::ast::{LineFilter, LineOp, Needle, Text};
use super::super::error::{Error, Result};
use super::super::grammar::REGEX_BYTES_MAX;
use super::ip::IpRange;
use super::pattern::Pattern;

/// A line filter that is ready to run.
pub struct LineMatcher {
    is_negative: bool,
    needles: Vec<Prepared>,
}

enum Prepared {
    Always,
    Substring(Box<Finder<'static>>),
    Regex(Regex),
    Pattern(Pattern),
    Ip(IpRange),
}

impl LineMatcher {
    /// Prepares a filter.
    pub fn new(filter: &LineFilter) -> Result<Self> {
        let needles = filter.needles.iter().map(|needle| prepare(filter.op, needle));
        Ok(Self { is_negative: filter.op.is_negative(), needles: needles.collect::<Result<_>>()? })
    }

    /// Whether the filter keeps a line.
    pub fn keeps(&self, line: &str) -> bool {
        let found = self.needles.iter().any(|needle| match needle {
            Prepared::Always => true,
            Prepared::Substring(finder) => finder.find(line.as_bytes()).is_some(),
            Prepared::Regex(regex) => regex.is_match(line),
            Prepared::Pattern(pattern) => pattern.fits(line),
            Prepared::Ip(range) => range.is_in(line),
        });
        found != self.is_negative
    }
}

fn prepare(op: LineOp, needle: &Needle) -> Result<Prepared> {
    let text = match needle {
        Needle::Ip(text) => return ip_range(text).map(Prepared::Ip),
        Needle::Text(text) => text,
    };
    match op {
        LineOp::Contains | LineOp::NotContains => Ok(substring(&text.value)),
        LineOp::Matches | LineOp::NotMatches => {
            let whole = regex(&text.value, text.at.0)?;
            let (core, is_literal) = searched(&text.value);
            if is_literal {
                return Ok(substring(core));
            }
            Ok(Prepared::Regex(if core == text.value { whole } else { regex(core, text.at.0)? }))
        }
        LineOp::Pattern | LineOp::NotPattern => {
            let fail = |message| Error::meaning(text.at.0, message);
            let pattern = Pattern::parse(&text.value).map_err(fail)?;
            if let Some(name) = pattern.names().next() {
                let message = format!("'{}' takes <_> only, and found <{name}>", op.text());
                return Err(Error::meaning(text.at.0, message));
            }
            Ok(Prepared::Pattern(pattern))
        }
    }
}

fn substring(text: &str) -> Prepared {
    match text {
        "" => Prepared::Always,
        _ => Prepared::Substring(Box::new(Finder::new(text).into_owned())),
    }
}

/// What is left of a pattern that is searched anywhere without what changes nothing at its ends, and
/// whether that is a text to be found as it stands.
pub fn searched(pattern: &str) -> (&str, bool) {
    let core = without_ends(pattern);
    (core, regex::escape(core) == core)
}

// `.*` at the ends of an unanchored pattern matches nothing that is needed.
fn without_ends(pattern: &str) -> &str {
    let is_quantified = |rest: &str| rest.starts_with(['?', '*', '+', '{']);
    let core = pattern.strip_prefix(".*").filter(|rest| !is_quantified(rest)).unwrap_or(pattern);
    if core.contains(['\\', '[', '(']) {
        return core;
    }
    core.strip_suffix(".*").unwrap_or(core)
}

/// A regular expression of the query, searched anywhere.
pub fn regex(pattern: &str, offset: usize) -> Result<Regex> {
    RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build().map_err(|err| {
        let reason = err.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim().to_owned();
        let reason = reason.strip_prefix("error: ").unwrap_or(&reason);
        Error::meaning(offset, format!("'{pattern}' is no regular expression: {reason}"))
    })
}

/// A regular expression that must match the whole text.
pub fn anchored(pattern: &str, offset: usize) -> Result<Regex> {
    // The pattern alone first, so that an error shows what was written.
    regex(pattern, offset)?;
    regex(&format!("^(?s:{pattern})$"), offset)
}

/// The range of `ip("…")`.
pub fn ip_range(text: &Text) -> Result<IpRange> {
    IpRange::parse(&text.value).ok_or_else(|| {
        let message =
            format!("'{}' is no address, range of addresses or network of either", text.value);
        Error::meaning(text.at.0, message)
    })
}
