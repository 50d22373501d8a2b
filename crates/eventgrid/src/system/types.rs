//! The topic types and event types that resources of this installation have.
//!
//! The names are those of the real service, with one exception: Web PubSub has no system topic
//! there. Its connection events are an extension of this server, which borrows the names and data
//! of SignalR's.

/// A kind of resource that publishes events about itself.
#[derive(Debug, PartialEq, Eq)]
pub struct TopicType {
    /// Its name, such as `Microsoft.Communication.CommunicationServices`.
    pub name: &'static str,
    /// What people call it.
    pub display_name: &'static str,
    /// What it is, in a sentence.
    pub description: &'static str,
    /// The type of the resources, such as `Microsoft.Communication/CommunicationServices`.
    pub resource_type: &'static str,
    /// What a resource's id looks like.
    pub source_format: &'static str,
    /// The version of the data of its events.
    pub data_version: &'static str,
    /// Its events.
    pub events: &'static [EventType],
}

/// A kind of event.
#[derive(Debug, PartialEq, Eq)]
pub struct EventType {
    /// Its full name.
    pub name: &'static str,
    /// What people call it.
    pub display_name: &'static str,
    /// When it happens, in a sentence.
    pub description: &'static str,
    /// Whether a subscription gets it that names no event types.
    pub is_in_default_set: bool,
}

impl TopicType {
    /// The first part of the resource type.
    pub fn provider(&self) -> &'static str {
        self.resource_type.split('/').next().unwrap_or_default()
    }
}

/// Finds a topic type by its name in any case.
pub fn topic_type(name: &str) -> Option<&'static TopicType> {
    TOPIC_TYPES.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

/// The type of the resources behind a topic type.
pub fn resource_type_of(topic_type_name: &str) -> Option<&'static str> {
    topic_type(topic_type_name).map(|known| known.resource_type)
}

/// The names of all topic types.
pub fn topic_types() -> Vec<&'static str> {
    TOPIC_TYPES.iter().map(|known| known.name).collect()
}

const fn event(
    name: &'static str,
    display_name: &'static str,
    description: &'static str,
) -> EventType {
    EventType { name, display_name, description, is_in_default_set: true }
}

/// All of them.
pub const TOPIC_TYPES: [TopicType; 2] = [
    TopicType {
        name: "Microsoft.Communication.CommunicationServices",
        display_name: "Azure Communication Services",
        description: "Events of chat and calls.",
        resource_type: "Microsoft.Communication/CommunicationServices",
        source_format: "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/\
                        Microsoft.Communication/CommunicationServices/{name}",
        data_version: "1.0",
        events: &COMMUNICATION,
    },
    TopicType {
        name: "Microsoft.SignalRService.WebPubSub",
        display_name: "Azure Web PubSub (extension)",
        description: "Connections of clients. The real service has no such topic type; names and \
                      data are those of SignalR's events.",
        resource_type: "Microsoft.SignalRService/WebPubSub",
        source_format: "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/\
                        Microsoft.SignalRService/WebPubSub/{name}",
        data_version: "1.0",
        events: &WEB_PUB_SUB,
    },
];

const WEB_PUB_SUB: [EventType; 2] = [
    event(
        "Microsoft.SignalRService.ClientConnectionConnected",
        "Client Connection Connected",
        "Raised when a client has connected.",
    ),
    event(
        "Microsoft.SignalRService.ClientConnectionDisconnected",
        "Client Connection Disconnected",
        "Raised when a client's connection has ended.",
    ),
];

macro_rules! communication {
    ($($name:literal, $display:literal, $description:literal;)*) => {
        [$(event(concat!("Microsoft.Communication.", $name), $display, $description)),*]
    };
}

const COMMUNICATION: [EventType; 25] = communication! {
    "ChatMessageReceived", "Chat Message Received",
        "Raised for each participant when a message arrives in a thread.";
    "ChatMessageEdited", "Chat Message Edited",
        "Raised for each participant when a message is edited.";
    "ChatMessageDeleted", "Chat Message Deleted",
        "Raised for each participant when a message is deleted.";
    "ChatThreadCreatedWithUser", "Chat Thread Created With User",
        "Raised for each participant when a thread is created.";
    "ChatThreadWithUserDeleted", "Chat Thread With User Deleted",
        "Raised for each participant when a thread is deleted.";
    "ChatThreadPropertiesUpdatedPerUser", "Chat Thread Properties Updated Per User",
        "Raised for each participant when a thread's properties change.";
    "ChatParticipantAddedToThreadWithUser", "Chat Participant Added To Thread With User",
        "Raised for each participant when somebody is added to a thread.";
    "ChatParticipantRemovedFromThreadWithUser", "Chat Participant Removed From Thread With User",
        "Raised for each participant when somebody is removed from a thread.";
    "ChatMessageReceivedInThread", "Chat Message Received In Thread",
        "Raised once when a message arrives in a thread.";
    "ChatMessageEditedInThread", "Chat Message Edited In Thread",
        "Raised once when a message is edited.";
    "ChatMessageDeletedInThread", "Chat Message Deleted In Thread",
        "Raised once when a message is deleted.";
    "ChatThreadCreated", "Chat Thread Created",
        "Raised once when a thread is created.";
    "ChatThreadDeleted", "Chat Thread Deleted",
        "Raised once when a thread is deleted.";
    "ChatThreadPropertiesUpdated", "Chat Thread Properties Updated",
        "Raised once when a thread's properties change.";
    "ChatThreadParticipantAdded", "Chat Thread Participant Added",
        "Raised once when somebody is added to a thread.";
    "ChatThreadParticipantRemoved", "Chat Thread Participant Removed",
        "Raised once when somebody is removed from a thread.";
    "ChatTypingIndicatorReceivedInThread", "Chat Typing Indicator Received In Thread",
        "Raised when somebody types in a thread.";
    "ChatAzureBotCommandReceivedInThread", "Chat Azure Bot Command Received In Thread",
        "Raised when a command for a bot arrives in a thread.";
    "UserDisconnected", "User Disconnected",
        "Raised when a user's real-time connection is gone.";
    "CallStarted", "Call Started",
        "Raised when a call begins.";
    "CallEnded", "Call Ended",
        "Raised when a call is over.";
    "CallParticipantAdded", "Call Participant Added",
        "Raised when somebody joins a call.";
    "CallParticipantRemoved", "Call Participant Removed",
        "Raised when somebody leaves a call.";
    "IncomingCall", "Incoming Call",
        "Raised when somebody is called.";
    "RecordingFileStatusUpdated", "Recording File Status Updated",
        "Raised when the recording of a call can be fetched.";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_begin_with_their_provider() {
        let mut seen = std::collections::BTreeSet::new();
        for topic in &TOPIC_TYPES {
            assert!(topic.source_format.contains(topic.resource_type));
            for event in topic.events {
                assert!(event.name.starts_with(topic.provider()), "{}", event.name);
                assert!(seen.insert(event.name), "{} is there twice", event.name);
            }
        }
    }

    #[test]
    fn topic_types_are_found_in_any_case() {
        for name in topic_types() {
            assert_eq!(topic_type(&name.to_lowercase()).map(|known| known.name), Some(name));
        }
        assert_eq!(resource_type_of("Microsoft.Storage.StorageAccounts"), None);
    }
}
