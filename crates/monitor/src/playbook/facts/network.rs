//! How far a client gets on its way to the server, measured.

use kernel::Timestamp;

/// One attempt to open a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The address: scheme, host and port.
    pub url: String,
    /// The proxy on the way, if there was one.
    pub proxy: Option<String>,
    /// How it ended.
    pub end: End,
    /// The certificate that was shown, if there was TLS.
    pub certificate: Option<Certificate>,
    /// How many seconds the clock of the answer was ahead of ours (negative when behind).
    pub clock_ahead: Option<i64>,
    /// How long it took.
    pub millis: u64,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The address or the proxy is no URL that can be used.
    Unusable(String),
    /// The host's name has no address.
    NotResolved(String),
    /// Nobody took the connection.
    NotConnected(String),
    /// The proxy does not let connections through; what it said.
    ProxyRefused(String),
    /// TLS could not be agreed on, whatever the certificate.
    TlsBroken(String),
    /// The connection ended or fell silent before an answer.
    Silent(String),
    /// An answer other than the one wanted.
    Answered {
        /// Its status.
        status: u16,
        /// The beginning of what it said.
        said: String,
    },
    /// It is open.
    Open,
}

/// A server's certificate as a client judges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The names that it is for.
    pub names: Vec<String>,
    /// From when on it holds.
    pub not_before: Timestamp,
    /// Until when it holds.
    pub not_after: Timestamp,
    /// Who made it.
    pub issuer: String,
    /// Why a client would not take it.
    pub problem: Option<String>,
}
