//! `as_number`, `duration_in` and `bytes_of`: what a text says as an amount.

use super::super::units;

/// The finite number that a text is, white space around it left out: `500`, `-1.5`, `2e3`.
pub fn as_number(text: &str) -> Option<f64> {
    units::number(text.trim())
}

/// The duration that a text is, in a unit (`ns`, `us`, `ms`, `s`, `m`, `h`, `d`, `w`). A number alone is
/// one of that unit already.
pub fn duration_in(text: &str, unit: &str) -> Option<f64> {
    let text = text.trim();
    units::number(text).or_else(|| Some(units::in_unit(units::duration_ns(text)?, unit)))
}

/// The size that a text is, in bytes: `1.5KiB`, `10MB`. A number alone counts bytes.
pub fn bytes_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let size = || {
        let (amount, unit) = text.rsplit_once(char::is_whitespace)?;
        units::size_bytes(&format!("{}{unit}", amount.trim_end()))
    };
    units::number(text).or_else(|| units::size_bytes(text)).or_else(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read() {
        for (text, expected) in
            [("500", Some(500.0)), (" -1.5 ", Some(-1.5)), ("5s", None), ("nan", None), ("", None)]
        {
            assert_eq!(as_number(text), expected, "{text}");
        }
        assert_eq!(duration_in("1.5s", "ms"), Some(1500.0));
        assert_eq!(duration_in("20", "ms"), Some(20.0));
        assert_eq!(duration_in("fast", "ms"), None);
        assert_eq!((bytes_of("1KiB"), bytes_of("1.5 MB")), (Some(1024.0), Some(1.5e6)));
        assert_eq!((bytes_of("7"), bytes_of("7 things")), (Some(7.0), None));
    }
}
