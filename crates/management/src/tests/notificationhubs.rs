//! `Microsoft.NotificationHubs`: the status of each operation is one that strict clients take.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{GROUP, Server};

const BELOW: &str = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.NotificationHubs";
const NAMESPACE: &str =
    "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.NotificationHubs/namespaces/Contoso";
const OLD: &str = "api-version=2017-04-01";

fn hub(name: &str) -> String {
    format!("{NAMESPACE}/notificationHubs/{name}")
}

/// A server with the namespace.
async fn server() -> Server {
    let server = Server::new();
    let body = json!({ "location": "eastus", "sku": { "name": "free" }, "tags": { "a": "1" } });
    assert_eq!(server.call("PUT", NAMESPACE, body).await.outcome(), (201, ""));
    server
}

async fn put_hub(server: &Server, name: &str, properties: Value) {
    let body = json!({ "properties": properties });
    let reply = server.call("PUT", &hub(name), body).await;
    assert_eq!(reply.outcome(), (201, ""), "{}", reply.body);
}

#[tokio::test]
async fn a_namespace_is_created_read_changed_and_deleted() {
    let server = server().await;
    let read = server.get(NAMESPACE).await;
    assert_eq!(
        read.body,
        json!({
            "id": NAMESPACE, "name": "Contoso", "type": "Microsoft.NotificationHubs/namespaces",
            "location": "eastus", "tags": { "a": "1" }, "sku": { "name": "Free" },
            "systemData": {
                "createdAt": "1970-01-01T00:00:00Z", "lastModifiedAt": "1970-01-01T00:00:00Z"
            },
            "properties": {
                "name": "Contoso", "provisioningState": "Succeeded", "status": "Active",
                "enabled": true, "critical": false, "namespaceType": "NotificationHub",
                "region": "eastus", "subscriptionId": "s1",
                "serviceBusEndpoint": "https://localhost:8443/",
                "createdAt": "1970-01-01T00:00:00Z", "updatedAt": "1970-01-01T00:00:00Z",
                "publicNetworkAccess": "Enabled", "privateEndpointConnections": []
            }
        })
    );
    let again = json!({ "location": "East US", "sku": { "name": "Basic" } });
    let again = server.call("PUT", NAMESPACE, again).await;
    assert_eq!((again.outcome().0, &again.body["tags"]), (200, &json!({})));
    let patched = server.call("PATCH", NAMESPACE, json!({ "tags": { "b": "2" } })).await;
    assert_eq!(patched.outcome(), (200, ""));
    assert_eq!(
        (&patched.body["tags"]["b"], &patched.body["sku"]["name"]),
        (&json!("2"), &json!("Basic"))
    );

    put_hub(&server, "news", json!({})).await;
    assert_eq!(server.get(&format!("{BELOW}/namespaces")).await.names(), ["Contoso"]);
    let all = "/subscriptions/s1/providers/Microsoft.NotificationHubs/namespaces";
    assert_eq!(server.get(all).await.names(), ["Contoso"]);
    assert_eq!(server.get(&format!("{GROUP}/resources")).await.names(), ["Contoso", "news"]);

    assert_eq!(server.call("DELETE", NAMESPACE, Value::Null).await.outcome(), (200, ""));
    assert_eq!(server.call("DELETE", NAMESPACE, Value::Null).await.outcome(), (204, ""));
    assert_eq!(server.get(NAMESPACE).await.outcome(), (404, "ResourceNotFound"));
    assert_eq!(server.get(&hub("news")).await.outcome(), (404, "ResourceNotFound"));
}

