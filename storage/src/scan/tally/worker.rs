//! One worker's share of a tally: heads, or segments one after the other.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, TimestampNanosecondType, UInt32Type};
use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::time::MINUTE_NS;

use super::super::group::{BATCH_ROWS, GroupScan, times};
use super::super::left::Left;
use super::super::run::Job;
use super::sums::{Amount, Key, Sums};
use super::{Intervals, TallyBy};
use crate::segment::log_runs::{LogRuns, Stretch, Sum};
use crate::segment::open::Segment;
use crate::segment::row_set::RowSet;
use crate::{Error, Result};

/// Counts what it takes from the job.
pub(super) struct Worker<'a> {
    job: &'a Job,
    intervals: &'a Intervals,
    by: TallyBy,
    sums_bytes: bool,
    /// The counts so far.
    pub sums: Sums,
}

impl<'a> Worker<'a> {
    pub fn new(job: &'a Job, intervals: &'a Intervals, by: TallyBy, sums_bytes: bool) -> Self {
        Self { job, intervals, by, sums_bytes, sums: Sums::default() }
    }

    /// Takes what is left of the job until there is no more.
    pub fn run(&mut self) -> Result<()> {
        for batch in self.job.matching_head_batches()? {
            self.add_batch(&batch?)?;
        }
        while let Some(segment) = self.job.next_segment()? {
            // Counts of a segment that breaks off are not counts of anything: they are left out.
            let mut part = Worker::new(self.job, self.intervals, self.by, self.sums_bytes);
            let read = part.add_segment(&segment);
            if self.job.tolerate(&segment, read)?.is_some() {
                self.sums.merge(part.sums)?;
            }
        }
        Ok(())
    }

    fn add_segment(&mut self, segment: &Arc<Segment>) -> Result<()> {
        let Some((opened, groups)) = self.job.groups(segment)? else { return Ok(()) };
        let io = self.job.meter();
        let mut numbers = Numbers::default();
        for row_group in groups {
            let scan = self.job.group_scan(segment, &opened, row_group, &io);
            let left = scan.find(None)?;
            self.add_group(&scan, &left, &mut numbers)?;
        }
        Ok(())
    }

    fn add_group(
        &mut self,
        scan: &GroupScan<'_>,
        left: &Left,
        numbers: &mut Numbers,
    ) -> Result<()> {
        let are_one = *self.intervals == Intervals::One && self.by == TallyBy::default();
        if are_one && !self.sums_bytes {
            return self.sums.add(Key::default(), Amount { count: left.count(), bytes: 0 });
        }
        if left.count() == 0 {
            return Ok(());
        }
        let segment = scan.segment;
        let total = scan.opened.row_group(scan.row_group)?.rows as usize;
        let set = (left.count() < total).then(|| left.set(total));
        let runs = segment.log_runs(scan.row_group, scan.io)?;
        if set.is_none() && !self.by.template && self.add_sums(&runs, segment, numbers)? {
            return Ok(());
        }
        let mut cut = Vec::new();
        for stretch in runs.stretches() {
            let Stretch { key: run, rows, is_on_minute, bytes } = stretch;
            let count = set.as_ref().map_or(rows.len(), |set| set.count_range(rows.clone()));
            if count == 0 {
                continue;
            }
            let mut key = Key::default();
            if self.by.service {
                key.service = numbers.service(run.service, segment, &mut self.sums)?;
            }
            if self.by.template {
                key.template = numbers.template(run.template, segment, &mut self.sums)?;
            }
            if self.by.severity {
                key.severity = run.severity;
            }
            match self.interval(run.minute, is_on_minute) {
                // What some of the rows have of the bytes, the run does not say.
                Some(interval) if count == rows.len() || !self.sums_bytes => {
                    let bytes = if self.sums_bytes { bytes } else { 0 };
                    self.sums.add(Key { interval, ..key }, Amount { count, bytes })?;
                }
                _ => cut.push((key, rows)),
            }
        }
        self.add_cut(scan, set, cut)
    }

