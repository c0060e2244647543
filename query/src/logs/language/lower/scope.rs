//! What the name of a field means at a place of the pipeline.

use super::super::ast::{FieldName, UnpackFormat};
use super::super::error::{Error, Result};
use super::super::grammar::{
    FIXED, Field, Fixed, Owner, PROSE_ATTRIBUTES, ValueKind, did_you_mean,
};
use super::text::{ident, string};
use super::{Column, ColumnKind};

/// The columns of `logs` by which whole records are read.
const RECORD_COLUMNS: &[&str] = &[
    "time",
    "observed_time",
    "severity_number",
    "severity_text",
    "body",
    "event_name",
    "trace_id",
    "span_id",
    "flags",
    "service_name",
    "scope_name",
    "scope_version",
    "attributes",
    "resource_attributes",
    "scope_attributes",
    "dropped_attributes_count",
    "template",
    "template_id",
];

/// A field in SQL.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    /// Its SQL: an operand, which needs no parentheses.
    pub sql: String,
    /// What it is.
    pub kind: ValueKind,
    /// Whether rows may lack it.
    pub nullable: bool,
    /// Whether it is a column of `logs` or computed of some.
    pub is_fixed: bool,
}

impl Value {
    /// A value that pipes made.
    pub fn made(sql: String, kind: ValueKind) -> Self {
        Self { sql, kind, nullable: true, is_fixed: false }
    }

    /// Whether it is text that may hold a number.
    pub fn may_be_number(&self) -> bool {
        self.kind == ValueKind::Text && !self.is_fixed
    }

    /// The number that it is or holds.
    pub fn number(&self) -> String {
        match self.kind {
            ValueKind::Number => self.sql.clone(),
            _ => format!("as_number({})", self.sql),
        }
    }

    /// Its text.
    pub fn text(&self) -> String {
        match self.kind {
            ValueKind::Text | ValueKind::Body | ValueKind::Level => self.sql.clone(),
            ValueKind::Id(_) => format!("id_text({})", self.sql),
            ValueKind::Number | ValueKind::Time | ValueKind::List => {
                format!("CAST({} AS VARCHAR)", self.sql)
            }
        }
    }

    /// Itself, or null where a required text is empty.
    pub fn present(&self) -> String {
        let may_be_empty = self.is_fixed && !self.nullable && self.kind == ValueKind::Text;
        if may_be_empty { format!("nullif({}, '')", self.sql) } else { self.sql.clone() }
    }
}

/// A text whose fields later pipes may name.
#[derive(Clone, Debug)]
pub(super) struct Unpacked {
    /// How it is written.
    pub format: UnpackFormat,
    /// The text.
    pub from: FieldName,
}

/// What names mean.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// Whether names that no pipe made are fields of records.
    pub is_records: bool,
    /// What pipes made: columns, by name.
    made: Vec<(String, Value)>,
    /// Fields that pipes left out.
    dropped: Vec<Field>,
    /// Texts that are unpacked on demand.
    pub unpacked: Vec<Unpacked>,
}

impl Scope {
    /// Whole records.
    pub fn records() -> Self {
        let (made, dropped, unpacked) = (Vec::new(), Vec::new(), Vec::new());
        Self { is_records: true, made, dropped, unpacked }
    }

    /// Nothing yet, and no records.
    pub fn empty() -> Self {
        Self { is_records: false, ..Self::records() }
    }

    /// Adds or replaces a column; `like` says what it is.
    pub fn add(&mut self, name: &str, like: Value) {
        let field = Field::of(name);
        self.made.retain(|(known, _)| known != name);
        self.dropped.retain(|dropped| *dropped != field);
        let is_body = field == Field::Fixed(Fixed::Body) && like.kind == ValueKind::Text;
        let kind = if is_body { ValueKind::Body } else { like.kind };
        // A level that is a column is text, and no more made of two columns.
        let is_fixed = like.is_fixed && like.kind != ValueKind::Level;
        self.made.push((name.to_owned(), Value { sql: ident(name), kind, is_fixed, ..like }));
    }

