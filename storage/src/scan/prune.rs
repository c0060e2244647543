//! What need not be read: segments, row groups and pages that cannot hold a row that is asked for.
//!
//! Pruning only ever skips; what is left is evaluated exactly.

use std::ops::Range;

use arrow::buffer::BooleanBuffer;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::{Signal, TraceId};

use crate::Result;
use crate::segment::index::filter::value_hash;
use crate::segment::index::summary::RowGroupSummary;
use crate::segment::layout::AttributeKind;
use crate::segment::open::Opened;

/// Whether a row group may hold rows in a range of time.
pub(crate) fn group_in_time(group: &RowGroupSummary, time: &TimeRange) -> bool {
    time.overlaps(group.min_time_ns, group.max_time_ns.max(group.max_end_ns))
}

/// Whether a slab holds one of the given ordinals; any row group may if none are given.
pub(crate) fn group_holds(group: &RowGroupSummary, ordinals: Option<&[u32]>) -> bool {
    let holds = |ordinal: &u32| ordinal.wrapping_sub(group.first_trace) < group.traces;
    ordinals.is_none_or(|ordinals| ordinals.iter().any(holds))
}

/// Whether one of ascending rows lies in a range.
pub(crate) fn rows_reach(rows: &[u32], range: Range<u32>) -> bool {
    rows.get(rows.partition_point(|row| *row < range.start)).is_some_and(|row| *row < range.end)
}

/// The traces that predicates ask for, if they name any.
pub(crate) fn traces_asked(predicates: &[Predicate]) -> Option<Vec<TraceId>> {
    let id = |operand: &Operand| match operand {
        Operand::Bytes(bytes) => TraceId::from_slice(bytes).ok(),
        Operand::Text(text) => TraceId::parse(text).ok().filter(|id| id.to_string() == *text),
        _ => None,
    };
    predicates.iter().find_map(|predicate| match (&predicate.target, &predicate.op) {
        (Target::Column(name), Op::Eq(operand)) if name == col::TRACE_ID => {
            Some(id(operand).into_iter().collect())
        }
        (Target::Column(name), Op::In(operands)) if name == col::TRACE_ID => {
            Some(operands.iter().filter_map(id).collect())
        }
        _ => None,
    })
}

/// Whether any row of the segment may meet the predicates, from its keys alone.
pub(crate) fn segment_may_match(opened: &Opened, predicates: &[Predicate]) -> bool {
    let summary = opened.summary();
    predicates.iter().all(|predicate| match &predicate.target {
        Target::Attribute(key) if needs_value(&predicate.op) => {
            !summary.columns_of(key).is_empty() || summary.rest_may_hold(key)
        }
        _ => true,
    })
}

/// Whether any row of a row group may meet the predicates, from its filters.
pub(crate) fn group_may_match(
    opened: &Opened,
    row_group: usize,
    predicates: &[Predicate],
) -> Result<bool> {
    for predicate in predicates {
        let Target::Attribute(key) = &predicate.target else { continue };
        let texts = match &predicate.op {
            Op::Eq(operand) => std::slice::from_ref(operand),
            Op::In(operands) => operands.as_slice(),
            _ => continue,
        };
        let mut may = false;
        for operand in texts {
            may = may || value_may_occur(opened, row_group, key, operand)?;
        }
        if !may {
            return Ok(false);
        }
    }
    Ok(true)
}

