//! Frames and messages from files of cases, and what must hold for any text.

use proptest::prelude::*;

use super::*;
use crate::Result;
use crate::Value;
use crate::attrs;
use crate::origin::put_event;

#[test]
fn frames_of_every_language() {
    let mut cases = 0;
    for case in include_str!("cases/frames.txt").split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').expect("a name");
        let (stack, expected) =
            rest.split_once("---\n").filter(|(s, _)| !s.contains("=== ")).expect("two parts");
        let (stack, expected) = match expected.split_once("\n---\n") {
            // A stack trace may hold the line that divides.
            Some((more, expected)) => (format!("{stack}---\n{more}\n"), expected),
            None => (stack.to_owned(), expected),
        };
        let frames = parse_frames(&stack)
            .iter()
            .map(|f| format!("{} {} @ {}\n", if f.in_app { '+' } else { '-' }, f.function, f.file))
            .collect::<String>();
        assert_eq!(frames, expected, "{name}");
        cases += 1;
    }
    assert!(cases >= 11, "{cases} cases");
}

#[test]
fn messages_without_what_varies() {
    let mut message = String::new();
    for line in include_str!("cases/messages.txt").lines() {
        match line.strip_prefix("=> ") {
            Some(expected) => {
                assert_eq!(normalise_message(&message), expected, "{message}");
                message.clear();
            }
            None => {
                message.push_str(line);
                message.push('\n');
            }
        }
    }
}

fn fingerprint(kind: &str, message: &str, stacktrace: &str) -> Fingerprint {
    Fingerprinter::default().fingerprint(&Exception { kind, message, stacktrace })
}

#[test]
fn what_is_grouped_together() {
    let stack = |line: u32, file: &str, lambda: u32, outer: &str| {
        format!(
            "E: m\n\tat shop.Cart.lambda$total${lambda}({file}:{line})\n\tat java.util.List.forEach(List.java:{line})\n\tat {outer}(X.java:1)"
        )
    };
    let one = fingerprint("E", "user 1", &stack(10, "Cart.java", 0, "org.apache.X.run"));
    let same = fingerprint("E", "user 22", &stack(12, "Cart.java", 7, "io.netty.Y.run"));
    assert_eq!(one, same, "numbers, lines and libraries do not count");
    for (what, other) in [
        ("type", fingerprint("F", "user 1", &stack(10, "Cart.java", 0, "org.apache.X.run"))),
        ("message", fingerprint("E", "guest 1", &stack(10, "Cart.java", 0, "org.apache.X.run"))),
        ("file", fingerprint("E", "user 1", &stack(10, "Kart.java", 0, "org.apache.X.run"))),
        ("caller", fingerprint("E", "user 1", &stack(10, "Cart.java", 0, "shop.Api.run"))),
        ("no stack", fingerprint("E", "user 1", "")),
    ] {
        assert_ne!(one, other, "{what}");
    }
    // Without frames of the application all count; without any, type and message do.
    let library =
        |name: &str| fingerprint("E", "", &format!("\tat java.util.{name}.get(A.java:3)"));
    assert_ne!(library("List"), library("Map"));
    assert_eq!(fingerprint("E", "m", "E: m"), fingerprint("E", "m", ""));
    let python = |folder: &str| {
        fingerprint("E", "", &format!("  File \"{folder}/shop/cart.py\", line 3, in total\n"))
    };
    assert_eq!(python("/releases/1"), python("/srv/2/app"));
    // A recursion is as deep as it is.
    let deep =
        |times: usize| fingerprint("E", "", &"  File \"a.py\", line 3, in f\n".repeat(times));
    assert_eq!(deep(3), deep(200));
}

