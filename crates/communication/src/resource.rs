//! A Communication Services resource: a name, its addresses and its keys.

use std::sync::Arc;
use std::time::Duration;

use auth::KeyRing;
use kernel::{Error, ErrorKind, Result};

/// One resource, the unit that keys, identities and threads belong to.
#[derive(Debug)]
pub struct Resource {
    /// The name, unique among Communication resources.
    pub name: String,
    /// The immutable id, a GUID: part of the raw id of every identity.
    pub id: String,
    /// Host names that pick this resource, in lower case and without ports.
    pub hosts: Vec<String>,
    /// The access keys in force; each is base64.
    pub keys: KeyRing,
    /// How far the clock of a caller that signs requests may be off.
    pub clock_skew: Duration,
    /// The absolute address that links in answers begin with; `None` takes the request's own.
    pub public_endpoint: Option<String>,
}

/// How far a caller's clock may be off unless configured otherwise. Azure publishes no figure.
pub const DEFAULT_CLOCK_SKEW: Duration = Duration::from_mins(15);

/// All Communication resources of the installation.
#[derive(Clone, Debug)]
pub struct Resources(Arc<[Arc<Resource>]>);

impl Resources {
    /// The resources; the first is the default where it is the only one.
    pub fn new(resources: impl IntoIterator<Item = Arc<Resource>>) -> Self {
        Self(resources.into_iter().collect())
    }

    /// Every resource.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.0.iter()
    }

    /// The resource that a request's `Host` picks. An only resource answers to every host.
    ///
    /// # Errors
    /// `NotFound` when several resources exist and none has this host.
    pub fn pick(&self, host: Option<&str>) -> Result<&Arc<Resource>> {
        let host = host.map(without_port).unwrap_or_default();
        let matches =
            |it: &&Arc<Resource>| it.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        if let Some(found) = self.0.iter().find(matches) {
            return Ok(found);
        }
        if let [only] = &*self.0 {
            return Ok(only);
        }
        let message = format!(
            "No Communication Services resource of this server has the host name '{}'. Use the \
             endpoint of the resource's connection string; behind a proxy, let it pass the header \
             Host.",
            host.escape_debug()
        );
        Err(Error::new(ErrorKind::NotFound, "NotFound", message).target("Host"))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}
