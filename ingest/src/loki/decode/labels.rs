//! The labels of a stream: their text, and the resource that they are.
//!
//! ```text
//! labels := "{" [pair ("," pair)* [","]] "}"        pair := name "=" text
//! name   := [A-Za-z_:][A-Za-z0-9_:.]* | text        text := "…" | '…' with the escapes of Go | `…` as it is
//! ```

use std::borrow::Cow;

use throughline_model::codec::{put_bytes, put_nested};
use throughline_model::origin::SERVICE_NAME;
use throughline_model::value;

use super::columns::{Pairs, check_pairs};
use crate::records::{Read, severity_number};

/// Labels in the order of the wire.
#[derive(Clone, Debug, Default)]
pub struct Labels<'a>(pub Pairs<'a>);

/// Labels that name the service where nothing else does: Loki's own order.
const SERVICES: [&str; 10] = [
    "service",
    "app",
    "application",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "component",
    "workload",
    "job",
];

/// Labels of streams that Loki makes of dotted names, and the names; others stay as they are, so that they
/// come back as labels of streams.
const DOTTED: &[(&str, &str)] = &[
    ("service_name", SERVICE_NAME),
    ("service_namespace", "service.namespace"),
    ("service_instance_id", "service.instance.id"),
    ("deployment_environment", "deployment.environment"),
    ("deployment_environment_name", "deployment.environment.name"),
    ("cloud_region", "cloud.region"),
    ("cloud_availability_zone", "cloud.availability_zone"),
    ("container_name", "container.name"),
    ("k8s_cluster_name", "k8s.cluster.name"),
    ("k8s_namespace_name", "k8s.namespace.name"),
    ("k8s_pod_name", "k8s.pod.name"),
    ("k8s_container_name", "k8s.container.name"),
    ("k8s_deployment_name", "k8s.deployment.name"),
    ("k8s_replicaset_name", "k8s.replicaset.name"),
    ("k8s_statefulset_name", "k8s.statefulset.name"),
    ("k8s_daemonset_name", "k8s.daemonset.name"),
    ("k8s_cronjob_name", "k8s.cronjob.name"),
    ("k8s_job_name", "k8s.job.name"),
];

/// What the labels of a stream say of all its entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stream {
    /// The attributes of the resource, encoded: sorted by name, so that the order of labels does not matter.
    pub resource: Vec<u8>,
    /// The severity of entries that say none themselves.
    pub level: Option<String>,
}

impl Stream {
    /// The stream of these labels; of two with one name, the last counts.
    pub fn of(Labels(mut pairs): Labels<'_>) -> Self {
        pairs.retain(|(_, text)| !text.is_empty()); // to Loki, an empty label is none
        let level = ["level", "severity"].iter().find_map(|wanted| {
            let (_, word) = pairs.iter().rfind(|(name, _)| name == wanted)?;
            severity_number(word).map(|_| word.to_string())
        });
        let named = ["service_name", SERVICE_NAME].iter().chain(&SERVICES);
        let service = named.into_iter().find_map(|wanted| {
            pairs.iter().rfind(|(name, _)| name == wanted).map(|(_, text)| text.clone())
        });
        for (name, _) in &mut pairs {
            if let Some((_, dotted)) = DOTTED.iter().find(|(label, _)| label == name) {
                *name = Cow::Borrowed(*dotted);
            }
        }
        pairs.retain(|(name, _)| name != SERVICE_NAME);
        pairs.extend(service.map(|text| (Cow::Borrowed(SERVICE_NAME), text)));
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut resource = Vec::new();
        for (at, (name, text)) in pairs.iter().enumerate() {
            if pairs.get(at + 1).is_some_and(|(next, _)| next == name) {
                continue;
            }
            put_bytes(&mut resource, name.as_bytes());
            put_nested(&mut resource, |out| value::put_string(out, text));
        }
        Self { resource, level }
    }
}

