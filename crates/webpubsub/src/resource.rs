//! A Web PubSub resource: a name, its addresses and its keys.

use std::collections::HashMap;
use std::sync::Arc;

use auth::{Endpoints, KeyRing};
use kernel::{Error, ErrorKind, Result};

use crate::hub::HubSettings;
use crate::name::HubName;

/// One resource, the unit that keys and host names belong to. Hubs live inside it.
#[derive(Debug)]
pub struct Resource {
    /// The name, unique among Web PubSub resources.
    pub name: String,
    /// Host names that pick this resource, in lower case and without ports.
    pub hosts: Vec<String>,
    /// Every address that clients may use for it; what a token's audience is compared with.
    pub endpoints: Endpoints,
    /// The access keys in force.
    pub keys: KeyRing,
    /// The host name that event handlers know the service by, with the port if it is unusual.
    pub origin: String,
    /// The settings of hubs that have their own.
    pub hubs: HashMap<HubName, HubSettings>,
    /// The settings of every other hub.
    pub other_hubs: HubSettings,
    /// The largest body of a publish, in bytes.
    pub max_message_bytes: usize,
}

impl Resource {
    /// The settings of a hub.
    pub fn hub(&self, name: &HubName) -> &HubSettings {
        self.hubs.get(name).unwrap_or(&self.other_hubs)
    }
}

/// All Web PubSub resources of the installation.
#[derive(Clone, Debug)]
pub struct Resources(Arc<[Arc<Resource>]>);

impl Resources {
    /// The resources; the first is the default where it is the only one.
    pub fn new(resources: impl IntoIterator<Item = Arc<Resource>>) -> Self {
        Self(resources.into_iter().collect())
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Arc<Resource>] {
        &self.0
    }

    /// The resource of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Resource>> {
        self.0.iter().find(|it| it.name == name)
    }

    /// The resource that a request's `Host` header picks. An only resource answers to every host,
    /// which is what development and a single-resource server want.
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
        // Which names there are is told to the operator only: strangers ask this, too.
        let hosts: Vec<&str> =
            self.0.iter().flat_map(|it| it.hosts.iter().map(String::as_str)).collect();
        let message = format!(
            "No Web PubSub resource of this server has the host name '{}'. Use the endpoint of the \
             resource's connection string; behind a proxy, let it pass the header Host.",
            host.escape_debug()
        );
        Err(Error::new(ErrorKind::NotFound, "Error.NotFound", message)
            .target("Host")
            .context(format!("the host names of resources are: {}", hosts.join(", "))))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use auth::AccessKeys;

    use super::*;

    fn resource(name: &str, host: &str) -> Arc<Resource> {
        Arc::new(Resource {
            name: name.to_owned(),
            hosts: vec![host.to_owned()],
            endpoints: Endpoints::new([]),
            keys: KeyRing::new(AccessKeys::generate()),
            origin: host.to_owned(),
            hubs: HashMap::new(),
            other_hubs: HubSettings {
                anonymous: false,
                keep_alive_secs: 20,
                event_handlers: Vec::new(),
            },
            max_message_bytes: 1 << 20,
        })
    }

    #[test]
    fn the_host_picks_and_an_only_resource_takes_all() {
        let one = Resources::new([resource("a", "a.example.com")]);
        assert_eq!(one.pick(Some("anything:8080")).unwrap().name, "a");
        assert_eq!(one.pick(None).unwrap().name, "a");
        let two = Resources::new([resource("a", "a.example.com"), resource("b", "b.example.com")]);
        assert_eq!(two.pick(Some("B.example.com:8443")).unwrap().name, "b");
        let error = two.pick(Some("c.example.com")).unwrap_err();
        assert!(!error.message().contains("a.example.com"), "{error}");
        assert!(error.operator_context().unwrap().contains("a.example.com, b.example.com"));
    }
}
