//! Which of the offered media types a client prefers.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::error::{ApiError, ErrorKind, Result};

/// The media type that `Accept` prefers among those offered; the first without `Accept`.
pub fn negotiate<T: Copy>(headers: &HeaderMap, offered: &[(&str, T)]) -> Result<T> {
    let mut wanted: Vec<(f32, &str)> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(media_range)
        .filter(|(quality, _)| *quality > 0.0)
        .collect();
    wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
    if !headers.contains_key(ACCEPT) {
        wanted.push((1.0, "*/*"));
    }
    for (_, range) in &wanted {
        if let Some((_, choice)) = offered.iter().find(|(media_type, _)| covers(range, media_type))
        {
            return Ok(*choice);
        }
    }
    let names: Vec<&str> = offered.iter().map(|(media_type, _)| *media_type).collect();
    let detail = format!("offered here are {}", names.join(", "));
    let accept = wanted.iter().map(|(_, range)| *range).collect::<Vec<_>>().join(", ");
    Err(ApiError::new(ErrorKind::NotAcceptable, detail).with_field("accept").with_value(&accept))
}

// Quality and media range of one element of Accept.
fn media_range(element: &str) -> Option<(f32, &str)> {
    let mut parts = element.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let quality =
        parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
    Some((quality?, range))
}

fn covers(range: &str, media_type: &str) -> bool {
    if range == "*/*" || range.eq_ignore_ascii_case(media_type) {
        return true;
    }
    let prefix = range.strip_suffix('*').filter(|prefix| prefix.ends_with('/'));
    prefix.is_some_and(|prefix| {
        media_type.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_preferred_type_is_chosen() {
        let offered = [("application/json", 'j'), ("application/x-ndjson", 'n'), ("text/csv", 'c')];
        for (accept, expected) in [
            (None, Some('j')),
            (Some("*/*"), Some('j')),
            (Some("application/*"), Some('j')),
            (Some("application/x-ndjson"), Some('n')),
            (Some("Application/X-NDJSON; charset=utf-8"), Some('n')),
            (Some("application/json;q=0.5, application/x-ndjson"), Some('n')),
            (Some("text/html, application/json;q=0.9, */*;q=0.1"), Some('j')),
            (Some("text/*"), Some('c')),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            let chosen = negotiate(&headers, &offered);
            assert_eq!(chosen.as_ref().ok().copied(), expected, "{accept:?}");
            if let Err(err) = chosen {
                assert_eq!(err.kind(), ErrorKind::NotAcceptable);
            }
        }
    }
}