#[tokio::test]
async fn a_namespace_is_not_made_into_what_it_cannot_be() {
    let server = server().await;
    let refused = async |body: Value| {
        let reply = server.call("PUT", NAMESPACE, body).await;
        (reply.outcome().0, reply.outcome().1.to_owned())
    };
    let code = |code: &str| (400, code.to_owned());
    assert_eq!(refused(json!({})).await, code("LocationRequired"));
    let odd = json!({ "location": "eastus", "sku": { "name": "Huge" } });
    assert_eq!(refused(odd).await, code("InvalidRequestContent"));
    for properties in [
        json!({ "enabled": false }),
        json!({ "publicNetworkAccess": "Disabled" }),
        json!({ "networkAcls": { "ipRules": [{ "ipMask": "10.0.0.0/8", "rights": ["Send"] }] } }),
        json!({ "networkAcls": { "publicNetworkRule": { "rights": ["Listen"] } } }),
        json!({ "pnsCredentials": { "gcmCredential": {} } }),
    ] {
        let body = json!({ "location": "eastus", "properties": properties });
        assert_eq!(refused(body).await, code("FeatureNotSupported"), "{properties}");
    }
    let moved = server.call("PUT", NAMESPACE, json!({ "location": "westus" })).await;
    assert_eq!(moved.outcome(), (409, "InvalidResourceLocation"));
}

#[tokio::test]
async fn refusals_are_told_in_both_forms() {
    let server = Server::new();
    let path = format!("{BELOW}/namespaces/configured");
    let reply = server.call("PUT", &path, json!({ "location": "eastus" })).await;
    assert_eq!(reply.outcome(), (409, "OwnedByConfiguration"));
    assert_eq!(reply.body["code"], "OwnedByConfiguration");
    assert_eq!(reply.body["message"], reply.body["error"]["message"]);
    let unknown = server.get(&format!("{BELOW}/topics")).await;
    assert_eq!(
        (unknown.outcome(), &unknown.body["code"]),
        ((404, "InvalidResourceType"), &json!("InvalidResourceType"))
    );
    let anonymous = Request::builder().uri(format!("{BELOW}/namespaces?{OLD}"));
    let anonymous = anonymous.header("host", "localhost").body(Body::empty()).unwrap();
    assert_eq!(server.send(anonymous).await.body["code"], "AuthenticationFailed");
    let wrong = server.call("DELETE", &format!("{BELOW}/namespaces"), Value::Null).await;
    assert_eq!(wrong.outcome(), (405, "MethodNotAllowed"));
}

#[tokio::test]
async fn names_are_told_to_be_free_or_taken_under_the_name_of_the_wire() {
    let server = server().await;
    put_hub(&server, "news", json!({})).await;
    let group = "/subscriptions/s1/providers/Microsoft.NotificationHubs/checkNamespaceAvailability";
    let in_namespace = format!("{NAMESPACE}/checkNotificationHubAvailability");
    for (path, name, free) in [
        (group, "contoso", false),
        (group, "fabrikam", true),
        (&in_namespace, "NEWS", false),
        (&in_namespace, "sport", true),
    ] {
        let reply = server.call("POST", path, json!({ "name": name, "location": "eastus" })).await;
        assert_eq!(
            (reply.outcome(), &reply.body["isAvailiable"]),
            ((200, ""), &json!(free)),
            "{name}"
        );
        assert_eq!(
            (&reply.body["name"], &reply.body["location"]),
            (&json!(name), &json!("eastus"))
        );
    }
    assert_eq!(
        server.call("POST", group, json!({})).await.outcome(),
        (400, "InvalidRequestContent")
    );
}

#[tokio::test]
async fn a_hub_is_created_read_changed_and_deleted() {
    let server = server().await;
    let never = "10675199.02:48:05.4775807";
    put_hub(&server, "News", json!({ "registrationTtl": never })).await;
    let read = server.get(&hub("news")).await;
    let kind = "Microsoft.NotificationHubs/namespaces/notificationHubs";
    let shown = ["id", "type", "location"].map(|name| &read.body[name]);
    assert_eq!(shown, [&json!(hub("News")), &json!(kind), &json!("eastus")]);
    let properties = json!({ "name": "News", "registrationTtl": never, "authorizationRules": [] });
    assert_eq!(read.body["properties"], properties);

    let change =
        json!({ "tags": { "b": "2" }, "properties": { "registrationTtl": "90.00:00:00" } });
    let patched = server.call("PATCH", &hub("News"), change).await;
    assert_eq!(patched.outcome(), (200, ""));
    assert_eq!(patched.body["properties"]["registrationTtl"], "90.00:00:00");
    let nothing = server.call("PATCH", &hub("News"), Value::Null).await;
    assert_eq!(nothing.body["tags"], json!({ "b": "2" }), "no body changes nothing");
    let replaced = server.call("PUT", &hub("News"), json!({})).await;
    assert_eq!((replaced.outcome().0, &replaced.body["tags"]), (200, &json!({})));
    assert_eq!(replaced.body["properties"]["registrationTtl"], never);

    assert_eq!(server.get(&format!("{NAMESPACE}/notificationHubs")).await.names(), ["News"]);
    for _ in 0..2 {
        assert_eq!(server.call("DELETE", &hub("News"), Value::Null).await.outcome(), (200, ""));
    }
    assert_eq!(server.get(&hub("News")).await.outcome(), (404, "ResourceNotFound"));
    let patched = server.call("PATCH", &hub("News"), json!({})).await;
    assert_eq!(patched.outcome(), (404, "ResourceNotFound"));
}

