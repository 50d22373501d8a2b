//! What is known once a server serves: the facts behind the start screen and the ready file.

use std::path::PathBuf;

use kernel::Secret;

/// A server that has started. Addresses are `scheme://host:port` with the real ports.
#[derive(Debug, Clone)]
pub struct Started {
    /// The plain HTTP address.
    pub http: String,
    /// The HTTPS address; absent without a certificate.
    pub https: Option<String>,
    /// The admin address.
    pub admin: String,
    /// The PEM file of the development CA; absent in production.
    pub ca: Option<PathBuf>,
    /// The data folder, absolute.
    pub data: PathBuf,
    /// Which engine keeps the rows, and where its server is, if it has one.
    pub database: String,
    /// The console's address, when there is a console.
    pub console: Option<String>,
    /// The Web PubSub resource of development; absent in production, where `tidings
    /// connection-string` tells on demand.
    pub webpubsub: Option<ServiceAccess>,
    /// The Communication Services of development; absent in production.
    pub communication: Option<ServiceAccess>,
    /// The topic of development; absent in production.
    pub event_grid: Option<TopicAccess>,
    /// The notification hub of development; absent in production.
    pub notification_hubs: Option<HubAccess>,
}

/// How to reach a notification hub, and where to see what it sends.
#[derive(Debug, Clone)]
pub struct HubAccess {
    /// Its name.
    pub hub: String,
    /// For backends: with every right.
    pub connection_string: Secret,
    /// For devices: they may register, and nothing else.
    pub listen_connection_string: Secret,
    /// The page that shows what arrives at the fake push services.
    pub inbox: String,
    /// The fake of Apple's push service.
    pub apns: Option<String>,
}

/// How to publish to a topic.
#[derive(Debug, Clone)]
pub struct TopicAccess {
    /// Where to.
    pub endpoint: String,
    /// The first of its keys.
    pub key: Secret,
}

/// How to reach one service.
#[derive(Debug, Clone)]
pub struct ServiceAccess {
    /// Ready to paste; holds an access key.
    pub connection_string: Secret,
}
