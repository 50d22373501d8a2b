//! `Microsoft.EventGrid`: the status of each operation is one that strict clients take.

use serde_json::{Value, json};

use super::{EVENT_GRID, GROUP, Server};

const CHAT: &str = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Communication/communicationServices/chat";

fn webhook(url: &str) -> Value {
    json!({ "properties": {
        "destination": { "endpointType": "WebHook", "properties": { "endpointUrl": url } }
    } })
}

async fn with_topic(name: &str, location: &str) -> Server {
    let server = Server::new();
    put_topic(&server, name, location).await;
    server
}

async fn put_topic(server: &Server, name: &str, location: &str) {
    let body = json!({ "location": location, "tags": { "a": "1" }, "properties": {} });
    let reply = server.call("PUT", &format!("{EVENT_GRID}/topics/{name}"), body).await;
    assert_eq!(reply.outcome(), (201, ""), "{}", reply.body);
}

async fn put_system_topic(server: &Server) -> String {
    let path = format!("{EVENT_GRID}/systemTopics/chat-events");
    let topic_type = "Microsoft.Communication.CommunicationServices";
    let properties = json!({ "source": CHAT, "topicType": topic_type });
    let body = json!({ "location": "global", "properties": properties });
    assert_eq!(server.call("PUT", &path, body).await.outcome().0, 201);
    path
}

#[tokio::test]
async fn a_topic_is_created_read_changed_and_deleted() {
    let server = with_topic("orders", "eastus").await;
    let path = format!("{EVENT_GRID}/topics/orders");
    let read = server.get(&path).await;
    assert_eq!(read.outcome(), (200, ""));
    assert_eq!(
        read.body,
        json!({
            "id": path, "name": "orders", "type": "Microsoft.EventGrid/topics",
            "location": "eastus", "tags": { "a": "1" },
            "systemData": {
                "createdAt": "1970-01-01T00:00:00Z", "lastModifiedAt": "1970-01-01T00:00:00Z"
            },
            "properties": { "provisioningState": "Succeeded" }
        })
    );
    put_topic(&server, "orders", "East US").await;

    let change = json!({ "properties": { "disableLocalAuth": true } });
    let patched = server.call("PATCH", &path, change).await;
    assert_eq!(patched.outcome(), (200, ""));
    assert_eq!(patched.body["properties"]["disableLocalAuth"], true);
    assert_eq!(patched.body["tags"], json!({ "a": "1" }), "not named, so kept");
    let patched = server.call("PATCH", &path, json!({ "tags": {} })).await;
    assert_eq!(patched.body["tags"], json!({}));

    assert_eq!(server.call("DELETE", &path, Value::Null).await.outcome(), (204, ""));
    assert_eq!(server.call("DELETE", &path, Value::Null).await.outcome(), (204, ""));
    assert_eq!(server.get(&path).await.outcome(), (404, "ResourceNotFound"));
    let patched = server.call("PATCH", &path, json!({ "tags": {} })).await;
    assert_eq!(patched.outcome(), (404, "ResourceNotFound"));
}

#[tokio::test]
async fn a_topic_has_a_location_and_keeps_it() {
    let server = with_topic("orders", "eastus").await;
    let path = format!("{EVENT_GRID}/topics/orders");
    let missing = server.call("PUT", &path, json!({})).await;
    assert_eq!(missing.outcome(), (400, "LocationRequired"));
    let moved = server.call("PUT", &path, json!({ "location": "westus" })).await;
    assert_eq!(moved.outcome(), (409, "InvalidResourceLocation"));
}

#[tokio::test]
async fn keys_are_listed_and_replaced_one_at_a_time() {
    let server = with_topic("orders", "global").await;
    let path = format!("{EVENT_GRID}/topics/orders");
    let listed = server.call("POST", &format!("{path}/listKeys"), Value::Null).await;
    assert_eq!(listed.body, json!({ "key1": "first-1", "key2": "second-1" }));
    let regenerate = |name: &str| {
        let body = json!({ "keyName": name });
        let path = format!("{path}/regenerateKey");
        let server = &server;
        async move { server.call("POST", &path, body).await }
    };
    let reply = regenerate("Key2").await;
    assert_eq!(reply.outcome(), (200, ""));
    assert_eq!(reply.body, json!({ "key1": "first-1", "key2": "second-2" }));
    assert_eq!(regenerate("key3").await.outcome(), (400, "InvalidRequestContent"));
    assert_eq!(server.get(&format!("{path}/listKeys")).await.outcome(), (405, "MethodNotAllowed"));
    let other = format!("{EVENT_GRID}/topics/other/listKeys");
    let reply = server.call("POST", &other, Value::Null).await;
    assert_eq!(reply.outcome(), (404, "ResourceNotFound"));
}

