//! Attributes of merged rows, from file columns to file columns.
//!
//! A value that has a column in its input mostly has the same column in the output, so columns are
//! gathered as they are and texts keep their dictionaries. What differs goes value by value: the rest
//! of a row, and columns that only the input has. The order of a row's attributes stays what reading
//! the input back would give: columns first, then the rest.

use std::iter::Peekable;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, DictionaryArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use hashbrown::HashMap;
use throughline_model::columns::BinaryColumn;
use throughline_model::dict::Interner;
use throughline_model::{Signal, attrs};

use crate::Result;
use crate::segment::attributes::{AttributeValues, Routed};
use crate::segment::gather::{Gather, same_values};
use crate::segment::layout::{AttributeColumn, AttributeKind, fits_column, value_tag};
use crate::segment::open::Opened;
use crate::segment::rows::{ValueReader, merge_columns};

/// Where the attributes of an input's batches are: behind the item columns, in the order of the
/// segment's attribute columns, then the rest.
#[derive(Clone)]
pub(super) struct InputAttributes {
    pub columns: Arc<Vec<AttributeColumn>>,
    pub first: usize,
}

impl InputAttributes {
    /// Where they are in the batches that `Assembler::assemble_for_merge` makes.
    pub(super) fn of(opened: &Opened, signal: Signal) -> Self {
        let columns = Arc::new(opened.summary().columns.clone());
        Self { columns, first: merge_columns(signal).len() }
    }

    fn array<'b>(&self, batch: &'b RecordBatch, column: usize) -> &'b ArrayRef {
        batch.column(self.first + column)
    }

    fn rest<'b>(&self, batch: &'b RecordBatch) -> &'b BinaryArray {
        batch.column(self.first + self.columns.len()).as_binary::<i32>()
    }
}

/// Sends the attributes of the rows to the output's columns. `inputs` has one entry a batch.
pub(super) fn route_columns(
    gather: &Gather<'_>,
    inputs: &[InputAttributes],
    columns: &[AttributeColumn],
) -> Result<Routed> {
    let places = Places::new(columns);
    let single = route_singly(gather, inputs, &places)?;
    let mut routed = Vec::with_capacity(columns.len());
    for (column, singles) in columns.iter().zip(&single.placed) {
        let sources = gather.batches.iter().zip(inputs).map(|(batch, input)| {
            let find = |c: &AttributeColumn| c.key == column.key && c.kind == column.kind;
            let array = input.array(batch, input.columns.iter().position(find)?);
            (array.null_count() < array.len()).then_some(array)
        });
        let sources = sources.collect::<Vec<Option<&ArrayRef>>>();
        routed.push(gather_column(gather, column.kind, &sources, singles)?);
    }
    Ok(Routed { columns: routed, rest: single.rest, rest_keys: single.rest_keys })
}

/// The output's columns by key.
struct Places<'c> {
    by_key: HashMap<&'c str, Vec<(AttributeKind, usize)>>,
}

impl<'c> Places<'c> {
    fn new(columns: &'c [AttributeColumn]) -> Self {
        let mut by_key: HashMap<&str, Vec<_>> = HashMap::new();
        for (i, column) in columns.iter().enumerate() {
            by_key.entry(column.key.as_str()).or_default().push((column.kind, i));
        }
        Self { by_key }
    }

    fn of_kind(&self, key: &str, wanted: AttributeKind) -> Option<usize> {
        let columns = self.by_key.get(key)?;
        columns.iter().find(|(kind, _)| *kind == wanted).map(|(_, column)| *column)
    }

    // Where an encoded value may stand.
    fn of(&self, key: &str, value: &[u8]) -> Option<usize> {
        let kind = AttributeKind::from_tag(value_tag(value))?;
        self.of_kind(key, kind).filter(|_| fits_column(value, kind))
    }
}

/// Values that are not in a column of the same key and type on both sides.
struct Singles {
    /// For each output column: rows, ascending, and their encoded values.
    placed: Vec<Vec<(u32, Vec<u8>)>>,
    rest: BinaryColumn,
    rest_keys: Vec<String>,
}

fn route_singly(
    gather: &Gather<'_>,
    inputs: &[InputAttributes],
    places: &Places<'_>,
) -> Result<Singles> {
    let columns = places.by_key.values().map(Vec::len).sum();
    let mut singles = Singles {
        placed: vec![Vec::new(); columns],
        rest: BinaryColumn::default(),
        rest_keys: Vec::new(),
    };
    let sources = gather.batches.iter().zip(inputs);
    let sources = sources.map(|(batch, input)| SingleSource::new(batch, input, places));
    let sources = sources.collect::<Vec<_>>();
    let mut rest_keys: HashMap<String, ()> = HashMap::new();
    let mut value = Vec::new();
    for (row, at) in gather.order.iter().enumerate() {
        let source = &sources[at.batch as usize];
        let here = at.row as usize;
        for (key, reader) in &source.homeless {
            if reader.array.is_valid(here) {
                value.clear();
                reader.put(here, &mut value);
                attrs::put_encoded(&mut singles.rest.bytes, key, &value);
                rest_keys.entry_ref(*key).or_insert(());
            }
        }
        if let Some(rest) = source.rest.filter(|rest| rest.is_valid(here)) {
            let set = rest.value(here);
            for (number, entry) in attrs::iter(set).enumerate() {
                let (key, value) = entry?;
                let first = || attrs::iter(set).take(number).flatten().all(|(k, _)| k != key);
                let place = places.of(key, value);
                match place.filter(|_| !source.has_value(key, here) && first()) {
                    Some(column) => singles.placed[column].push((row as u32, value.to_vec())),
                    None => {
                        attrs::put_encoded(&mut singles.rest.bytes, key, value);
                        rest_keys.entry_ref(key).or_insert(());
                    }
                }
            }
        }
        singles.rest.end_row_or_null()?;
    }
    singles.rest_keys = rest_keys.into_keys().collect();
    Ok(singles)
}

