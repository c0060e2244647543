//! Lines a second of CPU time that templates are mined from, on one core: of fifteen systems' lines, whose digits differ
//! from round to round, and of the lines of a text file where `BENCH_LINES` names one.
//!
//! `cargo bench -p throughline -p throughline-model --bench templates`. Nothing passes or fails by time.
#![allow(missing_docs)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use throughline_model::template::Miner;

/// Lines that one miner learns, as many as a segment may have.
const LINES: usize = 500_000;
/// How long each case runs at least.
const CASE_MIN: Duration = Duration::from_secs(5);

fn main() {
    // `cargo test --benches` runs bench targets too, without `--bench`: nothing to do there.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/template/cases/labelled");
    let mut all = Vec::new();
    let files = std::fs::read_dir(&cases).expect("the labelled lines");
    let mut files: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
    files.sort();
    for file in &files {
        let text = std::fs::read_to_string(file).expect("readable");
        let lines = text.lines().filter_map(|row| row.split_once('\t'));
        all.extend(lines.map(|(_, line)| line.to_owned()));
    }
    measure("fifteen systems, new digits", &with_new_digits(&all));
    match std::env::var("BENCH_LINES") {
        Ok(file) => {
            let text = std::fs::read_to_string(&file).expect("the file of BENCH_LINES");
            let lines: Vec<String> = text.lines().take(LINES).map(str::to_owned).collect();
            measure(&file, &lines);
        }
        Err(_) => println!("other lines are skipped: BENCH_LINES is not set"),
    }
}

// The lines again and again, in a mixed order.
fn with_new_digits(lines: &[String]) -> Vec<String> {
    let mut state = 1_u64;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut line = || {
        let line = &lines[next() as usize % lines.len()];
        let digit = |char: char| match char.is_ascii_digit() {
            true => char::from(b'0' + (next() % 10) as u8),
            false => char,
        };
        line.chars().map(digit).collect()
    };
    (0..LINES).map(|_| line()).collect()
}

fn measure(name: &str, lines: &[String]) {
    let bytes: usize = lines.iter().map(String::len).sum();
    let (began, began_cpu) = (Instant::now(), cpu_time());
    let (mut rounds, mut templates, mut shapes) = (0, 0, 0);
    while began.elapsed() < CASE_MIN || rounds == 0 {
        let mut miner = Miner::default();
        for line in lines {
            black_box(miner.learn(line));
        }
        shapes = miner.shapes();
        templates = black_box(miner.finish()).templates.len();
        rounds += 1;
    }
    let elapsed = match (began_cpu, cpu_time()) {
        (Some(from), Some(to)) => to - from,
        _ => began.elapsed(),
    };
    let a_second = |amount: usize| (amount * rounds) as f64 / elapsed.as_secs_f64();
    println!(
        "{name}: {} lines of {} bytes on average, {shapes} shapes, {templates} templates: {:.0} lines/s, {:.0} MB/s",
        lines.len(),
        bytes / lines.len().max(1),
        a_second(lines.len()),
        a_second(bytes) / 1e6,
    );
}

/// CPU time of this thread, where the system tells it: a busy machine does not change the figures.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
