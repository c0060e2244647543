//! Pipes that group: `stats`, `top`, `rare`, `uniq`, `hits`.

use super::super::ast::{Aggregate, FieldName, Function, Group, Place, SortKey, Stats};
use super::super::error::{Error, Result};
use super::super::grammar::ValueKind;
use super::super::units::{SECOND_NS, interval};
use super::Lowering;
use super::filter::{Rank, Sql};
use super::scope::{Scope, Value};
use super::select::Projection;
use super::text::float;

/// The column that counts rows.
pub(super) const HITS: &str = "hits";
/// Steps of a range at most, where the query does not say how long they are.
const STEPS_WANTED: i64 = 60;
/// Steps to choose from, in seconds.
const STEPS: &[i64] = &[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    604_800, 2_592_000,
];

impl Lowering<'_> {
    pub(super) fn stats(&mut self, stats: &Stats, place: Place) -> Result<()> {
        self.flat()?;
        let mut made = Made::default();
        let mut step_ns = None;
        for group in &stats.by {
            let (name, value) = self.group(group, &mut step_ns, place)?;
            made.push(name.text, value, name.place)?;
        }
        let groups = made.columns.len();
        for aggregate in &stats.functions {
            let name = match &aggregate.name {
                Some(name) => name.text.clone(),
                None => aggregate.call(),
            };
            made.push(name, self.aggregate(aggregate, step_ns)?, aggregate.place)?;
        }
        let order = made.columns.iter().take(groups).map(|(_, name)| key(name, false)).collect();
        self.grouped(made, groups, order);
        self.step_ns = step_ns;
        Ok(())
    }

    /// Groups rows by the first columns.
    pub(super) fn grouped(&mut self, made: Made, groups: usize, order: Vec<SortKey>) {
        self.select.projection = Projection::List(made.columns);
        self.select.groups = Some(groups);
        self.behind = Some(made.scope);
        self.order = order;
        self.is_rows = false;
        self.step_ns = None;
    }

    fn group(
        &self,
        group: &Group,
        step_ns: &mut Option<i64>,
        place: Place,
    ) -> Result<(FieldName, Value)> {
        match group {
            Group::Field(field) => {
                let value = self.scope.resolve(field)?;
                if value.kind == ValueKind::List {
                    let message =
                        format!("'{}' is a list, by which nothing is grouped", field.text);
                    return Err(Error::new(field.place, message));
                }
                Ok((field.clone(), value))
            }
            Group::Time(step) => {
                let step = step.unwrap_or_else(|| self.fitting_step());
                *step_ns = Some(step);
                let name = FieldName { text: "time".to_owned(), place };
                Ok((name.clone(), self.steps_of_time(&name, step)?))
            }
            Group::Bucket { field, size } => {
                let value = self.scope.resolve(field)?;
                if !matches!(value.kind, ValueKind::Text | ValueKind::Body | ValueKind::Number) {
                    let message = format!("'{}' is no number", field.text);
                    return Err(Error::new(field.place, message));
                }
                let size = float(*size);
                let sql = format!("floor({} / {size}) * {size}", value.number());
                Ok((field.clone(), Value::made(sql, ValueKind::Number)))
            }
        }
    }

    fn steps_of_time(&self, name: &FieldName, step_ns: i64) -> Result<Value> {
        let time = self.scope.resolve(name)?;
        if time.kind != ValueKind::Time {
            return Err(Error::new(name.place, "'time' is no time any more"));
        }
        let sql = format!("date_bin({}, {})", interval(step_ns), time.sql);
        Ok(Value { sql, ..time })
    }

    // The shortest step that has no more than so many in the range.
    fn fitting_step(&self) -> i64 {
        let range = self.bounds.end_ns.saturating_sub(self.bounds.start_ns).max(1);
        let wanted = range / STEPS_WANTED + i64::from(range % STEPS_WANTED != 0);
        let steps = STEPS.iter().map(|seconds| seconds * SECOND_NS);
        let mut longest = SECOND_NS;
        for step in steps {
            longest = step;
            if step >= wanted {
                break;
            }
        }
        longest
    }

    fn aggregate(&self, aggregate: &Aggregate, step_ns: Option<i64>) -> Result<Value> {
        let mut conditions = Vec::new();
        if let Some(condition) = &aggregate.condition {
            conditions.push(self.filter(condition)?);
        }
        if let (Function::Values, Some(field)) = (aggregate.function, &aggregate.field) {
            // A list holds what there is.
            let present = format!("{} IS NOT NULL", self.scope.resolve(field)?.sql);
            conditions.push(Sql::new(present, Rank::Test));
        }
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" FILTER (WHERE {})", Sql::all(conditions).inside(Rank::Or)),
        };
        let (call, kind) = match &aggregate.field {
            None => ("count(*)".to_owned(), ValueKind::Number),
            Some(field) => self.aggregate_of(aggregate.function, field)?,
        };
        let call = format!("{call}{filter}");
        let sql = match aggregate.function {
            Function::Rate | Function::RateSum => {
                let range = self.bounds.end_ns.saturating_sub(self.bounds.start_ns).max(1);
                let seconds = step_ns.unwrap_or(range) as f64 / SECOND_NS as f64;
                format!("{call} / {}", float(seconds))
            }
            _ => call,
        };
        let counts =
            matches!(aggregate.function, Function::Count | Function::CountUniq | Function::Rate);
        Ok(Value { nullable: !counts, ..Value::made(sql, kind) })
    }

    fn aggregate_of(&self, function: Function, field: &FieldName) -> Result<(String, ValueKind)> {
        let value = self.scope.resolve(field)?;
        let numeric = || match value.kind {
            ValueKind::Number | ValueKind::Text | ValueKind::Body => Ok(value.number()),
            _ => Err(Error::new(field.place, format!("'{}' is no number", field.text))),
        };
        let sql = match function {
            Function::Count | Function::Rate => format!("count({})", value.present()),
            Function::CountUniq => format!("count(DISTINCT {})", value.present()),
            Function::Sum | Function::RateSum => format!("sum({})", numeric()?),
            Function::Avg => format!("avg({})", numeric()?),
            Function::StdDev => format!("stddev({})", numeric()?),
            Function::Median => format!("median({})", numeric()?),
            Function::Quantile(quantile) => {
                let quantile = float(quantile);
                format!("percentile_cont({quantile}) WITHIN GROUP (ORDER BY {})", numeric()?)
            }
            Function::Min | Function::Max => {
                let name = if function == Function::Min { "min" } else { "max" };
                if value.kind == ValueKind::Time {
                    return Ok((format!("{name}({})", value.sql), ValueKind::Time));
                }
                format!("{name}({})", numeric()?)
            }
            Function::Values => {
                return Ok((format!("array_agg(DISTINCT {})", value.text()), ValueKind::List));
            }
            Function::First | Function::Last => {
                let name = if function == Function::First { "first_value" } else { "last_value" };
                let time = FieldName { text: "time".to_owned(), place: field.place };
                let time = self.scope.resolve(&time)?;
                return Ok((format!("{name}({} ORDER BY {})", value.sql, time.sql), value.kind));
            }
        };
        Ok((sql, ValueKind::Number))
    }

    pub(super) fn top(&mut self, count: u64, fields: &[FieldName], rare: bool) -> Result<()> {
        self.counted(fields, true)?;
        self.order.insert(0, key(HITS, !rare));
        self.select.limit_to(count);
        Ok(())
    }

    pub(super) fn uniq(
        &mut self,
        fields: &[FieldName],
        hits: bool,
        limit: Option<u64>,
    ) -> Result<()> {
        self.counted(fields, hits)?;
        if let Some(limit) = limit {
            self.select.limit_to(limit);
        }
        Ok(())
    }

    // The distinct values of fields, perhaps with their counts.
    fn counted(&mut self, fields: &[FieldName], hits: bool) -> Result<()> {
        self.flat()?;
        let mut made = Made::default();
        for field in fields {
            let (_, value) = self.group(&Group::Field(field.clone()), &mut None, field.place)?;
            made.push(field.text.clone(), value, field.place)?;
        }
        let order = fields.iter().map(|field| key(&field.text, false)).collect();
        if hits {
            let place = fields.first().map(|field| field.place).unwrap_or_default();
            made.push(HITS.to_owned(), count(), place)?;
        }
        self.grouped(made, fields.len(), order);
        Ok(())
    }

    pub(super) fn hits(
        &mut self,
        step_ns: Option<i64>,
        by: &[FieldName],
        place: Place,
    ) -> Result<()> {
        let mut groups = vec![Group::Time(step_ns)];
        groups.extend(by.iter().cloned().map(Group::Field));
        let name = Some(FieldName { text: HITS.to_owned(), place });
        let (field, condition) = (None, None);
        let hits = Aggregate { function: Function::Count, field, condition, name, place };
        self.stats(&Stats { by: groups, functions: vec![hits] }, place)
    }
}

/// The columns of a SELECT that groups, and what their names mean behind it.
pub(super) struct Made {
    /// SQL and name.
    pub columns: Vec<(String, String)>,
    scope: Scope,
}

impl Default for Made {
    fn default() -> Self {
        Self { columns: Vec::new(), scope: Scope::empty() }
    }
}

impl Made {
    /// Adds a column.
    pub fn push(&mut self, name: String, value: Value, place: Place) -> Result<()> {
        if self.scope.has_column(&name) {
            let message = format!("two columns are named '{name}': give one a name with 'as'");
            return Err(Error::new(place, message));
        }
        self.columns.push((value.sql.clone(), name.clone()));
        self.scope.add(&name, value);
        Ok(())
    }
}

/// The count of rows.
pub(super) fn count() -> Value {
    Value { nullable: false, ..Value::made("count(*)".to_owned(), ValueKind::Number) }
}

/// A key of an order.
pub(super) fn key(name: &str, descending: bool) -> SortKey {
    let field = FieldName { text: name.to_owned(), place: Place::default() };
    SortKey { field, descending }
}
