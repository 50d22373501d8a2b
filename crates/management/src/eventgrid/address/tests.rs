//! What each kind of address names.

use kernel::Result;

use super::*;
use crate::address::Address;

const GROUP: &str = "/subscriptions/s/resourceGroups/g";
const TOPIC: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/orders";
const CHAT: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Communication/communicationServices/chat";

fn read(path: &str) -> Result<Named> {
    match Address::parse(path)? {
        Address::Provider(at) => Named::read(&at),
        Address::Own(segments) => panic!("{path} is {segments:?}"),
    }
}

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

/// What an address below the provider of `scope` names.
fn below(scope: &str, rest: &str) -> Result<Named> {
    read(&format!("{scope}/providers/Microsoft.EventGrid/{rest}"))
}

fn subscription(scope: &str, form: Form) -> Subscription {
    Subscription { scope: id(scope), name: "sub".to_owned(), form }
}

#[test]
fn topics_are_in_groups_and_lists_of_them_may_span_groups() {
    assert_eq!(below(GROUP, "Topics").unwrap(), Named::Topics(Kind::Custom, id(GROUP)));
    let all = Named::Topics(Kind::System, id("/subscriptions/s"));
    assert_eq!(below("/subscriptions/s", "systemtopics").unwrap(), all);
    assert_eq!(read(TOPIC).unwrap(), Named::Topic(Kind::Custom, id(TOPIC)));
    assert_eq!(read(&format!("{TOPIC}/listKeys")).unwrap(), Named::ListKeys(id(TOPIC)));
    assert_eq!(read(&format!("{TOPIC}/RegenerateKey")).unwrap(), Named::RegenerateKey(id(TOPIC)));
    assert!(below("/subscriptions/s", "topics/orders").is_err(), "a topic without a group");
    assert!(below(GROUP, "systemTopics/one/listKeys").is_err(), "nobody publishes to these");
}

#[test]
fn the_canonical_id_of_a_topic_has_the_usual_case() {
    let lower = TOPIC.to_ascii_lowercase();
    let Named::Topic(_, found) = read(&lower).unwrap() else { panic!("a topic") };
    assert_eq!(found.as_str(), TOPIC);
}

#[test]
fn an_event_subscription_of_a_topic_has_two_addresses() {
    let child = read(&format!("{TOPIC}/eventSubscriptions/sub")).unwrap();
    let extension = below(TOPIC, "eventSubscriptions/sub").unwrap();
    assert_eq!(child, Named::Subscription(subscription(TOPIC, Form::Child(Kind::Custom))));
    assert_eq!(extension, Named::Subscription(subscription(TOPIC, Form::Extension)));
}

#[test]
fn any_resource_group_or_subscription_can_be_a_scope() {
    for scope in [CHAT, GROUP, "/subscriptions/s"] {
        let it = || subscription(scope, Form::Extension);
        assert_eq!(below(scope, "eventSubscriptions/sub").unwrap(), Named::Subscription(it()));
        assert_eq!(
            below(scope, "eventSubscriptions/sub/getFullUrl").unwrap(),
            Named::FullUrl(it())
        );
        let attributes = below(scope, "eventSubscriptions/sub/getDeliveryAttributes").unwrap();
        assert_eq!(attributes, Named::DeliveryAttributes(it()));
    }
}

#[test]
fn lists_of_event_subscriptions_differ_by_what_they_are_below() {
    let listing = |within, of, topic_type: Option<&str>| {
        let topic_type = topic_type.map(str::to_owned);
        Named::Subscriptions(Listing { within: id(within), of, topic_type })
    };
    let place = |name: &str| Of::Location(name.to_owned());
    let child = Of::Scope(Form::Child(Kind::Custom));
    let own = || Of::Scope(Form::Extension);
    let cases = [
        (format!("{TOPIC}/eventSubscriptions"), listing(TOPIC, child, None)),
        (format!("{CHAT}/providers/Microsoft.EventGrid/eventSubscriptions"), listing(CHAT, own(), None)),
        (
            format!("{GROUP}/providers/Microsoft.EventGrid/eventSubscriptions"),
            listing(GROUP, place("global"), None),
        ),
        (
            format!("{GROUP}/providers/Microsoft.EventGrid/topicTypes/T/eventSubscriptions"),
            listing(GROUP, place("global"), Some("T")),
        ),
        (
            format!("{GROUP}/providers/Microsoft.EventGrid/locations/eastus/eventSubscriptions"),
            listing(GROUP, place("eastus"), None),
        ),
        (
            "/subscriptions/s/providers/Microsoft.EventGrid/locations/eastus/topicTypes/T/eventSubscriptions"
                .to_owned(),
            listing("/subscriptions/s", place("eastus"), Some("T")),
        ),
    ];
    for (path, expected) in cases {
        assert_eq!(read(&path).unwrap(), expected, "{path}");
    }
}

#[test]
fn the_provider_tells_about_itself_without_a_scope() {
    assert_eq!(below("", "operations").unwrap(), Named::Operations);
    assert_eq!(below("", "topicTypes").unwrap(), Named::TopicTypes);
    assert_eq!(below("", "topicTypes/T").unwrap(), Named::TopicType("T".to_owned()));
    assert_eq!(
        below("", "topicTypes/T/eventTypes").unwrap(),
        Named::TopicTypeEvents("T".to_owned())
    );
    assert_eq!(below(CHAT, "eventTypes").unwrap(), Named::EventTypes(id(CHAT)));
    assert_eq!(below(CHAT, "extensionTopics/default").unwrap(), Named::ExtensionTopic(id(CHAT)));
}

#[test]
fn names_that_cannot_be_are_told() {
    let long = "x".repeat(51);
    for name in ["ab", "a_b", "a%20b", &long] {
        let error = below(GROUP, &format!("topics/{name}")).unwrap_err();
        assert_eq!(error.code(), "InvalidResourceName", "{name}");
    }
    let error = below(CHAT, "eventSubscriptions/ab").unwrap_err();
    assert_eq!(error.target_name(), Some("eventSubscriptionName"));
}

#[test]
fn other_types_and_actions_are_no_part_of_this() {
    for rest in [
        "domains/one",
        "namespaces/one",
        "topics/one/nothing",
        "topics/one/eventSubscriptions/sub/x/y",
    ] {
        let error = below(GROUP, rest).unwrap_err();
        assert_eq!(error.code(), "InvalidResourceType", "{rest}");
    }
    assert_eq!(below("", "topics").unwrap_err().code(), "InvalidResourceType");
}
