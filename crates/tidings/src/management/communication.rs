//! `Microsoft.Communication`: the one Communication resource, its keys and its notification hub.
//!
//! The resource itself is the configuration's, so calls read it and do not make, change or delete it.

use std::sync::Arc;

use auth::KeySlot;
use axum::http::Method;
use communication::link::{Fault, LinkStatus, Links};
use kernel::{Error, ErrorKind, Result};
use management::{Answer, Call, GLOBAL, Namespace, Pending, ProviderPath};
use serde_json::{Value, json};
use wire::ResourceId;

use crate::communication::Wired;
use crate::key_store::{KeyStore, Owner};

const TYPE: &str = "Microsoft.Communication/CommunicationServices";
const RESOURCES: &str = "communicationServices";

/// The provider.
pub struct CommunicationServices {
    /// The id of the resource.
    pub id: ResourceId,
    /// The service.
    pub service: Wired,
    /// Its keys.
    pub store: Arc<KeyStore>,
    /// Its hubs.
    pub links: Links,
    /// Where applications reach it.
    pub endpoint: String,
}

/// What an address names.
enum Named<'a> {
    List,
    NameAvailability,
    Resource,
    Action(&'a str),
    Operations,
}

impl CommunicationServices {
    async fn call(&self, at: &ProviderPath, call: &Call) -> Result<Answer> {
        match self.named(at)? {
            Named::Operations => {
                only(call, &Method::GET)?;
                Ok(Answer::ok(json!({ "value": [] })))
            }
            Named::List => {
                only(call, &Method::GET)?;
                let inside = at.scope.as_ref().is_none_or(|scope| self.id.is_within(scope));
                let value = if inside { vec![self.shown().await?] } else { Vec::new() };
                Ok(Answer::ok(json!({ "value": value })))
            }
            Named::NameAvailability => {
                only(call, &Method::POST)?;
                self.name_availability(call)
            }
            Named::Resource if call.method == Method::GET => Ok(Answer::ok(self.shown().await?)),
            Named::Resource => Err(configured()),
            Named::Action(action) => {
                only(call, &Method::POST)?;
                self.act(action, call).await
            }
        }
    }

    fn named<'a>(&self, at: &'a ProviderPath) -> Result<Named<'a>> {
        let segments: Vec<&str> = at.path.iter().map(String::as_str).collect();
        let is = |text: &str, word: &str| text.eq_ignore_ascii_case(word);
        match segments.as_slice() {
            ["operations"] => Ok(Named::Operations),
            [action] if is(action, "checkNameAvailability") => Ok(Named::NameAvailability),
            [kind] if is(kind, RESOURCES) => Ok(Named::List),
            [kind, name, rest @ ..] if is(kind, RESOURCES) && rest.len() < 2 => {
                self.check_name(at, name)?;
                Ok(rest.first().map_or(Named::Resource, |action| Named::Action(action)))
            }
            _ => Err(unknown(&at.path.join("/"))),
        }
    }

    /// The resource has one id; names ignore case.
    fn check_name(&self, at: &ProviderPath, name: &str) -> Result<()> {
        let scope = at.scope.as_ref().map_or("", |scope| scope.as_str());
        let id = ResourceId::parse(&format!("{scope}/providers/{TYPE}/{name}"))?;
        if id == self.id {
            return Ok(());
        }
        let message = format!(
            "The Resource '{TYPE}/{}' was not found. This server has one Communication resource: {}.",
            name.escape_debug(),
            self.id
        );
        Err(Error::new(ErrorKind::NotFound, "ResourceNotFound", message))
    }

    async fn act(&self, action: &str, call: &Call) -> Result<Answer> {
        let name = self.service.name();
        match action.to_ascii_lowercase().as_str() {
            "listkeys" => Ok(Answer::ok(self.keys())),
            "regeneratekey" => {
                self.regenerate(call).await?;
                Ok(Answer::ok(self.keys()))
            }
            "linknotificationhub" => {
                let (hub, connection) =
                    (text(call, "resourceId")?, text(call, "connectionString")?);
                let faults = self.links.link(name, hub, connection).await?;
                let mut answer = json!({ "resourceId": hub });
                if !faults.is_empty() {
                    answer["warnings"] = faults.iter().map(fault_json).collect();
                }
                Ok(Answer::ok(answer))
            }
            "unlinknotificationhub" => {
                self.links.unlink(name).await?;
                Ok(Answer::ok(json!({})))
            }
            _ => Err(unknown(action)),
        }
    }

    async fn regenerate(&self, call: &Call) -> Result<()> {
        let slot = match text(call, "keyType")? {
            it if it.eq_ignore_ascii_case("Primary") => KeySlot::Primary,
            it if it.eq_ignore_ascii_case("Secondary") => KeySlot::Secondary,
            _ => return Err(content("keyType", "keyType must be \"Primary\" or \"Secondary\".")),
        };
        let failed = |error: anyhow::Error| {
            let message = "The key could not be replaced. The log has the reason.";
            Error::new(ErrorKind::Internal, "InternalServerError", message)
                .context(format!("{error:#}"))
        };
        self.store.rotate(Owner::COMMUNICATION, slot).await.map_err(failed)?;
        self.service.reload_keys(&self.store).await.map_err(failed)
    }

    fn keys(&self) -> Value {
        let text = |slot| {
            let connection = self.service.connection_string_of(&self.endpoint, slot);
            let (_, key) = connection.expose().split_once("accesskey=").unwrap_or_default();
            (key.to_owned(), connection.expose().to_owned())
        };
        let (primary, primary_connection) = text(KeySlot::Primary);
        let (secondary, secondary_connection) = text(KeySlot::Secondary);
        json!({
            "primaryKey": primary,
            "secondaryKey": secondary,
            "primaryConnectionString": primary_connection,
            "secondaryConnectionString": secondary_connection,
        })
    }

    /// A name is free if it is not that of the one resource; that no other can be made is told, too.
    fn name_availability(&self, call: &Call) -> Result<Answer> {
        let name = text(call, "name")?;
        if !name.eq_ignore_ascii_case(self.id.name()) {
            return Ok(Answer::ok(json!({ "nameAvailable": true })));
        }
        let message = format!("The name '{name}' is that of this server's resource.");
        Ok(Answer::ok(json!({
            "nameAvailable": false, "reason": "AlreadyExists", "message": message
        })))
    }

    async fn shown(&self) -> Result<Value> {
        let status = self.links.status(self.service.name()).await?;
        let host = self.endpoint.split_once("://").map_or(&*self.endpoint, |(_, host)| host);
        let mut resource = json!({
            "id": self.id.as_str(),
            "name": self.id.name(),
            "type": TYPE,
            "location": GLOBAL,
            "tags": {},
            "identity": { "type": "None" },
            "properties": {
                "provisioningState": "Succeeded",
                "hostName": host.trim_end_matches('/'),
                "dataLocation": "local",
                "notificationHubId": status.as_ref().map(|it| it.hub_id.as_str()),
                "version": env!("CARGO_PKG_VERSION"),
                "immutableResourceId": self.service.immutable_id(),
                "linkedDomains": [],
                "publicNetworkAccess": "Enabled",
                "disableLocalAuth": false,
            },
        });
        if let Some(status) = status {
            resource["properties"]["notificationHubStatus"] = status_json(&status);
        }
        Ok(resource)
    }
}

