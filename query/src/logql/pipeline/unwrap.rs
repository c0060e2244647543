//! `unwrap`: the number that a label of a line is.

use super::super::ast::{self, Conversion};
use super::super::error::Result;
use super::super::lex::units;
use super::label_filter::{Filter, number_of};
use super::row::Row;
use super::wanted::{Name, Wanted};

/// What went wrong with a line whose label is no number.
pub const UNWRAP_ERROR: &str = "SampleExtractionErr";

/// Takes the number out of a row.
pub struct Unwrap {
    name: Name,
    conversion: Conversion,
    filters: Vec<Filter>,
}

impl Unwrap {
    /// Prepares it.
    pub fn new(unwrap: &ast::Unwrap) -> Result<Self> {
        let filters = unwrap.filters.iter().map(Filter::new).collect::<Result<_>>()?;
        Ok(Self { name: Name::new(&unwrap.label), conversion: unwrap.conversion, filters })
    }

    /// The label.
    pub fn label(&self) -> &str {
        &self.name.text
    }

    /// Notes the labels that are looked at.
    pub fn add_wanted(&self, wanted: &mut Wanted) {
        wanted.add(&self.name.text);
        self.filters.iter().for_each(|filter| filter.add_wanted(wanted));
    }

    /// The number of a row; none if it has no such label or a condition drops it. What is no number
    /// is noted as the row's error and counts as zero, so that a condition can still drop it.
    pub fn number(&self, row: &mut Row) -> Option<f64> {
        let text = row.get_name(&self.name)?;
        let number = match self.conversion {
            Conversion::Number => number_of(text),
            Conversion::Bytes => units::bytes(text.trim()).map(|bytes| bytes as f64),
            Conversion::Duration | Conversion::DurationSeconds => {
                units::duration(text.trim()).map(|ns| ns as f64 / 1e9)
            }
        };
        if number.is_none() {
            let kind = self.conversion.name().unwrap_or("number");
            let details = format!("'{text}' of '{}' is no {kind}", self.name.text);
            row.fail(UNWRAP_ERROR, details);
        }
        self.filters.iter().all(|filter| filter.keeps(row)).then(|| number.unwrap_or(0.0))
    }
}
