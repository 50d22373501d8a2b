//! What the provider tells about itself: topic types, the types of their events, its operations.
//!
//! Those that this server has events for, under the names that Azure documents. Web PubSub has no
//! topic type in Azure; its events here are those of SignalR under a topic type of their own.

use serde_json::{Value, json};
use wire::ResourceId;

use super::port::TOPICS;
use crate::envelope::GLOBAL;

/// A kind of source of events.
pub(super) struct TopicType {
    pub(super) name: &'static str,
    provider: &'static str,
    display_name: &'static str,
    description: &'static str,
    /// The type of the resources that are such sources.
    source: &'static str,
    /// What its event types begin with.
    prefix: &'static str,
    /// The rest of the names of its event types, and when they are raised.
    events: &'static [(&'static str, &'static str)],
}

const TOPIC_TYPES: [TopicType; 3] = [
    TopicType {
        name: "Microsoft.EventGrid.Topics",
        provider: "Microsoft.EventGrid",
        display_name: "Event Grid Topics",
        description: "Events that applications publish to their own topics.",
        source: TOPICS,
        prefix: "",
        events: &[],
    },
    TopicType {
        name: "Microsoft.Communication.CommunicationServices",
        provider: "Microsoft.Communication",
        display_name: "Azure Communication Services",
        description: "Events of chat, presence and calls.",
        source: "Microsoft.Communication/communicationServices",
        prefix: "Microsoft.Communication.",
        events: &COMMUNICATION_EVENTS,
    },
    TopicType {
        name: "Microsoft.SignalRService.WebPubSub",
        provider: "Microsoft.SignalRService",
        display_name: "Web PubSub",
        description: "Events of client connections. Not in Azure: named as those of SignalR.",
        source: "Microsoft.SignalRService/WebPubSub",
        prefix: "Microsoft.SignalRService.",
        events: &CONNECTION_EVENTS,
    },
];

const COMMUNICATION_EVENTS: [(&str, &str); 25] = [
    ("ChatMessageReceived", "A message was sent, for each member of its thread."),
    ("ChatMessageEdited", "A message was edited, for each member of its thread."),
    ("ChatMessageDeleted", "A message was deleted, for each member of its thread."),
    ("ChatThreadCreatedWithUser", "A thread was created, for each of its members."),
    ("ChatThreadWithUserDeleted", "A thread was deleted, for each of its members."),
    ("ChatThreadPropertiesUpdatedPerUser", "A thread was changed, for each of its members."),
    ("ChatParticipantAddedToThreadWithUser", "A member joined, for each member of the thread."),
    ("ChatParticipantRemovedFromThreadWithUser", "A member left, for each member of the thread."),
    ("ChatMessageReceivedInThread", "A message was sent to a thread."),
    ("ChatMessageEditedInThread", "A message of a thread was edited."),
    ("ChatMessageDeletedInThread", "A message of a thread was deleted."),
    ("ChatThreadCreated", "A thread was created."),
    ("ChatThreadDeleted", "A thread was deleted."),
    ("ChatThreadPropertiesUpdated", "A thread was changed."),
    ("ChatThreadParticipantAdded", "A member joined a thread."),
    ("ChatThreadParticipantRemoved", "A member left a thread."),
    ("ChatTypingIndicatorReceivedInThread", "Somebody is typing in a thread."),
    ("UserDisconnected", "A user's connection for chat notifications is gone."),
    ("CallStarted", "A call has begun."),
    ("CallEnded", "A call has ended."),
    ("CallParticipantAdded", "Somebody joined a call."),
    ("CallParticipantRemoved", "Somebody left a call."),
    ("IncomingCall", "A user is being called."),
    ("RecordingFileStatusUpdated", "The recording of a call can be fetched."),
    ("ChatAzureBotCommandReceivedInThread", "A bot was addressed in a thread."),
];

const CONNECTION_EVENTS: [(&str, &str); 2] = [
    ("ClientConnectionConnected", "A client has connected to a hub."),
    ("ClientConnectionDisconnected", "A client's connection to a hub has ended."),
];

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

/// All topic types.
pub(super) fn topic_types() -> &'static [TopicType] {
    &TOPIC_TYPES
}

/// The topic type of this name.
pub(super) fn topic_type(name: &str) -> Option<&'static TopicType> {
    TOPIC_TYPES.iter().find(|it| it.name.eq_ignore_ascii_case(name))
}

/// The topic type of a resource, whether or not it has events here: types that are in no table have
/// a name made of the resource's type, as all of Azure's have.
pub(super) fn topic_type_of(source: &ResourceId) -> String {
    let resource_type = source.resource_type();
    let known = TOPIC_TYPES.iter().find(|it| it.source.eq_ignore_ascii_case(&resource_type));
    match known {
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
                "provider": self.provider,
                "displayName": self.display_name,
                "description": self.description,
                "resourceRegionType": "GlobalResource",
                "provisioningState": "Succeeded",
                "supportedLocations": [GLOBAL],
                "sourceResourceFormat": format!(
                    "/subscriptions/{{subscriptionId}}/resourceGroups/{{resourceGroup}}/providers/{}/{{name}}",
                    self.source
                ),
                "supportedScopesForSource": ["Resource"]
            }
        })
    }

    /// Its event types, as answers show them.
    pub(super) fn event_types(&self) -> Vec<Value> {
        let event_type = |(name, description): &(&str, &str)| {
            let full = format!("{}{name}", self.prefix);
            json!({
                "id": format!("providers/Microsoft.EventGrid/topicTypes/{}/eventTypes/{full}", self.name),
                "name": full,
                "type": "Microsoft.EventGrid/topicTypes/eventTypes",
                "properties": {
                    "displayName": spaced(name), "description": description, "isInDefaultSet": true
                }
            })
        };
        self.events.iter().map(event_type).collect()
    }
}

/// `ChatThreadCreated` as `Chat Thread Created`.
fn spaced(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_topic_type() {
        let of = |text: &str| topic_type_of(&ResourceId::parse(text).unwrap());
        let group = "/subscriptions/s/resourceGroups/g";
        let below = |rest: &str| of(&format!("{group}/providers/{rest}"));
        assert_eq!(below("microsoft.eventgrid/Topics/t"), "Microsoft.EventGrid.Topics");
        assert_eq!(
            below("Microsoft.Communication/communicationservices/c"),
            "Microsoft.Communication.CommunicationServices"
        );
        assert_eq!(
            below("Microsoft.Storage/storageAccounts/a"),
            "Microsoft.Storage.storageAccounts"
        );
        assert_eq!(of(group), "Microsoft.Resources.ResourceGroups");
        assert_eq!(of("/subscriptions/s"), "Microsoft.Resources.Subscriptions");
    }

    #[test]
    fn event_types_have_full_names_and_readable_ones() {
        let types =
            topic_type("microsoft.communication.communicationservices").unwrap().event_types();
        assert_eq!(types[0]["name"], "Microsoft.Communication.ChatMessageReceived");
        assert_eq!(types[0]["properties"]["displayName"], "Chat Message Received");
    }
}
