//! An OpenID Connect issuer over HTTP: what it says of itself, and its keys.

use std::time::Duration;

use auth::{ProviderKeys, ProviderMetadata};
use bytes::Bytes;
use edge::outbound::{Limits, Outbound};
use hyper::Request;

/// What an answer of an issuer may take.
const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(10), header_bytes: 16 * 1024, body_bytes: 256 * 1024 };

/// Asks one issuer. Remembers nothing.
#[derive(Clone)]
pub struct Issuer {
    issuer: String,
    outbound: Outbound,
}

impl Issuer {
    /// `issuer` is the `iss` of its tokens, a URL.
    pub fn new(issuer: &str, outbound: Outbound) -> Self {
        Self { issuer: issuer.to_owned(), outbound }
    }

    /// The `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.issuer
    }

    /// Its metadata (OpenID Connect Discovery, section 4).
    ///
    /// # Errors
    /// Why it cannot be had, or used; for the operator.
    pub async fn metadata(&self) -> Result<ProviderMetadata, String> {
        let url = ProviderMetadata::url(&self.issuer);
        let metadata = self.get(&url).await?;
        ProviderMetadata::parse(&metadata, &self.issuer)
            .map_err(|problem| format!("{url}: {problem}"))
    }

    /// Its keys, which are at `url`.
    ///
    /// # Errors
    /// As [`Issuer::metadata`].
    pub async fn keys(&self, url: &str) -> Result<ProviderKeys, String> {
        let keys = self.get(url).await?;
        ProviderKeys::parse(&keys).map_err(|problem| format!("{url}: {problem}"))
    }

    /// The status and the body of its answer to a request.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn ask(&self, request: Request<Bytes>) -> Result<(u16, Bytes), String> {
        let url = request.uri().to_string();
        let answer = self.outbound.send(request, LIMITS).await;
        let answer = answer.map_err(|error| format!("{url}: {error}"))?;
        Ok((answer.status().as_u16(), answer.into_body()))
    }

    async fn get(&self, url: &str) -> Result<Bytes, String> {
        let request = Request::get(url).body(Bytes::new()).map_err(|error| error.to_string())?;
        match self.ask(request).await? {
            (200, body) => Ok(body),
            (status, _) => Err(format!("{url} answered {status}")),
        }
    }
}
