//! The crate's one error.

/// What the caller should do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The question breaks a rule: tell the asker ([`Error::field`] says where).
    Invalid,
    /// The question is sound, but the data it meets have no answer: tell the asker.
    Evaluation,
    /// The named thing does not exist.
    NotFound,
    /// A construct that is not offered; the message names it.
    Unsupported,
    /// The deadline passed.
    Deadline,
    /// A limit on memory, bytes or rows was reached; the message names limit and setting.
    Limit,
    /// Too many queries run already: come back.
    Busy,
    /// The asker went away.
    Cancelled,
    /// Stored data could not be read.
    Storage,
    /// A bug of ours.
    Internal,
}

/// An error with its kind and a lowercase message that carries the offending value.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    field: Option<String>,
    position: Option<usize>,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of any kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), field: None, position: None }
    }

    /// A question that breaks a rule; `field` is the parameter, in the words of the API.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        let field = Some(field.to_owned());
        Self { field, ..Self::new(ErrorKind::Invalid, message) }
    }

    /// A construct that is not offered.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A bug of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Says where in the parameter the error is, in characters from zero.
    pub fn with_position(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The parameter that is wrong, where it is known.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Where in the parameter the error is, in characters from zero, where it is known.
    pub fn position(&self) -> Option<usize> {
        self.position
    }
}

impl From<throughline_model::Error> for Error {
    fn from(err: throughline_model::Error) -> Self {
        match err.kind() {
            throughline_model::ErrorKind::Invalid => Self::new(ErrorKind::Invalid, err.to_string()),
            throughline_model::ErrorKind::Corrupt => Self::new(ErrorKind::Storage, err.to_string()),
        }
    }
}

impl From<throughline_storage::Error> for Error {
    fn from(err: throughline_storage::Error) -> Self {
        use throughline_storage::ErrorKind as From;
        let kind = match err.kind() {
            From::Cancelled => ErrorKind::Cancelled,
            From::Deadline => ErrorKind::Deadline,
            From::Limit => ErrorKind::Limit,
            From::Overloaded => ErrorKind::Busy,
            From::Invalid => ErrorKind::Invalid,
            From::Closed | From::Corrupt | From::Io => ErrorKind::Storage,
        };
        Self::new(kind, err.to_string())
    }
}