#[tokio::test]
async fn a_hub_that_cannot_be_is_refused() {
    let server = server().await;
    let lost = format!("{BELOW}/namespaces/none/notificationHubs/news");
    assert_eq!(
        server.call("PUT", &lost, json!({})).await.outcome(),
        (404, "ParentResourceNotFound")
    );
    for (properties, code) in [
        (json!({ "registrationTtl": 90 }), "InvalidRequestContent"),
        (json!({ "registrationTtl": "00:10:00" }), "InvalidRequestContent"),
        (json!({ "authorizationRules": [{ "rights": ["Send"] }] }), "FeatureNotSupported"),
    ] {
        let reply = server.call("PUT", &hub("news"), json!({ "properties": properties })).await;
        assert_eq!(reply.outcome(), (400, code), "{properties}");
    }
}

#[tokio::test]
async fn credentials_are_told_by_their_own_call_alone() {
    let server = server().await;
    let apns = json!({ "properties": { "token": "secret" } });
    let adm = json!({ "properties": { "clientSecret": "other" } });
    put_hub(&server, "news", json!({ "apnsCredential": apns, "admCredential": adm })).await;
    let read = server.get(&hub("news")).await.body.to_string();
    assert!(!read.contains("secret") && !read.contains("apnsCredential"), "{read}");
    let path = format!("{}/pnsCredentials", hub("news"));
    let told = server.call("POST", &path, Value::Null).await;
    assert_eq!(told.body["properties"], json!({ "apnsCredential": apns, "admCredential": adm }));
    let change = json!({ "properties": { "admCredential": null } });
    server.call("PATCH", &hub("news"), change).await;
    let told = server.call("POST", &path, Value::Null).await;
    assert_eq!(told.body["properties"], json!({ "apnsCredential": apns }), "the other one stays");
    let none = format!("{}/pnsCredentials", hub("none"));
    assert_eq!(server.call("POST", &none, Value::Null).await.outcome(), (404, "ResourceNotFound"));
    let of_namespace =
        server.call("POST", &format!("{NAMESPACE}/pnsCredentials"), Value::Null).await;
    assert_eq!(of_namespace.body["properties"], json!({}));
}

