//! The stages of a pipeline.

use super::super::ast::{
    Conversion, Extraction, LabelFormat, LabelPick, LabelSource, LineFilter, LineOp, Matcher,
    Needle, Stage, Text, Unwrap,
};
use super::super::error::Result;
use super::super::grammar::{LIST_MAX, STAGES_ALONE};
use super::super::lex::Token;
use super::Parser;

/// The words that begin a stage behind `|`.
const KEYWORDS: &[&str] = &[
    "json",
    "logfmt",
    "regexp",
    "pattern",
    "unpack",
    "decolorize",
    "line_format",
    "label_format",
    "drop",
    "keep",
    "unwrap",
];

impl Parser<'_> {
    pub(super) fn is_stage(&self) -> bool {
        self.is("|") || self.line_op().is_some()
    }

    /// Whether a stage other than a condition on labels stands here. A keyword in front of a
    /// comparison is a label of that name.
    pub(super) fn is_keyword_stage(&self) -> bool {
        let Token::Word(word) = self.peek_at(1) else { return false };
        // Behind a stage that may stand alone, these begin a line filter.
        let stands_alone = STAGES_ALONE.contains(&word.as_str());
        let compares = match self.peek_at(2) {
            Token::Symbol("!=" | "!~") => !stands_alone,
            Token::Symbol(symbol) => {
                matches!(*symbol, "=" | "=~" | "==" | ">" | ">=" | "<" | "<=")
            }
            _ => false,
        };
        KEYWORDS.contains(&word.as_str()) && !(compares && self.is("|"))
    }

    fn line_op(&self) -> Option<LineOp> {
        match self.peek() {
            Token::Symbol("|=") => Some(LineOp::Contains),
            Token::Symbol("!=") => Some(LineOp::NotContains),
            Token::Symbol("|~") => Some(LineOp::Matches),
            Token::Symbol("!~") => Some(LineOp::NotMatches),
            Token::Symbol("|>") => Some(LineOp::Pattern),
            Token::Symbol("!>") => Some(LineOp::NotPattern),
            _ => None,
        }
    }

    /// One stage; at its first token.
    pub(super) fn stage(&mut self) -> Result<Stage> {
        if let Some(op) = self.line_op() {
            self.at += 1;
            return self.line_filter(op).map(Stage::Line);
        }
        let is_keyword = self.is_keyword_stage();
        self.expect("|", "a stage")?;
        if !is_keyword {
            return match self.peek() {
                Token::Word(_) | Token::Symbol("(") => self.label_filter().map(Stage::Filter),
                _ => Err(self.unexpected("a stage or a condition on labels")),
            };
        }
        let word = self.name("a stage")?;
        match word.as_str() {
            "json" => Ok(Stage::Json(self.extractions()?)),
            "logfmt" => self.logfmt(),
            "regexp" => self.string("a regular expression in quotes").map(Stage::Regexp),
            "pattern" => self.string("a pattern in quotes").map(Stage::Pattern),
            "unpack" => Ok(Stage::Unpack),
            "decolorize" => Ok(Stage::Decolorize),
            "line_format" => self.string("a template in quotes").map(Stage::LineFormat),
            "label_format" => self.list(Self::label_format).map(Stage::LabelFormat),
            "drop" => self.list(Self::pick).map(Stage::Drop),
            _ => self.list(Self::pick).map(Stage::Keep),
        }
    }

    fn line_filter(&mut self, op: LineOp) -> Result<LineFilter> {
        let mut needles = vec![self.needle(op)?];
        while self.word() == Some("or") {
            if needles.len() == LIST_MAX {
                return Err(self.fail(format!("a list has more than {LIST_MAX} entries")));
            }
            self.at += 1;
            needles.push(self.needle(op)?);
        }
        Ok(LineFilter { op, needles })
    }

    fn needle(&mut self, op: LineOp) -> Result<Needle> {
        if self.word() != Some("ip") {
            return self.string("a string to look for").map(Needle::Text);
        }
        if !matches!(op, LineOp::Contains | LineOp::NotContains) {
            let message = format!("ip() stands behind '|=' and '!=' only, not '{}'", op.text());
            return Err(self.fail(message));
        }
        self.ip().map(Needle::Ip)
    }

    /// `ip("range")`; at `ip`.
    pub(super) fn ip(&mut self) -> Result<Text> {
        self.at += 1;
        self.expect("(", "'(' behind ip")?;
        let text = self.string("an address, range or network in quotes")?;
        self.expect(")", "')' behind ip(…")?;
        Ok(text)
    }

    fn extractions(&mut self) -> Result<Vec<Extraction>> {
        if !matches!(self.peek(), Token::Word(_)) || self.is_modifier_word() {
            return Ok(Vec::new());
        }
        self.list(|parser| {
            let at = parser.spot();
            let label = parser.name("a label")?;
            if !parser.take("=") {
                return Ok(Extraction { path: Text { value: label.clone(), at }, label });
            }
            let path = parser.string("a path in quotes")?;
            Ok(Extraction { label, path })
        })
    }

    // Words that may follow a stage: operators of numbers cannot, but a window with an offset can.
    fn is_modifier_word(&self) -> bool {
        self.word() == Some("offset") && !matches!(self.peek_at(1), Token::Symbol("=" | ","))
    }

    fn logfmt(&mut self) -> Result<Stage> {
        let (mut strict, mut keep_empty) = (false, false);
        while let Token::Flag(flag) = self.peek() {
            match flag.as_str() {
                "strict" => strict = true,
                "keep-empty" => keep_empty = true,
                _ => return Err(self.unexpected("--strict or --keep-empty")),
            }
            self.at += 1;
        }
        let extractions = self.extractions()?;
        Ok(Stage::Logfmt { strict, keep_empty, extractions })
    }

    fn label_format(&mut self) -> Result<LabelFormat> {
        let at = self.spot();
        let label = self.name("a label")?;
        self.expect("=", "'=' behind the label")?;
        let source = if self.is_string() {
            LabelSource::Template(self.string("a template")?)
        } else {
            LabelSource::Rename(self.name("a label or a template in quotes")?)
        };
        Ok(LabelFormat { label, source, at })
    }

    fn pick(&mut self) -> Result<LabelPick> {
        let name = self.name("a label")?;
        let Some(op) = self.match_op() else { return Ok(LabelPick::Name(name)) };
        self.at += 1;
        let text = self.string("a string to compare with")?;
        Ok(LabelPick::Match(Matcher { name, op, value: text.value, at: text.at }))
    }

    /// `| unwrap x`; at `|`.
    pub(super) fn unwrap(&mut self) -> Result<Unwrap> {
        self.at += 2;
        let at = self.spot();
        let word = self.name("a label behind unwrap")?;
        if !self.is("(") {
            let conversion = Conversion::Number;
            return Ok(Unwrap { label: word, conversion, filters: Vec::new(), at });
        }
        let conversion = match word.as_str() {
            "bytes" => Conversion::Bytes,
            "duration" => Conversion::Duration,
            "duration_seconds" => Conversion::DurationSeconds,
            _ => {
                self.at -= 1;
                return Err(self.unexpected("bytes, duration or duration_seconds"));
            }
        };
        self.expect("(", "'('")?;
        let label = self.name("a label")?;
        self.expect(")", "')' behind the label")?;
        Ok(Unwrap { label, conversion, filters: Vec::new(), at })
    }
}
