//! Namespaces, hubs and policies as management changes them, and what becomes of requests at once.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{HUB, Hubs, within};
use crate::Platform;
use crate::control::{HubRequest, PolicyKey};
use crate::credential::{DEFAULT_FULL, Right, Rights};
use crate::pns_credentials::PnsCredentials;

const OTHER: &str = "other";

/// The service with a second hub of the same name, in another namespace.
async fn with_a_namesake() -> Hubs {
    let hubs = Hubs::start().await;
    hubs.service.put_namespace(OTHER, &json!({})).await.unwrap();
    hubs.service.put_hub(OTHER, HUB, HubRequest::default()).await.unwrap();
    hubs
}

async fn register(hubs: &Hubs, namespace: &str) -> u16 {
    let token = format!("<FcmV1RegistrationId>phone-{namespace}</FcmV1RegistrationId>");
    let body = format!("<FcmV1RegistrationDescription>{token}</FcmV1RegistrationDescription>");
    let post = ("POST", "/registrations");
    hubs.ask_in(namespace, DEFAULT_FULL, post, &[], &body).await.status
}

#[tokio::test]
async fn the_key_tells_hubs_of_one_name_apart() {
    let hubs = with_a_namesake().await;
    for namespace in ["local", OTHER] {
        assert_eq!(register(&hubs, namespace).await, 200);
    }
    for namespace in ["local", OTHER] {
        let key = hubs.service.hub(namespace, HUB).unwrap().key;
        let count = hubs.service.store().count_registrations(key).await.unwrap();
        assert_eq!(count, 1, "{namespace}");
        let list = hubs.ask_in(namespace, DEFAULT_FULL, ("GET", "/registrations"), &[], "").await;
        assert_eq!(within("FcmV1RegistrationId", &list.body), format!("phone-{namespace}"));
    }
}

#[tokio::test]
async fn the_address_of_a_container_tells_them_apart_too() {
    let hubs = with_a_namesake().await;
    for namespace in ["local", OTHER] {
        let get = ("GET", "/feedbackcontainer");
        let address = hubs.ask_in(namespace, DEFAULT_FULL, get, &[], "").await.body;
        let url = address.strip_prefix("https://localhost:8443").unwrap();
        let read = async |url: &str| {
            let request = Request::builder().uri(url).header("host", "localhost:8443");
            hubs.service.handle(request.body(Body::empty()).unwrap()).await.status().as_u16()
        };
        assert_eq!(read(url).await, 200, "{namespace}");
        assert_eq!(read(&format!("{url}A")).await, 401, "{namespace}");
    }
}

#[tokio::test]
async fn the_host_names_the_namespace_where_it_can() {
    let hubs = with_a_namesake().await;
    let named = async |host: &str| {
        let request = Request::builder().uri(format!("/{HUB}/registrations")).header("host", host);
        let request =
            request.header("authorization", "SharedAccessSignature sr=a&sig=b&se=1&skn=c");
        let answer = hubs.service.handle(request.body(Body::empty()).unwrap()).await;
        answer.status().as_u16()
    };
    assert_eq!(named("other.push.example.com").await, 401);
    hubs.service.delete_hub("local", HUB).await.unwrap();
    assert_eq!(named("localhost").await, 401, "a hub of any namespace is found");
    hubs.service.delete_hub(OTHER, HUB).await.unwrap();
    assert_eq!(named("localhost").await, 404);
}

#[tokio::test]
async fn a_replaced_key_and_a_deleted_policy_open_nothing() {
    let hubs = with_a_namesake().await;
    let old = hubs.service.policy(OTHER, Some(HUB), DEFAULT_FULL).unwrap().unwrap();
    let which = PolicyKey::Primary;
    let new = hubs.service.regenerate_key(OTHER, Some(HUB), DEFAULT_FULL, which).await.unwrap();
    assert_ne!(old.primary, new.primary);
    assert_eq!(old.secondary, new.secondary);
    let signed = |key| {
        let expires = hubs.world.clock().now() + std::time::Duration::from_secs(60);
        wire::shared_access_signature("https://localhost/", DEFAULT_FULL, key, expires)
    };
    let list = async |key| {
        let request = Request::builder()
            .uri(format!("/{HUB}/registrations"))
            .header("host", "localhost:8443")
            .header("authorization", signed(key).expose());
        hubs.service.handle(request.body(Body::empty()).unwrap()).await.status().as_u16()
    };
    assert_eq!(list(&old.primary).await, 401);
    assert_eq!(list(&new.primary).await, 200);
    assert!(
        hubs.service
            .delete_policy(OTHER, Some(HUB), "DEFAULTFULLSHAREDACCESSSIGNATURE")
            .await
            .unwrap()
    );
    assert!(!hubs.service.delete_policy(OTHER, Some(HUB), DEFAULT_FULL).await.unwrap());
    assert_eq!(list(&new.primary).await, 401);
}

#[tokio::test]
async fn a_policy_that_is_changed_keeps_its_name_and_keys() {
    let hubs = Hubs::start().await;
    let rights = |rights: &[Right]| rights.iter().copied().collect::<Rights>();
    let put = async |name, wanted| hubs.service.put_policy("local", Some(HUB), name, wanted).await;
    let made = put("Sender", rights(&[Right::Send])).await.unwrap();
    let changed = put("SENDER", rights(&[Right::Listen])).await.unwrap();
    assert_eq!((changed.name.as_str(), &changed.primary), ("Sender", &made.primary));
    assert_eq!(changed.rights, rights(&[Right::Listen]));
    assert_eq!(hubs.service.policies("local", Some(HUB)).unwrap().len(), 3);
}

#[tokio::test]
async fn names_of_other_services_paths_are_refused_for_new_hubs() {
    let hubs = Hubs::start().await;
    for name in ["Subscriptions", "9", "a/b", ""] {
        assert!(hubs.service.check_hub_name(name).is_err(), "{name}");
        let put = hubs.service.put_hub("local", name, HubRequest::default()).await;
        assert!(put.is_err() && hubs.service.hub("local", name).is_none(), "{name}");
    }
    let reserved = hubs.service.check_hub_name("subscriptions").unwrap_err();
    assert!(reserved.message().contains("reserved"), "{}", reserved.message());
}

#[tokio::test]
async fn credentials_are_replaced_and_taken_away_one_by_one() {
    let hubs = Hubs::start().await;
    let changes = json!({ "browserCredential": null, "admCredential": { "properties": {} } });
    let request = HubRequest {
        credentials: Some(PnsCredentials::from_value(&changes).unwrap()),
        removed: PnsCredentials::nulls(&changes),
        ..HubRequest::default()
    };
    hubs.service.put_hub("local", HUB, request).await.unwrap();
    let mut left: Vec<Platform> =
        hubs.service.credentials("local", HUB).unwrap().platforms().collect();
    left.sort_unstable();
    assert_eq!(left, [Platform::Apple, Platform::FcmV1, Platform::Adm]);
}
