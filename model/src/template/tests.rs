//! What holds of templates: accuracy, coverage, bounds, order, merges.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::mask::{LINE_BYTES_MAX, WILDCARD};
use super::{Limits, Miner, Pattern, Templates};

const MASKS: &str = include_str!("cases/masks.txt");

const LABELLED: &[(&str, &str)] = &[
    ("cron_sudo", include_str!("cases/labelled/cron_sudo.log")),
    ("hdfs", include_str!("cases/labelled/hdfs.log")),
    ("json", include_str!("cases/labelled/json.log")),
    ("kernel", include_str!("cases/labelled/kernel.log")),
    ("kubelet", include_str!("cases/labelled/kubelet.log")),
    ("logfmt", include_str!("cases/labelled/logfmt.log")),
    ("nginx_access", include_str!("cases/labelled/nginx_access.log")),
    ("nginx_error", include_str!("cases/labelled/nginx_error.log")),
    ("postgresql", include_str!("cases/labelled/postgresql.log")),
    ("spark", include_str!("cases/labelled/spark.log")),
    ("spring", include_str!("cases/labelled/spring.log")),
    ("sshd", include_str!("cases/labelled/sshd.log")),
    ("systemd", include_str!("cases/labelled/systemd.log")),
    ("windows", include_str!("cases/labelled/windows.log")),
    ("zookeeper", include_str!("cases/labelled/zookeeper.log")),
];

/// Least share of lines in right groups, averaged over systems.
const ACCURACY_MIN: f64 = 0.97;

fn labelled(text: &str) -> Vec<(&str, String)> {
    let escaped = |line: &str| line.replace("\\n\\t", "\n\t").replace("\\norg", "\norg");
    let escaped = |line: &str| escaped(line).replace("\\njava", "\njava");
    text.lines()
        .filter_map(|row| row.split_once('\t'))
        .map(|(l, line)| (l, escaped(line)))
        .collect()
}

fn all_lines() -> Vec<String> {
    LABELLED.iter().flat_map(|(_, text)| labelled(text)).map(|(_, line)| line).collect()
}

fn mined(lines: &[String]) -> (Vec<u32>, Templates) {
    let mut miner = Miner::default();
    let shapes: Vec<u32> = lines.iter().map(|line| miner.learn(line)).collect();
    let templates = miner.finish();
    (shapes.iter().map(|&shape| templates.of_shape[shape as usize]).collect(), templates)
}

/// The share of lines whose group is exactly the group of their label.
fn accuracy(labels: &[&str], groups: &[u32]) -> f64 {
    let mut of_label: HashMap<&str, BTreeSet<usize>> = HashMap::new();
    let mut of_group: HashMap<u32, BTreeSet<usize>> = HashMap::new();
    for (line, (label, group)) in labels.iter().zip(groups).enumerate() {
        of_label.entry(label).or_default().insert(line);
        of_group.entry(*group).or_default().insert(line);
    }
    let right = (0..labels.len()).filter(|&line| of_label[labels[line]] == of_group[&groups[line]]);
    right.count() as f64 / labels.len() as f64
}

#[test]
fn lines_of_one_statement_share_a_template() {
    let mut sum = 0.0;
    for (system, text) in LABELLED {
        let rows = labelled(text);
        let lines: Vec<String> = rows.iter().map(|(_, line)| line.clone()).collect();
        let labels: Vec<&str> = rows.iter().map(|(label, _)| *label).collect();
        let (groups, _) = mined(&lines);
        let accuracy = accuracy(&labels, &groups);
        println!("{system:14} {accuracy:.3}");
        sum += accuracy;
    }
    let average = sum / LABELLED.len() as f64;
    println!("{:14} {average:.3}", "average");
    assert!(average >= ACCURACY_MIN, "{average}");
}

#[test]
fn systems_mixed_in_one_segment_are_told_apart() {
    let mut lines = Vec::new();
    let mut labels = Vec::new();
    for (system, text) in LABELLED {
        for (label, line) in labelled(text) {
            labels.push(format!("{system} {label}"));
            lines.push(line);
        }
    }
    let (groups, _) = mined(&lines);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let accuracy = accuracy(&labels, &groups);
    assert!(accuracy >= 0.95, "{accuracy}");
}

#[test]
fn values_are_masked_by_form() {
    for case in MASKS.lines().filter(|line| !line.starts_with('#')) {
        let (line, shape) = case.split_once(" -> ").unwrap();
        let line = line.replace("\\n", "\n").replace("\\t", "\t");
        let mut out = Vec::new();
        super::mask::mask(&line, &mut out);
        let masked = String::from_utf8(out).unwrap().replace('\n', "\\n").replace('\t', "\\t");
        assert_eq!(masked, shape.trim_end(), "{line}");
    }
}

#[test]
fn every_line_matches_its_template() {
    let lines = all_lines();
    let (places, templates) = mined(&lines);
    for (line, place) in lines.iter().zip(places) {
        let text = &templates.templates[place as usize].text;
        assert!(Pattern::parse(text).matches(line), "{text}\n{line}");
    }
    let counted: u64 = templates.templates.iter().map(|template| template.count).sum();
    assert_eq!(counted, lines.len() as u64);
}

