//! Who may publish to a topic: the network rules, then one of key, SAS token and bearer token.

use std::net::IpAddr;

use axum::http::HeaderMap;
use kernel::{Error, ErrorKind, Result};

use crate::credential::{Credential, Expected};
use crate::registry::TopicEntry;
use crate::service::EventGrid;
use crate::topic::{CustomTopic, NetworkAccess};

/// What a request tells about who sends it.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// The path as it came.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) over_tls: bool,
    /// The other end of the connection; a proxy, where one is in between.
    pub(crate) peer: Option<IpAddr>,
}

impl EventGrid {
    /// Lets a caller publish to a topic, or says why not.
    pub(crate) fn admit(&self, entry: &TopicEntry, caller: &Caller<'_>) -> Result<()> {
        let topic = &entry.topic;
        let (Some(custom), Some(keys)) = (topic.custom(), &entry.keys) else {
            let message = format!("'{}' is not published to.", topic.id);
            return Err(Error::new(ErrorKind::NotFound, "NotFound", message));
        };
        check_network(custom, topic.id.name(), caller.peer)?;
        let credential = Credential::find(caller.headers, caller.query)?;
        if let Credential::Bearer(token) = credential {
            return self.bearer().check(token, topic, caller.over_tls);
        }
        if custom.disable_local_auth {
            let message = format!(
                "The topic '{}' takes no keys and SAS tokens (disableLocalAuth). Use a bearer token.",
                topic.id.name()
            );
            return Err(Error::new(ErrorKind::Unauthenticated, "Unauthorized", message));
        }
        let expected = Expected {
            topic: topic.id.name(),
            keys: [&keys.key1, &keys.key2],
            path: caller.path,
            // Behind a proxy the host of a signature need not be ours; the key says enough.
            endpoints: None,
        };
        credential.check(&expected, self.now())?;
        Ok(())
    }
}

fn check_network(custom: &CustomTopic, name: &str, peer: Option<IpAddr>) -> Result<()> {
    let refused = |why: &str| {
        let message = format!("The topic '{name}' does not take events from here: {why}.");
        Err(Error::new(ErrorKind::Forbidden, "Forbidden", message))
    };
    if custom.public_network_access != NetworkAccess::Enabled {
        return refused("its publicNetworkAccess is not Enabled");
    }
    let rules = &custom.inbound_ip_rules;
    let admits = |peer: IpAddr| {
        rules.iter().any(|rule| rule.range().is_ok_and(|range| range.contains(peer)))
    };
    match peer {
        _ if rules.is_empty() => Ok(()),
        Some(peer) if admits(peer) => Ok(()),
        Some(_) | None => refused("none of its inboundIpRules allows the address"),
    }
}
