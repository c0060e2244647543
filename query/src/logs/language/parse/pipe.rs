//! The pipes: which one, and those that keep, leave out, sort, count or group rows.

use super::super::ast::{
    Diff, FieldName, Pipe, PipeKind, Sort, SortKey, TimeSpan, Unpack, UnpackFormat,
};
use super::super::error::{Error, Result};
use super::super::grammar::{self, CONTEXT_MAX, FUNCTIONS, PIPES, ROWS_MAX, TOP_DEFAULT};
use super::super::lex::Mode;
use super::{Expect, Parser};

impl Parser<'_> {
    /// Behind a `|`.
    pub(super) fn pipe(&mut self) -> Result<Pipe> {
        self.note(Expect::Pipe);
        self.scanner.skip_space();
        let start = self.scanner.at;
        let word = self.scanner.identifier().to_lowercase();
        if word.is_empty() {
            return Err(self.unexpected("the name of a pipe"));
        }
        let Some(name) = grammar::pipe_name(&word) else {
            return Err(Error::new(self.scanner.place_from(start), unknown(&word)));
        };
        let kind = match name {
            "where" => PipeKind::Where(self.or(None)?),
            "fields" => PipeKind::Fields(self.fields()?),
            "delete" => PipeKind::Delete(self.fields()?),
            "rename" => PipeKind::Rename(self.list_in_parens(Self::renamed)?),
            "copy" => PipeKind::Copy(self.list_in_parens(Self::renamed)?),
            "stats" => self.stats()?,
            "timechart" => self.timechart()?,
            "sort" => PipeKind::Sort(self.sort()?),
            "top" | "rare" => self.top(name == "rare")?,
            "uniq" => self.uniq()?,
            "dedup" => {
                self.word(&["by"]);
                PipeKind::Dedup(self.fields()?)
            }
            "limit" => PipeKind::Limit(self.count("rows", ROWS_MAX)?),
            "offset" => PipeKind::Offset(self.count("rows", ROWS_MAX)?),
            "extract" => self.extract()?,
            "extract_regexp" => self.extract_regexp()?,
            "unpack_json" => PipeKind::Unpack(self.unpack(UnpackFormat::Json)?),
            "unpack_logfmt" => PipeKind::Unpack(self.unpack(UnpackFormat::Logfmt)?),
            "math" => PipeKind::Math(self.list(Self::assignment)?),
            "format" => self.format()?,
            "replace" => self.replace(false)?,
            "replace_regexp" => self.replace(true)?,
            "stream_context" => self.context()?,
            "patterns" => PipeKind::Patterns(self.count_if_any()?),
            "diff" => PipeKind::Diff(self.diff()?),
            "trace" => PipeKind::Trace,
            _ => self.hits()?,
        };
        Ok(Pipe { kind, place: self.scanner.place_from(start) })
    }

    fn renamed(&mut self) -> Result<(FieldName, FieldName)> {
        let from = self.field(Mode::Name)?;
        if !self.word(&["as"]) {
            return Err(self.unexpected("'as' and the new name"));
        }
        Ok((from, self.field(Mode::Name)?))
    }

    /// A whole number up to a limit.
    fn count(&mut self, what: &str, most: u64) -> Result<u64> {
        self.scanner.skip_space();
        let start = self.scanner.at;
        let text = self.scanner.plain(Mode::Name)?;
        if text.is_empty() {
            return Err(self.unexpected(&format!("a number of {what}")));
        }
        let place = self.scanner.place_from(start);
        let number = text.parse::<u64>().map_err(|_| {
            Error::new(place, format!("a number of {what} was expected, found '{text}'"))
        })?;
        if number > most {
            let message = format!("{number} {what} are asked for, the limit is {most}");
            return Err(Error::new(place, message));
        }
        Ok(number)
    }

    fn count_if_any(&mut self) -> Result<Option<u64>> {
        let rest = self.scanner.rest().trim_start();
        let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
        is_number.then(|| self.count("rows", ROWS_MAX)).transpose()
    }

    fn sort(&mut self) -> Result<Sort> {
        self.word(&["by"]);
        let keys = self.list_in_parens(Self::sort_key)?;
        let (mut limit, mut offset) = (None, None);
        loop {
            if limit.is_none() && self.word(&["limit"]) {
                limit = Some(self.count("rows", ROWS_MAX)?);
            } else if offset.is_none() && self.word(&["offset"]) {
                offset = Some(self.count("rows", ROWS_MAX)?);
            } else {
                return Ok(Sort { keys, limit, offset });
            }
        }
    }

    fn sort_key(&mut self) -> Result<SortKey> {
        let mut descending = self.take("-");
        if !descending {
            self.take("+");
        }
        let field = self.field(Mode::Name)?;
        if self.word(&["desc"]) {
            descending = true;
        } else {
            self.word(&["asc"]);
        }
        Ok(SortKey { field, descending })
    }

    fn top(&mut self, rare: bool) -> Result<PipeKind> {
        if self.word(&["limit"]) {
            self.expect("=")?;
        }
        let count = self.count_if_any()?.unwrap_or(TOP_DEFAULT);
        self.word(&["by"]);
        Ok(PipeKind::Top { count, fields: self.fields()?, rare })
    }

    fn uniq(&mut self) -> Result<PipeKind> {
        self.word(&["by"]);
        let fields = self.fields()?;
        let (mut hits, mut limit) = (false, None);
        if self.word(&["with"]) {
            hits = self.word(&["hits"]);
            if !hits {
                return Err(self.unexpected("'hits'"));
            }
        }
        if self.word(&["limit"]) {
            limit = Some(self.count("rows", ROWS_MAX)?);
        }
        Ok(PipeKind::Uniq { fields, hits, limit })
    }

    fn unpack(&mut self, format: UnpackFormat) -> Result<Unpack> {
        let from = self.from()?;
        let fields = match self.word(&["fields"]) {
            true => self.fields()?,
            false => Vec::new(),
        };
        Ok(Unpack { format, from, fields })
    }

    /// `from field`, if it is next.
    pub(super) fn from(&mut self) -> Result<Option<FieldName>> {
        match self.word(&["from"]) {
            true => self.field(Mode::Name).map(Some),
            false => Ok(None),
        }
    }

    fn context(&mut self) -> Result<PipeKind> {
        let (mut before, mut after) = (None, None);
        loop {
            if before.is_none() && self.word(&["before"]) {
                before = Some(self.count("records", CONTEXT_MAX)?);
            } else if after.is_none() && self.word(&["after"]) {
                after = Some(self.count("records", CONTEXT_MAX)?);
            } else {
                break;
            }
        }
        if before.is_none() && after.is_none() {
            return Err(self.unexpected("'before' or 'after' and a number of records"));
        }
        let (before, after) = (before.unwrap_or(0), after.unwrap_or(0));
        Ok(PipeKind::Context { before, after })
    }

    fn diff(&mut self) -> Result<Diff> {
        self.scanner.skip_space();
        if self.scanner.peek() == Some('[') {
            let before = self.time_span()?;
            return Ok(Diff::Ranges(before, self.time_span()?));
        }
        let start = self.scanner.at;
        let text = self.scanner.plain(Mode::Name)?;
        if text.is_empty() {
            return Err(self.unexpected("a window such as 1h, or [start, end] [start, end]"));
        }
        self.step(&text, start).map(Diff::Window)
    }

    fn time_span(&mut self) -> Result<TimeSpan> {
        self.scanner.skip_space();
        let at = self.scanner.at;
        self.expect("[")?;
        self.scanner.skip_space();
        let start = self.literal(Mode::End)?;
        if !self.take(",") && !self.word(&["TO"]) {
            return Err(self.unexpected("',' between the ends of the window"));
        }
        self.scanner.skip_space();
        let end = self.literal(Mode::End)?;
        self.expect("]")?;
        Ok(TimeSpan { start, end, place: self.scanner.place_from(at) })
    }

    fn hits(&mut self) -> Result<PipeKind> {
        let mut step_ns = self.span()?;
        let rest = self.scanner.rest().trim_start();
        if step_ns.is_none() && rest.starts_with(|c: char| c.is_ascii_digit()) {
            self.scanner.skip_space();
            let start = self.scanner.at;
            let text = self.scanner.plain(Mode::Name)?;
            step_ns = Some(self.step(&text, start)?);
        }
        let by = if self.word(&["by"]) { self.fields()? } else { Vec::new() };
        Ok(PipeKind::Hits { step_ns, by })
    }
}

fn unknown(word: &str) -> String {
    let is_function = FUNCTIONS.iter().any(|(_, names, _)| names.contains(&word));
    if is_function {
        return format!("unknown pipe '{word}': functions stand behind stats, | stats {word}(…)");
    }
    let names = || PIPES.iter().flat_map(|pipe| pipe.names.iter().copied());
    let hint = grammar::did_you_mean(word, names()).unwrap_or_else(|| {
        let first = PIPES.iter().filter_map(|pipe| pipe.names.first().copied());
        format!("there are {}", first.collect::<Vec<_>>().join(", "))
    });
    format!("unknown pipe '{word}': {hint}")
}
