//! The seeds of the fuzz targets (`fuzz/seeds`): requests from which the fuzzer starts, and inputs on
//! which it once found something. All of them hold here too, without the fuzzer.
//!
//! `BLESS=1 cargo test -p throughline-ingest fuzz_seeds` writes the `random-…` ones anew, and the
//! `example` ones in protobuf from those in JSON, which are written by hand.

use std::path::{Path, PathBuf};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use prost::Message;
use throughline_model::Signal;

use super::differential::check;
use super::strategies;
use crate::otlp::decode::decode_request;
use crate::otlp::json::to_protobuf;

/// Of each signal in each encoding. All of their items are kept: a fuzzer that starts from refused ones
/// rarely gets past what they are refused for.
const RANDOM_SEEDS: usize = 10;
/// Large enough to have most fields, small enough that the fuzzer stays fast.
const SEED_BYTES: std::ops::Range<usize> = 300..2500;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds")
}

#[test]
fn fuzz_seeds_hold() {
    if std::env::var_os("BLESS").is_some() {
        let mut runner = TestRunner::deterministic();
        write(&mut runner, Signal::Traces, &strategies::traces());
        write(&mut runner, Signal::Logs, &strategies::logs());
        write(&mut runner, Signal::Metrics, &strategies::metrics());
        Signal::ALL.into_iter().for_each(write_example);
    }
    for signal in Signal::ALL {
        let seeds = read(&folder().join(signal.name()));
        assert!(seeds.len() >= RANDOM_SEEDS, "{signal}: {} seeds", seeds.len());
        for (path, request) in seeds {
            check(signal, &request).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        }
    }
    json_seeds_hold(&read(&folder().join("json")));
}

fn json_seeds_hold(seeds: &[(PathBuf, Vec<u8>)]) {
    assert!(seeds.len() >= RANDOM_SEEDS * Signal::ALL.len(), "json: {} seeds", seeds.len());
    for (path, request) in seeds {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        for signal in Signal::ALL {
            match to_protobuf(signal, request) {
                Ok(wire) => check(signal, &wire).unwrap_or_else(|err| panic!("{name}: {err}")),
                // The name says what it is a request of, if it is one.
                Err(err) => assert!(!name.contains(signal.name()), "{name}: {err}"),
            }
        }
    }
}

fn read(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder of seeds");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.map(|path| (path.clone(), std::fs::read(path).expect("a file"))).collect()
}

/// Writes random requests of a signal in protobuf and in JSON.
fn write<M: Message + serde::Serialize>(
    runner: &mut TestRunner,
    signal: Signal,
    requests: &impl Strategy<Value = M>,
) {
    let mut fitting =
        std::iter::repeat_with(|| requests.new_tree(runner).expect("a tree").current()).filter(
            |request| {
                let decoded =
                    || decode_request(signal, &request.encode_to_vec(), 0).expect("well-formed");
                SEED_BYTES.contains(&request.encoded_len()) && decoded().rejected == 0
            },
        );
    for (number, request) in fitting.by_ref().take(RANDOM_SEEDS).enumerate() {
        let name = format!("{}/random-{number}", signal.name());
        std::fs::write(folder().join(name), request.encode_to_vec()).expect("writes");
    }
    for (number, request) in fitting.take(RANDOM_SEEDS).enumerate() {
        let name = format!("json/random-{}-{number}", signal.name());
        let json = serde_json::to_vec(&request).expect("serializes");
        std::fs::write(folder().join(name), json).expect("writes");
    }
}

fn write_example(signal: Signal) {
    let name = format!("json/example-{}", signal.name());
    let json = std::fs::read(folder().join(name)).expect("an example");
    let wire = to_protobuf(signal, &json).expect("well-formed");
    std::fs::write(folder().join(signal.name()).join("example"), wire).expect("writes");
}
