//! JavaScript: `at function (file:12:3)` of V8, `function@file:12:3` of Firefox and Safari.

use super::{Frame, contains_any, starts_with_any, without_line};

const RUNTIME: [&str; 8] =
    ["node:", "internal/", "native", "<anonymous>", "index ", "events.js", "net.js", "deno:"];
const LIBRARIES: [&str; 6] =
    ["node_modules/", "node_modules\\", "/bower_components/", "-extension://", "/deno/", "ext:"];

pub(super) fn frame(line: &str) -> Option<Frame> {
    let line = line.trim();
    match line.strip_prefix("at ") {
        Some(rest) => v8(rest),
        None => named_at(line),
    }
}

fn v8(rest: &str) -> Option<Frame> {
    let rest = starts_without(starts_without(rest, "async "), "new ");
    if let Some((function, place)) = rest.strip_suffix(')').and_then(|rest| rest.split_once(" (")) {
        // `[as name]` is under which name it was called.
        let function = function.split_once(" [as ").map_or(function, |(function, _)| function);
        // Code that was made from a string names the place of the `eval` too: the last is its own.
        let place = place.rsplit_once(", ").map_or(place, |(_, place)| place);
        let is_place = without_line(place).is_some() || starts_with_any(place, &RUNTIME);
        return is_place.then(|| make(function, place));
    }
    let is_place = without_line(rest).is_some() && !rest.contains(['(', ')']);
    (is_place || rest == "<anonymous>").then(|| make("", rest))
}

fn named_at(line: &str) -> Option<Frame> {
    let (function, place) = line.split_once('@')?;
    let is_frame = without_line(place).is_some()
        && !line.contains(char::is_whitespace)
        && place.contains(['/', '<']);
    is_frame.then(|| make(function, place))
}

fn make(function: &str, place: &str) -> Frame {
    let file = without_line(place).unwrap_or(place);
    let in_app = !starts_with_any(file, &RUNTIME) && !contains_any(file, &LIBRARIES);
    let file = file.split('?').next().unwrap_or_default();
    let file = match file.split_once("://") {
        // The host of a page, and the name that a bundler gives a project, say nothing of the code.
        Some((_, rest)) => rest.split_once('/').map_or(rest, |(_, path)| path),
        None => file,
    };
    let function = if function.is_empty() { "<anonymous>" } else { function };
    Frame::new(function, file, in_app)
}

fn starts_without<'a>(text: &'a str, prefix: &str) -> &'a str {
    text.strip_prefix(prefix).unwrap_or(text)
}
