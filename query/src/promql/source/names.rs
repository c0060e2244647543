//! Which rows of a table of series may have series of Prometheus that meet conditions: a look at names
//! and labels, without a look at points.

use hashbrown::HashMap;
use throughline_storage::metric::series::SeriesColumns;

use super::translate::{Derived, Translator};
use super::{meets, meets_one};
use crate::promql::labels::{BUCKET, NAME};
use crate::promql::matcher::Matcher;
use throughline_storage::Result;

/// True for each row whose series may meet the conditions; those of buckets and quantiles are not
/// known before the points are.
pub(super) fn candidates(
    columns: &SeriesColumns<'_>,
    matchers: &[Matcher],
    translator: &mut Translator,
) -> Result<Vec<bool>> {
    let (of_name, others): (Vec<_>, Vec<_>) =
        matchers.iter().cloned().partition(|matcher| &*matcher.name == NAME);
    let (_, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|matcher| matches!(&*matcher.name, BUCKET | "quantile"));
    // A name is looked at once, whatever the number of its series.
    let mut known: HashMap<(usize, i32, usize, i32, bool), bool> = HashMap::new();
    let mut wanted = Vec::with_capacity(columns.len());
    for row in 0..columns.len() {
        let key = translator.name_key(columns, row);
        let has_name = match known.get(&key) {
            Some(known) => *known,
            None => {
                let names = translator.names(columns, row)?;
                let is_named = names
                    .iter()
                    .any(|(_, name)| of_name.iter().all(|matcher| meets_one(NAME, name, matcher)));
                *known.entry(key).or_insert(is_named || names.is_empty())
            }
        };
        let is_wanted = has_name && {
            let base = translator.base(columns, row)?;
            let is_untyped = base.derives.contains(&Derived::AsIs);
            match is_untyped {
                true => meets(&base.labels, matchers),
                false => others.is_empty() || meets(&base.labels, &others),
            }
        };
        wanted.push(is_wanted);
    }
    Ok(wanted)
}