#[test]
fn the_order_of_lines_decides_nothing() {
    let lines = all_lines();
    let (_, expected) = mined(&lines);
    let mut shuffled = lines;
    let mut state = 7_usize;
    for _ in 0..3 {
        for at in (1..shuffled.len()).rev() {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(at, (state >> 33) % (at + 1));
        }
        let (_, templates) = mined(&shuffled);
        assert_eq!(templates.templates, expected.templates);
    }
}

#[test]
fn templates_of_parts_merge_into_those_of_the_whole() {
    let lines = all_lines();
    let (whole_places, whole) = mined(&lines);
    let mut merged = Miner::default();
    let mut outputs = Vec::new();
    for part in lines.chunks(lines.len().div_ceil(4)) {
        let (places, templates) = mined(part);
        let numbers: Vec<u32> = templates
            .templates
            .iter()
            .map(|template| merged.learn_template(&template.text, template.count))
            .collect();
        outputs.extend(places.iter().map(|&place| numbers[place as usize]));
    }
    let merged = merged.finish();
    let mut same = 0;
    for (line, (&whole_place, &number)) in lines.iter().zip(whole_places.iter().zip(&outputs)) {
        let template = &merged.templates[merged.of_shape[number as usize] as usize];
        assert!(Pattern::parse(&template.text).matches(line));
        same += usize::from(template.hash == whole.templates[whole_place as usize].hash);
    }
    let share = same as f64 / lines.len() as f64;
    println!("{share:.3} of lines have the same template after a merge");
    assert!(share >= 0.8, "{share}");
}

#[test]
fn a_million_unique_lines_stay_within_the_limits() {
    let limits = Limits {
        shapes_max: 2000,
        shape_bytes_max: 200_000,
        shape_words_max: 10_000,
        coarse_shapes_max: 100,
    };
    let shapes_max = limits.shapes_max + 2 * limits.coarse_shapes_max + 1;
    let mut miner = Miner::new(limits);
    let letters = |mut number: u32| {
        let mut word = String::new();
        for _ in 0..6 {
            word.push((b'a' + (number % 26) as u8) as char);
            number /= 26;
        }
        word
    };
    for number in 0..1_000_000_u32 {
        let unique = letters(number.wrapping_mul(2_654_435_761));
        let shape = miner.learn(&format!("{unique} went to {unique} and then some"));
        assert!((shape as usize) < shapes_max);
    }
    assert!(miner.shapes() <= shapes_max);
    let templates = miner.finish();
    let lines: u64 = templates.templates.iter().map(|template| template.count).sum();
    assert_eq!(lines, 1_000_000);
    assert!(templates.templates.iter().any(|template| template.text == WILDCARD));
}

#[test]
fn long_and_empty_lines() {
    let mut miner = Miner::default();
    let long = "word ".repeat(1024 * 1024 / 5);
    let unbroken = "ß".repeat(1024 * 1024);
    let lines = [String::new(), " \n".to_owned(), long, unbroken];
    let shapes: Vec<u32> = lines.iter().map(|line| miner.learn(line)).collect();
    let templates = miner.finish();
    for (line, shape) in lines.iter().zip(&shapes) {
        let text = &templates.templates[templates.of_shape[*shape as usize] as usize].text;
        assert!(Pattern::parse(text).matches(line));
        assert!(text.len() <= LINE_BYTES_MAX + WILDCARD.len());
    }
    assert_eq!(templates.templates[templates.of_shape[shapes[0] as usize] as usize].text, "");
    assert_eq!(shapes[0], shapes[1]);
}

#[test]
fn patterns_tell_variables() {
    let pattern = Pattern::parse("user <*> from <*>: ok");
    assert_eq!(pattern.variables("user bob from 10.0.0.1: ok"), ["bob", "10.0.0.1"]);
    assert!(!pattern.matches("user bob from 10.0.0.1: no"));
    assert!(pattern.variables("user bob").is_empty());
    assert!(Pattern::parse("a<*>a").matches("aa") && !Pattern::parse("a<*>a").matches("a"));
    assert_eq!(Pattern::parse("<*>").variables("any thing"), ["any thing"]);
    assert!(Pattern::parse("same").matches("same \n") && !Pattern::parse("same").matches("sam"));
}

proptest! {
    #[test]
    fn any_lines_match_their_templates(lines in prop::collection::vec(hostile(), 1..40)) {
        let (places, templates) = mined(&lines);
        for (line, place) in lines.iter().zip(places) {
            let text = &templates.templates[place as usize].text;
            prop_assert!(Pattern::parse(text).matches(line), "{:?} of {:?}", text, line);
        }
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let line = String::from_utf8_lossy(&bytes).into_owned();
        let (places, templates) = mined(std::slice::from_ref(&line));
        let text = &templates.templates[places[0] as usize].text;
        prop_assert!(Pattern::parse(text).matches(&line));
        Pattern::parse(&line).variables(text);
    }
}

/// Lines of pieces that the scanner treats specially, few enough that lines resemble each other.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        " ",
        " ",
        " ",
        "  ",
        "\t",
        "\n",
        "=",
        ":",
        "://",
        ",",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "<",
        ">",
        "<*>",
        "*",
        "-",
        "_",
        ".",
        "/",
        "?",
        "@",
        "a",
        "user",
        "bob",
        "error",
        "Jan",
        "12",
        "7",
        "0x1f",
        "ms",
        "bytes",
        "fe80::1",
        "2026-01-02",
        "03:04:05",
        "é",
        "数",
        "\u{b}",
        "\u{c}",
        "\\",
    ]);
    prop_oneof![
        3 => prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
    ]
}
