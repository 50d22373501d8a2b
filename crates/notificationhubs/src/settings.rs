//! What the program decides for the service.

use std::time::Duration;

use crate::push::fcm::FcmEndpoints;

/// How the service behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of requests whose host names none.
    pub default_namespace: String,
    /// Names of this server, lower case and without ports: what tokens may be made for beside the
    /// host of the request itself.
    pub hosts: Vec<String>,
    /// Names that no new hub can have, since paths that begin with them are another service's.
    pub reserved_hubs: Vec<String>,
    /// Whether a policy of a namespace may send to its hubs. Documents contradict one another.
    pub namespace_may_send: bool,
    /// Where Google is.
    pub fcm: FcmEndpoints,
    /// How long a device is tried again, from the moment a send was accepted or due.
    pub delivery_window: Duration,
    /// The pauses between attempts at devices that were not reached; the last one repeats.
    pub retry_delays: Vec<Duration>,
    /// Devices that one send looks for at a time, and so what a crash repeats at most.
    pub page: usize,
    /// Requests under way for one send.
    pub concurrency: usize,
    /// How long notifications and what push services refused can be read after their end.
    pub keep_reports: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_namespace: "local".to_owned(),
            hosts: ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec(),
            reserved_hubs: Vec::new(),
            namespace_may_send: true,
            fcm: FcmEndpoints::default(),
            delivery_window: Duration::from_secs(30 * 60),
            retry_delays: [5, 15, 30, 60, 120].map(Duration::from_secs).to_vec(),
            page: 1000,
            concurrency: 256,
            keep_reports: Duration::from_secs(7 * 86_400),
        }
    }
}
