//! Builds the web app into `OUT_DIR/dist`, from where `src/lib.rs` embeds it.
//!
//! ```text
//! THROUGHLINE_UI_DIST set → that folder is copied as it is
//! otherwise               → hash of the inputs changed? lock → npm ci → vite build
//! ```
//! The lock serialises builds of one checkout into several target folders: they share
//! `node_modules`. A finished build leaves its hash beside the output, so that a rebuild of the
//! crate alone costs nothing.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the output depends on; folders count with everything in them.
const INPUTS: [&str; 8] = [
    "app",
    "public",
    "plugins",
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
];
const DIST_ENV: &str = "THROUGHLINE_UI_DIST";
const NPM_MISSING: &str = "npm was not found: the web app is built with Node 20.19 or newer \
    and npm. Install them, or set THROUGHLINE_UI_DIST to a folder that holds a ready build";

type BuildResult<T> = Result<T, String>;

fn main() {
    println!("cargo:rerun-if-env-changed={DIST_ENV}");
    println!("cargo:rerun-if-changed=build.rs");
    if let Err(message) = run() {
        eprintln!("throughline-ui: {message}");
        std::process::exit(1);
    }
}

fn run() -> BuildResult<()> {
    let root = PathBuf::from(env("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env("OUT_DIR")?);
    let dist = out.join("dist");
    if let Some(ready) = std::env::var_os(DIST_ENV).filter(|value| !value.is_empty()) {
        return copy_ready_build(Path::new(&ready), &dist);
    }
    for input in INPUTS {
        println!("cargo:rerun-if-changed={input}");
    }
    let hash = hash_inputs(&root)?;
    let stamp = out.join("dist.hash");
    if dist.join("index.html").is_file() && read_or_empty(&stamp) == hash {
        return Ok(());
    }
    build(&root, &dist)?;
    fs::write(&stamp, hash).map_err(|error| format!("cannot write {}: {error}", stamp.display()))
}

fn env(name: &str) -> BuildResult<String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}"))
}

fn read_or_empty(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn copy_ready_build(ready: &Path, dist: &Path) -> BuildResult<()> {
    println!("cargo:rerun-if-changed={}", ready.display());
    if !ready.join("index.html").is_file() {
        return Err(format!(
            "{DIST_ENV}={} holds no index.html: it must name the output folder of `vite build`",
            ready.display()
        ));
    }
    if dist.exists() {
        fs::remove_dir_all(dist).map_err(|error| format!("{}: {error}", dist.display()))?;
    }
    for file in files_under(ready)? {
        let relative = file.strip_prefix(ready).map_err(|error| error.to_string())?;
        let target = dist.join(relative);
        let folder = target.parent().unwrap_or(dist);
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        fs::copy(&file, &target).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

fn build(root: &Path, dist: &Path) -> BuildResult<()> {
    let lock_path = root.join(".build.lock");
    let lock = fs::File::create(&lock_path)
        .map_err(|error| format!("cannot create {}: {error}", lock_path.display()))?;
    lock.lock().map_err(|error| format!("cannot lock {}: {error}", lock_path.display()))?;
    let wanted = read_or_empty(&root.join("package-lock.json"));
    let installed = root.join("node_modules/.throughline-lock.json");
    if read_or_empty(&installed) != wanted {
        npm(root, &["ci", "--include=dev", "--no-audit", "--no-fund"])?;
        fs::write(&installed, wanted)
            .map_err(|error| format!("cannot write {}: {error}", installed.display()))?;
    }
    let out_dir = dist.to_str().ok_or("OUT_DIR is not UTF-8")?;
    npm(root, &["run", "build", "--", "--outDir", out_dir, "--emptyOutDir"])
}

fn npm(root: &Path, arguments: &[&str]) -> BuildResult<()> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output =
        Command::new(program).args(arguments).current_dir(root).output().map_err(|error| {
            match error.kind() {
                std::io::ErrorKind::NotFound => NPM_MISSING.to_owned(),
                _ => format!("cannot run npm: {error}"),
            }
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "`npm {}` failed with {}\n{}{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

fn hash_inputs(root: &Path) -> BuildResult<String> {
    let mut hasher = DefaultHasher::new();
    for input in INPUTS {
        let path = root.join(input);
        if !path.exists() {
            continue;
        }
        for file in files_under(&path)? {
            let bytes = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            file.strip_prefix(root).unwrap_or(&file).hash(&mut hasher);
            bytes.hash(&mut hasher);
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// The files of a folder and of those below it, in a stable order; a file is itself.
fn files_under(path: &Path) -> BuildResult<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut pending = vec![path.to_path_buf()];
    while let Some(next) = pending.pop() {
        if next.is_file() {
            files.push(next);
            continue;
        }
        let entries =
            fs::read_dir(&next).map_err(|error| format!("{}: {error}", next.display()))?;
        for entry in entries {
            pending.push(entry.map_err(|error| format!("{}: {error}", next.display()))?.path());
        }
    }
    files.sort();
    Ok(files)
}
