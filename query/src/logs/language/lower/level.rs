//! Conditions on the level: by number, and by text where the number says nothing.

use super::super::ast::{FieldName, Literal, Order, Part, Test};
use super::super::error::{Error, Result};
use super::super::grammar::did_you_mean;
use super::super::level::{LEVEL_NAMES, Level};
use super::filter::{Rank, Sql};
use super::scope::Value;
use super::text::strings;

/// Levels, the least severe first.
pub(super) type Levels = Vec<Level>;

/// The levels that meet a test; none where it is one of numbers.
pub(super) fn levels(field: &FieldName, test: &Test) -> Result<Option<Levels>> {
    let all = |fits: &dyn Fn(Level) -> bool| Some(Level::all().filter(|l| fits(*l)).collect());
    Ok(match test {
        Test::Exists => all(&|_| true),
        Test::Words(text) | Test::Exact(text) => match is_number(text) {
            true => None,
            false => Some(vec![of_word(field, text)?]),
        },
        Test::Compare(_, literal) if is_number(&literal.text) => None,
        Test::Compare(order, literal) => {
            let bound = of_word(field, &literal.text)?;
            all(&|level| holds(level, *order, bound))
        }
        Test::Range { low, high } => {
            let ends = [&low.value, &high.value].into_iter().flatten();
            if ends.clone().any(|end| is_number(&end.text)) {
                return Ok(None);
            }
            let end = |literal: &Option<Literal>| {
                literal.as_ref().map(|literal| of_word(field, &literal.text)).transpose()
            };
            let (low_level, high_level) = (end(&low.value)?, end(&high.value)?);
            let above = if low.inclusive { Order::GreaterOrEqual } else { Order::Greater };
            let below = if high.inclusive { Order::LessOrEqual } else { Order::Less };
            all(&|level| {
                low_level.is_none_or(|bound| holds(level, above, bound))
                    && high_level.is_none_or(|bound| holds(level, below, bound))
            })
        }
        Test::Pattern(_) | Test::Matches(_) => Some(matching(field, test)?),
    })
}

fn holds(level: Level, order: Order, bound: Level) -> bool {
    match order {
        Order::Less => level < bound,
        Order::LessOrEqual => level <= bound,
        Order::Greater => level > bound,
        Order::GreaterOrEqual => level >= bound,
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<i32>().is_ok()
}

fn of_word(field: &FieldName, word: &str) -> Result<Level> {
    Level::of_word(word).ok_or_else(|| {
        let hint = did_you_mean(word, LEVEL_NAMES.into_iter()).unwrap_or_else(|| {
            let names = LEVEL_NAMES.join(", ");
            format!("there are {names}; severity_text compares what was sent")
        });
        Error::new(field.place, format!("unknown level '{word}': {hint}"))
    })
}

// Levels of which a word matches.
fn matching(field: &FieldName, test: &Test) -> Result<Levels> {
    let regex = match test {
        Test::Matches(regex) => format!("(?i){regex}"),
        Test::Pattern(parts) => {
            let part = |part: &Part| match part {
                Part::Text(text) => regex::escape(text),
                Part::Any => ".*".to_owned(),
            };
            format!("(?i)^{}$", parts.iter().map(part).collect::<String>())
        }
        _ => return Ok(Vec::new()),
    };
    let wrong = |message: String| Error::new(field.place, message);
    let compiled = regex::Regex::new(&regex).map_err(|err| wrong(err.to_string()))?;
    let fits = |level: &Level| level.words().iter().any(|word| compiled.is_match(word));
    let levels = Level::all().filter(fits).collect::<Vec<_>>();
    if levels.is_empty() {
        let names = LEVEL_NAMES.join(", ");
        return Err(wrong(format!("no level is like that: there are {names}")));
    }
    Ok(levels)
}

/// Whether a record has one of the levels, by the columns of `logs`.
pub(super) fn of_record(levels: &[Level], negated: bool) -> Sql {
    let mut numbers = Vec::new();
    for run in levels.chunk_by(|a, b| a.number_max().is_some_and(|max| max + 1 == b.number_min())) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let min = first.number_min();
        numbers.push(match last.number_max() {
            Some(max) => format!("severity_number BETWEEN {min} AND {max}"),
            None => format!("severity_number >= {min}"),
        });
    }
    let words = strings(levels.iter().flat_map(|level| level.words()).copied());
    numbers.push(format!("severity_number = 0 AND lower(trim(severity_text)) IN {words}"));
    let any = if levels.is_empty() { "false".to_owned() } else { numbers.join(" OR ") };
    let any = Sql::new(any, Rank::Or);
    if negated { any.not() } else { any }
}

/// Whether a column of levels has one of them.
pub(super) fn of_column(value: &Value, levels: &[Level], negated: bool) -> Sql {
    let names = strings(levels.iter().map(|level| level.name()));
    let test = Sql::new(format!("{} IN {names}", value.sql), Rank::Test);
    if negated { test.or_null_not() } else { test }
}
