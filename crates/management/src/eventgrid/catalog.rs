//! What the provider tells about itself: topic types, the types of their events, its operations.

use kernel::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use wire::ResourceId;

use super::port::{EventGridProvider, TOPICS, TopicType};
use crate::envelope::GLOBAL;

/// The operations, as roles would name them: resource, what is done, and the end of the name.
const OPERATIONS: [(&str, &str, &str); 19] = [
    ("Topics", "Read a topic", "topics/read"),
    ("Topics", "Create or change a topic", "topics/write"),
    ("Topics", "Delete a topic", "topics/delete"),
    ("Topics", "List the keys of a topic", "topics/listKeys/action"),
    ("Topics", "Replace a key of a topic", "topics/regenerateKey/action"),
    ("System topics", "Read a system topic", "systemTopics/read"),
    ("System topics", "Create or change a system topic", "systemTopics/write"),
    ("System topics", "Delete a system topic", "systemTopics/delete"),
    ("Event subscriptions", "Read an event subscription", "eventSubscriptions/read"),
    ("Event subscriptions", "Create or change an event subscription", "eventSubscriptions/write"),
    ("Event subscriptions", "Delete an event subscription", "eventSubscriptions/delete"),
    (
        "Event subscriptions",
        "Read the full URL of a webhook",
        "eventSubscriptions/getFullUrl/action",
    ),
    (
        "Event subscriptions",
        "Read delivery attributes, secret ones included",
        "eventSubscriptions/getDeliveryAttributes/action",
    ),
    ("Event types", "Read the event types of a resource", "eventTypes/read"),
    ("Extension topics", "Read the system topic of a resource", "extensionTopics/read"),
    ("Topic types", "Read topic types", "topicTypes/read"),
    ("Topic types", "Read the event types of a topic type", "topicTypes/eventTypes/read"),
    ("Topic types", "Read event subscriptions by topic type", "topicTypes/eventSubscriptions/read"),
    ("Operations", "Read this list", "operations/read"),
];

/// All topic types: those of resources, and that of custom topics.
pub(super) fn topic_types(provider: &impl EventGridProvider) -> Vec<TopicType> {
    let mut all = vec![custom_topics()];
    all.extend(provider.topic_types());
    all
}

/// Custom topics have whatever event types their publishers think of, so none is listed.
fn custom_topics() -> TopicType {
    TopicType {
        name: "Microsoft.EventGrid.Topics",
        display_name: "Event Grid Topics",
        description: "Events that applications publish to their own topics.",
        resource_type: TOPICS,
        source_format: "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/\
                        Microsoft.EventGrid/topics/{name}",
        event_types: Vec::new(),
    }
}

/// The topic type of this name.
///
/// # Errors
/// `ResourceNotFound`, naming those that there are.
pub(super) fn topic_type(provider: &impl EventGridProvider, name: &str) -> Result<TopicType> {
    let all = topic_types(provider);
    let known: Vec<&str> = all.iter().map(|it| it.name).collect();
    let shown: String = name.chars().take(100).collect();
    let message = format!(
        "The topic type '{}' does not exist here. There are {}.",
        shown.escape_debug(),
        known.join(", ")
    );
    let found = all.into_iter().find(|it| it.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| Error::new(ErrorKind::NotFound, "ResourceNotFound", message))
}

/// The name of the topic type of a resource, whether or not it has events here: those that are in no
/// table have a name made of the resource's type, as all of Azure's have.
pub(super) fn topic_type_of(known: &[TopicType], source: &ResourceId) -> String {
    let resource_type = source.resource_type();
    match known.iter().find(|it| it.resource_type.eq_ignore_ascii_case(&resource_type)) {
        Some(known) => known.name.to_owned(),
        None if !resource_type.is_empty() => resource_type.replace('/', "."),
        None if source.resource_group().is_some() => {
            "Microsoft.Resources.ResourceGroups".to_owned()
        }
        None => "Microsoft.Resources.Subscriptions".to_owned(),
    }
}

/// The list of operations.
pub(super) fn operations() -> Vec<Value> {
    let operation = |(resource, what, name): &(&str, &str, &str)| {
        json!({
            "name": format!("Microsoft.EventGrid/{name}"),
            "display": {
                "provider": "Microsoft Event Grid", "resource": resource,
                "operation": what, "description": format!("{what}.")
            },
            "origin": "UserAndSystem", "isDataAction": false
        })
    };
    OPERATIONS.iter().map(operation).collect()
}

impl TopicType {
    /// As answers show it.
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": format!("providers/Microsoft.EventGrid/topicTypes/{}", self.name),
            "name": self.name,
            "type": "Microsoft.EventGrid/topicTypes",
            "properties": {
                "provider": self.resource_type.split('/').next(),
                "displayName": self.display_name,
                "description": self.description,
                "resourceRegionType": "GlobalResource",
                "provisioningState": "Succeeded",
                "supportedLocations": [GLOBAL],
                "sourceResourceFormat": self.source_format,
                "supportedScopesForSource": ["Resource"]
            }
        })
    }

    /// Its event types, as answers show them.
    pub(super) fn shown_event_types(&self) -> Vec<Value> {
        let shown = self.event_types.iter().map(|it| {
            let at = format!("providers/Microsoft.EventGrid/topicTypes/{}/eventTypes", self.name);
            json!({
                "id": format!("{at}/{}", it.name),
                "name": it.name,
                "type": "Microsoft.EventGrid/topicTypes/eventTypes",
                "properties": {
                    "displayName": it.display_name,
                    "description": it.description,
                    "isInDefaultSet": it.is_in_default_set
                }
            })
        });
        shown.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_topic_type() {
        let of = |text: &str| topic_type_of(&[custom_topics()], &ResourceId::parse(text).unwrap());
        let group = "/subscriptions/s/resourceGroups/g";
        let below = |rest: &str| of(&format!("{group}/providers/{rest}"));
        assert_eq!(below("microsoft.eventgrid/Topics/t"), "Microsoft.EventGrid.Topics");
        assert_eq!(
            below("Microsoft.Storage/storageAccounts/a"),
            "Microsoft.Storage.storageAccounts"
        );
        assert_eq!(of(group), "Microsoft.Resources.ResourceGroups");
        assert_eq!(of("/subscriptions/s"), "Microsoft.Resources.Subscriptions");
    }
}
