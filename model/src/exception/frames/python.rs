//! Python: `File "path", line 12, in function`, the innermost last.

use super::{Frame, contains_any};

const LIBRARIES: [&str; 8] = [
    "/site-packages/",
    "/dist-packages/",
    "/lib/python",
    "/lib64/python",
    "\\site-packages\\",
    "\\Lib\\",
    "<frozen ",
    "<string>",
];

pub(super) fn frame(line: &str) -> Option<Frame> {
    // Groups of exceptions are drawn with bars in front.
    let line = line.trim_start_matches([' ', '\t', '|', '+']);
    let (file, rest) = line.strip_prefix("File \"")?.split_once("\", line ")?;
    let function = rest.split_once(", in ").map_or("<module>", |(_, function)| function.trim());
    Some(Frame::new(function, file, !contains_any(file, &LIBRARIES)))
}
