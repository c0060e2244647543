//! Where one message of a stream ends and the next begins (RFC 6587), told for each message by its beginning.
//!
//! ```text
//! octet-counted := digits SP message      message begins with '<'
//! line          := message LF | NUL       anything else; CR before LF is no part of it, empty lines are none
//! ```

use bytes::{Buf as _, Bytes, BytesMut};

/// Digits that a count of octets may have.
const COUNT_DIGITS_MAX: usize = 8;

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its bytes, or as many of them as are kept.
    pub bytes: Bytes,
    /// How many there were.
    pub whole_len: usize,
}

impl Frame {
    /// A message, cut at `bytes_max`.
    pub fn of(whole: &[u8], bytes_max: usize) -> Frame {
        let kept = &whole[..whole.len().min(bytes_max)];
        Frame { bytes: Bytes::copy_from_slice(kept), whole_len: whole.len() }
    }

    /// Whether not all of it is kept.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.whole_len
    }
}

/// What is being read.
#[derive(Debug)]
enum State {
    /// The beginning of a message.
    Start,
    /// A message of so many bytes.
    Counted(usize),
    /// The rest of a message whose beginning is taken.
    Skipped(usize),
    /// A line, in which no end was found so far.
    Line { searched: usize },
    /// The rest of a line that is too long.
    LongLine(Frame),
}

/// Takes the bytes of one stream apart.
#[derive(Debug)]
pub struct Framer {
    /// What was received and not taken yet: the caller appends.
    pub buffer: BytesMut,
    state: State,
    bytes_max: usize,
    /// Whether a message ends with NUL alone, and none is counted.
    is_of_nul: bool,
}

impl Framer {
    /// The beginning of a stream, of whose messages so many bytes are kept.
    pub fn new(bytes_max: usize) -> Framer {
        let bytes_max = bytes_max.max(1);
        Framer { buffer: BytesMut::new(), state: State::Start, bytes_max, is_of_nul: false }
    }

    /// The same of messages that end with NUL alone, as GELF's do.
    pub fn of_nul(bytes_max: usize) -> Framer {
        Framer { is_of_nul: true, ..Framer::new(bytes_max) }
    }

    /// The next message; `None` if more bytes are needed first.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            match std::mem::replace(&mut self.state, State::Start) {
                State::Start => self.begin()?,
                State::Counted(whole_len) => {
                    let kept = whole_len.min(self.bytes_max);
                    if self.buffer.len() < kept {
                        self.state = State::Counted(whole_len);
                        return None;
                    }
                    let bytes = Bytes::copy_from_slice(&self.buffer.split_to(kept));
                    self.state = State::Skipped(whole_len - kept);
                    return Some(Frame { bytes, whole_len });
                }
                State::Skipped(left) => {
                    let here = left.min(self.buffer.len());
                    self.buffer.advance(here);
                    if here < left {
                        self.state = State::Skipped(left - here);
                        return None;
                    }
                }
                State::Line { searched } => {
                    if let Some(frame) = self.line(searched)? {
                        return Some(frame);
                    }
                }
                State::LongLine(frame) => return self.long_line(frame),
            }
        }
    }

    /// What is left when the stream has ended.
    pub fn last_frame(&mut self) -> Option<Frame> {
        let rest = std::mem::take(&mut self.buffer);
        let state = std::mem::replace(&mut self.state, State::Start);
        match state {
            State::LongLine(frame) => {
                let whole_len = frame.whole_len + rest.len();
                Some(Frame { whole_len, ..frame })
            }
            State::Counted(whole_len) if !rest.is_empty() => {
                Some(Frame { whole_len, ..Frame::of(&rest, self.bytes_max) })
            }
            State::Start | State::Line { .. } => {
                let line = rest.trim_ascii_end();
                (!line.is_empty()).then(|| Frame::of(line, self.bytes_max))
            }
            State::Counted(_) | State::Skipped(_) => None,
        }
    }

    /// Tells how the next message is framed; `None` if that cannot be told yet.
    fn begin(&mut self) -> Option<()> {
        let empty = self.buffer.iter().take_while(|byte| matches!(byte, b'\n' | b'\r' | 0)).count();
        self.buffer.advance(empty);
        let digits = self
            .buffer
            .iter()
            .take(COUNT_DIGITS_MAX + 1)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let first = *self.buffer.first()?;
        self.state = State::Line { searched: 0 };
        if self.is_of_nul || !(b'1'..=b'9').contains(&first) || digits > COUNT_DIGITS_MAX {
            return Some(());
        }
        match &self.buffer[digits..] {
            [] | [b' '] => {
                self.state = State::Start;
                return None;
            }
            [b' ', b'<', ..] => {}
            _ => return Some(()),
        }
        let count = std::str::from_utf8(&self.buffer[..digits]).ok().and_then(|d| d.parse().ok());
        if let Some(whole_len) = count {
            self.buffer.advance(digits + 1);
            self.state = State::Counted(whole_len);
        }
        Some(())
    }

    /// A line: outer `None` if more bytes are needed, inner `None` if it is now known to be too long.
    fn line(&mut self, searched: usize) -> Option<Option<Frame>> {
        let ends = self.ends();
        let found = self.buffer[searched..].iter().position(ends);
        if let Some(end) = found {
            let line = self.buffer.split_to(searched + end + 1);
            let line = &line[..line.len() - 1];
            let kept_whole = line.len() <= self.bytes_max;
            let line = line.strip_suffix(b"\r").filter(|_| kept_whole).unwrap_or(line);
            return Some(Some(Frame::of(line, self.bytes_max)));
        }
        if self.buffer.len() <= self.bytes_max {
            self.state = State::Line { searched: self.buffer.len() };
            return None;
        }
        let bytes = Bytes::copy_from_slice(&self.buffer.split_to(self.bytes_max));
        let whole_len = bytes.len();
        self.state = State::LongLine(Frame { bytes, whole_len });
        Some(None)
    }

    fn ends(&self) -> fn(&u8) -> bool {
        if self.is_of_nul { |byte| *byte == 0 } else { ends_line }
    }

    fn long_line(&mut self, mut frame: Frame) -> Option<Frame> {
        match self.buffer.iter().position(self.ends()) {
            Some(end) => {
                self.buffer.advance(end + 1);
                frame.whole_len += end;
                Some(frame)
            }
            None => {
                frame.whole_len += self.buffer.len();
                self.buffer.clear();
                self.state = State::LongLine(frame);
                None
            }
        }
    }
}

/// Most senders end a line with LF; Python's standard library ends a message with NUL alone.
fn ends_line(byte: &u8) -> bool {
    matches!(byte, b'\n' | 0)
}
