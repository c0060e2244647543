//! Lines of JSON over HTTP, in the way that VictoriaLogs takes them: the decoder, and the path.

pub mod decode;
pub mod http;

pub use decode::decode;

use memchr::memmem;

/// Whether a body says, or may say, when its lines were. One that does not is sent again whenever the same happens
/// again: it is no repetition of the first.
pub fn says_when(body: &[u8]) -> bool {
    let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
    let (said, lines) = body.split_at(end);
    // Of a nested field the last name stands there.
    let named = |name: &str| {
        let quoted = |name: &str| memmem::find(lines, format!("\"{name}\"").as_bytes()).is_some();
        quoted(name) || name.rsplit_once('.').is_some_and(|(_, last)| quoted(last))
    };
    match serde_json::from_slice::<decode::Said>(said) {
        Ok(said) if !said.time.is_empty() => said.time.iter().any(|name| named(name)),
        _ => decode::TIME.iter().any(|name| named(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::says_when;

    #[test]
    fn fields_of_time_tell_when() {
        for (body, expected) in [
            ("{}\n{\"_msg\":\"timeout\"}", false),
            ("{}\n{\"_msg\":\"a\",\"_time\":1}", true),
            ("{\"time\":[\"ts\"]}\n{\"ts\":1}", true),
            ("{\"time\":[\"ts\"]}\n{\"_time\":1}", false),
            ("{\"time\":[\"a.ts\"]}\n{\"a\":{\"ts\":1}}", true),
            ("{}", false),
        ] {
            assert_eq!(says_when(body.as_bytes()), expected, "{body}");
        }
    }
}
