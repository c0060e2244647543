//! Lines through the stages of a query: what is kept, how it reads afterwards, which labels it has.
//!
//! A [`Pipeline`] is prepared once and shared; each worker has a [`Row`] whose buffers it keeps. From
//! the end towards the front it is worked out which labels anybody looks at, so that parsers pass
//! over the rest and stop early; a fault of a line behind that point goes unnoticed, as in Loki.

mod ip;
mod json;
mod json_scan;
mod label_filter;
mod line;
mod logfmt;
mod pattern;
mod row;
mod unwrap;
mod wanted;

use regex::Regex;

use super::ast::{LabelFormat, LabelSource, LogExpr, Stage};
use super::error::{Error, Result};
use super::grammar::ERROR;
use super::labels::Entry;
use super::template::{Context, Template};
pub use label_filter::TextTest;
pub(super) use label_filter::compare;
use label_filter::{Filter, Pick};
pub use line::LineMatcher;
pub(super) use line::{anchored, regex, searched};
use logfmt::Logfmt;
use pattern::Pattern;
pub use row::{Origin, Row};
pub(super) use unwrap::Unwrap;
pub use wanted::Wanted;

/// What went wrong with a line whose template could not be filled in.
const TEMPLATE_ERROR: &str = "TemplateFormatErr";

/// Stages that are ready to run.
pub struct Pipeline {
    /// Line filters at the front: they run before anything else is known of the line.
    front: Vec<LineMatcher>,
    steps: Vec<(Step, Wanted)>,
    structured: Wanted,
    now_ns: i64,
}

/// A line that the stages kept.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    /// The line as the last stage left it.
    pub line: &'a str,
    /// Its labels.
    pub row: &'a Row,
}

enum Step {
    Line(LineMatcher),
    Json,
    JsonPaths(Vec<json::Path>),
    Logfmt(Logfmt),
    Regexp(Box<Regex>),
    Pattern(Pattern),
    Unpack,
    Decolorize,
    LineFormat(Template),
    LabelFormat(Vec<(String, Source)>),
    Drop(Vec<Pick>),
    Keep(Vec<Pick>),
    Filter(Filter),
}

enum Source {
    Rename(String),
    Template(Template),
}

impl Pipeline {
    /// Prepares the stages of a query whose reader looks at all labels; `now_ns` is what templates
    /// take for the present.
    pub fn new(log: &LogExpr, now_ns: i64) -> Result<Self> {
        Self::with_wanted(log, now_ns, Wanted::All)
    }

    /// Prepares the stages for a reader that looks at these labels only.
    pub fn with_wanted(log: &LogExpr, now_ns: i64, mut wanted: Wanted) -> Result<Self> {
        let is_line = |stage: &&Stage| matches!(stage, Stage::Line(_));
        let front_len = log.stages.iter().take_while(is_line).count();
        let (front, rest) = log.stages.split_at(front_len);
        let mut steps = Vec::with_capacity(rest.len());
        for stage in rest.iter().rev() {
            let step = step(stage)?;
            let behind = wanted.clone();
            step.look_at(&mut wanted);
            steps.push((step, behind));
        }
        steps.reverse();
        let front = front.iter().filter_map(|stage| match stage {
            Stage::Line(filter) => Some(LineMatcher::new(filter)),
            _ => None,
        });
        Ok(Self { front: front.collect::<Result<_>>()?, steps, structured: wanted, now_ns })
    }

    /// The labels of structured metadata that any stage or the reader looks at.
    pub fn structured(&self) -> &Wanted {
        &self.structured
    }

    /// Whether any stage looks at the line.
    pub fn reads_line(&self) -> bool {
        let reads = |(step, _): &(Step, Wanted)| match step {
            Step::Filter(_) | Step::Drop(_) | Step::Keep(_) => false,
            Step::LabelFormat(formats) => {
                formats.iter().any(|(_, source)| matches!(source, Source::Template(_)))
            }
            _ => true,
        };
        !self.front.is_empty() || self.steps.iter().any(reads)
    }

    /// Puts an entry through all stages; none if one of them drops it.
    pub fn run<'a>(&self, entry: &Entry<'a>, row: &'a mut Row) -> Option<Kept<'a>> {
        if !self.front.iter().all(|filter| filter.keeps(entry.line)) {
            return None;
        }
        row.begin(entry.stream);
        for (name, value) in entry.structured {
            row.offer(&self.structured, Origin::Structured, name, value);
        }
        for (nth, (step, wanted)) in self.steps.iter().enumerate() {
            row.stage = nth as u16 + 1;
            let keeps = with_line(entry.line, row, |line, row| {
                step.run(line, row, wanted, (entry.time_ns, self.now_ns))
            });
            if !keeps {
                return None;
            }
        }
        let row = &*row;
        Some(Kept { line: if row.is_line_new { &row.line } else { entry.line }, row })
    }
}

