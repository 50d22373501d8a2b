//! The first segments of all paths that the server gives to a service, in one place.
//!
//! A notification hub is reached below its own name, so no hub may be named like one of these.

/// Every first segment in lower case, in order; some are of services that are still to come.
pub const FIRST_SEGMENTS: &[&str] = &[
    "access",
    "api",
    "calling",
    "chat",
    "client",
    "clients",
    "console",
    "eventgrid",
    "eventsubscriptions",
    "fake-push",
    "identities",
    "journeys",
    "metadata",
    "providers",
    "registrar",
    "socket.io",
    "subscriptions",
    "teamsuser",
    "tenants",
    "topics",
    "v1",
    "v2",
    "v4",
    "workspaces",
];

/// Whether paths that begin with `name` are another service's.
pub fn is_taken(name: &str) -> bool {
    FIRST_SEGMENTS.iter().any(|segment| segment.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use edge::Tasks;
    use kernel::{Clock, SystemClock};
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::addresses::Listening;
    use crate::config::{Machine, check_dev};
    use crate::key_store::KeyStore;
    use crate::wiring;

    /// The paths of all routes of a server in development.
    async fn routes() -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut config = check_dev(&[], &Machine).0.unwrap();
        config.data.folder = folder.path().join("data");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Arc::new(KeyStore::open(&config).await.unwrap());
        let gateway = wiring::gateway(&config.gateway, &clock, &mut Registry::default()).unwrap();
        let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let listening = Listening { bind, http: 8080, https: Some(8443) };
        let tasks = Tasks::new();
        let services = wiring::services(&config, listening, &store, gateway, clock, &tasks).await;
        // What a router holds is told by its debug form alone: each path in quotes.
        let shown = format!("{:?}", services.unwrap().router);
        tasks.token().cancel();
        shown.split('"').filter(|it| it.starts_with('/')).map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn every_route_begins_with_a_segment_of_the_table() {
        let routes = routes().await;
        assert!(routes.len() > 50, "{routes:?}");
        // A name of a hub begins with a letter, so what begins otherwise is in nobody's way.
        let first = |route: &String| route.split('/').nth(1).unwrap_or_default().to_owned();
        let is_missing = |segment: &String| {
            segment.starts_with(|it: char| it.is_ascii_alphabetic()) && !is_taken(segment)
        };
        let missing: Vec<String> = routes.iter().map(first).filter(is_missing).collect();
        assert_eq!(missing, [""; 0], "add them to FIRST_SEGMENTS");
    }

    #[test]
    fn the_table_is_in_order_and_in_lower_case() {
        assert!(FIRST_SEGMENTS.is_sorted());
        assert!(FIRST_SEGMENTS.iter().all(|it| *it == it.to_ascii_lowercase()));
    }
}
