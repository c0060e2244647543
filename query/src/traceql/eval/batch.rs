//! The spans of some traces while a query runs over them: their fields, each made when first asked.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use hashbrown::HashMap;
use throughline_model::TraceId;
use throughline_model::schema::col;
use throughline_storage::scan::{NO_PARENT, Structure, TraceBatch};

use super::column::{self, Column, Part, ScopePart};
use super::family::Family;
use super::value::Val;
use crate::traceql::ast::{Field, Intrinsic, Scope};
use crate::traceql::plan::scan_column;
use crate::{Error, Result};

/// Spans of whole traces, or of parts of traces where nothing asks for more.
pub(crate) struct Spans {
    batch: TraceBatch,
    by_trace: OnceCell<ByTrace>,
    columns: RefCell<HashMap<Field, Rc<Column>>>,
    family: OnceCell<Family>,
}

/// Rows listed by trace, ascending.
struct ByTrace {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Spans {
    pub fn new(batch: TraceBatch) -> Self {
        let by_trace = OnceCell::new();
        Self { batch, by_trace, columns: RefCell::default(), family: OnceCell::new() }
    }

    pub fn rows(&self) -> usize {
        self.batch.rows.num_rows()
    }

    pub fn traces(&self) -> &[TraceId] {
        &self.batch.traces
    }

    pub fn trace_of_row(&self) -> &[u32] {
        &self.batch.trace_of_row
    }

    /// The rows of a trace, ascending.
    pub fn rows_of(&self, trace: usize) -> &[u32] {
        let new = || ByTrace::new(&self.batch.trace_of_row, self.batch.traces.len());
        let by_trace = self.by_trace.get_or_init(new);
        let (start, end) = (by_trace.starts[trace], by_trace.starts[trace + 1]);
        &by_trace.rows[start as usize..end as usize]
    }

    /// A column as the scan read it.
    pub fn array(&self, name: &str) -> Result<&ArrayRef> {
        let array = self.batch.rows.column_by_name(name);
        array.ok_or_else(|| Error::internal(format!("TraceQL did not plan to read '{name}'")))
    }

    /// Starts in nanoseconds.
    pub fn starts(&self) -> Result<&[i64]> {
        let array = self.array(col::START_TIME)?;
        Ok(array.as_primitive::<TimestampNanosecondType>().values())
    }

    /// Span ids as numbers whose order is that of the ids.
    pub fn span_id(&self, row: u32) -> Result<u64> {
        let ids = self.array(col::SPAN_ID)?.as_fixed_size_binary();
        let mut bytes = [0; 8];
        bytes.copy_from_slice(ids.value(row as usize));
        Ok(u64::from_be_bytes(bytes))
    }

    pub fn structure(&self) -> Result<&Structure> {
        let structure = self.batch.structure.as_ref();
        structure.ok_or_else(|| Error::internal("TraceQL did not plan to relate spans"))
    }

    /// Rows in the order of start, then id.
    pub fn sort(&self, rows: &mut [u32]) -> Result<()> {
        let starts = self.starts()?;
        let ids = self.array(col::SPAN_ID)?.as_fixed_size_binary();
        rows.sort_by(|a, b| {
            let (a, b) = (*a as usize, *b as usize);
            (starts[a], ids.value(a)).cmp(&(starts[b], ids.value(b)))
        });
        Ok(())
    }

    /// What the traces of the batch say of their spans as a family.
    pub fn family(&self) -> Result<&Family> {
        if let Some(family) = self.family.get() {
            return Ok(family);
        }
        let family = Family::new(self)?;
        Ok(self.family.get_or_init(|| family))
    }

    /// A field of every row.
    pub fn column(&self, field: &Field) -> Result<Rc<Column>> {
        if let Some(column) = self.columns.borrow().get(field) {
            return Ok(column.clone());
        }
        let column = Rc::new(self.make(field)?);
        self.columns.borrow_mut().insert(field.clone(), column.clone());
        Ok(column)
    }

