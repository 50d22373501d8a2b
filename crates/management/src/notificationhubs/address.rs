//! What an address below `Microsoft.NotificationHubs` names. Whether a name can be one of a namespace,
//! hub or rule is the service's to judge.

use kernel::Result;
use wire::ResourceId;

use super::port::NAMESPACES;
use crate::address::ProviderPath;
use crate::fault;

/// What is named in refusals of any other address.
const KNOWN: &str = "Microsoft.NotificationHubs has namespaces, and within them notificationHubs, \
                     authorizationRules and checkNotificationHubAvailability; hubs have \
                     authorizationRules, pnsCredentials and debugsend; rules have listKeys and \
                     regenerateKeys. Beside namespaces there are checkNamespaceAvailability and \
                     operations.";

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Operations,
    NamespaceAvailability,
    /// Those of a subscription or resource group.
    Namespaces(ResourceId),
    Namespace(ResourceId),
    NamespaceCredentials(ResourceId),
    /// Private endpoints or links of a namespace, of which there are none.
    Private(ResourceId),
    HubAvailability(ResourceId),
    /// Those of a namespace.
    Hubs(ResourceId),
    Hub(ResourceId),
    Credentials(ResourceId),
    TestSend(ResourceId),
    /// Those of a namespace or hub.
    Rules(ResourceId),
    Rule(ResourceId, String),
    ListKeys(ResourceId, String),
    RegenerateKeys(ResourceId, String),
}

impl Named {
    /// Reads an address.
    ///
    /// # Errors
    /// `InvalidResourceType` when nothing has this form.
    pub(super) fn read(at: &ProviderPath) -> Result<Self> {
        let lower: Vec<String> = at.path.iter().map(|it| it.to_ascii_lowercase()).collect();
        let words: Vec<&str> = lower.iter().map(String::as_str).collect();
        let named = match &at.scope {
            None => (words == ["operations"]).then_some(Self::Operations),
            Some(scope) if scope.resource_type().is_empty() => below(scope, &words, &at.path),
            Some(_) => None,
        };
        named.ok_or_else(|| fault::unknown_path(&at.path.join("/"), KNOWN))
    }
}

fn below(scope: &ResourceId, words: &[&str], path: &[String]) -> Option<Named> {
    match words {
        ["checknamespaceavailability"] => return Some(Named::NamespaceAvailability),
        ["namespaces"] => return Some(Named::Namespaces(scope.clone())),
        ["namespaces", ..] => {}
        _ => return None,
    }
    // Namespaces are in groups; a list alone may span them.
    scope.resource_group()?;
    let namespace = scope.child(&format!("providers/{NAMESPACES}"), &path[1]);
    Some(match &words[2..] {
        [] => Named::Namespace(namespace),
        ["checknotificationhubavailability"] => Named::HubAvailability(namespace),
        ["pnscredentials"] => Named::NamespaceCredentials(namespace),
        ["privateendpointconnections" | "privatelinkresources"] => Named::Private(namespace),
        ["notificationhubs"] => Named::Hubs(namespace),
        ["notificationhubs", _, rest @ ..] => {
            let hub = namespace.child("notificationHubs", &path[3]);
            match rest {
                [] => Named::Hub(hub),
                ["pnscredentials"] => Named::Credentials(hub),
                ["debugsend"] => Named::TestSend(hub),
                _ => return rule(hub, rest, &path[4..]),
            }
        }
        rest => return rule(namespace, rest, &path[2..]),
    })
}

/// `authorizationRules` and what follows; older clients write it with a capital.
fn rule(owner: ResourceId, words: &[&str], path: &[String]) -> Option<Named> {
    let ["authorizationrules", rest @ ..] = words else { return None };
    let name = || path[1].clone();
    Some(match rest {
        [] => Named::Rules(owner),
        [_] => Named::Rule(owner, name()),
        [_, "listkeys"] => Named::ListKeys(owner, name()),
        [_, "regeneratekeys"] => Named::RegenerateKeys(owner, name()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    fn named(path: &str) -> Option<Named> {
        let Ok(Address::Provider(at)) = Address::parse(path) else { panic!("{path}") };
        Named::read(&at).ok()
    }

    const BELOW: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.NotificationHubs";

    fn id(path: &str) -> ResourceId {
        ResourceId::parse(&format!("{BELOW}/{path}")).unwrap()
    }

    #[test]
    fn every_address_of_the_clients_is_understood_in_any_case() {
        let scope = ResourceId::parse("/subscriptions/s/resourceGroups/g").unwrap();
        let (namespace, hub) = (id("namespaces/N"), id("namespaces/N/notificationHubs/H"));
        let name = || "R".to_owned();
        for (path, expected) in [
            ("checkNamespaceAvailability", Named::NamespaceAvailability),
            ("namespaces", Named::Namespaces(scope)),
            ("Namespaces/N", Named::Namespace(namespace.clone())),
            ("namespaces/N/pnsCredentials", Named::NamespaceCredentials(namespace.clone())),
            ("namespaces/N/privateLinkResources", Named::Private(namespace.clone())),
            (
                "namespaces/N/checkNotificationHubAvailability",
                Named::HubAvailability(namespace.clone()),
            ),
            ("namespaces/N/AuthorizationRules", Named::Rules(namespace.clone())),
            ("namespaces/N/authorizationRules/R", Named::Rule(namespace.clone(), name())),
            ("namespaces/N/notificationHubs", Named::Hubs(namespace.clone())),
            ("namespaces/N/NOTIFICATIONHUBS/H", Named::Hub(hub.clone())),
            ("namespaces/N/notificationHubs/H/pnsCredentials", Named::Credentials(hub.clone())),
            ("namespaces/N/notificationHubs/H/debugsend", Named::TestSend(hub.clone())),
            (
                "namespaces/N/notificationHubs/H/AuthorizationRules/R/listKeys",
                Named::ListKeys(hub, name()),
            ),
            (
                "namespaces/N/AuthorizationRules/R/regenerateKeys",
                Named::RegenerateKeys(namespace, name()),
            ),
        ] {
            assert_eq!(named(&format!("{BELOW}/{path}")), Some(expected), "{path}");
        }
        let operations = "/providers/Microsoft.NotificationHubs/operations";
        assert_eq!(named(operations), Some(Named::Operations));
    }

    #[test]
    fn other_addresses_are_refused() {
        for path in [
            "topics",
            "namespaces/N/topics/T",
            "namespaces/N/notificationHubs/H/jobs",
            "namespaces/N/authorizationRules/R/listKeys/more",
        ] {
            assert_eq!(named(&format!("{BELOW}/{path}")), None, "{path}");
        }
        let groupless = "/subscriptions/s/providers/Microsoft.NotificationHubs/namespaces/N";
        assert_eq!(named(groupless), None, "a namespace is in a group");
    }
}
