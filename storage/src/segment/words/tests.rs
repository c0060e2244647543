use std::ops::Range;

use arrow::array::{Array, StringArray};
use bytes::Bytes;
use proptest::prelude::*;
use throughline_model::words::{Phrase, folded, words};

use super::part::Read;
use super::*;
use crate::Result;

struct InMemory(Pieces);

impl Read for InMemory {
    fn postings(&self, range: Range<u64>) -> Result<Bytes> {
        let end = range.end.min(self.0.postings.len() as u64);
        Ok(Bytes::copy_from_slice(&self.0.postings[range.start as usize..end as usize]))
    }

    fn rare(&self, range: Range<u64>) -> Result<Bytes> {
        Ok(Bytes::copy_from_slice(&self.0.rare[range.start as usize..range.end as usize]))
    }
}

fn open(bodies: &StringArray) -> (Part, InMemory) {
    let pieces = build(bodies).expect("builds").expect("is small");
    (Part::read(&Bytes::from(pieces.head.clone())).expect("reads"), InMemory(pieces))
}

fn holds(found: &Found, bodies: &StringArray, met: impl Fn(&str) -> bool) {
    for row in 0..bodies.len() {
        let expected = bodies.is_valid(row) && met(bodies.value(row));
        let (sure, maybe) = (found.sure.contains(row), found.maybe.contains(row));
        assert!(!(sure && maybe), "row {row} is both");
        assert!(!sure || expected, "row {row} is sure and wrong");
        assert!(!expected || sure || maybe, "row {row} is missing");
    }
}

fn body() -> impl Strategy<Value = Option<String>> {
    let word = prop_oneof![
        4 => "(get|post|timeout|conn|Über|登录|u[0-9]{1,3}|[0-9a-f]{4}|user_[a-z])",
        1 => ".{0,6}",
    ];
    let line = proptest::collection::vec(word, 0..7).prop_map(|words| words.join(" "));
    proptest::option::weighted(0.95, line)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_index_rules_out_nothing_that_is_there(
        bodies in proptest::collection::vec(body(), 1..120),
        others in proptest::collection::vec("[a-z0-9]{1,4}", 6),
    ) {
        let bodies = StringArray::from(bodies);
        let (part, from) = open(&bodies);
        let mut asked = others;
        let texts = (0..bodies.len()).filter(|row| bodies.is_valid(*row));
        asked.extend(texts.flat_map(|row| words(bodies.value(row)).map(folded)).step_by(3));
        for word in &asked {
            let is_in = |prefix| {
                let phrase = Phrase { words: vec![word.clone()], prefix };
                move |text: &str| phrase.is_in(text)
            };
            holds(&part.word(word, &from).expect("asks"), &bodies, is_in(false));
            holds(&part.prefix(word, &from).expect("asks"), &bodies, is_in(true));
            let inner: String = word.chars().skip(1).collect();
            if !inner.is_empty() {
                let has = |text: &str| words(text).any(|w| folded(w).contains(&inner));
                holds(&part.containing(&inner, &from).expect("asks"), &bodies, has);
            }
        }
    }
}

#[test]
fn words_of_many_rows_are_sure_and_ids_are_in_a_block() {
    let bodies = (0..4000).map(|n| format!("user u{n}x joined room {}", n % 7)).collect::<Vec<_>>();
    let bodies = StringArray::from(bodies);
    let (part, from) = open(&bodies);
    assert_eq!(part.rows(), 4000);
    let count = |word: &str| {
        let found = part.word(word, &from).expect("asks");
        (found.sure.count(), found.maybe.count())
    };
    assert_eq!(count("joined"), (4000, 0));
    assert_eq!(count("3"), (571, 0));
    assert_eq!(count("nothing"), (0, 0));
    assert_eq!(count("u77x"), (0, 128));
    let prefix = part.prefix("roo", &from).expect("asks");
    assert_eq!((prefix.sure.count(), prefix.maybe.count()), (4000, 0));
    assert_eq!(part.prefix("joining", &from).expect("asks"), Found::none(4000));
}

#[test]
fn damage_is_noticed() {
    let bodies = StringArray::from((0..500).map(|n| format!("a{n} b {n}")).collect::<Vec<_>>());
    let (part, mut from) = open(&bodies);
    from.0.postings[0] ^= 1;
    assert!(part.word("b", &from).is_err());
    from.0.rare.iter_mut().for_each(|byte| *byte ^= 0x55);
    assert!((0..500).any(|n| part.word(&format!("a{n}"), &from).is_err()));
    let mut head = from.0.head.clone();
    head[40] ^= 1;
    assert!(Part::read(&Bytes::from(head)).is_err());
}
