//! Pipes that make fields of texts: `extract`, `extract_regexp`, `format`, `replace`.

use super::super::ast::{Extract, PipeKind, Replace};
use super::super::error::{Error, Result};
use super::super::kernels::pattern::{Pattern, Template};
use super::super::lex::Mode;
use super::{Parser, check_regex};

impl Parser<'_> {
    pub(super) fn extract(&mut self) -> Result<PipeKind> {
        self.scanner.skip_space();
        let start = self.scanner.at;
        let pattern = self.text("a pattern")?;
        let place = self.scanner.place_from(start);
        Pattern::new(&pattern).map_err(|message| Error::new(place, message))?;
        let from = self.from()?;
        Ok(PipeKind::Extract(Extract { pattern, regexp: false, from }))
    }

    pub(super) fn extract_regexp(&mut self) -> Result<PipeKind> {
        let mut from = None;
        if self.scanner.eat_word("field") {
            self.expect("=")?;
            from = Some(self.field(Mode::Name)?);
        }
        self.scanner.skip_space();
        let start = self.scanner.at;
        let pattern = self.regex_text()?;
        let place = self.scanner.place_from(start);
        let regex = check_regex(&pattern, place)?;
        if regex.capture_names().flatten().next().is_none() {
            let message =
                "the regular expression has no named group (?P<name>…): it makes no field";
            return Err(Error::new(place, message));
        }
        if from.is_none() {
            from = self.from()?;
        }
        Ok(PipeKind::Extract(Extract { pattern, regexp: true, from }))
    }

    fn regex_text(&mut self) -> Result<String> {
        self.scanner.skip_space();
        if !self.scanner.is_quoted() {
            return Err(self.unexpected("a regular expression in quotes"));
        }
        self.scanner.quoted_regex()
    }

    pub(super) fn format(&mut self) -> Result<PipeKind> {
        self.scanner.skip_space();
        let start = self.scanner.at;
        let template = self.text("a text with <field> in it")?;
        let place = self.scanner.place_from(start);
        Template::new(&template).map_err(|message| Error::new(place, message))?;
        if !self.word(&["as"]) {
            return Err(self.unexpected("'as' and the name of the new field"));
        }
        Ok(PipeKind::Format { template, to: self.field(Mode::Name)? })
    }

    pub(super) fn replace(&mut self, regexp: bool) -> Result<PipeKind> {
        self.expect("(")?;
        self.scanner.skip_space();
        let start = self.scanner.at;
        let old = match regexp {
            true => self.regex_text()?,
            false => self.text("the text to replace")?,
        };
        let place = self.scanner.place_from(start);
        if regexp {
            check_regex(&old, place)?;
        } else if old.is_empty() {
            return Err(Error::new(place, "a text to replace was expected, found an empty one"));
        }
        self.expect(",")?;
        let new = self.text("the new text")?;
        self.expect(")")?;
        if !self.word(&["at"]) {
            return Err(self.unexpected("'at' and the field"));
        }
        let field = self.field(Mode::Name)?;
        Ok(PipeKind::Replace(Replace { field, old, new, regexp }))
    }
}
