//! What a worker knows of the line in hand: its labels by where they come from, and its error. All
//! buffers are kept from line to line.

use super::super::grammar::{ERROR, ERROR_DETAILS, EXTRACTED};
use super::super::labels::{Labels, fingerprint};
use super::wanted::{Name, Wanted};

/// Bytes of labels of one line at most; what does not fit is left out.
const ROW_BYTES_MAX: usize = 64 << 20;
/// Labels of one line at most; what does not fit is left out.
const FIELDS_MAX: usize = 1024;

/// Where a label comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The stream.
    Stream,
    /// Structured metadata of the entry.
    Structured,
    /// A stage of the query.
    Parsed,
}

/// The labels of one line, and buffers to find them. Use one for many lines.
#[derive(Default)]
pub struct Row {
    stream: Labels,
    /// Labels of the stream that are gone or replaced.
    hidden: Vec<usize>,
    fields: Vec<Field>,
    text: String,
    error: Option<&'static str>,
    details: String,
    /// Number of the stage that runs.
    pub(super) stage: u16,
    /// Labels that the running parser has still to find before it may stop.
    pub(super) missing: usize,
    /// The line, if a stage made a new one.
    pub(super) line: String,
    pub(super) is_line_new: bool,
    pub(super) key: String,
    pub(super) spare: String,
}

/// A label that is not of the stream as it was.
#[derive(Clone, Copy)]
struct Field {
    print: u32,
    origin: Origin,
    stage: u16,
    name: Span,
    value: Span,
}

#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }
}

impl Row {
    /// The labels of a stream and nothing else.
    pub(in super::super) fn reset(&mut self, stream: &Labels) {
        self.begin(stream);
    }

    /// Forgets the line before.
    pub(super) fn begin(&mut self, stream: &Labels) {
        if !self.stream.is_same(stream) {
            self.stream = stream.clone();
        }
        self.hidden.clear();
        self.fields.clear();
        self.text.clear();
        self.error = None;
        self.stage = 0;
        self.is_line_new = false;
    }

