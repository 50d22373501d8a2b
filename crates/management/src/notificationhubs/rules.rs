//! Calls about authorization rules of namespaces and hubs, and their keys.

use axum::http::Method;
use kernel::{Error, Result};
use serde_json::{Value, json};
use wire::ResourceId;

use super::port::{HUBS, NAMESPACES, NotificationHubsProvider, Rule, RuleKey, RuleKeys};
use super::{NotificationHubs, no_parent};
use crate::call::{Answer, Call};
use crate::envelope::Envelope;
use crate::fault;
use crate::page::{self, Listed};

const RIGHTS: [&str; 3] = ["Listen", "Send", "Manage"];

impl<P: NotificationHubsProvider> NotificationHubs<P> {
    /// `GET …/authorizationRules`
    pub(super) async fn rules(&self, owner: &ResourceId, call: &Call) -> Result<Answer> {
        let rules = self.rules_of(owner).await?;
        page::page(call, rules.iter().map(|it| Listed::of(shown(owner, it))).collect())
    }

    /// `GET`, `PUT` and `DELETE` of one rule. Clients take 200 alone for PUT, also of a new one.
    pub(super) async fn rule(&self, owner: &ResourceId, name: &str, call: &Call) -> Result<Answer> {
        let rules = self.rules_of(owner).await?;
        match call.method {
            Method::GET => {
                let found = rules.iter().find(|it| it.name.eq_ignore_ascii_case(name));
                Ok(Answer::ok(shown(owner, found.ok_or_else(|| missing(owner, name))?)))
            }
            Method::PUT => {
                let rule = Rule { name: name.to_owned(), rights: rights(&call.properties()?)? };
                Ok(Answer::ok(shown(owner, &self.provider.put_rule(owner, rule).await?)))
            }
            Method::DELETE if self.provider.delete_rule(owner, name).await? => Ok(Answer::done()),
            Method::DELETE => Ok(Answer::no_content()),
            _ => Err(fault::method(&call.method, "GET, PUT and DELETE")),
        }
    }

    /// `POST …/authorizationRules/{rule}/listKeys`
    pub(super) async fn list_keys(&self, owner: &ResourceId, name: &str) -> Result<Answer> {
        self.rules_of(owner).await?;
        keys(self.provider.keys(owner, name).await?, owner, name)
    }

    /// `POST …/authorizationRules/{rule}/regenerateKeys`
    pub(super) async fn regenerate_keys(
        &self,
        owner: &ResourceId,
        name: &str,
        call: &Call,
    ) -> Result<Answer> {
        // Documents write the names with a space, examples without.
        let asked = call.object()?["policyKey"].as_str().unwrap_or_default();
        let asked: String = asked.chars().filter(|letter| !letter.is_whitespace()).collect();
        let which = match asked.to_ascii_lowercase().as_str() {
            "primarykey" | "primary" => RuleKey::Primary,
            "secondarykey" | "secondary" => RuleKey::Secondary,
            _ => {
                let message = "policyKey must be \"PrimaryKey\" or \"SecondaryKey\".";
                return Err(fault::content("policyKey", message));
            }
        };
        self.rules_of(owner).await?;
        keys(self.provider.regenerate_key(owner, name, which).await?, owner, name)
    }

    async fn rules_of(&self, owner: &ResourceId) -> Result<Vec<Rule>> {
        let what = if owner.is_of_type(HUBS) { "notification hub" } else { "namespace" };
        self.provider.rules(owner).await?.ok_or_else(|| no_parent(what, owner))
    }
}

fn rights(properties: &Value) -> Result<Vec<&'static str>> {
    let known = |value: &Value| {
        let name = value.as_str().unwrap_or_default();
        RIGHTS.into_iter().find(|right| right.eq_ignore_ascii_case(name))
    };
    let listed = properties["rights"].as_array().filter(|rights| !rights.is_empty());
    let rights = listed.and_then(|rights| rights.iter().map(known).collect());
    rights.ok_or_else(|| {
        let message = format!("rights must be a list of one to three of {}.", RIGHTS.join(", "));
        fault::content("properties.rights", message)
    })
}

fn resource_type(owner: &ResourceId) -> String {
    let of = if owner.is_of_type(HUBS) { HUBS } else { NAMESPACES };
    format!("{of}/authorizationRules")
}

fn shown(owner: &ResourceId, rule: &Rule) -> Value {
    let id = owner.child("authorizationRules", &rule.name);
    // Claims are what rules had before keys; every rule of the service has these two.
    let properties = json!({
        "rights": rule.rights, "keyName": rule.name,
        "claimType": "SharedAccessKey", "claimValue": "None"
    });
    Envelope::default().around(id.as_str(), &resource_type(owner), properties)
}

fn missing(owner: &ResourceId, name: &str) -> Error {
    let what = format!("{}/{name}", resource_type(owner));
    fault::not_found(&what, owner.resource_group())
}

fn keys(keys: Option<RuleKeys>, owner: &ResourceId, name: &str) -> Result<Answer> {
    let keys = keys.ok_or_else(|| missing(owner, name))?;
    Ok(Answer::ok(json!({
        "keyName": keys.rule,
        "primaryKey": keys.primary.expose(),
        "secondaryKey": keys.secondary.expose(),
        "primaryConnectionString": keys.primary_connection.expose(),
        "secondaryConnectionString": keys.secondary_connection.expose(),
    })))
}
