//! The connection string of a notification hub:
//! `Endpoint=sb://HOST[:PORT]/;SharedAccessKeyName=NAME;SharedAccessKey=KEY`.
//!
//! Written in exactly this form. The Java client takes three parts and the scheme `sb` only, the .NET
//! client would read a further part as the end of the key; so there is no `EntityPath`.

use kernel::Secret;
use wire::{Endpoint, EndpointError};

/// Where a notification hub is, and the policy that an application uses there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionString {
    /// The address; `sb` on paper, `https` on the wire.
    pub endpoint: Endpoint,
    /// The policy.
    pub policy: String,
    /// One of its keys.
    pub key: Secret,
}

/// Why a text is no connection string. No variant holds the text: it may contain the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringError {
    /// A part is missing or empty.
    #[error("the connection string has no {0}; expected {FORM}")]
    Missing(&'static str),
    /// `Endpoint` is no address.
    #[error("the connection string's Endpoint is wrong: {0}")]
    Endpoint(#[from] EndpointError),
}

const FORM: &str = "Endpoint=sb://<host>/;SharedAccessKeyName=<policy>;SharedAccessKey=<key>";

impl ConnectionString {
    /// The text that an application is given. It holds the key, so it is a secret itself.
    pub fn build(&self) -> Secret {
        Secret::new(format!(
            "Endpoint=sb://{}{}/;SharedAccessKeyName={};SharedAccessKey={}",
            self.endpoint.authority(),
            self.endpoint.base(),
            self.policy,
            self.key.expose()
        ))
    }

    /// Reads a connection string as the JavaScript client does: a part's name ends at its first `=`
    /// and ignores case, unknown parts are passed over.
    ///
    /// # Errors
    /// Names the part that is missing or wrong.
    pub fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        let part = |name: &'static str| {
            let pairs = text.split(';').filter_map(|part| part.split_once('='));
            let mut values = pairs.filter(|(own, _)| own.trim().eq_ignore_ascii_case(name));
            let value = values.next().map(|(_, value)| value.trim());
            value.filter(|it| !it.is_empty()).ok_or(ConnectionStringError::Missing(name))
        };
        let endpoint = part("Endpoint")?;
        let endpoint = match endpoint.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sb") => format!("https://{rest}"),
            _ => endpoint.to_owned(),
        };
        Ok(Self {
            endpoint: Endpoint::parse(&endpoint)?,
            policy: part("SharedAccessKeyName")?.to_owned(),
            key: Secret::new(part("SharedAccessKey")?),
        })
    }
}
