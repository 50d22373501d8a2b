//! The connection string of a hub: `Endpoint=sb://HOST/;SharedAccessKeyName=NAME;SharedAccessKey=KEY`.

use std::fmt;

use kernel::{Secret, Timestamp};
use wire::Endpoint;

/// Where a hub's namespace is, and a key that opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubConnection {
    /// The address; `sb://` means `https://`.
    pub endpoint: Endpoint,
    /// The name of the rule that the key belongs to.
    pub key_name: String,
    /// The key, which signs as the bytes of its text.
    pub key: Secret,
}

/// What is wrong with a text that should be one. Holds no part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectionProblem {
    #[error("it has no {0}")]
    Missing(&'static str),
    #[error("its Endpoint is no address: {0}")]
    Endpoint(String),
}

impl HubConnection {
    /// Reads one. Unknown parts, such as `EntityPath`, are passed over; names ignore case.
    pub(crate) fn parse(text: &str) -> Result<Self, ConnectionProblem> {
        let (mut endpoint, mut key_name, mut key) = ("", "", "");
        for (name, value) in text.split(';').filter_map(|part| part.split_once('=')) {
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "endpoint" => endpoint = value,
                "sharedaccesskeyname" => key_name = value,
                "sharedaccesskey" => key = value,
                _ => {}
            }
        }
        for (name, value) in
            [("Endpoint", endpoint), ("SharedAccessKeyName", key_name), ("SharedAccessKey", key)]
        {
            if value.is_empty() {
                return Err(ConnectionProblem::Missing(name));
            }
        }
        let address = match endpoint.strip_prefix("sb://") {
            Some(rest) => format!("https://{rest}"),
            None => endpoint.to_owned(),
        };
        let endpoint = Endpoint::parse(&address)
            .map_err(|problem| ConnectionProblem::Endpoint(problem.to_string()))?;
        Ok(Self { endpoint, key_name: key_name.to_owned(), key: Secret::new(key) })
    }

    /// The value of `Authorization` for everything below the endpoint, until `expires`.
    pub(super) fn token(&self, expires: Timestamp) -> Secret {
        let resource = format!("{}/", self.endpoint);
        wire::shared_access_signature(&resource, &self.key_name, &self.key, expires)
    }
}

/// Where, without the key.
impl fmt::Display for HubConnection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_reads_what_hubs_give_out() {
        let text = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Full;\
                    SharedAccessKey=abc+/=";
        let read = HubConnection::parse(text).unwrap();
        assert_eq!(read.endpoint.to_string(), "https://ns.servicebus.windows.net");
        assert_eq!((read.key_name.as_str(), read.key.expose()), ("Full", "abc+/="));
        let local = "endpoint=http://localhost:8080/;SHAREDACCESSKEYNAME=n;sharedaccesskey=k;\
                     EntityPath=hub";
        let local = HubConnection::parse(local).unwrap();
        assert_eq!(
            (local.to_string().as_str(), local.key.expose()),
            ("http://localhost:8080", "k")
        );
    }

    #[test]
    fn it_names_the_part_that_is_missing_or_wrong() {
        for (text, part) in [
            ("", "Endpoint"),
            ("Endpoint=sb://h/;SharedAccessKey=k", "SharedAccessKeyName"),
            ("Endpoint=sb://h/;SharedAccessKeyName=n", "SharedAccessKey"),
            ("Endpoint=amqp://h/;SharedAccessKeyName=n;SharedAccessKey=secret", "Endpoint"),
        ] {
            let problem = HubConnection::parse(text).unwrap_err().to_string();
            assert!(problem.contains(part) && !problem.contains("secret"), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = HubConnection::parse(&text);
        }
    }
}
