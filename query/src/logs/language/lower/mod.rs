//! A query as SQL over the table `logs`: one SELECT, or a chain of them.
//!
//! - here: what goes in and comes out, and the walk over the pipes
//! - [`scope`]: what a name means where; [`select`]: the SELECT that is being made
//! - [`filter`], [`condition`]: conditions, each true or false and never null where it is negated
//! - [`rows`]: pipes that keep, make and leave out fields; [`stats`]: those that group;
//!   [`records`]: those that need whole records; [`math`]: expressions
//!
//! Conditions of the filter bar become conjuncts of one WHERE, so that the engine recognises and pushes
//! them down. A pipe changes the SELECT before it where that means the same, and else reads from it.

mod condition;
mod filter;
mod level;
mod math;
mod records;
mod rows;
mod scope;
mod select;
mod stats;
mod text;

use super::ast::{FieldName, PipeKind, Place, Query, SortKey};
use super::error::Result;
use super::grammar::ValueKind;
use super::units::timestamp;
use scope::Scope;
use select::Select;

/// What the query's surroundings give.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Records from this time on, nanoseconds since the epoch.
    pub start_ns: i64,
    /// Records before this time.
    pub end_ns: i64,
    /// What `now` is.
    pub now_ns: i64,
    /// Rows at most, of answers that are no groups.
    pub limit: u64,
    /// Whether the newest records come first, where the query does not sort.
    pub newest_first: bool,
}

/// A query in SQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Lowered {
    /// The statement.
    pub sql: String,
    /// What its rows are.
    pub kind: Answer,
    /// Its columns; of [`Answer::Records`] those beside the columns of `logs`.
    pub columns: Vec<Column>,
}

/// What the rows of an answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Whole records.
    Records,
    /// Rows of the columns alone.
    Table,
    /// The same, one of them a column `time` of steps.
    Series,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: ColumnKind,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text.
    Text,
    /// Numbers.
    Number,
    /// Times.
    Time,
    /// Ids.
    Id,
    /// Lists of texts.
    List,
}

impl From<ValueKind> for ColumnKind {
    fn from(kind: ValueKind) -> Self {
        match kind {
            ValueKind::Text | ValueKind::Body | ValueKind::Level => Self::Text,
            ValueKind::Number => Self::Number,
            ValueKind::Time => Self::Time,
            ValueKind::Id(_) => Self::Id,
            ValueKind::List => Self::List,
        }
    }
}

/// The SQL that a query means.
pub fn lower(query: &Query, bounds: &Bounds) -> Result<Lowered> {
    let mut lowering = Lowering::new(bounds);
    lowering.start(query)?;
    for pipe in &query.pipes {
        lowering.pipe(&pipe.kind, pipe.place)?;
    }
    lowering.finish()
}

/// A query half lowered.
struct Lowering<'b> {
    bounds: &'b Bounds,
    /// SELECTs that are done, with their names.
    steps: Vec<(String, String)>,
    /// The SELECT that is being made.
    select: Select,
    /// What names mean to what it reads from.
    scope: Scope,
    /// What names mean behind it, where that differs.
    behind: Option<Scope>,
    /// The order of rows.
    order: Vec<SortKey>,
    /// The step of time in which rows are grouped.
    step_ns: Option<i64>,
    /// Whether rows are still those of records, not groups.
    is_rows: bool,
}

impl<'b> Lowering<'b> {
    fn new(bounds: &'b Bounds) -> Self {
        Self {
            bounds,
            steps: Vec::new(),
            select: Select::from("logs"),
            scope: Scope::records(),
            behind: None,
            order: vec![by_time(bounds.newest_first)],
            step_ns: None,
            is_rows: true,
        }
    }

    fn start(&mut self, query: &Query) -> Result<()> {
        let (start_ns, end_ns) = match query.pipes.iter().find_map(records::windows) {
            Some((diff, place)) => records::hull(&records::spans(diff, place, self.bounds)?),
            None => (self.bounds.start_ns, self.bounds.end_ns),
        };
        self.select.range = vec![
            format!("\"time\" >= {}", timestamp(start_ns)),
            format!("\"time\" < {}", timestamp(end_ns)),
        ];
        self.keep(&query.filter)
    }