// The line is lent out of the row while a stage may change the row.
fn with_line<T>(original: &str, row: &mut Row, run: impl FnOnce(&str, &mut Row) -> T) -> T {
    if !row.is_line_new {
        return run(original, row);
    }
    let line = std::mem::take(&mut row.line);
    row.is_line_new = false;
    let result = run(&line, row);
    if !row.is_line_new {
        row.line = line;
        row.is_line_new = true;
    }
    result
}

/// Whether all stages can be prepared: the first fault among them.
pub(super) fn check_log(log: &LogExpr) -> Result<()> {
    log.matchers.iter().try_for_each(|matcher| TextTest::new(matcher).map(|_| ()))?;
    // In the order of the text, so that the first fault is the one that is told.
    log.stages.iter().try_for_each(|stage| match stage {
        Stage::Line(filter) => LineMatcher::new(filter).map(|_| ()),
        _ => step(stage).map(|_| ()),
    })
}

fn step(stage: &Stage) -> Result<Step> {
    Ok(match stage {
        Stage::Line(filter) => Step::Line(LineMatcher::new(filter)?),
        Stage::Json(extractions) if extractions.is_empty() => Step::Json,
        Stage::Json(extractions) => {
            Step::JsonPaths(extractions.iter().map(json::Path::new).collect::<Result<_>>()?)
        }
        Stage::Logfmt { strict, keep_empty, extractions } => Step::Logfmt(Logfmt {
            strict: *strict,
            keep_empty: *keep_empty,
            extractions: extractions.clone(),
        }),
        Stage::Regexp(text) => {
            let regex = regex(&text.value, text.at.0)?;
            if regex.capture_names().flatten().next().is_none() {
                let message = "regexp needs a named group as (?P<name>…)";
                return Err(Error::meaning(text.at.0, message));
            }
            Step::Regexp(Box::new(regex))
        }
        Stage::Pattern(text) => {
            let fail = |message: String| Error::meaning(text.at.0, message);
            let pattern = Pattern::parse(&text.value).map_err(fail)?;
            let names: Vec<_> = pattern.names().collect();
            if names.is_empty() {
                return Err(fail("pattern needs a named capture as <name>".to_owned()));
            }
            if let Some(twice) = names.iter().find(|a| names.iter().filter(|b| b == a).count() > 1)
            {
                return Err(fail(format!("pattern has the capture <{twice}> twice")));
            }
            Step::Pattern(pattern)
        }
        Stage::Unpack => Step::Unpack,
        Stage::Decolorize => Step::Decolorize,
        Stage::LineFormat(text) => Step::LineFormat(Template::new(&text.value, text.at.0)?),
        Stage::LabelFormat(formats) => Step::LabelFormat(label_formats(formats)?),
        Stage::Drop(picks) => Step::Drop(picks.iter().map(Pick::new).collect::<Result<_>>()?),
        Stage::Keep(picks) => Step::Keep(picks.iter().map(Pick::new).collect::<Result<_>>()?),
        Stage::Filter(filter) => Step::Filter(Filter::new(filter)?),
    })
}

fn label_formats(formats: &[LabelFormat]) -> Result<Vec<(String, Source)>> {
    let mut prepared: Vec<(String, Source)> = Vec::with_capacity(formats.len());
    for format in formats {
        let label = &format.label;
        if label.starts_with(ERROR) {
            return Err(Error::meaning(format.at.0, format!("label_format cannot make {label}")));
        }
        if prepared.iter().any(|(other, _)| other == label) {
            let message = format!("label_format makes '{label}' twice");
            return Err(Error::meaning(format.at.0, message));
        }
        let source = match &format.source {
            LabelSource::Rename(from) => Source::Rename(from.clone()),
            LabelSource::Template(text) => Source::Template(Template::new(&text.value, text.at.0)?),
        };
        prepared.push((label.clone(), source));
    }
    Ok(prepared)
}