    // All rows of a row group; false, and nothing is added, if an interval cuts a minute.
    fn add_sums(
        &mut self,
        runs: &LogRuns,
        segment: &Segment,
        numbers: &mut Numbers,
    ) -> Result<bool> {
        let is_cut = |sum: &Sum| self.interval(sum.minute, sum.is_on_minute).is_none();
        if runs.sums().iter().any(is_cut) {
            return Ok(false);
        }
        for sum in runs.sums() {
            let mut key = Key {
                interval: self.interval(sum.minute, sum.is_on_minute).unwrap_or_default(),
                ..Key::default()
            };
            if self.by.service {
                key.service = numbers.service(sum.service, segment, &mut self.sums)?;
            }
            if self.by.severity {
                key.severity = sum.severity;
            }
            let bytes = if self.sums_bytes { sum.bytes } else { 0 };
            self.sums.add(key, Amount { count: sum.rows, bytes })?;
        }
        Ok(true)
    }

    // The interval of a minute's first nanosecond, or of all others; none if these lie in several.
    fn interval(&self, minute: i64, is_on_minute: bool) -> Option<i64> {
        let start_ns = minute.saturating_mul(MINUTE_NS);
        match is_on_minute {
            true => Some(self.intervals.number(start_ns)),
            false => {
                let last_ns = start_ns.saturating_add(MINUTE_NS - 1);
                self.intervals.number_of_all(start_ns.saturating_add(1), last_ns)
            }
        }
    }

    // Runs of a minute that lies in several intervals, or whose bytes are wanted of some rows: the rows decide.
    fn add_cut(
        &mut self,
        scan: &GroupScan<'_>,
        set: Option<RowSet>,
        cut: Vec<(Key, Range<usize>)>,
    ) -> Result<()> {
        let Some((_, last)) = cut.last() else { return Ok(()) };
        let total = scan.opened.row_group(scan.row_group)?.rows as usize;
        let mut wanted = RowSet::none(total.max(last.end));
        cut.iter().for_each(|(_, rows)| wanted.insert_range(rows.clone()));
        if let Some(set) = &set {
            wanted.intersect(set);
        }
        let keys = cut.iter().flat_map(|(key, rows)| {
            let count = wanted.count_range(rows.clone());
            std::iter::repeat_n(*key, count)
        });
        let mut keys = keys.collect::<Vec<_>>().into_iter();
        let (sums, intervals) = (&mut self.sums, self.intervals);
        let mut add = |times: &[i64], bodies: Option<&StringArray>| {
            for (row, (time, key)) in times.iter().zip(&mut keys).enumerate() {
                let amount = Amount { count: 1, bytes: body_bytes(bodies, row) };
                sums.add(Key { interval: intervals.number(*time), ..key }, amount)?;
            }
            Ok(())
        };
        let left = Left::of_set(wanted);
        match self.sums_bytes {
            true => times_and_bodies(scan, left, |times, bodies| add(times, Some(bodies))),
            false => scan.times(left, |times| add(times, None)),
        }
    }

