//! How the text of a setting becomes its value: one implementation a type.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::units::{ByteSize, parse_duration, parse_share, parse_size};

/// A type that a setting can have.
pub trait SettingValue: Sized {
    /// What the documentation calls the type.
    const KIND: &'static str;

    /// Parses the text of a setting; the error names the text and what was expected.
    fn parse(text: &str) -> Result<Self, String>;
}

/// A share of a whole, between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl SettingValue for SocketAddr {
    const KIND: &'static str = "address";

    fn parse(text: &str) -> Result<Self, String> {
        let numeric = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        };
        numeric.parse().map_err(|_| {
            format!("'{text}' is no address such as 127.0.0.1:4319, [::1]:4319 or localhost:0")
        })
    }
}

impl SettingValue for Option<SocketAddr> {
    const KIND: &'static str = "address or empty";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { SocketAddr::parse(text).map(Some) }
    }
}

impl SettingValue for PathBuf {
    const KIND: &'static str = "path";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("the path is empty".to_owned()) } else { Ok(text.into()) }
    }
}

impl SettingValue for Option<PathBuf> {
    const KIND: &'static str = "path or empty";

    fn parse(text: &str) -> Result<Self, String> {
        Ok((!text.is_empty()).then(|| text.into()))
    }
}

impl SettingValue for bool {
    const KIND: &'static str = "true or false";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("'{text}' is neither true nor false"))
    }
}

impl SettingValue for usize {
    const KIND: &'static str = "number";

    fn parse(text: &str) -> Result<Self, String> {
        text.replace('_', "").parse().map_err(|_| format!("'{text}' is no whole number"))
    }
}

impl SettingValue for ByteSize {
    const KIND: &'static str = "size";

    fn parse(text: &str) -> Result<Self, String> {
        parse_size(text)
    }
}

impl SettingValue for Duration {
    const KIND: &'static str = "duration";

    fn parse(text: &str) -> Result<Self, String> {
        parse_duration(text)
    }
}

impl SettingValue for Option<Duration> {
    const KIND: &'static str = "duration or forever";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "forever" { Ok(None) } else { parse_duration(text).map(Some) }
    }
}

impl SettingValue for Share {
    const KIND: &'static str = "share";

    fn parse(text: &str) -> Result<Self, String> {
        parse_share(text).map(Share)
    }
}

impl SettingValue for Vec<String> {
    const KIND: &'static str = "list";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect())
    }
}

impl SettingValue for String {
    const KIND: &'static str = "text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl SettingValue for LogFormat {
    const KIND: &'static str = "text or json";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("'{text}' is neither text nor json")),
        }
    }
}