    fn make(&self, field: &Field) -> Result<Column> {
        match field {
            Field::Attribute { scope, parent: true, name } => {
                let own = Field::Attribute { scope: *scope, parent: false, name: name.clone() };
                Ok(self.column(&own)?.taken(&self.parent_rows()?))
            }
            Field::Intrinsic { which, parent: true } => {
                let own = Field::Intrinsic { which: *which, parent: false };
                Ok(self.column(&own)?.taken(&self.parent_rows()?))
            }
            Field::Attribute { scope: Scope::Event, name, .. } => {
                self.parts(col::EVENTS, &Part::Attribute(Scope::Event, name))
            }
            Field::Attribute { scope: Scope::Link, name, .. } => {
                self.parts(col::LINKS, &Part::Attribute(Scope::Link, name))
            }
            Field::Attribute { .. } => {
                let column = scan_column(field)
                    .ok_or_else(|| Error::internal("an attribute without a column"))?;
                column::attribute(self.array(&column.name())?)
            }
            Field::Intrinsic { which, .. } => self.intrinsic(*which),
        }
    }

    fn intrinsic(&self, which: Intrinsic) -> Result<Column> {
        Ok(match which {
            Intrinsic::Duration => column::durations(self.array(col::DURATION_NS)?),
            Intrinsic::Name => column::text(self.array(col::NAME)?, true),
            Intrinsic::Status => column::small(self.array(col::STATUS_CODE)?, Val::Status),
            Intrinsic::StatusMessage => column::text(self.array(col::STATUS_MESSAGE)?, false),
            Intrinsic::Kind => column::small(self.array(col::KIND)?, Val::Kind),
            Intrinsic::Parent => self.has_parent()?,
            Intrinsic::SpanId => column::ids(self.array(col::SPAN_ID)?),
            Intrinsic::ParentId => column::ids(self.array(col::PARENT_SPAN_ID)?),
            Intrinsic::TraceId => {
                let id = |id: &TraceId| Val::Str(column::hex(&id.0).into());
                let values = self.traces().iter().map(id).collect();
                Column::Numbered { numbers: self.trace_of_row().to_vec(), values }
            }
            Intrinsic::EventName => self.parts(col::EVENTS, &Part::EventName)?,
            Intrinsic::EventTimeSinceStart => self.parts(col::EVENTS, &Part::EventOffset)?,
            Intrinsic::LinkTraceId => self.parts(col::LINKS, &Part::LinkTrace)?,
            Intrinsic::LinkSpanId => self.parts(col::LINKS, &Part::LinkSpan)?,
            Intrinsic::InstrumentationName => {
                column::scope(self.array(col::SCOPE)?, ScopePart::Name)?
            }
            Intrinsic::InstrumentationVersion => {
                column::scope(self.array(col::SCOPE)?, ScopePart::Version)?
            }
            Intrinsic::RootName => self.of_root(col::NAME, true)?,
            Intrinsic::RootServiceName => self.of_root(col::SERVICE_NAME, true)?,
            Intrinsic::TraceDuration => self.trace_durations()?,
            Intrinsic::ChildCount => self.family()?.child_counts(self)?,
            Intrinsic::NestedSetLeft => self.family()?.nested(|nested| nested.0),
            Intrinsic::NestedSetRight => self.family()?.nested(|nested| nested.1),
            Intrinsic::NestedSetParent => self.family()?.nested(|nested| nested.2),
        })
    }

    fn parts(&self, name: &str, part: &Part<'_>) -> Result<Column> {
        let starts = match part {
            Part::EventOffset => self.starts()?,
            _ => &[],
        };
        column::parts(self.array(name)?, starts, part)
    }

