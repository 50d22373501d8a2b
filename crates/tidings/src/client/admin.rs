//! Calls to the admin listener of a running server, which is plain HTTP on loopback.

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::config::Config;
use crate::key_store::KeyStore;
use crate::node::Node;
use crate::run::admin_of;

/// An answer that is read whole is no larger than this.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The admin listener of a server.
pub struct Admin {
    /// Host and port.
    authority: String,
}

impl Admin {
    /// Finds the listener where the server last had it.
    ///
    /// # Errors
    /// When the store cannot be read, or no server has been started on it.
    pub async fn find(config: &Config) -> anyhow::Result<Self> {
        let store = KeyStore::open(config).await?;
        // Others may share the database; this folder's server is meant.
        let address = match Node::known(&config.data.folder)? {
            Some(name) => store.last_address(&admin_of(&name)).await?,
            None => None,
        };
        store.close().await;
        let address = address.with_context(|| {
            format!("no server has been started on {} yet", config.data.folder.display())
        })?;
        let authority = address.strip_prefix("http://").unwrap_or(&address).to_owned();
        Ok(Self { authority })
    }

    /// One JSON answer.
    ///
    /// # Errors
    /// When the server does not answer, or refuses; says what it said.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.call(Method::GET, path, Bytes::new()).await?;
        whole(answer).await
    }

    /// One JSON answer to a JSON body.
    ///
    /// # Errors
    /// As [`Admin::get`].
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.call(Method::POST, path, body.to_string().into()).await?;
        whole(answer).await
    }

    /// An answer that goes on: `begun` is called once it has begun, then `piece` with each piece of
    /// it until it ends.
    ///
    /// # Errors
    /// As [`Admin::get`], and what `piece` says.
    pub async fn follow(
        &self,
        path: &str,
        begun: impl FnOnce(),
        mut piece: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut answer = self.call(Method::GET, path, Bytes::new()).await?;
        begun();
        while let Some(frame) = answer.body_mut().frame().await {
            let frame = frame.context("the server has gone")?;
            if let Some(data) = frame.data_ref() {
                piece(data)?;
            }
        }
        Ok(())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let authority = &self.authority;
        let tcp = TcpStream::connect(authority).await.with_context(|| {
            format!("no server answers at {authority}; start it, or name its data folder")
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
        // It ends with the answer.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = sender.send_request(request).await?;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        let status = answer.status();
        let said = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        let said = said.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        let json: Value = serde_json::from_slice(&said).unwrap_or_default();
        // What is wrong with a query stands within, below a general sentence.
        let inner = json["error"]["innererror"]["message"].as_str();
        match inner.or_else(|| json["error"]["message"].as_str()) {
            Some(message) => bail!("{message}"),
            None => bail!("the server answered {status}"),
        }
    }
}

/// What of these is given, as the query of a path.
pub(super) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let written = pairs.iter().filter_map(|(name, value)| {
        Some(format!("{name}={}", utf8_percent_encode((*value)?, NON_ALPHANUMERIC)))
    });
    written.collect::<Vec<_>>().join("&")
}

async fn whole(answer: Response<Incoming>) -> anyhow::Result<Value> {
    let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
    serde_json::from_slice(&body).context("the server's answer is not JSON")
}
