//! The crate's one error.

/// What the caller should do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No room in memory or on disk for now: the sender should try again later.
    Overloaded,
    /// The store is shutting down.
    Closed,
    /// Stored bytes do not read back: quarantine their source, answer partially.
    Corrupt,
    /// The disk or the catalog failed. Writes have stopped; the process should exit and recover.
    Io,
    /// The input breaks a rule: tell its sender.
    Invalid,
    /// A read was cancelled by whoever asked.
    Cancelled,
    /// A read reached its deadline.
    Deadline,
    /// A read reached its limit of bytes, rows or memory.
    Limit,
}

/// An error with its kind and a lowercase message that carries the offending value.
///
/// It can be cloned, because one failed group commit answers many callers.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// No room for now.
    pub fn overloaded(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Overloaded, message)
    }

    /// The store takes no more writes.
    pub fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the store is shutting down")
    }

    /// Stored bytes that cannot be read back.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// Bad input.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A failed file operation: a full disk passes, everything else is [`ErrorKind::Io`].
    pub fn file(doing: &str, path: impl AsRef<std::path::Path>, err: &std::io::Error) -> Self {
        let path = path.as_ref().display();
        let kind = match err.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                ErrorKind::Overloaded
            }
            _ => ErrorKind::Io,
        };
        Self::new(kind, format!("could not {doing} {path}: {err}"))
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<throughline_model::Error> for Error {
    fn from(err: throughline_model::Error) -> Self {
        let kind = match err.kind() {
            throughline_model::ErrorKind::Invalid => ErrorKind::Invalid,
            throughline_model::ErrorKind::Corrupt => ErrorKind::Corrupt,
        };
        Self::new(kind, err.to_string())
    }
}

/// Arrow computes over columns that were validated when they were built, so what fails in it was
/// read from damaged bytes.
impl From<arrow::error::ArrowError> for Error {
    fn from(err: arrow::error::ArrowError) -> Self {
        Self::corrupt(err.to_string())
    }
}

impl From<parquet::errors::ParquetError> for Error {
    fn from(err: parquet::errors::ParquetError) -> Self {
        Self::corrupt(err.to_string())
    }
}

impl From<sqlx::Error> for Error {
    fn from(err: sqlx::Error) -> Self {
        let code = err.as_database_error().and_then(|err| err.code());
        let kind = match code.as_deref() {
            // SQLITE_FULL: the disk is; it may have room again.
            Some("13") => ErrorKind::Overloaded,
            _ => ErrorKind::Io,
        };
        Self::new(kind, format!("catalog: {err}"))
    }
}
