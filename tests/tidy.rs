//! The tree's own rules, as tests: imports, sizes, words. See ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Lines of a file, and of a function, from its signature to its closing brace.
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Files and functions that were over the limit when the rule came. Entries may only shrink or go.
const FILE_EXCEPTIONS: &[(&str, usize)] = &[("model/src/metric.rs", 530)];
const FUNCTION_EXCEPTIONS: &[(&str, usize)] = &[];

/// Crates, and the crates of ours that each may import.
const IMPORTS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("storage", &["model"]),
    ("ingest", &["model", "storage"]),
    ("query", &["model", "storage"]),
    ("api", &["model", "query", "storage"]),
    ("ui", &[]),
];

/// Words that no source file may hold, and where they are allowed.
const BANNED: &[(&str, &[&str])] = &[
    ("todo!(", &["tests/tidy.rs"]),
    ("unimplemented!(", &["tests/tidy.rs"]),
    ("dbg!(", &["tests/tidy.rs"]),
    ("#[ignore", &["tests/tidy.rs"]),
    ("crates.io", &["tests/tidy.rs"]),
    ("registry.npmjs", &["tests/tidy.rs"]),
    ("SystemTime::now", &["model/src/time.rs", "clippy.toml", "tests/tidy.rs"]),
    ("use datafusion", &["query/", "storage/src/scan/", "tests/tidy.rs"]),
    (
        "opentelemetry_proto",
        &["ingest/src/otlp/", "api/src/", "src/demo/", "tests/", "benches/", "fuzz/"],
    ),
    ("File::open", &["storage/src/io/", "src/", "tests/", "benches/", "ui/"]),
    ("File::create", &["storage/src/io/", "src/", "tests/", "benches/", "ui/"]),
    ("sync_all", &["storage/src/io/", "tests/"]),
    ("sync_data", &["storage/src/io/", "tests/"]),
    ("tokio::spawn(", &["tests/", "benches/", "src/client.rs", "src/server/signals.rs"]),
    ("thread_rng", &["tests/tidy.rs"]),
];

/// Of these, what tests inside the crates may use, and which files are nothing but tests.
const FREE_IN_TESTS: &[&str] =
    &["use datafusion", "opentelemetry_proto", "File::open", "File::create", "tokio::spawn("];
const TEST_FILES: &[&str] = &["/src/tests/", "tests.rs", "/benches/", "/tests/", "/testing"];

/// Compiled a second time by `fuzz/`, without the crates that they belong to.
const FUZZED: &[&str] = &[
    "ingest/src/otlp/decode/",
    "ingest/src/otlp/json/",
    "ingest/src/zipkin/decode/",
    "ingest/src/jaeger/decode/",
    "ingest/src/loki/decode/",
    "ingest/src/remote_write/decode/",
    "ingest/src/scrape/exposition/",
    "ingest/src/splunk/decode/",
    "ingest/src/json_parts.rs",
    "ingest/src/records/",
    "ingest/src/elasticsearch/decode/",
    "ingest/src/syslog/decode/",
    "ingest/src/syslog/framing.rs",
    "ingest/src/times.rs",
    "ingest/src/thrift.rs",
    "ingest/src/translate.rs",
    "ingest/src/tests/oracle.rs",
    "ingest/src/tests/rows.rs",
    "query/src/logql/ast.rs",
    "query/src/logql/check.rs",
    "query/src/logql/error.rs",
    "query/src/logql/grammar.rs",
    "query/src/logql/labels.rs",
    "query/src/logql/lex/",
    "query/src/logql/metric/",
    "query/src/logql/parse/",
    "query/src/logql/pipeline/",
    "query/src/logql/print.rs",
    "query/src/logql/pushdown.rs",
    "query/src/logql/template/",
    "query/src/logs/language/",
    "query/src/traceql/ast.rs",
    "query/src/traceql/check.rs",
    "query/src/traceql/complete.rs",
    "query/src/traceql/grammar.rs",
    "query/src/traceql/lex/",
    "query/src/traceql/parse/",
    "query/src/traceql/print.rs",
    "storage/src/wal/frame.rs",
    "storage/src/wal/record.rs",
];

/// What these may name of each other: `fuzz/` has it under the same path.
const FUZZED_PATHS: &[&str] = &[
    "crate::json_parts",
    "crate::otlp::decode",
    "crate::records",
    "crate::thrift",
    "crate::translate",
    "crate::otlp::decode",
    "crate::thrift",
    "crate::translate",
    "crate::times",
];

const SOURCES: &[&str] =
    &["model", "storage", "ingest", "query", "api", "ui", "src", "tests", "benches", "fuzz"];
