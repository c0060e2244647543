//! One message: its priority, and which of the two RFCs it follows.

use super::{legacy, structured};

/// The largest priority: facility 23, severity 7.
const PRIORITY_MAX: u8 = 191;

/// What a message says. Texts that it does not have are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message<'a> {
    /// Facility times 8, plus severity.
    pub priority: Option<u8>,
    /// When it was made.
    pub time_ns: Option<i64>,
    /// Where.
    pub host: &'a str,
    /// By what.
    pub app: &'a str,
    /// By which process.
    pub process: &'a str,
    /// What kind of message it is.
    pub id: &'a str,
    /// Structured data.
    pub data: Vec<Element<'a>>,
    /// The text.
    pub text: &'a str,
}

/// An element of structured data: its id, and its parameters in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Element<'a> {
    /// The element's id.
    pub id: &'a str,
    /// Names and values.
    pub params: Vec<(&'a str, String)>,
}

/// Reads a message of either kind. There is none that cannot be read: what is not understood is text.
pub fn parse(text: &str, arrived_at_ns: i64) -> Message<'_> {
    let text = text.trim_end_matches(['\n', '\r', '\0']);
    let (priority, rest) = match priority(text) {
        Some((priority, rest)) => (Some(priority), rest),
        None => (None, text),
    };
    let read = priority.and_then(|_| structured::parse(rest));
    let message = read.unwrap_or_else(|| legacy::parse(rest, arrived_at_ns));
    Message { priority, ..message }
}

fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let fits = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let priority = digits.parse().ok().filter(|priority| *priority <= PRIORITY_MAX)?;
    fits.then_some((priority, rest))
}