#[tokio::test]
async fn lists_of_topics_are_filtered_and_paged_by_links_that_work() {
    let server = Server::new();
    for name in ["one", "orders", "two"] {
        put_topic(&server, name, "global").await;
    }
    put_system_topic(&server).await;
    assert_eq!(server.get(&format!("{EVENT_GRID}/topics")).await.names(), ["one", "orders", "two"]);
    assert_eq!(server.get(&format!("{EVENT_GRID}/systemTopics")).await.names(), ["chat-events"]);
    let all = "/subscriptions/s1/providers/Microsoft.EventGrid/topics";
    let filtered =
        server.get(&format!("{all}?$filter=contains(name,'o')%20and%20name%20ne%20'one'")).await;
    assert_eq!(filtered.names(), ["orders", "two"]);
    let first = server.get(&format!("{all}?$top=2")).await;
    assert_eq!(first.names(), ["one", "orders"]);
    let next = first.body["nextLink"].as_str().unwrap();
    let rest = server.get(next.strip_prefix("http://localhost:8443").unwrap()).await;
    assert_eq!((rest.names(), &rest.body["nextLink"]), (vec!["two"], &Value::Null));
    let wrong = server.get(&format!("{all}?$filter=location%20eq%20'x'")).await;
    assert_eq!(wrong.outcome(), (400, "InvalidFilter"));
    let elsewhere = "/subscriptions/s2/providers/Microsoft.EventGrid/topics";
    assert_eq!(server.get(elsewhere).await.names(), [""; 0]);
}

#[tokio::test]
async fn an_event_subscription_of_a_topic_is_one_thing_at_two_addresses() {
    let server = with_topic("orders", "global").await;
    let topic = format!("{EVENT_GRID}/topics/orders");
    let child = format!("{topic}/eventSubscriptions/sub");
    let extension = format!("/{topic}/providers/Microsoft.EventGrid/eventSubscriptions/sub");
    let put = server.call("PUT", &extension, webhook("https://h/x?code=1")).await;
    assert_eq!(put.outcome(), (201, ""), "{}", put.body);
    assert_eq!(put.body["type"], "Microsoft.EventGrid/eventSubscriptions");
    assert_eq!(put.body["properties"]["topic"], topic.as_str());
    let destination = &put.body["properties"]["destination"]["properties"];
    assert_eq!(destination, &json!({ "endpointBaseUrl": "https://h/x" }));

    let read = server.get(&child).await;
    assert_eq!(read.body["id"], child.as_str());
    assert_eq!(read.body["type"], "Microsoft.EventGrid/topics/eventSubscriptions");
    assert_eq!(read.body["properties"], put.body["properties"]);
    assert!(read.body.get("location").is_none(), "it has no place of its own");

    // A change is flat, without `properties`.
    let patched = server.call("PATCH", &child, json!({ "labels": ["a"] })).await;
    assert_eq!(patched.outcome(), (201, ""));
    assert_eq!(server.get(&extension).await.body["properties"]["labels"], json!(["a"]));

    let url = server.call("POST", &format!("{child}/getFullUrl"), Value::Null).await;
    assert_eq!(url.body, json!({ "endpointUrl": "https://h/x?code=1" }));
    let path = format!("{extension}/getDeliveryAttributes");
    let attributes = server.call("POST", &path, Value::Null).await;
    assert_eq!(attributes.body["value"][0]["name"], "h");

    assert_eq!(server.call("DELETE", &child, Value::Null).await.outcome(), (204, ""));
    for path in [&child, &extension] {
        assert_eq!(server.get(path).await.outcome(), (404, "ResourceNotFound"));
    }
    let url = server.call("POST", &format!("{child}/getFullUrl"), Value::Null).await;
    assert_eq!(url.outcome(), (404, "ResourceNotFound"));
}

#[tokio::test]
async fn what_the_service_refuses_goes_to_the_caller_as_it_is() {
    let server = with_topic("orders", "global").await;
    let path = format!("{EVENT_GRID}/topics/orders/eventSubscriptions/sub");
    let queue = json!({ "properties": { "destination": { "endpointType": "StorageQueue" } } });
    let reply = server.call("PUT", &path, queue).await;
    assert_eq!(reply.outcome(), (400, "InvalidRequest"));
    assert_eq!(reply.body["error"]["message"], "Only webhooks here.");
    assert_eq!(reply.body["error"]["target"], "destination");
}

