//! Ruby: `path/file.rb:12:in 'Class#method'`.

use super::{Frame, contains_any};

const LIBRARIES: [&str; 6] =
    ["/gems/", "/lib/ruby/", "/rubies/", "<internal:", "/bundle/", "/vendor/"];

pub(super) fn frame(line: &str) -> Option<Frame> {
    let line = line.trim();
    let line = line.strip_prefix("from ").unwrap_or(line);
    let (place, rest) = line.split_once(":in ")?;
    let (file, number) = place.rsplit_once(':')?;
    if file.is_empty() || number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let name = rest.strip_prefix(['`', '\''])?;
    let (name, _) = name.split_once('\'')?;
    // `block (2 levels) in charge`, `rescue in charge`
    let function = name.rsplit_once(" in ").map_or(name, |(_, function)| function);
    Some(Frame::new(function, file, !contains_any(file, &LIBRARIES)))
}
