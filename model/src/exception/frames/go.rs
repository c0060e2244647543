//! Go: the function with its arguments, then a tab and `/path/file.go:12 +0x1d`.

use super::{Frame, contains_any, without_line};

/// First parts of the import paths of the standard library.
#[rustfmt::skip]
const STANDARD: &[&str] = &[
    "archive", "bufio", "bytes", "compress", "container", "context", "crypto", "database", "encoding",
    "errors", "expvar", "flag", "fmt", "go", "hash", "html", "image", "internal", "io", "iter", "log",
    "maps", "math", "mime", "net", "os", "panic", "path", "plugin", "reflect", "regexp", "runtime",
    "slices", "sort", "strconv", "strings", "sync", "syscall", "testing", "text", "time", "unicode",
    "unique",
];
const LIBRARIES: [&str; 4] = ["/pkg/mod/", "/vendor/", "/usr/local/go/src/", "/libexec/src/"];

/// The frame of two lines.
pub(super) fn frame(line: &str, next: &str) -> Option<(Frame, bool)> {
    let place = next.strip_prefix(['\t', ' '])?.trim();
    let place = place.split_once(" +0x").map_or(place, |(place, _)| place);
    let file = without_line(place).filter(|file| file.ends_with(".go"))?;
    let line = line.trim();
    // Where a goroutine was started is not on its stack.
    let is_creator = line.starts_with("created by ");
    if line.is_empty() || is_creator || line.contains(['\t', '"']) {
        return None;
    }
    let function = without_arguments(line);
    let first = function.split(['/', '.', '(']).next().unwrap_or_default();
    let is_library = STANDARD.contains(&first) && !function.starts_with("main.")
        || contains_any(file, &LIBRARIES)
        || file.split_once('@').is_some_and(|(_, version)| version.starts_with('v'));
    Some((Frame::new(&without_type_parameters(function), file, !is_library), true))
}

// `main.(*Shop).Pay(0xc000, 0x1)` and `main.(*Shop).Pay(...)` without what was passed.
fn without_arguments(line: &str) -> &str {
    match line.strip_suffix(')').and_then(|inside| inside.rfind('(')) {
        // A method value ends in the brackets of its receiver: they belong to the name.
        Some(at) if at > 0 && !line[at..].starts_with("(*") => &line[..at],
        _ => line,
    }
}

fn without_type_parameters(function: &str) -> String {
    match (function.find('['), function.rfind(']')) {
        (Some(from), Some(to)) if from < to => {
            format!("{}{}", &function[..from], &function[to + 1..])
        }
        _ => function.to_owned(),
    }
}
