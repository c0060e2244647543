//! The miner: lines in, shape numbers out; templates at the end.

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::columns;
use super::mask;
use super::shapes::Shapes;

/// What a miner may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Distinct shapes; lines of later shapes are told apart by their first words only.
    pub shapes_max: usize,
    /// Bytes of all shapes together, likewise.
    pub shape_bytes_max: usize,
    /// Words of all shapes together, likewise: the time of `finish` is linear in it.
    pub shape_words_max: usize,
    /// Shapes of the first three words, and again of the first word alone; lines beyond them share
    /// the template `<*>`.
    pub coarse_shapes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            shapes_max: 32 * 1024,
            shape_bytes_max: 4 * 1024 * 1024,
            shape_words_max: 512 * 1024,
            coarse_shapes_max: 1024,
        }
    }
}

/// A template of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Constant parts with their separators, byte for byte as in the lines, and `<*>` for each
    /// variable. `Pattern::parse(text)` matches every line of the template.
    pub text: String,
    /// xxh3 of `text`: the same in every segment.
    pub hash: u64,
    /// Lines that have this template.
    pub count: u64,
}

/// The templates of all lines that a miner saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates {
    /// Place in `templates` of the template of each shape, by shape number.
    pub of_shape: Vec<u32>,
    /// Sorted by text.
    pub templates: Vec<Template>,
}

/// Learns lines, then tells their templates. Bounded by its `Limits`, whatever the lines are.
#[derive(Debug)]
pub struct Miner {
    shapes: Shapes,
    /// The shape of the last line: kept to spare an allocation a line.
    scratch: Vec<u8>,
}

impl Default for Miner {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Miner {
    /// An empty miner.
    pub fn new(limits: Limits) -> Self {
        Self { shapes: Shapes::new(limits), scratch: Vec::new() }
    }

    /// Counts a line and returns the number of its shape, dense from 0, for `Templates::of_shape`.
    #[inline]
    pub fn learn(&mut self, line: &str) -> u32 {
        mask::mask(line, &mut self.scratch);
        // Cuts fall on ASCII bytes or character boundaries, so this borrows and never replaces.
        let shape = String::from_utf8_lossy(&self.scratch);
        self.shapes.add(&shape, 1)
    }

    /// Counts `count` lines of a template that another miner found, and returns its shape number.
    /// A merge of segments feeds their templates instead of their lines.
    pub fn learn_template(&mut self, text: &str, count: u64) -> u32 {
        self.shapes.add(text, count)
    }

    /// How many distinct shapes were seen.
    pub fn shapes(&self) -> usize {
        self.shapes.len()
    }

    /// The templates of all lines learnt. Depends on which shapes there are and not on their order,
    /// as long as no limit was reached.
    pub fn finish(self) -> Templates {
        let shapes = &self.shapes;
        let texts: Vec<&str> = (0..shapes.len() as u32).map(|n| shapes.text(n)).collect();
        let texts = columns::templates(&texts);
        let mut order: Vec<&str> = texts.iter().map(String::as_str).collect();
        order.sort_unstable();
        order.dedup();
        let places: HashMap<&str, u32> = order.iter().copied().zip(0..).collect();
        let mut templates: Vec<Template> = order
            .iter()
            .map(|text| Template {
                text: (*text).to_owned(),
                hash: xxh3_64(text.as_bytes()),
                count: 0,
            })
            .collect();
        let of_shape: Vec<u32> = texts.iter().map(|text| places[text.as_str()]).collect();
        for (&place, number) in of_shape.iter().zip(0..) {
            templates[place as usize].count += shapes.count(number);
        }
        Templates { of_shape, templates }
    }
}
