//! What lies above the providers: tenants, subscriptions, resource groups, and who provides what.
//!
//! Tidings has no such things of its own. Every subscription id and every name of a resource group
//! is good, exists as soon as it is named, and has no state; so a group can be "created" any number
//! of times and cannot be deleted. Lists tell those that have resources.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Method;
use kernel::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use wire::ResourceId;

use crate::call::{Answer, Call};
use crate::envelope::{self, GLOBAL};
use crate::fault;
use crate::namespace::Namespace;
use crate::page::{self, Listed};

/// The tenant of every subscription, and the subscription that is listed when none has resources.
const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// Every namespace, and what can be told of them together.
pub(crate) struct Directory {
    namespaces: Vec<Arc<dyn Namespace>>,
}

impl Directory {
    pub(crate) fn new(namespaces: Vec<Arc<dyn Namespace>>) -> Self {
        Self { namespaces }
    }

    /// The provider of this name.
    ///
    /// # Errors
    /// `InvalidResourceNamespace`, naming those that there are.
    pub(crate) fn namespace(&self, name: &str) -> Result<&dyn Namespace> {
        let found = self.namespaces.iter().find(|it| it.name().eq_ignore_ascii_case(name));
        found.map(|it| &**it).ok_or_else(|| {
            let shown: String = name.chars().take(100).collect();
            let known: Vec<&str> = self.namespaces.iter().map(|it| it.name()).collect();
            let message = format!(
                "The resource namespace '{}' is invalid. This server provides {}.",
                shown.escape_debug(),
                known.join(", ")
            );
            Error::new(ErrorKind::NotFound, "InvalidResourceNamespace", message)
        })
    }

    /// Answers an address that has no provider in it.
    pub(crate) async fn answer(&self, segments: &[String], call: &Call) -> Result<Answer> {
        let lower: Vec<String> = segments.iter().map(|it| it.to_ascii_lowercase()).collect();
        let words: Vec<&str> = lower.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["tenants"] => only_get(call, || Ok(page::whole(vec![tenant()]))),
            ["providers"] => only_get(call, || Ok(self.providers(None))),
            ["subscriptions"] if call.method == Method::GET => self.subscriptions().await,
            ["subscriptions", _] => only_get(call, || Ok(Answer::ok(subscription(&segments[1])))),
            ["subscriptions", _, "locations"] => {
                only_get(call, || Ok(page::whole(vec![location(&segments[1])])))
            }
            ["subscriptions", _, "providers"] => {
                only_get(call, || Ok(self.providers(Some(&segments[1]))))
            }
            ["subscriptions", _, "resources"] if call.method == Method::GET => {
                self.resources(&id(segments, 2)?, call).await
            }
            ["subscriptions", _, "resourcegroups"] if call.method == Method::GET => {
                self.groups(&id(segments, 2)?, call).await
            }
            ["subscriptions", _, "resourcegroups", _] => group_call(&id(segments, 4)?, call),
            ["subscriptions", _, "resourcegroups", _, "resources"]
                if call.method == Method::GET =>
            {
                self.resources(&id(segments, 4)?, call).await
            }
            ["subscriptions"] | ["subscriptions", _, "resources" | "resourcegroups"] => {
                Err(fault::method(&call.method, "GET"))
            }
            _ => Err(unknown(segments)),
        }
    }

    /// Answers an address that ends with a provider's name, perhaps with `register` behind it.
    /// Nothing needs to be registered here, so that is always done.
    pub(crate) fn provider(
        &self,
        subscription: Option<&str>,
        name: &str,
        call: &Call,
    ) -> Result<Answer> {
        let namespace = self.namespace(name)?;
        match call.method {
            Method::GET | Method::POST => Ok(Answer::ok(provider(subscription, namespace))),
            _ => Err(fault::method(&call.method, "GET")),
        }
    }

    fn providers(&self, subscription: Option<&str>) -> Answer {
        page::whole(self.namespaces.iter().map(|it| provider(subscription, &**it)).collect())
    }

    async fn subscriptions(&self) -> Result<Answer> {
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        for id in self.all(None).await? {
            found
                .entry(id.subscription().to_ascii_lowercase())
                .or_insert(id.subscription().to_owned());
        }
        if found.is_empty() {
            found.insert(NIL.to_owned(), NIL.to_owned());
        }
        Ok(page::whole(found.values().map(|id| subscription(id)).collect()))
    }

    async fn groups(&self, within: &ResourceId, call: &Call) -> Result<Answer> {
        let mut found: BTreeMap<String, Listed> = BTreeMap::new();
        for id in self.all(Some(within)).await? {
            if let Some(name) = id.resource_group() {
                let shown = group(&format!("{within}/resourceGroups/{name}"), name, GLOBAL);
                found.entry(name.to_ascii_lowercase()).or_insert_with(|| Listed::of(shown));
            }
        }
        page::page(call, found.into_values().collect())
    }

    async fn resources(&self, within: &ResourceId, call: &Call) -> Result<Answer> {
        let shown = |id: ResourceId| json!({ "id": id.as_str(), "name": id.name(), "type": id.resource_type() });
        let found = self.all(Some(within)).await?;
        page::page(call, found.into_iter().map(|id| Listed::of(shown(id))).collect())
    }

    async fn all(&self, within: Option<&ResourceId>) -> Result<Vec<ResourceId>> {
        let mut all = Vec::new();
        for namespace in &self.namespaces {
            all.extend(namespace.resources(within).await?);
        }
        Ok(all)
    }
}