impl Step {
    /// Whether the line stays. `times` are that of the line and the present.
    fn run(&self, line: &str, row: &mut Row, wanted: &Wanted, times: (i64, i64)) -> bool {
        match self {
            Self::Line(filter) => return filter.keeps(line),
            Self::Filter(filter) => return filter.keeps(row),
            Self::Json => json::flatten(line, row, wanted),
            Self::JsonPaths(paths) => json::extract(line, row, wanted, paths),
            Self::Logfmt(logfmt) => logfmt.run(line, row, wanted),
            Self::Regexp(regex) => {
                let Some(captures) = regex.captures(line) else { return true };
                for (nth, name) in regex.capture_names().enumerate() {
                    if let (Some(name), Some(found)) = (name, captures.get(nth)) {
                        row.offer(wanted, Origin::Parsed, name, found.as_str());
                    }
                }
            }
            Self::Pattern(pattern) => {
                pattern.captures(line, |name, value| {
                    row.offer(wanted, Origin::Parsed, name, value);
                });
            }
            Self::Unpack => json::unpack(line, row, wanted),
            Self::Decolorize => decolorize(line, row),
            Self::LineFormat(template) => {
                let mut new = std::mem::take(&mut row.spare);
                new.clear();
                let context = Context { row, line, time_ns: times.0, now_ns: times.1 };
                match template.render(&context, &mut new) {
                    Ok(()) => {
                        row.spare = std::mem::replace(&mut row.line, new);
                        row.is_line_new = true;
                    }
                    Err(message) => {
                        row.spare = new;
                        row.fail(TEMPLATE_ERROR, message);
                    }
                }
            }
            Self::LabelFormat(formats) => {
                formats.iter().for_each(|(label, source)| source.run(label, line, row, times));
            }
            Self::Drop(picks) => drop(picks, row),
            Self::Keep(picks) => {
                row.retain(|name, value| picks.iter().any(|pick| pick.means(name, value)));
            }
        }
        true
    }

    /// From what is wanted behind the step to what is wanted before it.
    fn look_at(&self, wanted: &mut Wanted) {
        match self {
            Self::Filter(filter) => filter.add_wanted(wanted),
            Self::LineFormat(template) => look_at_template(template, wanted),
            Self::LabelFormat(formats) => {
                // What was called so before stays if the source is missing or fails.
                for (_, source) in formats.iter().rev() {
                    match source {
                        Source::Rename(from) => wanted.add(from),
                        Source::Template(template) => look_at_template(template, wanted),
                    }
                }
            }
            Self::Drop(picks) => {
                let tested = picks.iter().filter(|pick| pick.test.is_some());
                tested.for_each(|pick| wanted.add(pick.name_text()));
                for pick in picks.iter().filter(|pick| pick.name_text() == ERROR) {
                    wanted.add(pick.name_text());
                }
            }
            Self::Keep(picks) => {
                let errors = matches!(wanted, Wanted::All | Wanted::Some { errors: true, .. });
                if *wanted == Wanted::All {
                    *wanted = Wanted::only(picks.iter().map(Pick::name_text));
                } else {
                    let tested = picks.iter().filter(|pick| pick.test.is_some());
                    tested.for_each(|pick| wanted.add(pick.name_text()));
                }
                if errors {
                    wanted.add(ERROR);
                }
            }
            _ => {}
        }
    }
}

fn look_at_template(template: &Template, wanted: &mut Wanted) {
    match template.labels() {
        Some(labels) => labels.iter().for_each(|label| wanted.add(label)),
        None => *wanted = Wanted::All,
    }
}

impl Pick {
    fn name_text(&self) -> &str {
        &self.name.text
    }
}

impl Source {
    fn run(&self, label: &str, line: &str, row: &mut Row, times: (i64, i64)) {
        let template = match self {
            Self::Rename(from) => return row.rename(from, label),
            Self::Template(template) => template,
        };
        let mut value = std::mem::take(&mut row.key);
        value.clear();
        let context = Context { row, line, time_ns: times.0, now_ns: times.1 };
        match template.render(&context, &mut value) {
            Ok(()) => row.set(Origin::Parsed, label, &value),
            Err(message) => row.fail(TEMPLATE_ERROR, message),
        }
        row.key = value;
    }
}

fn drop(picks: &[Pick], row: &mut Row) {
    for pick in picks {
        let name = pick.name_text();
        let Some(value) = row.get(name) else { continue };
        if pick.test.as_ref().is_none_or(|test| test.passes(value)) {
            row.remove(name);
        }
    }
}

/// Takes the colours of a terminal out of a line.
fn decolorize(line: &str, row: &mut Row) {
    const ESCAPE: char = '\u{1b}';
    if !line.contains(ESCAPE) {
        return;
    }
    let mut new = std::mem::take(&mut row.line);
    new.clear();
    let mut rest = line;
    while let Some(at) = rest.find(ESCAPE) {
        new.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let sequence = behind.strip_prefix('[').map(|inner| {
            let is_parameter = |c: char| c.is_ascii_digit() || matches!(c, ';' | '?' | ':');
            inner.trim_start_matches(is_parameter)
        });
        let end = sequence.filter(|inner| inner.starts_with(|c: char| c.is_ascii_alphabetic()));
        match end {
            Some(inner) => rest = &inner[1..],
            None => {
                new.push(ESCAPE);
                rest = behind;
            }
        }
    }
    new.push_str(rest);
    row.line = new;
    row.is_line_new = true;
}
