//! Which fields lines have: in structured metadata, and in lines that are JSON or logfmt. Looked for in
//! the newest lines of a query.

use std::collections::{BTreeMap, HashSet};

use super::super::ast::{LogExpr, Spot, Stage};
use super::super::labels::{Entry, Labels};
use super::super::lex::units;
use super::super::pipeline::{Origin, Pipeline, Row};
use super::{LinesRequest, names};
use crate::{Engine, QueryContext, QueryStatsSnapshot, Result};

/// Distinct values that are kept of one field.
const VALUES_MAX: usize = 1000;
/// The longest text that counts as a number.
const NUMBER_LEN_MAX: usize = 24;
/// Fields at most.
const FIELDS_MAX: usize = 1000;

/// The fields that lines have.
#[derive(Clone, Debug, Default)]
pub struct DetectedFields {
    /// The fields, by name.
    pub fields: Vec<DetectedField>,
    /// What the question did.
    pub stats: QueryStatsSnapshot,
}

/// A field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetectedField {
    /// Its name as a label.
    pub name: String,
    /// What its values are.
    pub kind: FieldKind,
    /// Different values, in the order of their first line.
    pub values: Vec<String>,
    /// The stages that make it: `json`, `logfmt`; none for structured metadata.
    pub parsers: Vec<&'static str>,
}

/// What the values of a field are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text.
    #[default]
    String,
    /// Whole numbers.
    Int,
    /// Numbers.
    Float,
    /// `true` and `false`.
    Boolean,
    /// Durations.
    Duration,
    /// Amounts of bytes.
    Bytes,
}

impl FieldKind {
    /// Loki's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::Bytes => "bytes",
        }
    }

    fn of(value: &str) -> Self {
        // Ids of digits alone are no numbers.
        let is_short = value.len() <= NUMBER_LEN_MAX;
        if is_short && value.parse::<i64>().is_ok() {
            Self::Int
        } else if is_short && value.parse::<f64>().is_ok() {
            Self::Float
        } else if matches!(value, "true" | "false") {
            Self::Boolean
        } else if units::duration(value).is_some() {
            Self::Duration
        } else if units::bytes(value).is_some() {
            Self::Bytes
        } else {
            Self::String
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Self::Float,
            _ => Self::String,
        }
    }
}

impl Engine {
    /// The fields of the first lines that a query keeps.
    pub async fn logql_fields(
        &self,
        request: &LinesRequest,
        ctx: &QueryContext,
    ) -> Result<DetectedFields> {
        let answer = self.logql_lines(request, ctx).await?;
        let now_ns = self.clock().now_ns();
        let find = move || {
            let mut found = Found::new(now_ns)?;
            for line in &answer.lines {
                let stored = line.structured.iter().chain(&line.parsed);
                for (name, value) in stored {
                    found.add(name, value, None);
                }
                found.add_line(line.time_ns, &line.line);
            }
            Ok(DetectedFields { fields: found.fields(), stats: answer.stats })
        };
        super::blocking(self.tracker(), find).await
    }
}

struct Found {
    fields: BTreeMap<String, Field>,
    json: Pipeline,
    logfmt: Pipeline,
    row: Row,
}

#[derive(Default)]
struct Field {
    kind: Option<FieldKind>,
    known: HashSet<String>,
    values: Vec<String>,
    parsers: Vec<&'static str>,
}

impl Found {
    fn new(now_ns: i64) -> Result<Self> {
        let only = |stage| LogExpr { matchers: Vec::new(), stages: vec![stage], at: Spot(0) };
        let logfmt = Stage::Logfmt { strict: false, keep_empty: false, extractions: Vec::new() };
        Ok(Self {
            fields: BTreeMap::new(),
            json: Pipeline::new(&only(Stage::Json(Vec::new())), now_ns)?,
            logfmt: Pipeline::new(&only(logfmt), now_ns)?,
            row: Row::default(),
        })
    }

    fn add_line(&mut self, time_ns: i64, line: &str) {
        let stream = Labels::default();
        let entry = Entry { time_ns, line, stream: &stream, structured: &[] };
        let (parser, pipeline) = match line.trim_start().starts_with('{') {
            true => ("json", &self.json),
            false if line.contains('=') => ("logfmt", &self.logfmt),
            false => return,
        };
        let Some(kept) = pipeline.run(&entry, &mut self.row) else { return };
        if kept.row.error().is_some() {
            return;
        }
        let labels = kept.row.labels(Origin::Parsed);
        let labels: Vec<_> =
            labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for (name, value) in labels {
            self.add(&name, &value, Some(parser));
        }
    }

    fn add(&mut self, name: &str, value: &str, parser: Option<&'static str>) {
        if name.starts_with("__error") || (name == names::SERVICE && parser.is_none()) {
            return;
        }
        if self.fields.len() >= FIELDS_MAX && !self.fields.contains_key(name) {
            return;
        }
        let field = self.fields.entry(name.to_owned()).or_default();
        let kind = FieldKind::of(value);
        field.kind = Some(field.kind.map_or(kind, |own| own.or(kind)));
        if let Some(parser) = parser.filter(|parser| !field.parsers.contains(parser)) {
            field.parsers.push(parser);
        }
        if field.values.len() < VALUES_MAX && field.known.insert(value.to_owned()) {
            field.values.push(value.to_owned());
        }
    }

    fn fields(self) -> Vec<DetectedField> {
        let field = |(name, field): (String, Field)| DetectedField {
            name,
            kind: field.kind.unwrap_or_default(),
            values: field.values,
            parsers: field.parsers,
        };
        self.fields.into_iter().map(field).collect()
    }
}
