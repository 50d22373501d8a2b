//! `GET /metadata/endpoints`: where a tool finds what belongs to a cloud. No credential is needed.
//!
//! One cloud, this server. The form depends on the version asked for: old tools take an object of
//! flat addresses, the Azure CLI a list of clouds, and Terraform one such cloud.

use serde_json::{Value, json};

use crate::query::Query;

/// From here on a list of clouds. Dates of one form compare as texts.
const LIST_SINCE: &str = "2019-05-01";
/// From here on the one cloud that was asked.
const ONE_SINCE: &str = "2022-09-01";

/// What SDKs call the resource manager's own tokens; kept, so that a credential made for Azure works.
const AUDIENCES: [&str; 2] =
    ["https://management.core.windows.net/", "https://management.azure.com/"];

/// The answer for a server at `origin`, such as `https://localhost:8443`.
pub(crate) fn endpoints(origin: &str, query: &Query) -> Value {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    match query.one("api-version").unwrap_or_default() {
        version if version < LIST_SINCE => json!({
            "galleryEndpoint": origin, "graphEndpoint": origin, "portalEndpoint": origin,
            "authentication": { "loginEndpoint": origin, "audiences": AUDIENCES }
        }),
        version if version < ONE_SINCE => json!([cloud(origin, host)]),
        _ => cloud(origin, host),
    }
}

fn cloud(origin: &str, host: &str) -> Value {
    json!({
        "name": "Tidings",
        "portal": origin,
        "authentication": {
            "loginEndpoint": origin, "audiences": AUDIENCES,
            "tenant": "common", "identityProvider": "AAD"
        },
        "resourceManager": origin,
        "gallery": origin,
        "graph": origin,
        "graphAudience": origin,
        "microsoftGraphResourceId": origin,
        "logAnalyticsResourceId": origin,
        "suffixes": { "storage": host, "keyVaultDns": host }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: &str) -> Value {
        endpoints("https://h:8443", &Query::parse(&format!("api-version={version}")))
    }

    #[test]
    fn each_version_has_its_form() {
        assert_eq!(at("2015-01-01")["authentication"]["loginEndpoint"], "https://h:8443");
        assert_eq!(at("")["portalEndpoint"], "https://h:8443");
        assert_eq!(at("2019-05-01")[0]["resourceManager"], "https://h:8443");
        assert_eq!(at("2022-09-01")["resourceManager"], "https://h:8443");
        assert_eq!(at("2022-09-01")["suffixes"]["storage"], "h:8443");
    }
}
