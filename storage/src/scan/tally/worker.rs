//! One worker's share of a tally: heads, or segments one after the other.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampNanosecondType, UInt32Type};
use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::time::MINUTE_NS;

use super::super::group::GroupScan;
use super::super::left::Left;
use super::super::run::Job;
use super::sums::{Key, Sums};
use super::{Intervals, TallyBy};
use crate::segment::open::Segment;
use crate::segment::row_set::RowSet;
use crate::{Error, Result};

/// Counts what it takes from the job.
pub(super) struct Worker<'a> {
    job: &'a Job,
    intervals: &'a Intervals,
    by: TallyBy,
    /// The counts so far.
    pub sums: Sums,
}

impl<'a> Worker<'a> {
    pub fn new(job: &'a Job, intervals: &'a Intervals, by: TallyBy) -> Self {
        Self { job, intervals, by, sums: Sums::default() }
    }

    /// Takes what is left of the job until there is no more.
    pub fn run(&mut self) -> Result<()> {
        for batch in self.job.matching_head_batches()? {
            self.add_batch(&batch?)?;
        }
        while let Some(segment) = self.job.next_segment()? {
            // Counts of a segment that breaks off are not counts of anything: they are left out.
            let mut part = Worker::new(self.job, self.intervals, self.by);
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
        if *self.intervals == Intervals::One && self.by == TallyBy::default() {
            return self.sums.add(Key::default(), left.count());
        }
        if left.count() == 0 {
            return Ok(());
        }
        let segment = scan.segment;
        let total = scan.opened.row_group(scan.row_group)?.rows as usize;
        let set = (left.count() < total).then(|| left.set(total));
        let count = |rows: Range<usize>| match &set {
            Some(set) => set.count_range(rows),
            None => rows.len(),
        };
        let mut cut = Vec::new();
        for (run, rows, on_minute) in segment.log_runs(scan.row_group, scan.io)?.iter_with_minute()
        {
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
            let middle = rows.start + on_minute;
            let start_ns = run.minute.saturating_mul(MINUTE_NS);
            let last_ns = start_ns.saturating_add(MINUTE_NS - 1);
            if on_minute > 0 {
                key.interval = self.intervals.number(start_ns);
                self.sums.add(key, count(rows.start..middle))?;
            }
            let after = middle..rows.end;
            match self.intervals.number_of_all(start_ns.saturating_add(1), last_ns) {
                Some(interval) => self.sums.add(Key { interval, ..key }, count(after))?,
                None => cut.push((key, after)),
            }
        }
        self.add_cut(scan, set, cut)
    }

    // Runs of a minute that lies in several intervals: the times of their rows decide.
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
        scan.times(Left::of_set(wanted), |times| {
            for (time, key) in times.iter().zip(&mut keys) {
                sums.add(Key { interval: intervals.number(*time), ..key }, 1)?;
            }
            Ok(())
        })
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
        for (row, time) in times.iter().enumerate() {
            let key = Key {
                interval: self.intervals.number(*time),
                service: services.as_ref().map_or(0, |services| services[row]),
                severity: if self.by.severity { severities[row] } else { 0 },
                template: templates.as_ref().map_or(0, |templates| templates[row]),
            };
            self.sums.add(key, 1)?;
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
