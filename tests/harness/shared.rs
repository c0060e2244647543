//! The conformance data outside the repository: `../shared`, or where `THROUGHLINE_SHARED` says.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

/// The path below `../shared`, or `None` after saying that the caller skips its test.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let root = std::env::var_os("THROUGHLINE_SHARED").map_or(root, PathBuf::from);
    let full = root.join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!("skipped: {} is absent", full.display());
    None
}

/// The lines of a gzipped file.
pub fn gz_lines(path: &Path) -> Vec<String> {
    let file = std::fs::File::open(path).expect("the file opens");
    BufReader::new(GzDecoder::new(file)).lines().map(|line| line.expect("text")).collect()
}
