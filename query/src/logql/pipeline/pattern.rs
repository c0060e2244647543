//! Patterns: literal text with `<name>` and `<_>` between, for the `pattern` stage and for `|>`.

use memchr::memmem::Finder;

/// A pattern's pieces; no two captures stand side by side.
pub struct Pattern {
    pieces: Vec<Piece>,
}

enum Piece {
    Literal(Box<Finder<'static>>),
    /// `<name>`, or `<_>` without one.
    Capture(Option<String>),
}

impl Pattern {
    /// The pattern of a text; the message says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('<') {
            literal.push_str(&rest[..open]);
            let behind = &rest[open + 1..];
            let name = behind.split('>').next().unwrap_or_default();
            if name.len() == behind.len() || !is_capture(name) {
                literal.push('<');
                rest = behind;
                continue;
            }
            rest = &behind[name.len() + 1..];
            if !literal.is_empty() {
                pieces.push(literal_piece(&literal));
                literal.clear();
            }
            if matches!(pieces.last(), Some(Piece::Capture(_))) {
                return Err(format!("captures of '{text}' stand side by side at <{name}>"));
            }
            pieces.push(Piece::Capture((name != "_").then(|| name.to_owned())));
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(literal_piece(&literal));
        }
        Ok(Self { pieces })
    }

    /// Names of the captures, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Capture(Some(name)) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The captures of a line in order, up to where it stops to fit; the last takes the rest. False
    /// if not even the text before the first capture fits.
    pub fn captures<'l>(&self, line: &'l str, mut found: impl FnMut(&str, &'l str)) -> bool {
        let mut at = 0;
        for (nth, piece) in self.pieces.iter().enumerate() {
            let name = match piece {
                Piece::Literal(text) if nth == 0 => {
                    if !line.as_bytes().starts_with(text.needle()) {
                        return false;
                    }
                    at = text.needle().len();
                    continue;
                }
                Piece::Literal(_) => continue,
                Piece::Capture(name) => name,
            };
            let next = match self.pieces.get(nth + 1) {
                Some(Piece::Literal(text)) => Some(text),
                _ => None,
            };
            let end = next.and_then(|text| text.find(&line.as_bytes()[at..]));
            let (value, is_last) = match end {
                Some(end) => (line.get(at..at + end), false),
                None => (line.get(at..), true),
            };
            if let (Some(name), Some(value)) = (name, value) {
                found(name, value);
            }
            if is_last {
                return true;
            }
            at += end.unwrap_or(0) + next.map_or(0, |text| text.needle().len());
        }
        true
    }

    /// Whether the whole line fits, with at least one byte for each capture.
    pub fn fits(&self, line: &str) -> bool {
        let mut rest = line.as_bytes();
        let mut gap = 0;
        for (nth, piece) in self.pieces.iter().enumerate() {
            let Piece::Literal(text) = piece else {
                gap = 1;
                continue;
            };
            let is_last = nth + 1 == self.pieces.len();
            let len = text.needle().len();
            let start = if gap == 0 {
                rest.starts_with(text.needle()).then_some(0)
            } else if is_last {
                rest.ends_with(text.needle()).then(|| rest.len() - len).filter(|at| *at >= gap)
            } else {
                rest.get(gap..).and_then(|rest| text.find(rest)).map(|at| at + gap)
            };
            let Some(start) = start else { return false };
            rest = &rest[start + len..];
            gap = 0;
        }
        if gap == 0 { rest.is_empty() } else { !rest.is_empty() }
    }
}

fn literal_piece(text: &str) -> Piece {
    Piece::Literal(Box::new(Finder::new(text).into_owned()))
}

fn is_capture(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
