//! Counts by key, and the lists that keys point into.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{TALLY_ROWS_MAX, Tally, TallyRow, TallyTemplate};
use crate::{Error, ErrorKind, Result};

/// What a count is of.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub interval: i64,
    pub service: u32,
    pub severity: i32,
    pub template: u32,
}

/// How many records, and how many bytes their bodies have where that was asked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Amount {
    pub count: usize,
    pub bytes: u64,
}

/// Counts so far, with the lists that they point into.
#[derive(Default)]
pub(super) struct Sums {
    counts: HashMap<Key, Amount>,
    services: HashMap<Arc<str>, u32>,
    templates: HashMap<u64, (u32, Arc<str>)>,
}

impl Sums {
    pub fn add(&mut self, key: Key, amount: Amount) -> Result<()> {
        if amount.count == 0 {
            return Ok(());
        }
        let sum = self.counts.entry(key).or_default();
        sum.count += amount.count;
        sum.bytes += amount.bytes;
        if self.counts.len() > TALLY_ROWS_MAX {
            let message = format!(
                "the answer has more than {TALLY_ROWS_MAX} counts: take longer steps or fewer groups"
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }

    pub fn service(&mut self, name: &str) -> u32 {
        let next = self.services.len() as u32;
        match self.services.get(name) {
            Some(number) => *number,
            None => *self.services.entry(Arc::from(name)).or_insert(next),
        }
    }

    pub fn template(&mut self, hash: u64, text: &str) -> u32 {
        let next = self.templates.len() as u32;
        self.templates.entry(hash).or_insert_with(|| (next, Arc::from(text))).0
    }

    pub fn merge(&mut self, other: Self) -> Result<()> {
        if self.counts.is_empty() {
            *self = other;
            return Ok(());
        }
        let mut services = vec![0; other.services.len()];
        for (name, number) in &other.services {
            services[*number as usize] = self.service(name);
        }
        let mut templates = vec![0; other.templates.len()];
        for (hash, (number, text)) in &other.templates {
            templates[*number as usize] = self.template(*hash, text);
        }
        // A list is empty where nothing of it was asked for.
        let map = |list: &[u32], number: u32| list.get(number as usize).copied().unwrap_or(number);
        for (key, amount) in other.counts {
            let service = map(&services, key.service);
            let template = map(&templates, key.template);
            self.add(Key { service, template, ..key }, amount)?;
        }
        Ok(())
    }

    pub fn finish(self) -> Tally {
        let mut services = vec![Arc::from(""); self.services.len()];
        for (name, number) in self.services {
            services[number as usize] = name;
        }
        let empty = TallyTemplate { hash: 0, text: Arc::from("") };
        let mut templates = vec![empty; self.templates.len()];
        for (hash, (number, text)) in self.templates {
            templates[number as usize] = TallyTemplate { hash, text };
        }
        let row = |(key, amount): (Key, Amount)| TallyRow {
            interval: key.interval,
            service: key.service,
            severity: key.severity,
            template: key.template,
            count: amount.count as u64,
            body_bytes: amount.bytes,
        };
        Tally { rows: self.counts.into_iter().map(row).collect(), services, templates }
    }
}
