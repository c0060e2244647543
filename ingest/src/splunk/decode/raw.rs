//! Raw lines: the first line is what the request's parameters said of all of them, as an event without text.
//! Text that is not UTF-8 is kept with U+FFFD where it is not.

use throughline_model::{Error, Result};

use super::columns::Columns;
use super::event;

/// Reads lines into `columns`; blank ones are none.
pub fn read(body: &[u8], columns: &mut Columns) -> Result<()> {
    let mut lines = body.split(|byte| *byte == b'\n');
    let head = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let wrong = |reason| Error::invalid(format!("the request's parameters: {reason}"));
    let head = event::parse(&head).map_err(wrong)?;
    let time_ns = event::time_ns(head.time.as_ref()).map_err(wrong)?;
    columns.origin(&head, &[]);
    for line in lines {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.trim_ascii().is_empty() {
            columns.line(time_ns, &String::from_utf8_lossy(line))?;
        }
    }
    Ok(())
}