/// Reads the labels of a stream out of their text.
pub fn parse(text: &str) -> Read<Labels<'_>> {
    let mut parser = Parser { text, at: 0 };
    let mut pairs = Vec::new();
    parser.expect('{')?;
    while !parser.take('}') {
        let name = parser.name()?;
        parser.expect('=')?;
        let value = match parser.peek() {
            Some('"' | '\'' | '`') => parser.quoted()?,
            _ => return Err(parser.wrong("a quoted value")),
        };
        pairs.push((name, value));
        check_pairs("the labels' text", pairs.len())?;
        if !parser.take(',') {
            parser.expect('}')?;
            break;
        }
    }
    match parser.peek() {
        None => Ok(Labels(pairs)),
        Some(_) => Err(parser.wrong("the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    /// The next character that is no white space, without taking it.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Read<()> {
        if self.take(wanted) { Ok(()) } else { Err(self.wrong(&format!("'{wanted}'"))) }
    }

    fn wrong(&mut self, expected: &str) -> String {
        match self.peek() {
            Some(found) => {
                format!("labels: {expected} expected at byte {}, not '{found}'", self.at)
            }
            None => format!("labels: {expected} expected, the text ends at byte {}", self.at),
        }
    }

    fn name(&mut self) -> Read<Cow<'a, str>> {
        if matches!(self.peek(), Some('"' | '\'' | '`')) {
            return self.quoted();
        }
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.');
        let len = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if len == 0 || rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Err(self.wrong("a name"));
        }
        self.at += len;
        Ok(Cow::Borrowed(&rest[..len]))
    }

    /// A quoted text; the quote is the next character.
    fn quoted(&mut self) -> Read<Cow<'a, str>> {
        let start = self.at;
        let quote = self.text.as_bytes()[start];
        let inner = &self.text[start + 1..];
        let unended = || format!("labels: the text that begins at byte {start} has no end");
        let plain = |byte: &u8| *byte == quote || (*byte == b'\\' && quote != b'`');
        let len = inner.as_bytes().iter().position(plain).ok_or_else(unended)?;
        if inner.as_bytes()[len] == quote {
            self.at = start + len + 2;
            return Ok(Cow::Borrowed(&inner[..len]));
        }
        let mut out = inner.as_bytes()[..len].to_vec();
        self.at = start + 1 + len;
        loop {
            match self.text.as_bytes().get(self.at) {
                None => return Err(unended()),
                Some(byte) if *byte == quote => break,
                Some(b'\\') => self.escape(&mut out)?,
                Some(byte) => {
                    out.push(*byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        let text = String::from_utf8(out).map_err(|err| {
            let at = err.utf8_error().valid_up_to();
            format!("labels: the text that begins at byte {start} is not UTF-8 at its byte {at}")
        })?;
        Ok(Cow::Owned(text))
    }

    /// An escape of Go: the backslash is the next character.
    fn escape(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let at = self.at;
        let wrong = || format!("labels: an unknown escape at byte {at}");
        let digits = |start: usize, len: usize, radix: u32| -> Option<u32> {
            let digits = self.text.get(start..start + len)?;
            digits.bytes().all(|byte| char::from(byte).is_digit(radix)).then_some(())?;
            u32::from_str_radix(digits, radix).ok()
        };
        let kind = *self.text.as_bytes().get(at + 1).ok_or_else(wrong)?;
        let (len, byte) = match kind {
            b'a' => (2, 7),
            b'b' => (2, 8),
            b't' => (2, b'\t'),
            b'n' => (2, b'\n'),
            b'v' => (2, 11),
            b'f' => (2, 12),
            b'r' => (2, b'\r'),
            b'\\' | b'"' | b'\'' => (2, kind),
            b'x' => (4, digits(at + 2, 2, 16).ok_or_else(wrong)? as u8),
            b'0'..=b'3' => (4, digits(at + 1, 3, 8).ok_or_else(wrong)? as u8),
            b'u' | b'U' => {
                let len = if kind == b'u' { 4 } else { 8 };
                let point = digits(at + 2, len, 16).and_then(char::from_u32).ok_or_else(wrong)?;
                out.extend_from_slice(point.encode_utf8(&mut [0; 4]).as_bytes());
                self.at += 2 + len;
                return Ok(());
            }
            _ => return Err(wrong()),
        };
        out.push(byte);
        self.at += len;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use throughline_model::attrs;

    use super::*;

    fn shown(text: &str) -> String {
        let labels = match parse(text) {
            Ok(Labels(pairs)) => pairs,
            Err(reason) => return reason,
        };
        labels.iter().map(|(name, value)| format!("{name}={value};")).collect()
    }

    #[test]
    fn labels_are_read_or_the_place_is_named() {
        for (text, expected) in [
            ("{}", ""),
            (" { } ", ""),
            (r#"{app="x", env="y"}"#, "app=x;env=y;"),
            (r#"{ app = "x" , }"#, "app=x;"),
            (r#"{a:b="", c.d='"', `e f`=`\n`}"#, r#"a:b=;c.d=";e f=\n;"#),
            (r#"{a="\"\\\n\x41\101\u00e9\U0001F600\xc3\xa9é"}"#, "a=\"\\\nAAé😀éé;"),
            ("", "labels: '{' expected, the text ends at byte 0"),
            ("{", "labels: a name expected, the text ends at byte 1"),
            (r#"{1a="x"}"#, "labels: a name expected at byte 1, not '1'"),
            (r#"{a!="x"}"#, "labels: '=' expected at byte 2, not '!'"),
            ("{a=x}", "labels: a quoted value expected at byte 3, not 'x'"),
            (r#"{a="x" b="y"}"#, "labels: '}' expected at byte 7, not 'b'"),
            (r#"{a="x"} y"#, "labels: the end expected at byte 8, not 'y'"),
            (r#"{a="x"#, "labels: the text that begins at byte 3 has no end"),
            (r#"{a="\"#, "labels: an unknown escape at byte 4"),
            (r#"{a="\q"}"#, "labels: an unknown escape at byte 4"),
            (r#"{a="\xé"}"#, "labels: an unknown escape at byte 4"),
            (r#"{a="\ud800"}"#, "labels: an unknown escape at byte 4"),
            (r#"{a="\xff"}"#, "labels: the text that begins at byte 3 is not UTF-8 at its byte 0"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn labels_are_a_resource() {
        for (text, resource, level) in [
            (r#"{env="p", app="x"}"#, "app=x env=p service.name=x", None),
            (r#"{app="x", service_name="y"}"#, "app=x service.name=y", None),
            (r#"{job="j", container="c"}"#, "container=c job=j service.name=c", None),
            (r#"{job="j", app=""}"#, "job=j service.name=j", None),
            (r#"{k8s_pod_name="p", level="WARN"}"#, "k8s.pod.name=p level=WARN", Some("WARN")),
            (r#"{level="odd", severity="err"}"#, "level=odd severity=err", Some("err")),
            (r#"{a="1", a="2"}"#, "a=2", None),
        ] {
            let stream = Stream::of(parse(text).expect("well-formed"));
            let set = attrs::decode(&stream.resource).expect("its own encoding");
            let set: Vec<_> = set
                .iter()
                .map(|(k, v)| format!("{k}={}", v.to_json().as_str().expect("text")))
                .collect();
            assert_eq!(set.join(" "), resource, "{text}");
            assert_eq!(stream.level.as_deref(), level, "{text}");
        }
    }
}
