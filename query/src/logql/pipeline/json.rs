//! `json` and `unpack`: values of a line that is an object become labels.

use super::super::ast::Extraction;
use super::super::error::{Error, Result};
use super::json_scan::{Fault, Scanner, Value};
use super::row::{Origin, Row};
use super::wanted::Wanted;

/// What went wrong with a line that is no JSON.
pub const JSON_ERROR: &str = "JSONParserErr";
/// How deep objects are looked into; deeper ones are a fault.
const DEPTH_MAX: usize = 256;
/// The label of a packed line that holds the line as it was.
const ENTRY: &str = "_entry";

/// Makes labels of all values of a line that are no arrays; names of nested ones are joined by `_`.
pub fn flatten(line: &str, row: &mut Row, wanted: &Wanted) {
    row.missing = wanted.missing(row.stream());
    if row.missing == 0 {
        return;
    }
    let mut key = std::mem::take(&mut row.key);
    key.clear();
    let mut flat = Flat { scanner: Scanner::new(line), wanted, key, buffer: String::new() };
    let result = flat.object(row, 0);
    row.key = flat.key;
    if let Err(fault) = result {
        row.fail(JSON_ERROR, fault);
    }
}

struct Flat<'a> {
    scanner: Scanner<'a>,
    wanted: &'a Wanted,
    /// The name so far.
    key: String,
    buffer: String,
}

impl Flat<'_> {
    fn object(&mut self, row: &mut Row, depth: usize) -> std::result::Result<(), Fault> {
        if depth == DEPTH_MAX {
            return Err(Fault { at: 0, expected: "less nested objects" });
        }
        self.scanner.open_object()?;
        let outer = self.key.len();
        let mut is_first = true;
        while let Some(key) = self.scanner.key(is_first)? {
            is_first = false;
            if outer > 0 {
                self.key.push('_');
            }
            sanitize(key.text(&mut self.buffer), &mut self.key);
            match self.scanner.value()? {
                Value::String(text) => {
                    if self.wanted.wants(&self.key) {
                        let text = text.text(&mut self.buffer);
                        row.offer(self.wanted, Origin::Parsed, &self.key, text);
                    }
                }
                Value::Plain(text) => row.offer(self.wanted, Origin::Parsed, &self.key, text),
                Value::Object if self.wanted.wants_below(&self.key) => {
                    self.object(row, depth + 1)?;
                }
                Value::Object | Value::Array => _ = self.scanner.skip()?,
                Value::Null => {}
            }
            if row.missing == 0 {
                return Ok(());
            }
            self.key.truncate(outer);
        }
        Ok(())
    }
}