    fn has_parent(&self) -> Result<Column> {
        let opaque = Val::Opaque(std::sync::Arc::new(throughline_model::Value::Empty));
        let number = |parent: &u32| if *parent == NO_PARENT { column::NIL } else { 0 };
        let numbers = self.structure()?.parents.iter().map(number).collect();
        Ok(Column::Numbered { numbers, values: vec![opaque] })
    }

    // The row of each row's parent; past the end if it is not here.
    fn parent_rows(&self) -> Result<Vec<u32>> {
        let structure = self.structure()?;
        let Some(twins) = &structure.twins else { return Ok(structure.parents.clone()) };
        // Of several spans with the parent's id the one that starts first is asked.
        let starts = self.starts()?;
        let mut first = (0..twins.len() as u32).collect::<Vec<_>>();
        for (row, twin) in twins.iter().enumerate() {
            let best = &mut first[*twin as usize];
            if starts[row] < starts[*best as usize] {
                *best = row as u32;
            }
        }
        let parent = |parent: &u32| first.get(*parent as usize).copied().unwrap_or(*parent);
        Ok(structure.parents.iter().map(parent).collect())
    }

    fn of_root(&self, name: &str, empty: bool) -> Result<Column> {
        let texts = column::text(self.array(name)?, empty);
        let roots = self.roots()?;
        let value = |root: &u32| match *root {
            NO_PARENT => Val::Nil,
            root => texts.get(root as usize),
        };
        Ok(self.by_trace(roots.iter().map(value).collect()))
    }

    // A value of each trace as one of each row.
    fn by_trace(&self, values: Vec<Val>) -> Column {
        let number = |trace: &u32| match values[*trace as usize].is_nil() {
            true => column::NIL,
            false => *trace,
        };
        let numbers = self.trace_of_row().iter().map(number).collect();
        Column::Numbered { numbers, values }
    }

    /// The root of each trace: the span without parent that starts first; [`NO_PARENT`] if none.
    pub fn roots(&self) -> Result<Vec<u32>> {
        let parents = &self.structure()?.parents;
        let starts = self.starts()?;
        let mut roots = vec![NO_PARENT; self.traces().len()];
        for (row, trace) in self.trace_of_row().iter().enumerate() {
            if parents[row] != NO_PARENT {
                continue;
            }
            let best = &mut roots[*trace as usize];
            let before = |best: u32| -> Result<bool> {
                let (a, b) = (starts[row], starts[best as usize]);
                Ok(a < b || (a == b && self.span_id(row as u32)? < self.span_id(best)?))
            };
            if *best == NO_PARENT || before(*best)? {
                *best = row as u32;
            }
        }
        Ok(roots)
    }

    fn trace_durations(&self) -> Result<Column> {
        let starts = self.starts()?;
        let durations = self.array(col::DURATION_NS)?.as_primitive::<Int64Type>().values();
        let mut extents = vec![(i64::MAX, i64::MIN); self.traces().len()];
        for (row, trace) in self.trace_of_row().iter().enumerate() {
            let (first, last) = &mut extents[*trace as usize];
            *first = (*first).min(starts[row]);
            *last = (*last).max(starts[row].saturating_add(durations[row].max(0)));
        }
        let value = |(first, last): (i64, i64)| Val::Duration(last.saturating_sub(first));
        Ok(self.by_trace(extents.into_iter().map(value).collect()))
    }
}

impl ByTrace {
    fn new(trace_of_row: &[u32], traces: usize) -> Self {
        let mut starts = vec![0u32; traces + 1];
        trace_of_row.iter().for_each(|trace| starts[*trace as usize + 1] += 1);
        (1..starts.len()).for_each(|i| starts[i] += starts[i - 1]);
        let mut next = starts.clone();
        let mut rows = vec![0; trace_of_row.len()];
        for (row, trace) in trace_of_row.iter().enumerate() {
            let at = &mut next[*trace as usize];
            rows[*at as usize] = row as u32;
            *at += 1;
        }
        Self { starts, rows }
    }
}