#[tokio::test]
async fn an_event_subscription_needs_its_topic() {
    let server = Server::new();
    let path = format!("{EVENT_GRID}/topics/orders/eventSubscriptions/sub");
    let reply = server.call("PUT", &path, webhook("https://h")).await;
    assert_eq!(reply.outcome(), (404, "ParentResourceNotFound"));
    let list = format!("{EVENT_GRID}/topics/orders/eventSubscriptions");
    assert_eq!(server.get(&list).await.outcome(), (404, "ParentResourceNotFound"));
}

#[tokio::test]
async fn lists_of_event_subscriptions_go_by_scope_location_and_topic_type() {
    let server = with_topic("orders", "eastus").await;
    let system = put_system_topic(&server).await;
    for (scope, name) in [
        (format!("{EVENT_GRID}/topics/orders"), "of-topic"),
        (system.clone(), "of-system"),
        (CHAT.to_owned(), "of-chat"),
        (GROUP.to_owned(), "of-group"),
    ] {
        let path = format!("{scope}/providers/Microsoft.EventGrid/eventSubscriptions/{name}");
        assert_eq!(server.call("PUT", &path, webhook("https://h")).await.outcome().0, 201);
    }
    let sub = "/subscriptions/s1/providers/Microsoft.EventGrid";
    let chat_type = "Microsoft.Communication.CommunicationServices";
    let cases: [(String, &[&str]); 9] = [
        (format!("{EVENT_GRID}/topics/orders/eventSubscriptions"), &["of-topic"]),
        (format!("{system}/eventSubscriptions"), &["of-system"]),
        (format!("{CHAT}/providers/Microsoft.EventGrid/eventSubscriptions"), &["of-chat"]),
        (format!("{EVENT_GRID}/eventSubscriptions"), &["of-chat", "of-group", "of-system"]),
        (format!("{sub}/locations/East%20US/eventSubscriptions"), &["of-topic"]),
        (
            format!("{sub}/locations/global/eventSubscriptions"),
            &["of-chat", "of-group", "of-system"],
        ),
        (format!("{sub}/topicTypes/{chat_type}/eventSubscriptions"), &["of-chat", "of-system"]),
        (
            format!(
                "{sub}/locations/eastus/topicTypes/Microsoft.EventGrid.Topics/eventSubscriptions"
            ),
            &["of-topic"],
        ),
        (format!("{sub}/locations/westus/eventSubscriptions"), &[]),
    ];
    for (path, expected) in cases {
        assert_eq!(server.get(&path).await.names(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_resource_knows_the_system_topic_that_carries_its_events() {
    let server = Server::new();
    let path = format!("{CHAT}/providers/Microsoft.EventGrid/extensionTopics/default");
    assert_eq!(server.get(&path).await.outcome(), (404, "ResourceNotFound"));
    let system = put_system_topic(&server).await;
    let reply = server.get(&path).await;
    assert_eq!(reply.body["properties"]["systemTopic"], system.as_str());
    // As the SDKs send it.
    let encoded = CHAT.replace('/', "%2F");
    let path = format!("/{encoded}/providers/Microsoft.EventGrid/extensionTopics/default");
    assert_eq!(server.get(&path).await.body, reply.body);
}

#[tokio::test]
async fn the_provider_tells_its_topic_types_event_types_and_operations() {
    let server = Server::new();
    let at = "/providers/Microsoft.EventGrid";
    let types = server.get(&format!("{at}/topicTypes")).await;
    assert!(types.names().contains(&"Microsoft.EventGrid.Topics"));
    let one = server.get(&format!("{at}/topicTypes/microsoft.eventgrid.topics")).await;
    assert_eq!(one.body["name"], "Microsoft.EventGrid.Topics");
    let unknown = server.get(&format!("{at}/topicTypes/Microsoft.Storage.StorageAccounts")).await;
    assert_eq!(unknown.outcome(), (404, "ResourceNotFound"));
    let by_type =
        format!("{at}/topicTypes/Microsoft.Communication.CommunicationServices/eventTypes");
    let by_resource = format!("{CHAT}/providers/Microsoft.EventGrid/eventTypes");
    let expected = "Microsoft.Communication.ChatMessageReceived";
    let page = server.get(&format!("{by_type}?$filter=name%20eq%20'{expected}'")).await;
    assert_eq!(page.names(), [expected]);
    assert!(server.get(&by_resource).await.names().contains(&expected));
    let operations = server.get(&format!("{at}/operations")).await;
    assert!(operations.names().contains(&"Microsoft.EventGrid/topics/listKeys/action"));
}
