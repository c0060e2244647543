//! `regex_extract`: the text of a named group of a regular expression, where it first matches.

use regex::Regex;

/// The text of a group; none where the expression does not match or the group is no part of the match.
pub fn regex_extract<'t>(text: &'t str, regex: &Regex, group: &str) -> Option<&'t str> {
    Some(regex.captures(text)?.name(group)?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found() {
        let regex = Regex::new(r"user=(?P<user>\w+)( id=(?P<id>\d+))?").expect("valid");
        let text = "x user=bob user=eve id=7";
        assert_eq!(regex_extract(text, &regex, "user"), Some("bob"));
        assert_eq!(regex_extract(text, &regex, "id"), None);
        assert_eq!(regex_extract(text, &regex, "missing"), None);
        assert_eq!(regex_extract("", &regex, "user"), None);
    }
}