/// Appends a key so that it can be a label.
pub fn sanitize(key: &str, out: &mut String) {
    let key = key.trim();
    if out.is_empty() && key.starts_with(|c: char| c.is_ascii_digit()) {
        out.push('_');
    }
    let is_fine = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if key.bytes().all(is_fine) {
        out.push_str(key);
        return;
    }
    out.extend(key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
}

/// The line that was packed, and its labels.
pub fn unpack(line: &str, row: &mut Row, wanted: &Wanted) {
    let trimmed = line.trim_start();
    if trimmed.is_empty() {
        return;
    }
    if let Err(fault) = unpack_object(line, row, wanted) {
        row.fail(JSON_ERROR, fault);
    }
}

fn unpack_object(line: &str, row: &mut Row, wanted: &Wanted) -> std::result::Result<(), Fault> {
    // All of it must be fine before any of it counts.
    let mut probe = Scanner::new(line);
    probe.open_object()?;
    let mut is_first = true;
    let (mut key_buffer, mut buffer) = (String::new(), String::new());
    let mut entry = None;
    while let Some(key) = probe.key(is_first)? {
        is_first = false;
        match probe.value()? {
            Value::String(text) if key.text(&mut key_buffer) == ENTRY => entry = Some(text),
            Value::Object | Value::Array => _ = probe.skip()?,
            _ => {}
        }
    }
    let mut scanner = Scanner::new(line);
    scanner.open_object()?;
    let mut is_first = true;
    while let Some(key) = scanner.key(is_first)? {
        is_first = false;
        match scanner.value()? {
            Value::String(text) => {
                let key = key.text(&mut key_buffer);
                if key != ENTRY {
                    let mut name = std::mem::take(&mut row.key);
                    name.clear();
                    sanitize(key, &mut name);
                    row.offer(wanted, Origin::Parsed, &name, text.text(&mut buffer));
                    row.key = name;
                }
            }
            Value::Object | Value::Array => _ = scanner.skip()?,
            _ => {}
        }
    }
    if let Some(entry) = entry {
        let mut new = std::mem::take(&mut row.spare);
        new.clear();
        new.push_str(entry.text(&mut buffer));
        row.spare = std::mem::replace(&mut row.line, new);
        row.is_line_new = true;
    }
    Ok(())
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// `label="a.b[0][\"c d\"]"`, ready to run.
pub struct Path {
    label: String,
    steps: Vec<Step>,
}

impl Path {
    /// Prepares an extraction.
    pub fn new(extraction: &Extraction) -> Result<Self> {
        let text = &extraction.path.value;
        let steps = steps(text).ok_or_else(|| {
            let message = format!("'{text}' is no path as a.b[0][\"c d\"]");
            Error::meaning(extraction.path.at.0, message)
        })?;
        Ok(Self { label: extraction.label.clone(), steps })
    }
}

fn steps(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("[\"") {
            let end = inner.find("\"]")?;
            steps.push(Step::Key(inner[..end].to_owned()));
            rest = &inner[end + 2..];
        } else if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']')?;
            steps.push(Step::Index(inner[..end].parse().ok()?));
            rest = &inner[end + 1..];
        } else {
            rest = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    (!steps.is_empty()).then_some(steps)
}

/// Makes the labels that the paths lead to; objects and arrays become their text.
pub fn extract(line: &str, row: &mut Row, wanted: &Wanted, paths: &[Path]) {
    let mut buffer = String::new();
    for path in paths {
        if !wanted.wants(&path.label) {
            continue;
        }
        match follow(line, &path.steps, &mut buffer) {
            Ok(Some(value)) => row.offer(wanted, Origin::Parsed, &path.label, value),
            Ok(None) => {}
            Err(fault) => return row.fail(JSON_ERROR, fault),
        }
    }
}

fn follow<'b, 'l: 'b>(
    line: &'l str,
    steps: &[Step],
    buffer: &'b mut String,
) -> std::result::Result<Option<&'b str>, Fault> {
    let mut scanner = Scanner::new(line);
    let mut key_buffer = String::new();
    for step in steps {
        let is_there = match (step, scanner.value()?) {
            (Step::Key(wanted), Value::Object) => {
                scanner.open_object()?;
                let mut is_first = true;
                loop {
                    let Some(key) = scanner.key(is_first)? else { break false };
                    is_first = false;
                    if key.text(&mut key_buffer) == wanted {
                        break true;
                    }
                    pass(&mut scanner)?;
                }
            }
            (Step::Index(wanted), Value::Array) => {
                scanner.open_array()?;
                let mut nth = 0;
                loop {
                    if !scanner.element(nth == 0)? {
                        break false;
                    }
                    if nth == *wanted {
                        break true;
                    }
                    nth += 1;
                    pass(&mut scanner)?;
                }
            }
            _ => false,
        };
        if !is_there {
            return Ok(None);
        }
    }
    match scanner.value()? {
        Value::String(text) => Ok(Some(text.text(buffer))),
        Value::Plain(text) => Ok(Some(text)),
        Value::Null => Ok(None),
        Value::Object | Value::Array => scanner.skip().map(Some),
    }
}

fn pass(scanner: &mut Scanner<'_>) -> std::result::Result<(), Fault> {
    if let Value::Object | Value::Array = scanner.value()? {
        scanner.skip()?;
    }
    Ok(())
}