#[tokio::test]
async fn rules_of_namespaces_and_hubs_are_written_with_200() {
    let server = server().await;
    put_hub(&server, "news", json!({})).await;
    for owner in [NAMESPACE.to_owned(), hub("news")] {
        let path = format!("{owner}/AuthorizationRules/sender");
        let rights = |rights: Value| json!({ "properties": { "rights": rights } });
        let put = server.call("PUT", &path, rights(json!(["send", "Listen"]))).await;
        assert_eq!(put.outcome(), (200, ""));
        let id = format!("{owner}/authorizationRules/sender");
        assert_eq!((&put.body["id"], &put.body["name"]), (&json!(id), &json!("sender")));
        assert_eq!(put.body["properties"]["rights"], json!(["Send", "Listen"]));
        for bad in [json!([]), json!(null), json!(["Send", "Read"]), json!("Send")] {
            let reply = server.call("PUT", &path, rights(bad)).await;
            assert_eq!(reply.outcome(), (400, "InvalidRequestContent"));
        }
        assert!(
            server.get(&format!("{owner}/authorizationRules")).await.names().contains(&"sender")
        );

        let key = |which: &str| json!({ "policyKey": which });
        let keys = server.call("POST", &format!("{path}/listKeys"), Value::Null).await;
        assert_eq!(
            (&keys.body["keyName"], &keys.body["primaryKey"]),
            (&json!("sender"), &json!("primary-1"))
        );
        for (which, expected) in [
            ("PrimaryKey", ["primary-2", "secondary-1"]),
            ("Secondary Key", ["primary-2", "secondary-2"]),
        ] {
            let keys = server.call("POST", &format!("{path}/regenerateKeys"), key(which)).await;
            assert_eq!([&keys.body["primaryKey"], &keys.body["secondaryKey"]], expected);
        }
        let odd = server.call("POST", &format!("{path}/regenerateKeys"), key("third")).await;
        assert_eq!(odd.outcome(), (400, "InvalidRequestContent"));

        assert_eq!(server.call("DELETE", &path, Value::Null).await.outcome(), (200, ""));
        assert_eq!(server.call("DELETE", &path, Value::Null).await.outcome(), (204, ""));
        for (method, path) in [("GET", path.clone()), ("POST", format!("{path}/listKeys"))] {
            let reply = server.call(method, &path, Value::Null).await;
            assert_eq!(reply.outcome(), (404, "ResourceNotFound"));
        }
    }
    let lost = server.get(&format!("{}/authorizationRules", hub("none"))).await;
    assert_eq!(lost.outcome(), (404, "ParentResourceNotFound"));
}

#[tokio::test]
async fn a_test_send_has_the_status_of_its_version_and_guesses_its_format() {
    let server = server().await;
    put_hub(&server, "news", json!({})).await;
    let path = format!("{}/debugsend", hub("news"));
    let old = server.call("POST", &format!("{path}?{OLD}"), json!({ "aps": {} })).await;
    assert_eq!(old.outcome(), (201, ""));
    assert_eq!(old.body["properties"]["success"], 1);
    let new = format!("{path}?api-version=2023-10-01-preview");
    for (payload, format) in [
        (json!({ "message": { "data": {} } }), "fcmv1"),
        (json!({ "data": { "text": "hello" } }), "gcm"),
        (json!({ "message": "hello" }), "template"),
    ] {
        let sent = server.call("POST", &new, payload.clone()).await;
        assert_eq!(sent.outcome(), (200, ""));
        let [result] = sent.body["properties"]["results"].as_array().unwrap().as_slice() else {
            panic!("one device")
        };
        let shown = [&result["applicationPlatform"], &result["pnsHandle"]];
        assert_eq!(shown, [&json!(format), &json!(payload.to_string())]);
    }
    let told = Request::builder().method("POST").uri(&new).header("host", "localhost");
    let told = told.header("authorization", "Bearer x");
    let told = told.header("ServiceBusNotification-Format", "Apple");
    let told = told.header("ServiceBusNotification-Tags", "a && b");
    let sent = server.send(told.body(Body::from("\"text\"")).unwrap()).await;
    let result = &sent.body["properties"]["results"][0];
    assert_eq!(
        [&result["applicationPlatform"], &result["pnsHandle"], &result["registrationId"]],
        ["Apple", "text", "a && b"]
    );
    assert_eq!(
        server.call("POST", &path, Value::Null).await.outcome(),
        (400, "InvalidRequestContent")
    );
    let none = server.call("POST", &format!("{}/debugsend", hub("none")), json!({})).await;
    assert_eq!(none.outcome(), (404, "ResourceNotFound"));
}

#[tokio::test]
async fn operations_and_private_endpoints_are_lists() {
    let server = server().await;
    let operations = server.get("/providers/Microsoft.NotificationHubs/operations").await;
    assert!(operations.names().contains(&"Microsoft.NotificationHubs/Namespaces/read"));
    for kind in ["privateEndpointConnections", "privateLinkResources"] {
        assert_eq!(server.get(&format!("{NAMESPACE}/{kind}")).await.names(), [""; 0]);
    }
}