fn only_get(call: &Call, answer: impl FnOnce() -> Result<Answer>) -> Result<Answer> {
    if call.method == Method::GET { answer() } else { Err(fault::method(&call.method, "GET")) }
}

fn group_call(id: &ResourceId, call: &Call) -> Result<Answer> {
    match call.method {
        Method::GET => Ok(Answer::ok(group(id.as_str(), id.name(), GLOBAL))),
        // `az group exists` asks for exactly this status.
        Method::HEAD => Ok(Answer::no_content()),
        Method::PUT => {
            let location = envelope::location(call.object()?, id, None)?;
            Ok(Answer::ok(group(id.as_str(), id.name(), &location)))
        }
        Method::DELETE => {
            let message = "Resource groups exist here as soon as they are named and cannot be \
                           deleted. Delete the resources in the group.";
            Err(Error::new(ErrorKind::MethodNotAllowed, "MethodNotAllowed", message))
        }
        _ => Err(fault::method(&call.method, "GET, HEAD and PUT")),
    }
}

/// The id that the first segments make.
fn id(segments: &[String], count: usize) -> Result<ResourceId> {
    ResourceId::parse(&segments[..count].join("/"))
}

fn tenant() -> Value {
    json!({
        "id": format!("/tenants/{NIL}"), "tenantId": NIL, "displayName": "Tidings",
        "tenantCategory": "Home", "countryCode": null, "domains": []
    })
}

fn subscription(id: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{id}"), "subscriptionId": id, "tenantId": NIL,
        "displayName": id, "state": "Enabled", "authorizationSource": "RoleBased",
        "subscriptionPolicies": { "locationPlacementId": "Public_2014-09-01", "quotaId": "Internal", "spendingLimit": "Off" }
    })
}

/// A server is in one place, which has the name of resources without a place.
fn location(subscription: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{subscription}/locations/{GLOBAL}"), "name": GLOBAL,
        "type": "Region", "displayName": "Global", "regionalDisplayName": "Global",
        "metadata": { "regionType": "Logical", "regionCategory": "Other" }
    })
}

fn group(id: &str, name: &str, location: &str) -> Value {
    json!({
        "id": id, "name": name, "type": "Microsoft.Resources/resourceGroups",
        "location": location, "tags": {}, "properties": { "provisioningState": "Succeeded" }
    })
}

fn provider(subscription: Option<&str>, namespace: &dyn Namespace) -> Value {
    let scope = subscription.map(|id| format!("/subscriptions/{id}")).unwrap_or_default();
    let types = namespace.resource_types().iter().map(|name| {
        json!({ "resourceType": name, "locations": ["Global"], "apiVersions": ["2025-02-15"] })
    });
    json!({
        "id": format!("{scope}/providers/{}", namespace.name()), "namespace": namespace.name(),
        "registrationState": "Registered", "registrationPolicy": "RegistrationFree",
        "resourceTypes": types.collect::<Vec<_>>()
    })
}

fn unknown(segments: &[String]) -> Error {
    let known = "The resource manager itself answers /tenants, /subscriptions and what lies \
                 directly below: resourceGroups, resources, locations and providers.";
    fault::unknown_path(&segments.join("/"), known)
}
