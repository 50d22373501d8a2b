//! One taxonomy for every refusal.
//!
//! An [`Error`] is written for the person who made the request: what was wrong, what was expected,
//! how to cure it. What only an operator may see goes into [`Error::context`] and never leaves the
//! process. Rendering (status, envelope, headers) is the business of `edge` alone.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::cause::Cause;

/// A result whose error can be shown to the caller.
pub type Result<T> = std::result::Result<T, Error>;

/// The class of a refusal; decides the HTTP status and whether a retry makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is malformed or breaks a documented rule.
    Invalid,
    /// No credential, or one that does not hold.
    Unauthenticated,
    /// A good credential that does not permit this.
    Forbidden,
    /// The thing named does not exist.
    NotFound,
    /// The path exists, the method on it does not.
    MethodNotAllowed,
    /// The state of the thing named does not allow this.
    Conflict,
    /// The thing named was usable once and will never be again.
    Gone,
    /// The thing named is not in the version that the caller expects.
    PreconditionFailed,
    /// A body, frame or name above its limit.
    TooLarge,
    /// A content type that the operation does not take.
    UnsupportedMediaType,
    /// Too much at once; try again later.
    Throttled,
    /// The server cannot do this now.
    Unavailable,
    /// A defect of ours.
    Internal,
}

/// A refusal: a stable code, a sentence for the caller, and optional details.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    cause: Option<Cause>,
    code: Cow<'static, str>,
    message: String,
    target: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    context: Option<String>,
}

impl Error {
    /// A refusal of `kind`. `code` is the string that clients may match on; `message` says what was
    /// wrong, what was expected and how to fix it.
    pub fn new(
        kind: ErrorKind,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            cause: None,
            code: code.into(),
            message: message.into(),
            target: None,
            retry_after: None,
            context: None,
        }
    }

    /// Names the part of the request that is at fault, such as a parameter.
    #[must_use]
    pub fn target(mut self, target: impl Into<Cow<'static, str>>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Tells the caller when a retry makes sense.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Adds what only the operator may read; it goes to the log, never to the caller.
    #[must_use]
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Says why in a word, where the kind does not.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Option<Cause>>) -> Self {
        self.cause = cause.into();
        self
    }

    /// The class of the refusal.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Why, in a word, where that is known. It is for the operator: callers are told sentences.
    pub fn cause(&self) -> Option<Cause> {
        self.cause.or(match self.kind {
            ErrorKind::TooLarge => Some(Cause::LimitHit),
            ErrorKind::Throttled => Some(Cause::Throttled),
            _ => None,
        })
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence for the caller.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The part of the request that is at fault, when one part is.
    pub fn target_name(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// When a retry makes sense, if the refusal says so.
    pub fn retry_delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What only the operator may read.
    pub fn operator_context(&self) -> Option<&str> {
        self.context.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