/// What of a batch goes value by value.
struct SingleSource<'b> {
    /// Columns that the output does not have.
    homeless: Vec<(&'b str, ValueReader<'b>)>,
    rest: Option<&'b BinaryArray>,
    /// All columns with values, by key.
    arrays: HashMap<&'b str, Vec<&'b ArrayRef>>,
}

impl<'b> SingleSource<'b> {
    fn new(batch: &'b RecordBatch, input: &'b InputAttributes, places: &Places<'_>) -> Self {
        let rest = Some(input.rest(batch)).filter(|rest| rest.null_count() < rest.len());
        let mut homeless = Vec::new();
        let mut arrays: HashMap<&str, Vec<&ArrayRef>> = HashMap::new();
        for (i, column) in input.columns.iter().enumerate() {
            let array = input.array(batch, i);
            if array.null_count() == array.len() {
                continue;
            }
            let key = column.key.as_str();
            if places.of_kind(key, column.kind).is_none() {
                homeless.push((key, ValueReader::new(column.kind, array)));
            }
            if rest.is_some() {
                arrays.entry(key).or_default().push(array);
            }
        }
        Self { homeless, rest, arrays }
    }

    fn has_value(&self, key: &str, row: usize) -> bool {
        self.arrays.get(key).is_some_and(|arrays| arrays.iter().any(|a| a.is_valid(row)))
    }
}

fn gather_column(
    gather: &Gather<'_>,
    kind: AttributeKind,
    sources: &[Option<&ArrayRef>],
    singles: &[(u32, Vec<u8>)],
) -> Result<AttributeValues> {
    let mut singles = singles.iter().peekable();
    let numbered = sources.iter().flatten().all(|array| array.as_any_dictionary_opt().is_some());
    let mut values;
    if kind == AttributeKind::String && numbered {
        let (texts, maps) = unify(sources)?;
        values = AttributeValues::numbered_texts(texts);
        for (row, at) in gather.order.iter().enumerate() {
            let Some((array, map)) = &maps[at.batch as usize] else {
                push_single(&mut values, &mut singles, row)?;
                continue;
            };
            if array.is_valid(at.row as usize) {
                let key = array.keys().values()[at.row as usize];
                values.push_number(row as u32, map[key as usize]);
            } else {
                push_single(&mut values, &mut singles, row)?;
            }
        }
        return Ok(values);
    }
    values = AttributeValues::new(kind);
    let readers = sources.iter().map(|array| array.map(|array| ValueReader::new(kind, array)));
    let readers = readers.collect::<Vec<_>>();
    let mut value = Vec::new();
    for (row, at) in gather.order.iter().enumerate() {
        match &readers[at.batch as usize] {
            Some(reader) if reader.array.is_valid(at.row as usize) => {
                value.clear();
                reader.put(at.row as usize, &mut value);
                values.push(row as u32, &value)?;
            }
            _ => push_single(&mut values, &mut singles, row)?,
        }
    }
    Ok(values)
}

fn push_single<'s>(
    values: &mut AttributeValues,
    singles: &mut Peekable<impl Iterator<Item = &'s (u32, Vec<u8>)>>,
    row: usize,
) -> Result<()> {
    if let Some((_, value)) = singles.next_if(|(at, _)| *at as usize == row) {
        values.push(row as u32, value)?;
    }
    Ok(())
}

type Numbered<'b> = Option<(&'b DictionaryArray<UInt32Type>, Arc<Vec<u32>>)>;

// One numbering for the dictionaries of all batches.
fn unify<'b>(sources: &[Option<&'b ArrayRef>]) -> Result<(Interner, Vec<Numbered<'b>>)> {
    let mut texts = Interner::default();
    let mut last: Option<(ArrayRef, Arc<Vec<u32>>)> = None;
    let mut maps = Vec::with_capacity(sources.len());
    for source in sources {
        let Some(array) = source else {
            maps.push(None);
            continue;
        };
        let array = array.as_dictionary::<UInt32Type>();
        let values = array.values();
        let map = match &last {
            // Batches of one row group share their dictionary.
            Some((known, map)) if same_values(known, values) => map.clone(),
            _ => {
                let strings = values.as_string::<i32>();
                let numbers = (0..strings.len()).map(|i| texts.intern(strings.value(i).as_bytes()));
                Arc::new(numbers.collect::<std::result::Result<Vec<u32>, _>>()?)
            }
        };
        last = Some((values.clone(), map.clone()));
        maps.push(Some((array, map)));
    }
    Ok((texts, maps))
}
