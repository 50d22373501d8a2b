//! Calls about namespaces.

use axum::http::Method;
use kernel::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use wire::ResourceId;

use super::NotificationHubs;
use super::port::{HubNamespace, NAMESPACES, NamespaceRequest, NotificationHubsProvider};
use crate::call::{Answer, Call};
use crate::page::{self, Listed};
use crate::{envelope, fault};

/// Everything works in each of them; Azure differs in prices and limits.
const SKUS: [&str; 3] = ["Free", "Basic", "Standard"];
/// Who names none gets what Azure calls all features.
const USUAL_SKU: &str = "Standard";

impl<P: NotificationHubsProvider> NotificationHubs<P> {
    /// `POST …/checkNamespaceAvailability`. Names of namespaces are unique in the whole server.
    pub(super) async fn namespace_availability(&self, call: &Call) -> Result<Answer> {
        let name = name(call)?;
        let is_available = self.provider.is_namespace_available(name).await?;
        Ok(availability(call, NAMESPACES, name, is_available))
    }

    /// `GET …/namespaces`
    pub(super) async fn namespaces(&self, within: &ResourceId, call: &Call) -> Result<Answer> {
        let found = self.provider.namespaces(Some(within)).await?;
        page::page(call, found.into_iter().map(|it| Listed::of(shown(it))).collect())
    }

    /// `GET`, `PUT`, `PATCH` and `DELETE` of one namespace.
    pub(super) async fn namespace(&self, id: &ResourceId, call: &Call) -> Result<Answer> {
        let old = self.provider.namespace(id).await?;
        match call.method {
            Method::GET => Ok(Answer::ok(shown(old.ok_or_else(|| fault::no_resource(id))?))),
            Method::PUT => {
                let request = request(id, call, old.as_ref())?;
                let put = self.provider.put_namespace(id, request).await?;
                let is_new = old.is_none();
                Ok(if is_new { Answer::created(shown(put)) } else { Answer::ok(shown(put)) })
            }
            Method::PATCH => {
                let old = old.ok_or_else(|| fault::no_resource(id))?;
                let request = changed(call, old)?;
                Ok(Answer::ok(shown(self.provider.put_namespace(id, request).await?)))
            }
            Method::DELETE if self.provider.delete_namespace(id).await? => Ok(Answer::done()),
            Method::DELETE => Ok(Answer::no_content()),
            _ => Err(fault::method(&call.method, "GET, PUT, PATCH and DELETE")),
        }
    }

    /// `POST …/namespaces/{namespace}/pnsCredentials`: credentials are those of hubs here.
    pub(super) async fn namespace_credentials(&self, id: &ResourceId) -> Result<Answer> {
        self.parent(id).await?;
        Ok(Answer::ok(json!({
            "id": format!("{id}/pnsCredentials"), "name": id.name(),
            "type": format!("{NAMESPACES}/pnsCredentials"), "properties": {}
        })))
    }

    /// `GET …/namespaces/{namespace}/privateEndpointConnections` and `…/privateLinkResources`
    pub(super) async fn private(&self, id: &ResourceId) -> Result<Answer> {
        self.parent(id).await?;
        Ok(page::whole(Vec::new()))
    }
}

fn request(id: &ResourceId, call: &Call, old: Option<&HubNamespace>) -> Result<NamespaceRequest> {
    let body = call.object()?;
    check_properties(&call.properties()?)?;
    let place = old.and_then(|it| it.envelope.location.as_deref());
    Ok(NamespaceRequest {
        location: envelope::location(body, id, place)?,
        tags: envelope::tags(body)?.unwrap_or_default(),
        sku: sku(body)?.unwrap_or(USUAL_SKU).to_owned(),
    })
}

fn changed(call: &Call, old: HubNamespace) -> Result<NamespaceRequest> {
    let body = call.object()?;
    check_properties(&call.properties()?)?;
    Ok(NamespaceRequest {
        location: old.envelope.location.unwrap_or_else(|| envelope::GLOBAL.to_owned()),
        tags: envelope::tags(body)?.unwrap_or(old.envelope.tags),
        sku: sku(body)?.map_or(old.sku, str::to_owned),
    })
}

fn sku(body: &Value) -> Result<Option<&'static str>> {
    let name = match &body["sku"] {
        Value::Null => return Ok(None),
        sku => sku["name"].as_str().unwrap_or_default(),
    };
    let known = SKUS.into_iter().find(|it| it.eq_ignore_ascii_case(name));
    let message = format!("sku.name must be one of {}.", SKUS.join(", "));
    known.map(Some).ok_or_else(|| fault::content("sku.name", message))
}

/// Refuses what would be kept without any effect, where somebody would rely on it.
fn check_properties(properties: &Value) -> Result<()> {
    let refused = |name: &'static str, cure: &str| {
        let message = format!("{name} of a namespace has no effect on this server. {cure}");
        Err(Error::new(ErrorKind::Invalid, "FeatureNotSupported", message).target(name))
    };
    let text = |name: &str| properties[name].as_str().unwrap_or_default();
    let acls = &properties["networkAcls"];
    let has_ip_rules = acls["ipRules"].as_array().is_some_and(|rules| !rules.is_empty());
    let rights = acls["publicNetworkRule"]["rights"].as_array();
    if properties["enabled"] == false {
        return refused("enabled", "Delete the namespace, or replace the keys of its rules.");
    }
    if text("publicNetworkAccess").eq_ignore_ascii_case("Disabled") {
        return refused("publicNetworkAccess", "Let the server listen on a private address.");
    }
    if has_ip_rules || rights.is_some_and(|rights| rights.len() < 3) {
        return refused("networkAcls", "Restrict who reaches the server by a firewall.");
    }
    if properties["pnsCredentials"].as_object().is_some_and(|it| !it.is_empty()) {
        return refused("pnsCredentials", "Give credentials to each notification hub.");
    }
    Ok(())
}

/// The name whose availability a call asks for.
pub(super) fn name(call: &Call) -> Result<&str> {
    let name = call.object()?["name"].as_str().filter(|name| !name.is_empty());
    name.ok_or_else(|| fault::content("name", "The body needs name, the name to look for."))
}

/// The answer about a name; the misspelt property is the service's.
pub(super) fn availability(call: &Call, kind: &str, name: &str, is_available: bool) -> Answer {
    let mut answer = json!({ "name": name, "type": kind, "isAvailiable": is_available });
    for property in ["location", "tags", "sku"] {
        if !call.body[property].is_null() {
            answer[property] = call.body[property].clone();
        }
    }
    Answer::ok(answer)
}

fn shown(namespace: HubNamespace) -> Value {
    let HubNamespace { id, mut envelope, sku, endpoint } = namespace;
    let location = envelope.location.get_or_insert_with(|| envelope::GLOBAL.to_owned()).clone();
    let times =
        (envelope.created.and_then(envelope::iso), envelope.changed.and_then(envelope::iso));
    let properties = json!({
        "name": id.name(),
        "provisioningState": "Succeeded",
        "status": "Active",
        "enabled": true,
        "critical": false,
        "namespaceType": "NotificationHub",
        "region": location,
        "subscriptionId": id.subscription(),
        "serviceBusEndpoint": format!("{}/", endpoint.trim_end_matches('/')),
        "createdAt": times.0,
        "updatedAt": times.1,
        "publicNetworkAccess": "Enabled",
        "privateEndpointConnections": [],
    });
    let mut resource = envelope.around(id.as_str(), NAMESPACES, properties);
    resource["sku"] = json!({ "name": sku });
    resource
}