impl Namespace for CommunicationServices {
    fn name(&self) -> &'static str {
        "Microsoft.Communication"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["CommunicationServices", "checkNameAvailability", "operations"]
    }

    fn answer<'a>(&'a self, at: &'a ProviderPath, call: &'a Call) -> Pending<'a, Answer> {
        Box::pin(self.call(at, call))
    }

    fn resources<'a>(&'a self, within: Option<&'a ResourceId>) -> Pending<'a, Vec<ResourceId>> {
        let inside = within.is_none_or(|scope| self.id.is_within(scope));
        Box::pin(std::future::ready(Ok(inside.then(|| self.id.clone()).into_iter().collect())))
    }
}

/// An addition to what the real service shows: whether the hub works.
fn status_json(status: &LinkStatus) -> Value {
    match &status.fault {
        None => json!({ "state": "Working" }),
        Some((fault, at)) => {
            let mut json = fault_json(fault);
            json["state"] = "Failing".into();
            json["since"] = eventgrid::time_text(*at).into();
            json
        }
    }
}

fn fault_json(fault: &Fault) -> Value {
    json!({ "code": fault.kind.code(), "message": fault.to_string() })
}

fn only(call: &Call, method: &Method) -> Result<()> {
    if call.method == *method {
        return Ok(());
    }
    let message = format!("This address does not take {}; it takes {method}.", call.method);
    Err(Error::new(ErrorKind::MethodNotAllowed, "MethodNotAllowed", message))
}

/// A text that the body must have.
fn text<'a>(call: &'a Call, name: &'static str) -> Result<&'a str> {
    let found = call.object()?[name].as_str().filter(|text| !text.is_empty());
    found.ok_or_else(|| content(name, format!("The body needs {name}, a text.")))
}

fn content(target: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidRequestContent", message).target(target)
}

fn configured() -> Error {
    let message = "The Communication resource of this server is made by the server itself and named \
                   in its configuration ([communication]). It can be read, and its keys and its \
                   notification hub can be changed, but it is not created, updated or deleted by \
                   management calls.";
    Error::new(ErrorKind::Conflict, "ResourceIsConfigured", message)
}

fn unknown(path: &str) -> Error {
    let shown: String = path.chars().take(200).collect();
    let message = format!(
        "There is no resource type or operation '{}' here. Microsoft.Communication has \
         communicationServices with listKeys, regenerateKey, linkNotificationHub and \
         unlinkNotificationHub, and checkNameAvailability.",
        shown.escape_debug()
    );
    Error::new(ErrorKind::NotFound, "InvalidResourceType", message)
}
