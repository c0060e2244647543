//! Trace and span ids (OpenTelemetry specification, "SpanContext").

use crate::{Error, Result};

/// A trace id: 16 bytes, shown as 32 lowercase hex digits. All zero is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId(pub [u8; 16]);

/// A span id: 8 bytes, shown as 16 lowercase hex digits. All zero is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId(pub [u8; 8]);

macro_rules! id {
    ($name:ident, $len:literal, $what:literal) => {
        impl $name {
            /// The id of exactly as many bytes as it has.
            pub fn from_slice(bytes: &[u8]) -> Result<Self> {
                let array = bytes.try_into().map_err(|_| {
                    Error::invalid(format!(
                        concat!($what, " has {} bytes, expected ", $len),
                        bytes.len()
                    ))
                })?;
                Ok(Self(array))
            }

            /// Parses hex digits of either case; fewer digits are padded with zeros on the left,
            /// as Jaeger and Zipkin write ids.
            pub fn parse(text: &str) -> Result<Self> {
                let mut bytes = [0u8; $len];
                let digits = text.as_bytes();
                if digits.is_empty() || digits.len() > 2 * $len {
                    return Err(Error::invalid(format!(
                        concat!($what, " '{}' has {} hex digits, expected 1 to {}"),
                        text,
                        digits.len(),
                        2 * $len
                    )));
                }
                for (i, digit) in digits.iter().rev().enumerate() {
                    let nibble = (*digit as char).to_digit(16).ok_or_else(|| {
                        Error::invalid(format!(
                            concat!($what, " '{}' has a character that is no hex digit"),
                            text
                        ))
                    })? as u8;
                    bytes[$len - 1 - i / 2] |= nibble << (4 * (i % 2));
                }
                Ok(Self(bytes))
            }

            /// Whether this is the invalid all-zero id.
            pub fn is_zero(&self) -> bool {
                self.0.iter().all(|byte| *byte == 0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(TraceId, 16, "trace id");
id!(SpanId, 8, "span id");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse() {
        let id = TraceId::parse("4BF92F3577B34DA6A3CE929D0E0E4736").expect("valid");
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(SpanId::parse("abc").expect("valid").to_string(), "0000000000000abc");
        assert!(SpanId::parse("").is_err());
        assert!(TraceId::parse("xyz").is_err());
        assert!(SpanId::parse("00112233445566778").is_err());
        assert!(TraceId::default().is_zero());
    }
}