const SKIPPED: &[&str] = &["target", "node_modules", "dist", "corpus", "artifacts"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Path from the root and text of every source file with one of these endings.
fn sources(endings: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<_> =
        SOURCES.iter().map(|name| root().join(name)).filter(|path| path.is_dir()).collect();
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry"))
        {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() && !SKIPPED.contains(&name.as_str()) {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let short =
                    path.strip_prefix(root()).expect("below the root").display().to_string();
                found.insert(short, std::fs::read_to_string(&path).expect("text"));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn limit(path: &str, exceptions: &[(&str, usize)], usual: usize) -> usize {
    exceptions.iter().find(|(name, _)| *name == path).map_or(usual, |(_, most)| *most)
}

#[test]
fn files_are_short() {
    let long: Vec<_> = sources(&[".rs", ".ts", ".tsx"])
        .iter()
        .map(|(path, text)| (path.clone(), text.lines().count()))
        .filter(|(path, lines)| *lines > limit(path, FILE_EXCEPTIONS, FILE_LINES_MAX))
        .collect();
    assert!(long.is_empty(), "files over {FILE_LINES_MAX} lines: {long:?}");
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for (path, text) in sources(&[".rs"]) {
        for (name, lines) in functions(&text) {
            let key = format!("{path}::{name}");
            if lines > limit(&key, FUNCTION_EXCEPTIONS, FUNCTION_LINES_MAX) {
                long.push((key, lines));
            }
        }
    }
    assert!(long.is_empty(), "functions over {FUNCTION_LINES_MAX} lines: {long:?}");
}

/// Names and lengths of functions. rustfmt puts a function's closing brace under its first word, so
/// the indentation tells where it ends.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let words: Vec<_> = trimmed.split([' ', '(', '<']).collect();
        let Some(at) = words.iter().position(|word| *word == "fn") else { continue };
        let modifiers = ["pub", "pub(crate)", "pub(super)", "async", "const", "extern", "unsafe"];
        let is_signature =
            words[..at].iter().all(|word| modifiers.contains(word) || word.starts_with("pub"));
        if !is_signature || trimmed.ends_with(';') || trimmed.ends_with('}') {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let end = lines[start..].iter().position(|line| {
            *line == close || (line.starts_with(&close) && line.len() == close.len())
        });
        found.push((words.get(at + 1).unwrap_or(&"").to_string(), end.map_or(1, |end| end + 1)));
    }
    found
}

#[test]
fn crates_import_only_what_stands_below_them() {
    let mut wrong = Vec::new();
    for (name, allowed) in IMPORTS {
        let manifest =
            std::fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a manifest");
        let wanted = manifest.split("[dev-dependencies]").next().expect("a first part");
        for (other, _) in IMPORTS {
            if wanted.contains(&format!("throughline-{other}.")) && !allowed.contains(other) {
                wrong.push(format!("{name} imports {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn no_banned_words() {
    let mut wrong = Vec::new();
    for (path, text) in sources(&[".rs", ".ts", ".tsx", ".toml", ".json", ".mjs", ".py"]) {
        // Tests inside the crates may do what the product may not.
        let product = text.split("\nmod tests {").next().unwrap_or(&text);
        let only_tests = TEST_FILES.iter().any(|mark| path.contains(mark));
        for (word, allowed) in BANNED {
            if only_tests && FREE_IN_TESTS.contains(word) {
                continue;
            }
            let code = |line: &&str| !line.trim_start().starts_with("//") && line.contains(word);
            let text = if FREE_IN_TESTS.contains(word) { product } else { &text[..] };
            if text.lines().any(|line| code(&line))
                && !allowed.iter().any(|place| path.starts_with(place))
            {
                wrong.push(format!("{path}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_fuzzed_knows_only_the_model() {
    let mut wrong = Vec::new();
    for (path, text) in sources(&[".rs"]) {
        if !FUZZED.iter().any(|fuzzed| path.starts_with(fuzzed)) {
            continue;
        }
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let others = code.filter(|line| {
            let mut rest = line.replace("throughline_model", "");
            FUZZED_PATHS.iter().for_each(|path| rest = rest.replace(path, ""));
            rest.contains("throughline_")
                || rest.contains("use crate::")
                || rest.contains("(crate::")
        });
        wrong.extend(others.map(|line| format!("{path}: {}", line.trim())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn lock_file_has_one_version_of_what_crosses_our_borders() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    for name in ["arrow", "parquet", "datafusion", "object_store", "tonic", "prost"] {
        let entry = format!("name = \"{name}\"");
        let versions = lock.lines().filter(|line| *line == entry).count();
        assert_eq!(versions, 1, "{name} stands {versions} times in Cargo.lock");
    }
}

#[test]
fn no_machine_paths() {
    let marker = ["/work", "/"].concat();
    let wrong: Vec<_> = sources(&[".rs", ".ts", ".tsx", ".toml", ".mjs", ".py"])
        .into_iter()
        .filter(|(_, text)| text.contains(&marker))
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(Path::new(&root()).join("LICENSE").exists());
}