    fn pipe(&mut self, kind: &PipeKind, place: Place) -> Result<()> {
        match kind {
            PipeKind::Where(filter) => {
                self.flat()?;
                self.keep(filter)
            }
            PipeKind::Fields(fields) => self.fields(fields),
            PipeKind::Delete(fields) => self.delete(fields),
            PipeKind::Rename(pairs) => self.rename(pairs),
            PipeKind::Copy(pairs) => self.copy(pairs),
            PipeKind::Stats(stats) => self.stats(stats, place),
            PipeKind::Sort(sort) => self.sort(sort),
            PipeKind::Top { count, fields, rare } => self.top(*count, fields, *rare),
            PipeKind::Uniq { fields, hits, limit } => self.uniq(fields, *hits, *limit),
            PipeKind::Dedup(fields) => self.dedup(fields),
            PipeKind::Limit(rows) => {
                self.select.limit_to(*rows);
                Ok(())
            }
            PipeKind::Offset(rows) => {
                self.select.skip(*rows);
                Ok(())
            }
            PipeKind::Extract(extract) => self.extract(extract),
            PipeKind::Unpack(unpack) => self.unpack(unpack),
            PipeKind::Math(assignments) => self.math(assignments),
            PipeKind::Format { template, to } => self.format(template, to, place),
            PipeKind::Replace(replace) => self.replace(replace),
            PipeKind::Context { before, after } => self.context(*before, *after, place),
            PipeKind::Patterns(count) => self.patterns(*count, place),
            PipeKind::Diff(diff) => self.diff(diff, place),
            PipeKind::Trace => self.trace(place),
            PipeKind::Hits { step_ns, by } => self.hits(*step_ns, by, place),
        }
    }

    /// Makes the rest of the query read from the SELECT so far.
    fn close(&mut self) -> Result<()> {
        let order = match self.select.is_limited() {
            true => self.order_sql()?,
            false => Vec::new(),
        };
        let name = format!("step{}", self.steps.len() + 1);
        let done = std::mem::replace(&mut self.select, Select::from(&name));
        self.steps.push((name, done.render(&order)));
        if let Some(behind) = self.behind.take() {
            self.scope = behind;
        }
        // An order that names what is gone has no meaning any more.
        let keys = std::mem::take(&mut self.order);
        self.order =
            keys.into_iter().take_while(|k| self.scope.resolve(&k.field).is_ok()).collect();
        Ok(())
    }

    /// The same where the SELECT is more than conditions.
    fn flat(&mut self) -> Result<()> {
        let is_flat = self.behind.is_none() && !self.select.is_limited();
        if is_flat { Ok(()) } else { self.close() }
    }

    // What the order is in the SELECT so far: by a column that it makes, or by what it reads.
    fn order_sql(&self) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        for key in &self.order {
            let made = self.behind.as_ref().and_then(|behind| behind.made(&key.field.text));
            let value = match made {
                Some(value) => value,
                None => self.scope.resolve(&key.field)?,
            };
            let direction = if key.descending { "DESC" } else { "ASC" };
            let nulls = if value.nullable { " NULLS LAST" } else { "" };
            if value.may_be_number() && self.select.groups.is_none() {
                keys.push(format!("{} {direction} NULLS LAST", value.number()));
            }
            let is_level = value.kind == ValueKind::Level && value.is_fixed;
            let sql = if is_level { "severity_number" } else { &value.sql };
            keys.push(format!("{sql} {direction}{nulls}"));
        }
        Ok(keys)
    }

    fn finish(mut self) -> Result<Lowered> {
        self.show_unpacked()?;
        if self.is_rows {
            self.select.limit_to(self.bounds.limit);
        }
        let order = self.order_sql()?;
        let scope = self.behind.take().unwrap_or(self.scope);
        let has_time = scope.made("time").is_some_and(|time| time.kind == ValueKind::Time);
        let kind = match (scope.is_records, self.step_ns) {
            (true, _) => Answer::Records,
            (false, Some(_)) if has_time => Answer::Series,
            _ => Answer::Table,
        };
        let sql = select::chain(&self.steps, &self.select.render(&order));
        Ok(Lowered { sql, kind, columns: scope.columns() })
    }
}

/// The order of records by time.
fn by_time(descending: bool) -> SortKey {
    let field = FieldName { text: "time".to_owned(), place: Place::default() };
    SortKey { field, descending }
}
