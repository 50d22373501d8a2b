//! What the console needs to know of the installation that it is a part of. The program implements it.

use std::future::Future;
use std::pin::Pin;

use kernel::{Result, Secret};
use serde_json::{Value, json};

/// What a port answers later.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The installation, as its operator sees it.
pub trait Installation: Send + Sync + 'static {
    /// What there is.
    fn describe(&self) -> Pending<'_, Description>;

    /// Replaces a key of a resource by a new one, in force at once.
    ///
    /// # Errors
    /// When there is no such resource or key, or the configuration owns it; says so.
    fn replace_key<'a>(&'a self, service: &'a str, name: &'a str, key: &'a str) -> Pending<'a, ()>;
}

/// What a session is told.
#[derive(Clone, Debug)]
pub struct Description {
    /// The version of the program.
    pub version: &'static str,
    /// Whether it runs for development, with fake push services.
    pub development: bool,
    /// The token that opens management calls.
    pub management: Secret,
    /// The resources whose keys are not a matter of management calls alone.
    pub resources: Vec<Resource>,
}

/// Something that has an endpoint and keys.
#[derive(Clone, Debug)]
pub struct Resource {
    /// `webpubsub`, `communication` or `notificationhubs`.
    pub service: &'static str,
    /// Its name; of a hub, its own.
    pub name: String,
    /// Where applications reach it.
    pub endpoint: String,
    /// The host name that picks it, where there are several that paths do not tell apart.
    pub host: Option<String>,
    /// The id that management calls know it by, where they do.
    pub id: Option<String>,
    /// Ready to paste.
    pub keys: Vec<Key>,
}

/// A key, within its connection string.
#[derive(Clone, Debug)]
pub struct Key {
    /// What [`Installation::replace_key`] takes, such as `primary`.
    pub name: String,
    /// What it may do, where keys differ in that.
    pub rights: Option<String>,
    /// With the endpoint.
    pub connection_string: Secret,
}

impl Description {
    /// For the page, with every secret: the operator may read them all.
    pub(crate) fn to_json(&self) -> Value {
        let key = |it: &Key| {
            json!({
                "name": it.name,
                "rights": it.rights,
                "connectionString": it.connection_string.expose(),
            })
        };
        let resource = |it: &Resource| {
            json!({
                "service": it.service,
                "name": it.name,
                "endpoint": it.endpoint,
                "host": it.host,
                "id": it.id,
                "keys": it.keys.iter().map(key).collect::<Vec<_>>(),
            })
        };
        json!({
            "version": self.version,
            "development": self.development,
            "management": { "token": self.management.expose() },
            "resources": self.resources.iter().map(resource).collect::<Vec<_>>(),
        })
    }
}