    fn add_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .ok_or_else(|| Error::invalid(format!("a head was read without {name}")))
        };
        let times = column(col::TIME)?.as_primitive::<TimestampNanosecondType>().values();
        let severities = column(col::SEVERITY_NUMBER)?.as_primitive::<Int32Type>().values();
        let services = match self.by.service {
            true => Some(self.names(column(col::SERVICE_NAME)?.as_ref())?),
            false => None,
        };
        let templates = match self.by.template {
            true => {
                let ids = column(col::TEMPLATE_ID)?;
                Some(self.templates(column(col::TEMPLATE)?.as_ref(), ids.as_ref())?)
            }
            false => None,
        };
        let bodies = match self.sums_bytes {
            true => Some(column(col::BODY)?.as_string::<i32>()),
            false => None,
        };
        for (row, time) in times.iter().enumerate() {
            let key = Key {
                interval: self.intervals.number(*time),
                service: services.as_ref().map_or(0, |services| services[row]),
                severity: if self.by.severity { severities[row] } else { 0 },
                template: templates.as_ref().map_or(0, |templates| templates[row]),
            };
            self.sums.add(key, Amount { count: 1, bytes: body_bytes(bodies, row) })?;
        }
        Ok(())
    }

    // The numbers of the services of a batch's rows.
    fn names(&mut self, column: &dyn Array) -> Result<Vec<u32>> {
        let names = column.as_dictionary::<UInt32Type>();
        let values = names.values().as_string::<i32>();
        let mut numbers: Vec<Option<u32>> = vec![None; values.len()];
        let keys = names.keys().values().iter();
        Ok(keys
            .map(|key| {
                *numbers[*key as usize]
                    .get_or_insert_with(|| self.sums.service(values.value(*key as usize)))
            })
            .collect())
    }

    // The numbers of the templates of a batch's rows.
    fn templates(&mut self, texts: &dyn Array, ids: &dyn Array) -> Result<Vec<u32>> {
        let texts = texts.as_dictionary::<UInt32Type>();
        let ids = ids.as_dictionary::<UInt32Type>();
        let (texts, ids, keys) =
            (texts.values().as_string::<i32>(), ids.values().as_string::<i32>(), texts.keys());
        let mut numbers: Vec<Option<u32>> = vec![None; texts.len()];
        let mut all = Vec::with_capacity(keys.len());
        for key in keys.values() {
            let at = *key as usize;
            let number = match numbers[at] {
                Some(number) => number,
                None => {
                    let hash = u64::from_str_radix(ids.value(at), 16).map_err(|_| {
                        Error::invalid(format!("'{}' is no template's id", ids.value(at)))
                    })?;
                    *numbers[at].insert(self.sums.template(hash, texts.value(at)))
                }
            };
            all.push(number);
        }
        Ok(all)
    }
}

// Hands out the times and bodies of rows, in order.
fn times_and_bodies(
    scan: &GroupScan<'_>,
    left: Left,
    mut emit: impl FnMut(&[i64], &StringArray) -> Result<()>,
) -> Result<()> {
    if left.count() == 0 {
        return Ok(());
    }
    let (selection, count) = (left.selection(), BATCH_ROWS.min(left.count()));
    let leaves = [scan.opened.leaf(col::TIME)?, scan.opened.leaf(col::BODY)?];
    for file in scan.opened.read_rows(scan.row_group, &leaves, selection, count, scan.io)? {
        let file = file?;
        let bodies = file.column_by_name(col::BODY).and_then(|column| column.as_string_opt());
        let bodies = bodies.ok_or_else(|| Error::invalid("the bodies were not read"))?;
        emit(&times(&file, col::TIME)?, bodies)?;
    }
    Ok(())
}

fn body_bytes(bodies: Option<&StringArray>, row: usize) -> u64 {
    let body = bodies.filter(|bodies| bodies.is_valid(row)).map(|bodies| bodies.value_length(row));
    body.map_or(0, |length| length as u64)
}

/// From a segment's numbers to the tally's.
#[derive(Default)]
struct Numbers {
    services: HashMap<u32, u32>,
    templates: HashMap<u32, u32>,
}

impl Numbers {
    fn service(&mut self, number: u32, segment: &Segment, sums: &mut Sums) -> Result<u32> {
        if let Some(known) = self.services.get(&number) {
            return Ok(*known);
        }
        let index = segment.index()?;
        let name = index.index.logs.services.get(number as usize);
        let name = name.ok_or_else(|| Error::corrupt(format!("service {number} has no name")))?;
        let known = sums.service(name);
        self.services.insert(number, known);
        Ok(known)
    }

    fn template(&mut self, number: u32, segment: &Segment, sums: &mut Sums) -> Result<u32> {
        if let Some(known) = self.templates.get(&number) {
            return Ok(*known);
        }
        let templates = segment.templates()?;
        let template = templates.templates.get(number as usize);
        let template =
            template.ok_or_else(|| Error::corrupt(format!("template {number} has no text")))?;
        let known = sums.template(template.hash, &template.text);
        self.templates.insert(number, known);
        Ok(known)
    }
}
