//! PHP: `#0 /path/file.php(12): Class->method(…)`.

use super::{Frame, contains_any};

const LIBRARIES: [&str; 2] = ["/vendor/", "\\vendor\\"];
const INTERNAL: &str = "[internal function]";

pub(super) fn frame(line: &str) -> Option<Frame> {
    let (number, rest) = line.trim().strip_prefix('#')?.split_once(' ')?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (place, call) = rest.split_once(": ")?;
    let file = match place {
        INTERNAL => "",
        place => place.strip_suffix(')')?.rsplit_once('(')?.0,
    };
    let function = call.split_once('(').map_or(call, |(function, _)| function);
    let in_app = !file.is_empty() && !contains_any(file, &LIBRARIES);
    Some(Frame::new(function, file, in_app))
}