#[test]
fn fingerprints_have_a_text() {
    let fingerprint = Fingerprint { algorithm: ALGORITHM, hash: 0xc0ffee };
    assert_eq!(fingerprint.to_string(), "1-0000000000c0ffee");
    assert_eq!(Fingerprint::parse("1-0000000000C0FFEE").expect("valid"), fingerprint);
    for bad in [
        "",
        "1",
        "1-",
        "1-c0ffee",
        "x-0000000000c0ffee",
        "1-+000000000c0ffee",
        "999-0000000000c0ffee",
    ] {
        assert!(Fingerprint::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn exceptions_are_found_in_events() {
    let text = |text: &str| Value::String(text.to_owned());
    let mut events = Vec::new();
    let mut put = |time_ns, name: &str, set: &[(&str, Value)]| {
        let set = attrs::encode(set.iter().map(|(key, value)| (*key, value)));
        put_event(&mut events, time_ns, name, 0, &set);
    };
    put(1, "note", &[("a", text("b"))]);
    put(2, "exception", &[("exception.type", text("E")), ("exception.message", text("m"))]);
    put(3, "exception", &[("exception.escaped", Value::Bool(true))]);
    put(4, "error", &[("user.id", Value::Int(7)), ("exception.stacktrace", text("s"))]);
    put(5, "exception", &[("exception.type", Value::Int(3))]);
    let found = of_events(&events).collect::<Result<Vec<_>>>().expect("reads");
    let exceptions = found.iter().map(|e| (e.time_ns, e.exception)).collect::<Vec<_>>();
    let first = Exception { kind: "E", message: "m", stacktrace: "" };
    let second = Exception { stacktrace: "s", ..Exception::default() };
    assert_eq!(exceptions, [(2, first), (4, second)]);
    let user = user_of(attrs::iter(found[1].attributes)).expect("reads");
    assert_eq!(user.as_deref(), Some("7"));
    assert!(of_events(&events[..events.len() - 1]).any(|event| event.is_err()), "cut off");
}

// Pieces of which stack traces are made, so that random ones come near to every grammar.
fn any_stack() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        ".{0,12}",
        proptest::sample::select(vec![
            "\n",
            "\tat ",
            "  File \"",
            "\", line ",
            ", in ",
            "(",
            ")",
            ":12",
            ":3",
            ".java",
            ".go",
            " +0x1f",
            "#0 ",
            ": ",
            "{main}",
            "@",
            "https://",
            "in `",
            "':",
            "0x1 - ",
            "::h",
            "::",
            "<",
            ">",
            "[",
            "]",
            "\\",
            "/",
            "$$",
            " in ",
            ":line 4",
            "async ",
            "new ",
            " [as x]",
            "created by ",
            "from ",
            "1: ",
            "é",
            "'",
            "\"",
            "`",
            ".rs:1:2",
            "\r\n",
            "-",
            "1e",
            "0x",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_and_bounded(text in any_stack(), times in 1usize..2000) {
        let long = text.repeat(times.min(200_000 / text.len().max(1)).max(1));
        for text in [&text, &long] {
            let frames = parse_frames(text);
            prop_assert!(frames.len() <= FRAMES_MAX);
            for frame in &frames {
                prop_assert!(frame.function.len() + frame.file.len() <= 4096 + 64);
            }
            let message = normalise_message(text);
            prop_assert!(message.len() <= 1024, "{}", message.len());
            let found = fingerprint(text, text, text);
            prop_assert_eq!(found, fingerprint(text, text, text));
            prop_assert_eq!(Fingerprint::parse(&found.to_string()).expect("reads"), found);
        }
    }

    #[test]
    fn any_bytes_are_read_as_events(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        for event in of_events(&bytes).map_while(Result::ok) {
            prop_assert!(!event.exception.is_empty());
        }
    }

    #[test]
    fn digits_never_tell_groups_apart(number in 0u64..1_000_000, other in 0u64..1_000_000) {
        let text = |n: u64| format!("order {n} of user{n}: waited {n}ms at /srv/{n} for 10.0.0.{}", n % 256);
        prop_assert_eq!(normalise_message(&text(number)), normalise_message(&text(other)));
    }
}