    /// The value of a label, of whatever origin.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lookup(fingerprint(name), name)
    }

    pub(super) fn get_name(&self, name: &Name) -> Option<&str> {
        self.lookup(name.print, &name.text)
    }

    fn lookup(&self, print: u32, name: &str) -> Option<&str> {
        if let Some(at) = self.position(print, name) {
            return Some(self.fields[at].value.of(&self.text));
        }
        let at = self.stream.index_of(name).filter(|at| !self.hidden.contains(at));
        if at.is_some() {
            return self.stream.get(name);
        }
        match name {
            ERROR => self.error,
            ERROR_DETAILS => self.error.map(|_| self.details.as_str()),
            _ => None,
        }
    }

    /// Labels of one origin, in no order. What went wrong with the line is among the parsed ones.
    pub fn labels(&self, origin: Origin) -> impl Iterator<Item = (&str, &str)> {
        let own = self.fields.iter().filter(move |field| field.origin == origin);
        let own = own.map(|field| (field.name.of(&self.text), field.value.of(&self.text)));
        let is_stream = origin == Origin::Stream;
        let stream = self.stream.pairs().enumerate();
        let stream = stream.filter(move |(at, _)| is_stream && !self.hidden.contains(at));
        let error = self.error.filter(|_| origin == Origin::Parsed);
        let details = error.filter(|_| !self.details.is_empty());
        own.chain(stream.map(|(_, pair)| pair))
            .chain(error.map(|error| (ERROR, error)))
            .chain(details.map(|_| (ERROR_DETAILS, self.details.as_str())))
    }

    /// All labels but those that say what went wrong.
    pub fn all_labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.fields.iter();
        let own = own.map(|field| (field.name.of(&self.text), field.value.of(&self.text)));
        let stream = self.stream.pairs().enumerate();
        own.chain(stream.filter(|(at, _)| !self.hidden.contains(at)).map(|(_, pair)| pair))
    }

    /// What went wrong with the line, if anything: `JSONParserErr`.
    pub fn error(&self) -> Option<&'static str> {
        self.error
    }

    /// More about [`Row::error`].
    pub fn error_details(&self) -> &str {
        if self.error.is_some() { &self.details } else { "" }
    }

    /// Whether the labels are those of the stream and nothing else.
    pub fn is_stream_only(&self) -> bool {
        self.fields.is_empty() && self.hidden.is_empty()
    }

    /// Whether no label of the stream is gone or replaced.
    pub fn has_whole_stream(&self) -> bool {
        self.hidden.is_empty()
    }

    /// Whether this label is not taken from the stream as it was.
    pub(in super::super) fn differs_from_stream(&self, name: &str) -> bool {
        if self.is_stream_only() {
            return false;
        }
        self.position(fingerprint(name), name).is_some()
            || self.stream.index_of(name).is_some_and(|at| self.hidden.contains(&at))
    }

    pub(super) fn stream(&self) -> &Labels {
        &self.stream
    }

    /// Notes what went wrong; the first fault of a line stays.
    pub(super) fn fail(&mut self, error: &'static str, details: impl std::fmt::Display) {
        use std::fmt::Write;
        if self.error.is_some() {
            return;
        }
        self.error = Some(error);
        self.details.clear();
        // Writing to a string cannot fail.
        _ = write!(self.details, "{details}");
    }

    fn position(&self, print: u32, name: &str) -> Option<usize> {
        let is = |field: &Field| field.print == print && field.name.of(&self.text) == name;
        self.fields.iter().position(is)
    }

    fn push_text(&mut self, text: &str) -> Option<Span> {
        let start = self.text.len();
        if start + text.len() > ROW_BYTES_MAX {
            return None;
        }
        self.text.push_str(text);
        Some(Span { start: start as u32, end: self.text.len() as u32 })
    }

    /// Makes a label or gives it another value, and hides that of the stream.
    pub(super) fn set(&mut self, origin: Origin, name: &str, value: &str) {
        let print = fingerprint(name);
        let at = self.position(print, name);
        if at.is_none()
            && let Some(hidden) = self.stream.index_of(name)
            && !self.hidden.contains(&hidden)
        {
            self.hidden.push(hidden);
        }
        let Some(value) = self.push_text(value) else { return };
        let stage = self.stage;
        if let Some(at) = at {
            let field = &mut self.fields[at];
            (field.origin, field.stage, field.value) = (origin, stage, value);
            return;
        }
        self.push_field(print, origin, name, value);
    }

    fn push_field(&mut self, print: u32, origin: Origin, name: &str, value: Span) {
        if self.fields.len() == FIELDS_MAX {
            return;
        }
        let Some(name) = self.push_text(name) else { return };
        self.fields.push(Field { print, origin, stage: self.stage, name, value });
    }

    /// Makes a label out of the line or the metadata. Where the stream has one of that name it gets a
    /// suffix; of two in one stage the first stays.
    pub(super) fn offer(&mut self, wanted: &Wanted, origin: Origin, name: &str, value: &str) {
        if !wanted.wants(name) {
            return;
        }
        if self.stream.index_of(name).is_some() {
            let mut longer = std::mem::take(&mut self.spare);
            longer.clear();
            longer.push_str(name);
            longer.push_str(EXTRACTED);
            if wanted.wants_exactly(&longer) {
                self.offer_free(origin, &longer, value);
            }
            self.spare = longer;
            return;
        }
        self.offer_free(origin, name, value);
    }

    fn offer_free(&mut self, origin: Origin, name: &str, value: &str) {
        let print = fingerprint(name);
        let at = self.position(print, name);
        if at.is_some_and(|at| self.fields[at].stage == self.stage) {
            return;
        }
        let Some(value) = self.push_text(value) else { return };
        self.missing = self.missing.saturating_sub(1);
        let stage = self.stage;
        match at {
            Some(at) => {
                let field = &mut self.fields[at];
                (field.origin, field.stage, field.value) = (origin, stage, value);
            }
            None => self.push_field(print, origin, name, value),
        }
    }

    /// Gives a label another name; its origin stays.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if from == to {
            return;
        }
        let mut copy = std::mem::take(&mut self.spare);
        copy.clear();
        let Some(value) = self.get(from) else {
            self.spare = copy;
            return;
        };
        copy.push_str(value);
        let origin = match self.position(fingerprint(from), from) {
            Some(at) => self.fields[at].origin,
            None if self.stream.index_of(from).is_some() => Origin::Stream,
            None => Origin::Parsed,
        };
        self.set(origin, to, &copy);
        self.spare = copy;
        self.remove(from);
    }

    /// Takes a label away.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(at) = self.position(fingerprint(name), name) {
            self.fields.remove(at);
        }
        if let Some(at) = self.stream.index_of(name)
            && !self.hidden.contains(&at)
        {
            self.hidden.push(at);
        }
        match name {
            ERROR => self.error = None,
            ERROR_DETAILS => self.details.clear(),
            _ => {}
        }
    }

    /// Keeps the labels for which the condition holds.
    pub(super) fn retain(&mut self, keeps: impl Fn(&str, &str) -> bool) {
        let text = &self.text;
        self.fields.retain(|field| keeps(field.name.of(text), field.value.of(text)));
        for (at, (name, value)) in self.stream.pairs().enumerate() {
            if !keeps(name, value) && !self.hidden.contains(&at) {
                self.hidden.push(at);
            }
        }
    }
}
