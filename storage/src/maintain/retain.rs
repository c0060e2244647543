//! What to drop, decided from the catalog alone: by age per signal, and by the bytes of all segments.

use throughline_model::Signal;
use ulid::Ulid;

use super::classes::longest_ns;
use crate::options::StoreOptions;
use crate::segment::SegmentMeta;

/// The segments all of whose rows are older than their signal keeps.
pub(crate) fn expired(segments: &[SegmentMeta], options: &StoreOptions, now_ns: i64) -> Vec<Ulid> {
    let keep_ns = |signal| match signal {
        Signal::Logs => longest_ns(&options.log_classes, options.retention.logs_ns),
        _ => options.retention.of(signal),
    };
    let is_expired = |meta: &&SegmentMeta| {
        keep_ns(meta.signal).is_some_and(|age_ns| meta.max_time_ns < now_ns.saturating_sub(age_ns))
    };
    segments.iter().filter(is_expired).map(|meta| meta.id).collect()
}

/// The segments to drop so that the rest fits into `bytes_max`: those with the oldest rows.
pub(crate) fn over_the_mark(segments: &[SegmentMeta], bytes_max: u64) -> Vec<Ulid> {
    let bytes = |meta: &SegmentMeta| meta.data_bytes + meta.index_bytes;
    let mut total: u64 = segments.iter().map(bytes).sum();
    let mut oldest_first: Vec<&SegmentMeta> = segments.iter().collect();
    oldest_first.sort_by_key(|meta| (meta.max_time_ns, meta.id));
    let mut drop = Vec::new();
    for meta in oldest_first {
        if total <= bytes_max {
            break;
        }
        total -= bytes(meta);
        drop.push(meta.id);
    }
    drop
}