fn value_may_occur(
    opened: &Opened,
    row_group: usize,
    key: &str,
    operand: &Operand,
) -> Result<bool> {
    let summary = opened.summary();
    if summary.rest_may_hold(key) {
        return Ok(true);
    }
    for column in summary.columns_of(key) {
        let kind = summary.columns[column].kind;
        let may = match (operand, kind) {
            (Operand::Text(text) | Operand::Str(text), AttributeKind::String) => opened
                .filter(row_group, column)?
                .is_none_or(|filter| filter.may_contain(value_hash(text.as_bytes()))),
            (Operand::Str(_), _) => false,
            _ => true,
        };
        if may {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a row without a value fails the condition.
fn needs_value(op: &Op) -> bool {
    let negated = |op: &Op| {
        matches!(op, Op::Ne(_) | Op::NotMatches(_) | Op::NotContains(_) | Op::NotPhrase(_))
    };
    !negated(op) && !matches!(op, Op::Missing)
}

/// The rows of a row group that page statistics leave, and how many pages they skip; none if all.
pub(crate) fn pages(
    opened: &Opened,
    signal: Signal,
    row_group: usize,
    predicates: &[Predicate],
    time: &TimeRange,
) -> Result<(Option<RowSelection>, u64)> {
    let rows = opened.row_group(row_group)?.rows as usize;
    let mut left: Option<RowSelection> = None;
    let mut skipped = 0;
    let mut narrow = |leaf: usize, keep: &dyn Fn(&ColumnIndexMetaData, usize) -> bool| {
        if let Some((selection, pages)) = keep_pages(opened, row_group, leaf, rows, keep) {
            skipped += pages;
            left = Some(match left.take() {
                Some(left) => left.intersection(&selection),
                None => selection,
            });
        }
    };
    let time_column = if signal == Signal::Logs { col::TIME } else { col::START_TIME };
    let in_time = |index: &ColumnIndexMetaData, page: usize| {
        let Some((min, max)) = int_bounds(index, page) else { return true };
        // A span overlaps the range from before it: only its start's upper bound counts.
        time.ends_after(min) && (signal != Signal::Logs || max >= time.start_ns)
    };
    if *time != TimeRange::ALL {
        narrow(opened.leaf(time_column)?, &in_time);
    }
    for predicate in predicates {
        if let Some(leaf) = single_leaf(opened, &predicate.target)? {
            narrow(leaf, &|index, page| page_may_match(index, page, &predicate.op));
        }
    }
    Ok((left, skipped))
}

// The file column that alone decides a predicate.
fn single_leaf(opened: &Opened, target: &Target) -> Result<Option<usize>> {
    Ok(match target {
        Target::Column(name) => match name.as_str() {
            col::SERVICE_NAME
            | col::NAME
            | col::KIND
            | col::STATUS_CODE
            | col::STATUS_MESSAGE
            | col::DURATION_NS
            | col::START_TIME
            | col::TIME
            | col::SEVERITY_NUMBER
            | col::SEVERITY_TEXT => opened.leaf(name).ok(),
            _ => None,
        },
        Target::Attribute(key) => {
            let summary = opened.summary();
            let columns = summary.columns_of(key);
            let alone = columns.len() == 1 && !summary.rest_may_hold(key);
            alone.then(|| opened.first_attribute_leaf() + columns.start)
        }
        _ => None,
    })
}

fn keep_pages(
    opened: &Opened,
    row_group: usize,
    leaf: usize,
    rows: usize,
    keep: &dyn Fn(&ColumnIndexMetaData, usize) -> bool,
) -> Option<(RowSelection, u64)> {
    let metadata = opened.footer.metadata();
    let index = metadata.column_index()?.get(row_group)?.get(leaf)?;
    let pages = metadata.offset_index()?.get(row_group)?.get(leaf)?.page_locations();
    let unknown = matches!(index, ColumnIndexMetaData::NONE);
    if unknown || index.num_pages() as usize != pages.len() {
        return None;
    }
    let mut selectors = Vec::with_capacity(pages.len());
    let mut skipped = 0;
    for (page, range) in page_rows(pages.iter().map(|p| p.first_row_index as usize), rows) {
        let skip = !keep(index, page);
        skipped += u64::from(skip);
        selectors.push(RowSelector { row_count: range.len(), skip });
    }
    (skipped > 0).then(|| (RowSelection::from(selectors), skipped))
}

/// The rows of each page, from the first rows of all.
pub(crate) fn page_rows(
    firsts: impl ExactSizeIterator<Item = usize> + Clone,
    rows: usize,
) -> impl Iterator<Item = (usize, Range<usize>)> {
    let ends = firsts.clone().skip(1).chain(std::iter::once(rows));
    firsts.zip(ends).map(|(start, end)| start..end.max(start)).enumerate()
}

fn int_bounds(index: &ColumnIndexMetaData, page: usize) -> Option<(i64, i64)> {
    match index {
        ColumnIndexMetaData::INT32(index) => {
            Some((i64::from(*index.min_value(page)?), i64::from(*index.max_value(page)?)))
        }
        ColumnIndexMetaData::INT64(index) => {
            Some((*index.min_value(page)?, *index.max_value(page)?))
        }
        _ => None,
    }
}

fn page_may_match(index: &ColumnIndexMetaData, page: usize, op: &Op) -> bool {
    if index.is_null_page(page) {
        return !needs_value(op);
    }
    match op {
        Op::Eq(operand) => bounds_may_hold(index, page, operand, |low, high| low && high),
        Op::In(operands) => operands
            .iter()
            .any(|operand| bounds_may_hold(index, page, operand, |low, high| low && high)),
        Op::Lt(operand) | Op::Le(operand) => bounds_may_hold(index, page, operand, |low, _| low),
        Op::Gt(operand) | Op::Ge(operand) => bounds_may_hold(index, page, operand, |_, high| high),
        _ => true,
    }
}

// `accept` is told whether the page's minimum is at most the operand, and its maximum at least.
fn bounds_may_hold(
    index: &ColumnIndexMetaData,
    page: usize,
    operand: &Operand,
    accept: fn(bool, bool) -> bool,
) -> bool {
    match (operand, index) {
        (Operand::Int(wanted), _) => {
            int_bounds(index, page).is_none_or(|(min, max)| accept(min <= *wanted, max >= *wanted))
        }
        (Operand::Str(text) | Operand::Text(text), ColumnIndexMetaData::BYTE_ARRAY(index)) => {
            match (index.min_value(page), index.max_value(page)) {
                (Some(min), Some(max)) => accept(min <= text.as_bytes(), max >= text.as_bytes()),
                _ => true,
            }
        }
        _ => true,
    }
}

/// The rows of a selection that a mask over the selected rows keeps.
pub(crate) fn refine(selection: Option<RowSelection>, keep: BooleanBuffer) -> RowSelection {
    let kept = RowSelection::from_filters(&[arrow::array::BooleanArray::new(keep, None)]);
    match selection {
        Some(selection) => selection.and_then(&kept),
        None => kept,
    }
}

/// The rows of pages whose bounds enclose one of the numbers (sorted), and how many pages are
/// skipped; none if all rows.
pub(crate) fn pages_with_numbers(
    opened: &Opened,
    row_group: usize,
    leaf: usize,
    rows: usize,
    numbers: &[u32],
) -> (Option<RowSelection>, u64) {
    let keep = |index: &ColumnIndexMetaData, page: usize| {
        if index.is_null_page(page) {
            return false;
        }
        let Some((min, max)) = int_bounds(index, page) else { return true };
        let first = numbers.partition_point(|number| i64::from(*number) < min);
        numbers.get(first).is_some_and(|number| i64::from(*number) <= max)
    };
    match keep_pages(opened, row_group, leaf, rows, &keep) {
        Some((selection, skipped)) => (Some(selection), skipped),
        None => (None, 0),
    }
}
