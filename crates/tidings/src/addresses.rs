//! Which addresses a resource has: what tokens may be made for, and what people are shown.

use std::net::IpAddr;

use auth::Endpoints;
use wire::Endpoint;

use crate::config::Resource;

/// The real ports and the address of the public listeners.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// The address they are bound to.
    pub bind: IpAddr,
    /// The port of plain HTTP.
    pub http: u16,
    /// The port of HTTPS, where there is a certificate.
    pub https: Option<u16>,
}

impl Listening {
    /// The address of plain HTTP as people type it.
    pub fn http_url(&self) -> String {
        format!("http://{}:{}", self.host(), self.http)
    }

    /// The address of HTTPS as people type it.
    pub fn https_url(&self) -> Option<String> {
        self.https.map(|port| format!("https://{}:{port}", self.host()))
    }

    /// Every address of a resource: public endpoints, its host names on each listener, and the
    /// listeners' own addresses, which include loopback so that it can be tried on the spot.
    pub fn endpoints(&self, resource: &Resource) -> Endpoints {
        let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        if !self.bind.is_unspecified() && !self.bind.is_loopback() {
            hosts.push(url_host(self.bind));
        }
        hosts.extend(resource.hosts.iter().cloned());
        let mut urls = resource.public_endpoints.clone();
        for host in hosts {
            urls.push(format!("http://{host}:{}", self.http));
            urls.extend(self.https.map(|port| format!("https://{host}:{port}")));
        }
        Endpoints::new(urls.iter().filter_map(|url| Endpoint::parse(url).ok()))
    }

    /// The address that connection strings show: the first public endpoint, else the first host
    /// name, else the listener's own; HTTPS where there is any.
    pub fn shown(&self, resource: &Resource) -> String {
        if let Some(public) = resource.public_endpoints.first() {
            return public.clone();
        }
        let own = self.host();
        let host = resource.hosts.first().map_or(own.as_str(), String::as_str);
        match self.https {
            Some(port) => format!("https://{host}:{port}"),
            None => format!("http://{host}:{}", self.http),
        }
    }

    /// Host name and port of a resource as its event handlers know it.
    pub fn authority(&self, resource: &Resource) -> String {
        Endpoint::parse(&self.shown(resource)).map(|it| it.authority()).unwrap_or_default()
    }

    fn host(&self) -> String {
        if self.bind.is_loopback() || self.bind.is_unspecified() {
            "localhost".to_owned()
        } else {
            url_host(self.bind)
        }
    }
}

fn url_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KeySource, ResourceKind};

    fn resource(hosts: &[&str], public: &[&str]) -> Resource {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Resource {
            name: "chat".to_owned(),
            kind: ResourceKind::WebPubSub,
            hosts: owned(hosts),
            public_endpoints: owned(public),
            primary_key: KeySource::Kept,
            secondary_key: KeySource::Kept,
            hubs: Vec::new(),
        }
    }

    const LOOPBACK: Listening =
        Listening { bind: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), http: 80, https: Some(8443) };

    #[test]
    fn development_answers_to_every_name_of_loopback() {
        let endpoints = LOOPBACK.endpoints(&resource(&[], &[])).to_string();
        for url in ["http://localhost", "https://127.0.0.1:8443", "https://[::1]:8443"] {
            assert!(endpoints.contains(url), "{url} in {endpoints}");
        }
        assert_eq!(LOOPBACK.shown(&resource(&[], &[])), "https://localhost:8443");
    }

    #[test]
    fn a_public_endpoint_is_shown_before_hosts_and_listeners() {
        let both = resource(&["chat.example.com"], &["https://push.example.com"]);
        assert_eq!(LOOPBACK.shown(&both), "https://push.example.com");
        let hosted = resource(&["chat.example.com"], &[]);
        assert_eq!(LOOPBACK.shown(&hosted), "https://chat.example.com:8443");
        let endpoints = LOOPBACK.endpoints(&both).to_string();
        assert!(endpoints.contains("http://chat.example.com"), "{endpoints}");
    }
}
