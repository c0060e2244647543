//! One SELECT that is being made, and a chain of them as text.

use super::text::ident;

/// Lines longer than this are broken at the columns of the SELECT.
const LINE_CHARS_MAX: usize = 96;

/// What a SELECT gives.
#[derive(Clone, Debug)]
pub(super) enum Projection {
    /// All that it reads.
    All {
        /// But these columns.
        except: Vec<String>,
        /// And these: SQL and name.
        added: Vec<(String, String)>,
    },
    /// These: SQL and name.
    List(Vec<(String, String)>),
}

/// A SELECT.
#[derive(Clone, Debug)]
pub(super) struct Select {
    /// What it reads from.
    pub from: String,
    /// Conditions on the time that its surroundings give.
    pub range: Vec<String>,
    /// Conditions.
    pub conditions: Vec<String>,
    /// What it gives.
    pub projection: Projection,
    /// How many of its first columns make a group; none if it does not group.
    pub groups: Option<usize>,
    /// Conditions on groups.
    pub having: Option<String>,
    limit: Option<u64>,
    offset: u64,
}

impl Select {
    /// All rows of a table.
    pub fn from(table: &str) -> Self {
        Self {
            from: table.to_owned(),
            range: Vec::new(),
            conditions: Vec::new(),
            projection: Projection::All { except: Vec::new(), added: Vec::new() },
            groups: None,
            having: None,
            limit: None,
            offset: 0,
        }
    }

    /// Keeps the first rows.
    pub fn limit_to(&mut self, rows: u64) {
        self.limit = Some(self.limit.map_or(rows, |limit| limit.min(rows)));
    }

    /// Leaves out the first rows.
    pub fn skip(&mut self, rows: u64) {
        self.offset = self.offset.saturating_add(rows);
        self.limit = self.limit.map(|limit| limit.saturating_sub(rows));
    }

    /// Whether it leaves out rows by their number.
    pub fn is_limited(&self) -> bool {
        self.limit.is_some() || self.offset > 0
    }

    /// Its text.
    pub fn render(&self, order: &[String]) -> String {
        let mut text = self.projection();
        text.push_str(&format!("\nFROM {}", self.from));
        let conditions = [self.range.as_slice(), &self.conditions].concat();
        if !conditions.is_empty() {
            text.push_str(&format!("\nWHERE {}", conditions.join("\n  AND ")));
        }
        if let Some(groups) = self.groups.filter(|groups| *groups > 0) {
            let numbers = (1..=groups).map(|number| number.to_string()).collect::<Vec<_>>();
            text.push_str(&format!("\nGROUP BY {}", numbers.join(", ")));
        }
        if let Some(having) = &self.having {
            text.push_str(&format!("\nHAVING {having}"));
        }
        if !order.is_empty() {
            text.push_str(&format!("\nORDER BY {}", order.join(", ")));
        }
        if let Some(limit) = self.limit {
            text.push_str(&format!("\nLIMIT {limit}"));
        }
        if self.offset > 0 {
            text.push_str(&format!("\nOFFSET {}", self.offset));
        }
        text
    }

    fn projection(&self) -> String {
        let named = |(sql, name): &(String, String)| {
            let name = ident(name);
            let is_same = *sql == name || name.trim_matches('"') == sql;
            if is_same { sql.clone() } else { format!("{sql} AS {name}") }
        };
        let columns = match &self.projection {
            Projection::All { except, added } => {
                let names = except.iter().map(|name| ident(name)).collect::<Vec<_>>();
                let all = match names.as_slice() {
                    [] => "*".to_owned(),
                    names => format!("* EXCEPT ({})", names.join(", ")),
                };
                std::iter::once(all).chain(added.iter().map(named)).collect::<Vec<_>>()
            }
            Projection::List(columns) => columns.iter().map(named).collect(),
        };
        let line = columns.join(", ");
        match line.chars().count() > LINE_CHARS_MAX {
            true => format!("SELECT\n  {}", columns.join(",\n  ")),
            false => format!("SELECT {line}"),
        }
    }
}

/// The last SELECT with those that it reads from.
pub(super) fn chain(steps: &[(String, String)], last: &str) -> String {
    if steps.is_empty() {
        return last.to_owned();
    }
    let step = |(name, sql): &(String, String)| format!("{name} AS (\n  {}\n)", indented(sql));
    let steps = steps.iter().map(step).collect::<Vec<_>>();
    format!("WITH {}\n{last}", steps.join(",\n"))
}

/// Text two columns further to the right, but for its first line. Texts in quotes may hold line breaks,
/// which stay as they are.
fn indented(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut in_text = false;
    for char in sql.chars() {
        in_text ^= char == '\'';
        out.push(char);
        if char == '\n' && !in_text {
            out.push_str("  ");
        }
    }
    out
}
