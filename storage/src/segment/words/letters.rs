//! The runs of letters inside rare words: what of a word with digits can still be ruled out when only a
//! part of it is known. Hexadecimal ids have endless runs of their six letters, which are one flag.

use hashbrown::HashSet;
use throughline_model::codec::{Reader, put_bytes, put_varint};

use crate::Result;

/// Runs that are listed; with more, everything is possible.
const LETTERS_MAX: usize = 2048;
/// Bytes of a run that are kept.
const RUN_BYTES_MAX: usize = 64;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Letters {
    runs: HashSet<String>,
    hex: bool,
    any: bool,
}

fn runs(word: &str) -> impl Iterator<Item = &str> {
    word.split(|char: char| char.is_ascii_digit()).filter(|run| !run.is_empty())
}

fn is_hex(run: &str) -> bool {
    run.bytes().all(|byte| matches!(byte, b'a'..=b'f'))
}

impl Letters {
    /// Notes a rare word.
    pub(super) fn add(&mut self, word: &str) {
        for run in runs(word) {
            if is_hex(run) {
                self.hex = true;
            } else if run.len() > RUN_BYTES_MAX || self.runs.len() >= LETTERS_MAX {
                self.any |= !self.runs.contains(run);
            } else if !self.runs.contains(run) {
                self.runs.insert(run.to_owned());
            }
        }
    }

    /// Whether a rare word may have this part.
    pub(super) fn may_have(&self, part: &str) -> bool {
        self.any
            || runs(part).all(|run| {
                (self.hex && is_hex(run)) || self.runs.iter().any(|known| known.contains(run))
            })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.hex) | u8::from(self.any) << 1);
        put_varint(out, self.runs.len() as u64);
        let mut runs = self.runs.iter().collect::<Vec<_>>();
        runs.sort_unstable();
        runs.iter().for_each(|run| put_bytes(out, run.as_bytes()));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let [flags] = reader.array()?;
        let count = reader.varint()?;
        let runs = (0..count).map(|_| Ok(reader.str()?.to_owned())).collect::<Result<_>>()?;
        Ok(Self { runs, hex: flags & 1 == 1, any: flags & 2 == 2 })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.runs.iter().map(|run| run.len() + 40).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_words_are_possible_and_others_are_not() {
        let mut letters = Letters::default();
        ["u102373", "deadbeef1", "34s", "conn42pool"].iter().for_each(|word| letters.add(word));
        for (part, may) in [
            ("u1", true),
            ("99", true),
            ("onn4", true),
            ("bad3", true),
            ("x1", false),
            ("ool", true),
            ("conns", false),
        ] {
            assert_eq!(letters.may_have(part), may, "{part}");
        }
        let mut bytes = Vec::new();
        letters.put(&mut bytes);
        assert_eq!(Letters::read(&mut Reader::new(&bytes)).expect("reads"), letters);
    }
}