    /// Leaves out a field, and says which column that pipes made it was.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let field = Field::of(name);
        self.dropped.push(field.clone());
        let at = self.position(name, &field)?;
        Some(self.made.remove(at).0)
    }

    /// The columns that pipes made.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.made.iter().map(|(name, _)| name.as_str())
    }

    /// Whether what is read has a column of this name.
    pub fn has_column(&self, name: &str) -> bool {
        self.names().any(|made| made == name) || (self.is_records && RECORD_COLUMNS.contains(&name))
    }

    /// What pipes made of this name, or of another name of the same field.
    pub fn made(&self, name: &str) -> Option<Value> {
        let at = self.position(name, &Field::of(name))?;
        self.made.get(at).map(|(_, value)| value.clone())
    }

    fn position(&self, name: &str, field: &Field) -> Option<usize> {
        let by_name = self.made.iter().position(|(made, _)| made == name);
        by_name.or_else(|| self.made.iter().position(|(made, _)| Field::of(made) == *field))
    }

    /// What a name means.
    pub fn resolve(&self, name: &FieldName) -> Result<Value> {
        self.resolve_among(name, &self.unpacked)
    }

    // A text that is unpacked may itself come out of one that was unpacked before it.
    fn resolve_among(&self, name: &FieldName, unpacked: &[Unpacked]) -> Result<Value> {
        if let Some(value) = self.made(&name.text) {
            return Ok(value);
        }
        let field = Field::of(&name.text);
        if self.is_dropped(&field) {
            let message = format!("the field '{}' was left out by a pipe before", name.text);
            return Err(Error::new(name.place, message));
        }
        if let Field::Attribute(Owner::Any, key) = &field
            && let Some(value) = self.unpacked_value(key, unpacked)?
        {
            return Ok(value);
        }
        if self.is_records {
            return Ok(self.of_record(&field));
        }
        let names = || self.made.iter().map(|(name, _)| name.as_str());
        let hint = did_you_mean(&name.text, names())
            .unwrap_or_else(|| format!("there are {}", names().collect::<Vec<_>>().join(", ")));
        let message = format!("no field '{}' is left by the pipes before: {hint}", name.text);
        Err(Error::new(name.place, message))
    }

    // The level is made of two columns.
    fn is_dropped(&self, field: &Field) -> bool {
        let parts = [Fixed::SeverityNumber, Fixed::SeverityText].map(Field::Fixed);
        let is_level = *field == Field::Fixed(Fixed::Level);
        self.dropped.contains(field)
            || (is_level && parts.iter().any(|part| self.dropped.contains(part)))
    }

    /// The text that is unpacked by this number, for which those before it count.
    pub fn unpacked_text(&self, number: usize) -> Result<Option<(UnpackFormat, Value)>> {
        let Some(Unpacked { format, from }) = self.unpacked.get(number) else { return Ok(None) };
        let before = self.unpacked.get(..number).unwrap_or_default();
        Ok(Some((*format, self.resolve_among(from, before)?)))
    }

    // The field of a text that is unpacked, and where that has none, the attribute.
    fn unpacked_value(&self, key: &str, unpacked: &[Unpacked]) -> Result<Option<Value>> {
        let mut values = Vec::new();
        for number in (0..unpacked.len()).rev() {
            if let Some((format, text)) = self.unpacked_text(number)? {
                values.push(field_of(format, &text.text(), key));
            }
        }
        if values.is_empty() {
            return Ok(None);
        }
        if self.is_records {
            values.extend(attribute_parts(&Owner::Any, key));
        }
        let sql = match values.as_slice() {
            [only] => only.clone(),
            values => format!("coalesce({})", values.join(", ")),
        };
        Ok(Some(Value::made(sql, ValueKind::Text)))
    }

    fn of_record(&self, field: &Field) -> Value {
        match field {
            Field::Fixed(fixed) => {
                let known = FIXED.iter().find(|known| known.field == *fixed);
                let (sql, kind, nullable) = known
                    .map(|known| (known.sql, known.kind, known.nullable))
                    .unwrap_or(("body", ValueKind::Body, true));
                Value { sql: sql.to_owned(), kind, nullable, is_fixed: true }
            }
            Field::Attribute(owner, key) => {
                let parts = attribute_parts(owner, key);
                let sql = match parts.as_slice() {
                    [only] => only.clone(),
                    parts => format!("coalesce({})", parts.join(", ")),
                };
                let is_prose = PROSE_ATTRIBUTES.contains(&key.as_str());
                Value::made(sql, if is_prose { ValueKind::Body } else { ValueKind::Text })
            }
        }
    }

    /// The columns that pipes made, with what they are.
    pub fn columns(&self) -> Vec<Column> {
        let column = |(name, value): &(String, Value)| Column {
            name: name.clone(),
            kind: ColumnKind::from(value.kind),
        };
        self.made.iter().map(column).collect()
    }
}

fn attribute_parts(owner: &Owner, key: &str) -> Vec<String> {
    let columns: &[&str] = match owner {
        Owner::Any => &["attributes", "resource_attributes"],
        Owner::Record => &["attributes"],
        Owner::Resource => &["resource_attributes"],
        Owner::Scope => &["scope_attributes"],
    };
    columns.iter().map(|column| format!("{column}[{}]", string(key))).collect()
}

/// A field of a structured text.
pub(super) fn field_of(format: UnpackFormat, text: &str, key: &str) -> String {
    let function = match format {
        UnpackFormat::Json => "json_field",
        UnpackFormat::Logfmt => "logfmt_field",
    };
    format!("{function}({text}, {})", string(key))
}
