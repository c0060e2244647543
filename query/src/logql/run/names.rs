//! What attributes are called as labels, and which of them make a stream: Loki's mapping of OTLP.

use std::borrow::Cow;

use throughline_model::Value;
use throughline_model::value::ValueRef;

use super::super::lex::is_name;
use crate::Result;

/// The label of a stream that every record has.
pub const SERVICE: &str = "service_name";
/// The level of a record, by its severity; `unknown` where there is none.
pub const LEVEL: &str = "detected_level";
/// What [`LEVEL`] is where a record says nothing of it.
pub const LEVEL_UNKNOWN: &str = "unknown";
/// The id of the trace, in hex.
pub const TRACE_ID: &str = "trace_id";
/// The id of the span, in hex.
pub const SPAN_ID: &str = "span_id";
/// The severity as the sender wrote it.
pub const SEVERITY_TEXT: &str = "severity_text";
/// The severity number.
pub const SEVERITY_NUMBER: &str = "severity_number";
/// Trace flags.
pub const FLAGS: &str = "flags";
/// Name of an event.
pub const EVENT_NAME: &str = "event_name";
/// Name of the instrumentation scope.
pub const SCOPE_NAME: &str = "scope_name";
/// Its version.
pub const SCOPE_VERSION: &str = "scope_version";

/// Resource attributes that are labels of the stream unless Loki is configured otherwise
/// (`otlp_config` of its documentation).
const OF_STREAM: [&str; 18] = [
    "cloud.availability_zone",
    "cloud.region",
    "container.name",
    "deployment.environment",
    "deployment.environment.name",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.cronjob.name",
    "k8s.daemonset.name",
    "k8s.deployment.name",
    "k8s.job.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.replicaset.name",
    "k8s.statefulset.name",
    "service.instance.id",
    "service.name",
    "service.namespace",
];

/// How deep nested attributes become labels of their own; what is deeper is one text.
const DEPTH_MAX: usize = 8;

/// Whether a resource attribute is a label of the stream: those of Loki's list, and those that
/// pushers of streams sent as labels, which have no dots.
pub fn is_of_stream(key: &str) -> bool {
    OF_STREAM.binary_search(&key).is_ok() || is_name(key)
}

/// The label that an attribute is.
pub fn label_name(key: &str) -> Cow<'_, str> {
    if is_name(key) {
        return Cow::Borrowed(key);
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let plain: String = key.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let needs_prefix = match plain.as_bytes() {
        [] => return Cow::Borrowed("_"),
        [first, ..] if first.is_ascii_digit() => Some("key_"),
        [b'_', rest @ ..] if rest.first() != Some(&b'_') => Some("key"),
        _ => None,
    };
    Cow::Owned(match needs_prefix {
        Some(prefix) => format!("{prefix}{plain}"),
        None => plain,
    })
}

/// Hands out the labels that an attribute comes to: one, or of nested values one a leaf.
pub fn labels_of(key: &str, value: &[u8], add: &mut impl FnMut(&str, &str)) -> Result<()> {
    let name = label_name(key);
    match ValueRef::read(value)? {
        read @ ValueRef::Nested(bytes) if !read.is_array() => {
            nested(&name, &Value::decode(bytes)?, 1, add);
        }
        read => {
            if let Some(text) = read.text()?
                && !text.is_empty()
            {
                add(&name, &text);
            }
        }
    }
    Ok(())
}

fn nested(name: &str, value: &Value, depth: usize, add: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Kvlist(entries) if depth < DEPTH_MAX => {
            for (key, value) in entries {
                let key: String = key
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
                    .collect();
                nested(&format!("{name}_{key}"), value, depth + 1, add);
            }
        }
        _ => {
            // What was encoded can be read.
            if let Ok(read) = ValueRef::read(&value.to_bytes())
                && let Ok(Some(text)) = read.text()
                && !text.is_empty()
            {
                add(name, &text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_the_names_of_labels() {
        for (key, expected) in [
            ("k8s.pod.name", "k8s_pod_name"),
            ("plain", "plain"),
            ("_own", "_own"),
            ("http.response-code", "http_response_code"),
            ("1st", "key_1st"),
            (".hidden", "key_hidden"),
            ("größe", "gr__e"),
            ("", "_"),
        ] {
            assert_eq!(label_name(key), expected, "{key}");
        }
    }

    #[test]
    fn nested_attributes_are_several_labels() {
        let value = Value::Kvlist(vec![
            ("a.b".to_owned(), Value::Int(1)),
            ("c".to_owned(), Value::Kvlist(vec![("d".to_owned(), Value::Bool(true))])),
            ("e".to_owned(), Value::Array(vec![Value::Int(1), Value::String("x".to_owned())])),
            ("f".to_owned(), Value::Empty),
        ]);
        let mut found = Vec::new();
        labels_of("own.key", &value.to_bytes(), &mut |name, text| {
            found.push(format!("{name}={text}"));
        })
        .expect("an encoded value");
        assert_eq!(found, ["own_key_a_b=1", "own_key_c_d=true", r#"own_key_e=[1,"x"]"#]);
    }

    #[test]
    fn the_list_of_streams_is_sorted() {
        assert!(OF_STREAM.is_sorted());
        assert!(is_of_stream("k8s.pod.name") && is_of_stream("job"));
        assert!(!is_of_stream("host.name"));
    }
}
