//! The crate's one error: what went wrong with a request, by what its sender should do.

/// What the sender of a request should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The body does not follow its format: never send it again.
    Malformed,
    /// The body, or what it inflates to, exceeds a limit: send smaller ones.
    TooLarge,
    /// The type or compression of the body is not supported: send another.
    Unsupported,
    /// No room now: send it again, later.
    Overloaded,
    /// The tenant sends more than its share: send it again, later.
    Quota,
    /// The server is not taking requests: send it again, later.
    Unavailable,
    /// The body came too slowly.
    Timeout,
    /// A defect of ours: sending it again will not help.
    Internal,
}

impl ErrorKind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [ErrorKind; 8] = [
        ErrorKind::Malformed,
        ErrorKind::TooLarge,
        ErrorKind::Unsupported,
        ErrorKind::Overloaded,
        ErrorKind::Quota,
        ErrorKind::Unavailable,
        ErrorKind::Timeout,
        ErrorKind::Internal,
    ];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Malformed => "malformed",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Overloaded => "overloaded",
            ErrorKind::Quota => "quota",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Internal => "internal",
        }
    }

    /// After how many seconds the sender should try again, where the error does not say; `None` if it
    /// should not.
    fn retry_after_s(self) -> Option<u64> {
        match self {
            ErrorKind::Overloaded | ErrorKind::Quota => Some(1),
            ErrorKind::Unavailable => Some(5),
            _ => None,
        }
    }
}

/// An error with its kind and a lowercase message that carries the offending value.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_after_s: Option<u64>,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after_s: kind.retry_after_s() }
    }

    /// Says when to come back.
    pub fn with_retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// A body that does not follow its format.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, message)
    }

    /// A body past a limit.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::TooLarge, message)
    }

    /// What the sender should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// After how many seconds the sender should try again; `None` if it should not.
    pub fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_s
    }
}

/// What decoding says of a body.
impl From<throughline_model::Error> for Error {
    fn from(err: throughline_model::Error) -> Self {
        let kind = match err.kind() {
            throughline_model::ErrorKind::Invalid => ErrorKind::Malformed,
            throughline_model::ErrorKind::Corrupt => ErrorKind::Internal,
        };
        Self::new(kind, err.to_string())
    }
}

/// What the store says of a request. A failing disk is a passing cause to a sender: the process
/// recovers, and nothing was acknowledged.
impl From<throughline_storage::Error> for Error {
    fn from(err: throughline_storage::Error) -> Self {
        use throughline_storage::ErrorKind as Storage;
        let kind = match err.kind() {
            Storage::Overloaded => ErrorKind::Overloaded,
            Storage::Closed | Storage::Io => ErrorKind::Unavailable,
            Storage::Invalid => ErrorKind::Malformed,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, err.to_string())
    }
}
