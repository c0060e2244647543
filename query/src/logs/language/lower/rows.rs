//! Pipes that keep, leave out, name, make and order fields and rows.

use super::super::ast::{
    Assignment, Extract, FieldName, Place, Replace, Sort, Unpack, UnpackFormat,
};
use super::super::error::{Error, Result};
use super::super::grammar::{FIXED, Field, Fixed, Owner, ValueKind};
use super::super::kernels::pattern::{Pattern, Piece, Template};
use super::Lowering;
use super::math;
use super::scope::{Scope, Unpacked, Value, field_of};
use super::select::Projection;
use super::text::{ident, string};

/// The column of `dedup` that numbers the rows of a value.
const ROW_NUMBER: &str = "row_of_value";
/// The column that shows what was unpacked without being named.
const UNPACKED: &str = "unpacked";

/// What takes the place of all columns when some fields are gone.
struct Without {
    except: Vec<String>,
    /// SQL and name.
    added: Vec<(String, String)>,
    behind: Scope,
}

impl Lowering<'_> {
    pub(super) fn fields(&mut self, fields: &[FieldName]) -> Result<()> {
        self.ungrouped()?;
        let mut columns = Vec::new();
        let mut behind = Scope::empty();
        for field in fields {
            let value = self.scope.resolve(field)?;
            if behind.has_column(&field.text) {
                let message = format!("the field '{}' is named twice", field.text);
                return Err(Error::new(field.place, message));
            }
            columns.push((value.sql.clone(), field.text.clone()));
            behind.add(&field.text, value);
        }
        self.select.projection = Projection::List(columns);
        self.behind = Some(behind);
        Ok(())
    }

    // Reads from the SELECT so far, if that makes columns.
    fn ungrouped(&mut self) -> Result<()> {
        if self.behind.is_some() { self.close() } else { Ok(()) }
    }

    pub(super) fn delete(&mut self, fields: &[FieldName]) -> Result<()> {
        self.ungrouped()?;
        let Without { except, added, behind } = self.without(fields)?;
        if !self.scope.is_records && behind.names().next().is_none() {
            let place = fields.last().map(|field| field.place).unwrap_or_default();
            return Err(Error::new(place, "no field is left"));
        }
        self.project(except, added);
        self.behind = Some(behind);
        Ok(())
    }

    // Leaves columns out of all and adds others, beside what the SELECT leaves out already.
    fn project(&mut self, mut except: Vec<String>, added: Vec<(String, String)>) {
        if let Projection::All { except: known, .. } = &self.select.projection {
            except.extend(known.iter().cloned());
        }
        except.sort();
        except.dedup();
        self.select.projection = Projection::All { except, added };
    }

    // What is left out and put in its place so that fields are gone.
    fn without(&self, fields: &[FieldName]) -> Result<Without> {
        let mut except = Vec::new();
        let mut sets = Vec::<(&str, String)>::new();
        let mut behind = self.scope.clone();
        for field in fields {
            self.scope.resolve(field)?;
            if let Some(column) = behind.remove(&field.text) {
                except.push(column);
                continue;
            }
            match Field::of(&field.text) {
                Field::Fixed(Fixed::Level) => {
                    except.extend(["severity_number", "severity_text"].map(str::to_owned));
                }
                Field::Fixed(fixed) => {
                    let column = FIXED.iter().find(|known| known.field == fixed);
                    except.extend(column.map(|known| known.sql.trim_matches('"').to_owned()));
                }
                Field::Attribute(owner, key) => {
                    for set in sets_of(owner) {
                        let at = sets.iter().position(|(known, _)| known == set);
                        let before = at.map_or((*set).to_owned(), |at| sets.remove(at).1);
                        sets.push((set, format!("attr_without({before}, {})", string(&key))));
                    }
                }
            }
        }
        except.extend(sets.iter().map(|(set, _)| (*set).to_owned()));
        let added = sets.into_iter().map(|(set, sql)| (sql, set.to_owned())).collect();
        Ok(Without { except, added, behind })
    }

    pub(super) fn rename(&mut self, pairs: &[(FieldName, FieldName)]) -> Result<()> {
        self.ungrouped()?;
        if !self.scope.is_records {
            return self.rename_columns(pairs);
        }
        let from = pairs.iter().map(|(from, _)| from.clone()).collect::<Vec<_>>();
        let Without { mut except, mut added, mut behind } = self.without(&from)?;
        for (from, to) in pairs {
            let value = self.scope.resolve(from)?;
            if self.scope.has_column(&to.text) {
                except.push(to.text.clone());
            }
            added.push((value.sql.clone(), to.text.clone()));
            behind.add(&to.text, value);
        }
        self.project(except, added);
        self.behind = Some(behind);
        Ok(())
    }

    // Of a table, columns keep their places.
    fn rename_columns(&mut self, pairs: &[(FieldName, FieldName)]) -> Result<()> {
        let mut renamed = Vec::new();
        for (from, to) in pairs {
            renamed.push((self.scope.resolve(from)?.sql, to));
        }
        let (mut columns, mut behind) = (Vec::new(), Scope::empty());
        for name in self.scope.names() {
            let Some(value) = self.scope.made(name) else { continue };
            let to = renamed.iter().find(|(sql, _)| *sql == value.sql).map(|(_, to)| *to);
            let new = to.map_or(name, |to| to.text.as_str());
            if behind.has_column(new) {
                let place = to.map(|to| to.place).unwrap_or_default();
                return Err(Error::new(place, format!("two columns are named '{new}'")));
            }
            columns.push((value.sql.clone(), new.to_owned()));
            behind.add(new, value);
        }
        self.select.projection = Projection::List(columns);
        self.behind = Some(behind);
        Ok(())
    }

    pub(super) fn copy(&mut self, pairs: &[(FieldName, FieldName)]) -> Result<()> {
        for (from, to) in pairs {
            self.before_adding(&[from], &[&to.text])?;
            let value = self.scope.resolve(from)?;
            self.add(&to.text, value);
        }
        Ok(())
    }

    /// Makes sure that columns can be added to the SELECT: that it makes none of those that they are
    /// made of, and none of their names.
    fn before_adding(&mut self, uses: &[&FieldName], names: &[&str]) -> Result<()> {
        let Some(behind) = &self.behind else { return Ok(()) };
        let Projection::All { added, .. } = &self.select.projection else { return self.close() };
        let made = |name: &str| added.iter().any(|(_, known)| known == name);
        let is_made = |name: &&str| made(name);
        // Another name of a made column counts, and so does a field that is gone.
        let is_changed = |field: &&FieldName| {
            let (before, after) = (self.scope.resolve(field), behind.resolve(field));
            made(&field.text) || before.ok() != after.ok()
        };
        if names.iter().any(is_made) || uses.iter().any(is_changed) { self.close() } else { Ok(()) }
    }

    // Adds a column, or puts it in the place of one of the same name.
    fn add(&mut self, name: &str, value: Value) {
        let replaces = self.scope.has_column(name);
        if let Projection::All { except, added } = &mut self.select.projection {
            if replaces && !except.iter().any(|known| known == name) {
                except.push(name.to_owned());
            }
            added.push((value.sql.clone(), name.to_owned()));
        }
        let scope = self.scope.clone();
        self.behind.get_or_insert(scope).add(name, value);
    }

    pub(super) fn sort(&mut self, sort: &Sort) -> Result<()> {
        if self.select.is_limited() {
            self.close()?;
        }
        let scope = self.behind.as_ref().unwrap_or(&self.scope);
        for key in &sort.keys {
            if scope.resolve(&key.field)?.kind == ValueKind::List {
                let message = format!("'{}' is a list, which has no order", key.field.text);
                return Err(Error::new(key.field.place, message));
            }
        }
        // A SELECT that groups is sorted by its columns and by nothing that is computed of them.
        let groups = self.select.groups.is_some();
        let is_plain = |name: &FieldName| {
            scope.made(&name.text).is_some_and(|value| !(groups && value.may_be_number()))
        };
        if self.behind.is_some() && !sort.keys.iter().all(|key| is_plain(&key.field)) {
            self.close()?;
        }
        self.order = sort.keys.clone();
        self.select.skip(sort.offset.unwrap_or(0));
        if let Some(limit) = sort.limit {
            self.select.limit_to(limit);
        }
        Ok(())
    }

    pub(super) fn dedup(&mut self, fields: &[FieldName]) -> Result<()> {
        self.flat()?;
        let keys = fields.iter().map(|field| Ok(self.scope.resolve(field)?.sql));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let order = self.order_sql()?;
        let order = if order.is_empty() { keys.clone() } else { order };
        let (keys, order) = (keys.join(", "), order.join(", "));
        let number = format!("row_number() OVER (PARTITION BY {keys} ORDER BY {order})");
        self.add(ROW_NUMBER, Value::made(number, ValueKind::Number));
        self.close()?;
        self.select.conditions.push(format!("{} = 1", ident(ROW_NUMBER)));
        self.scope.remove(ROW_NUMBER);
        self.project(vec![ROW_NUMBER.to_owned()], Vec::new());
        Ok(())
    }

    pub(super) fn extract(&mut self, extract: &Extract) -> Result<()> {
        let from = self.from(&extract.from);
        let wrong = |message: String| Error::new(from.place, message);
        let (function, names) = match extract.regexp {
            true => {
                let regex = regex::Regex::new(&extract.pattern);
                let regex = regex.map_err(|err| wrong(err.to_string()))?;
                let names = regex.capture_names().flatten().map(str::to_owned);
                ("regex_extract", names.collect::<Vec<_>>())
            }
            false => {
                let pattern = Pattern::new(&extract.pattern).map_err(wrong)?;
                ("pattern_extract", pattern.names().map(str::to_owned).collect())
            }
        };
        let all = names.iter().map(String::as_str).collect::<Vec<_>>();
        self.before_adding(&[&from], &all)?;
        let text = self.text_of(&from)?;
        for name in &names {
            let pattern = string(&extract.pattern);
            let sql = format!("{function}({text}, {pattern}, {})", string(name));
            self.add(name, Value::made(sql, ValueKind::Text));
        }
        Ok(())
    }

    fn from(&self, from: &Option<FieldName>) -> FieldName {
        let body = || FieldName { text: "body".to_owned(), place: Place::default() };
        from.clone().unwrap_or_else(body)
    }

    fn text_of(&self, field: &FieldName) -> Result<String> {
        let value = self.scope.resolve(field)?;
        match value.kind {
            ValueKind::Text | ValueKind::Body => Ok(value.sql),
            _ => Err(Error::new(field.place, format!("'{}' is no text", field.text))),
        }
    }

    pub(super) fn unpack(&mut self, unpack: &Unpack) -> Result<()> {
        let from = self.from(&unpack.from);
        if unpack.fields.is_empty() {
            self.ungrouped()?;
            self.text_of(&from)?;
            self.scope.unpacked.push(Unpacked { format: unpack.format, from });
            return Ok(());
        }
        let names = unpack.fields.iter().map(|field| field.text.as_str()).collect::<Vec<_>>();
        self.before_adding(&[&from], &names)?;
        let text = self.text_of(&from)?;
        for name in names {
            self.add(name, Value::made(field_of(unpack.format, &text, name), ValueKind::Text));
        }
        Ok(())
    }

    /// Of whole records, what was unpacked without being named is shown in a column.
    pub(super) fn show_unpacked(&mut self) -> Result<()> {
        let scope = self.behind.as_ref().unwrap_or(&self.scope);
        if !scope.is_records || scope.unpacked.is_empty() {
            return Ok(());
        }
        let unpacked = scope.unpacked.clone();
        for (number, Unpacked { from, .. }) in unpacked.iter().enumerate() {
            let name = match number {
                0 => UNPACKED.to_owned(),
                number => format!("{UNPACKED}_{}", number + 1),
            };
            self.before_adding(&[from], &[&name])?;
            let Some((format, text)) = self.scope.unpacked_text(number)? else { continue };
            let function = match format {
                UnpackFormat::Json => "json_fields",
                UnpackFormat::Logfmt => "logfmt_fields",
            };
            self.add(&name, Value::made(format!("{function}({})", text.sql), ValueKind::Text));
        }
        Ok(())
    }

    pub(super) fn math(&mut self, assignments: &[Assignment]) -> Result<()> {
        for Assignment { name, value } in assignments {
            let mut uses = Vec::new();
            math::fields(value, &mut uses);
            self.before_adding(&uses, &[&name.text])?;
            let sql = math::lower(value, &self.scope)?;
            self.add(&name.text, Value::made(sql, ValueKind::Number));
        }
        Ok(())
    }

    pub(super) fn format(&mut self, template: &str, to: &FieldName, place: Place) -> Result<()> {
        let template = Template::new(template).map_err(|message| Error::new(place, message))?;
        let name = |piece: &Piece| match piece {
            Piece::Field(text) => Some(FieldName { text: text.clone(), place }),
            Piece::Text(_) => None,
        };
        let uses = template.pieces().iter().filter_map(name).collect::<Vec<_>>();
        self.before_adding(&uses.iter().collect::<Vec<_>>(), &[&to.text])?;
        let mut parts = Vec::new();
        for piece in template.pieces() {
            parts.push(match (piece, name(piece)) {
                (Piece::Text(text), _) => string(text),
                (Piece::Field(_), Some(field)) => self.scope.resolve(&field)?.text(),
                (Piece::Field(_), None) => continue,
            });
        }
        // Of a missing field nothing is put in: `concat` leaves out null.
        let sql = format!("concat({})", parts.join(", "));
        self.add(&to.text, Value::made(sql, ValueKind::Text));
        Ok(())
    }

    pub(super) fn replace(&mut self, replace: &Replace) -> Result<()> {
        let Replace { field, old, new, regexp } = replace;
        self.before_adding(&[field], &[&field.text])?;
        let text = self.text_of(field)?;
        let (old, new) = (string(old), string(new));
        let sql = match regexp {
            true => format!("regexp_replace({text}, {old}, {new}, 'g')"),
            false => format!("replace({text}, {old}, {new})"),
        };
        let value = self.scope.resolve(field)?;
        // The new text takes the place of the column that the old one came from.
        let name = match Field::of(&field.text) {
            Field::Fixed(_) if value.is_fixed => value.sql.clone(),
            _ => field.text.clone(),
        };
        self.add(&name, Value { sql, ..value });
        Ok(())
    }
}

fn sets_of(owner: Owner) -> &'static [&'static str] {
    match owner {
        Owner::Any => &["attributes", "resource_attributes"],
        Owner::Record => &["attributes"],
        Owner::Resource => &["resource_attributes"],
        Owner::Scope => &["scope_attributes"],
    }
}
