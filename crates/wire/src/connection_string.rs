//! The connection string of a Web PubSub resource: `Endpoint=…;AccessKey=…;Version=1.0;`.
//!
//! Reading follows the official SDKs: segments end at `;`, a segment's name ends at its *first* `=`,
//! names ignore case, a repeated name's last value counts, `Port` overrides the endpoint's port, an
//! endpoint without a scheme means `https://`, and unknown names are passed over. Whether the key is
//! a good one is not decided here.

use std::fmt::Write as _;

use kernel::Secret;

use crate::{Endpoint, EndpointError};

/// Where a resource is, and the key that signs requests to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionString {
    /// The address that the application uses.
    pub endpoint: Endpoint,
    /// The primary or secondary key; must hold neither `;` nor white space at its ends.
    pub access_key: Secret,
}

/// Why a text is not a connection string. No variant holds the text: it may contain the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringError {
    /// No `Endpoint`, or an empty one.
    #[error("the connection string has no Endpoint; expected {FORM}")]
    NoEndpoint,
    /// No `AccessKey`, or an empty one.
    #[error("the connection string has no AccessKey; expected {FORM}")]
    NoAccessKey,
    /// `Endpoint` is not an address.
    #[error("the connection string's Endpoint is wrong: {0}")]
    Endpoint(#[from] EndpointError),
    /// `Port` is not a port number.
    #[error("the connection string's Port is not a number from 1 to 65535")]
    Port,
}

const FORM: &str = "Endpoint=https://<host>;AccessKey=<key>;Version=1.0;";

impl ConnectionString {
    /// The text that an application is given. It holds the key, so it is a secret itself.
    pub fn build(&self) -> Secret {
        let mut text = String::new();
        write!(text, "Endpoint={};AccessKey={};", self.endpoint, self.access_key.expose())
            .expect("writing to a string succeeds");
        text.push_str("Version=1.0;");
        Secret::new(text)
    }

    /// Reads a connection string the way the official SDKs do.
    ///
    /// # Errors
    /// Names the part that is missing or wrong, never its value when that may be the key.
    pub fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        let (mut endpoint, mut access_key, mut port) = ("", "", "");
        for (name, value) in text.split(';').filter_map(|segment| segment.split_once('=')) {
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "endpoint" => endpoint = value,
                "accesskey" => access_key = value,
                "port" => port = value,
                _ => {}
            }
        }
        if endpoint.is_empty() {
            return Err(ConnectionStringError::NoEndpoint);
        }
        if access_key.is_empty() {
            return Err(ConnectionStringError::NoAccessKey);
        }
        let mut endpoint = parse_endpoint(endpoint)?;
        if !port.is_empty() {
            let port = port.parse().ok().filter(|port| *port != 0);
            endpoint = endpoint.with_port(port.ok_or(ConnectionStringError::Port)?);
        }
        Ok(Self { endpoint, access_key: Secret::new(access_key) })
    }
}

fn parse_endpoint(text: &str) -> Result<Endpoint, EndpointError> {
    if text.contains("://") {
        Endpoint::parse(text)
    } else {
        Endpoint::parse(&format!("https://{text}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> (String, String) {
        let parsed = ConnectionString::parse(text).unwrap();
        (parsed.endpoint.to_string(), parsed.access_key.expose().to_owned())
    }

    #[test]
    fn builds_the_form_that_sdks_read() {
        let connection = ConnectionString {
            endpoint: Endpoint::parse("https://localhost:8443/").unwrap(),
            access_key: Secret::new("abc"),
        };
        assert_eq!(
            connection.build().expose(),
            "Endpoint=https://localhost:8443;AccessKey=abc;Version=1.0;"
        );
    }

    #[test]
    fn reads_what_sdks_read() {
        for (text, endpoint, key) in [
            ("Endpoint=http://h:8080;AccessKey=k;Version=1.0;", "http://h:8080", "k"),
            ("endpoint=http://h;ACCESSKEY=k", "http://h", "k"),
            ("Endpoint=http://h;AccessKey=a=b==;", "http://h", "a=b=="),
            ("Endpoint=http://h:1/base/;AccessKey=k;Port=8080", "http://h:8080/base", "k"),
            ("Endpoint=h.example;AccessKey=k;stray;", "https://h.example", "k"),
            ("AccessKey=old;Endpoint=http://h;AccessKey=new", "http://h", "new"),
        ] {
            assert_eq!(parsed(text), (endpoint.to_owned(), key.to_owned()), "{text}");
        }
    }

    #[test]
    fn names_the_part_that_is_wrong() {
        use ConnectionStringError as E;
        for (text, error) in [
            ("", E::NoEndpoint),
            ("Endpoint=;AccessKey=k", E::NoEndpoint),
            ("Endpoint=http://h;Version=1.0;", E::NoAccessKey),
            ("Endpoint=ftp://h;AccessKey=k", E::Endpoint(EndpointError::Scheme)),
            ("Endpoint=http://h;AccessKey=k;Port=0", E::Port),
            ("Endpoint=http://h;AccessKey=k;Port=x", E::Port),
        ] {
            assert_eq!(ConnectionString::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_fuzzing_corpus_parses_to_itself_or_is_refused() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/connection_string");
        let mut held = 0;
        for file in std::fs::read_dir(corpus).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            if let Ok(connection) = ConnectionString::parse(&text) {
                let built = connection.build();
                assert_eq!(ConnectionString::parse(built.expose()), Ok(connection), "{text}");
                held += 1;
            }
        }
        assert!(held > 0, "the corpus shows what a good one looks like");
    }

    proptest! {
        #[test]
        fn what_is_built_parses_to_itself(
            endpoint in "https?://[a-z0-9.-]{1,12}(:[1-9][0-9]{0,3})?(/[a-z0-9]{1,4}){0,2}",
            key in "[A-Za-z0-9+/=]{1,88}",
        ) {
            let connection = ConnectionString {
                endpoint: Endpoint::parse(&endpoint).unwrap(),
                access_key: Secret::new(key),
            };
            prop_assert_eq!(ConnectionString::parse(connection.build().expose()), Ok(connection));
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            let _ = ConnectionString::parse(&text);
        }

        #[test]
        fn near_misses_never_panic(
            text in "((endpoint|AccessKey|port|x)?=?[a-z0-9:/.\\[\\]]{0,10};?){0,6}"
        ) {
            let _ = ConnectionString::parse(&text);
        }
    }
}
