//! CPU time of this thread, and memory of this process, from `/proc`.

use std::time::Instant;

/// Nanoseconds that this thread has run.
pub fn thread_cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or_default()
}

/// The most memory that this process has had.
pub fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

/// Forgets the peak so far, where the system allows it.
pub fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Percentiles of repeated work.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub p50_ms: f64,
    pub p95_ms: f64,
}

/// Times each of the calls after a round that is not counted.
pub fn time<T>(inputs: &[T], mut call: impl FnMut(&T)) -> Times {
    inputs.iter().for_each(&mut call);
    let mut ms = Vec::with_capacity(inputs.len());
    for input in inputs {
        let start = Instant::now();
        call(input);
        ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    ms.sort_by(f64::total_cmp);
    let at = |share: f64| ms[((ms.len() - 1) as f64 * share) as usize];
    Times { p50_ms: at(0.5), p95_ms: at(0.95) }
}
