//! Stack traces as frames: which function in which file, and whether it is the application's own.
//!
//! Line by line: each language says whether a line is one of its frames, since the text does not name
//! its language and a trace may cross from one into another. Go and Rust need two lines a frame: the
//! function, then its place. Line numbers are left out, for they change with every release.

mod dotnet;
mod go;
mod java;
mod javascript;
mod php;
mod python;
mod ruby;
mod rust;

use super::head_of;

/// Bytes of a stack trace that are looked at.
pub const STACK_BYTES_MAX: usize = 64 * 1024;
/// Frames that are read out of one.
pub const FRAMES_MAX: usize = 256;
/// Bytes of a line that is looked at; a longer one is no frame.
const LINE_BYTES_MAX: usize = 2048;

/// A frame of a stack trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The function, qualified as the language does.
    pub function: String,
    /// The file as the trace names it; empty where it names none.
    pub file: String,
    /// Whether it is code of the application, neither the runtime's nor a library's.
    pub in_app: bool,
}

impl Frame {
    fn new(function: &str, file: &str, in_app: bool) -> Self {
        Self { function: function.to_owned(), file: file.to_owned(), in_app }
    }
}

/// The frames of a stack trace, the innermost first.
pub fn parse_frames(stacktrace: &str) -> Vec<Frame> {
    let text = head_of(stacktrace, STACK_BYTES_MAX);
    let mut frames = Vec::new();
    let mut outermost_first = false;
    let mut lines = text.lines().filter(|line| line.len() <= LINE_BYTES_MAX).peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().copied().unwrap_or_default();
        let two = go::frame(line, next).or_else(|| rust::frame(line, next));
        if let Some((frame, took_next)) = two {
            frames.push(frame);
            if took_next {
                lines.next();
            }
        } else if let Some(frame) = python::frame(line) {
            outermost_first = true;
            frames.push(frame);
        } else if let Some(frame) = one_line(line) {
            frames.push(frame);
        }
        // Python's innermost frames are the last: it is bounded by its lines alone.
        if frames.len() >= FRAMES_MAX && !outermost_first {
            break;
        }
    }
    if outermost_first {
        frames.reverse();
        frames.truncate(FRAMES_MAX);
    }
    frames
}

fn one_line(line: &str) -> Option<Frame> {
    java::frame(line)
        .or_else(|| javascript::frame(line))
        .or_else(|| dotnet::frame(line))
        .or_else(|| php::frame(line))
        .or_else(|| ruby::frame(line))
}

// A place without `:line` and `:line:column`; none if there is no line number.
fn without_line(place: &str) -> Option<&str> {
    let cut = |place: &'_ str| -> Option<usize> {
        let (before, number) = place.rsplit_once(':')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(before.len())
    };
    let first = &place[..cut(place)?];
    Some(cut(first).map_or(first, |end| &first[..end]))
}

fn starts_with_any(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| text.starts_with(prefix))
}

fn contains_any(text: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| text.contains(part))
}
