//! Links in the store, on every engine, to a hub on loopback.

use std::sync::Arc;

use edge::outbound::{AddressPolicy, Outbound};
use kernel::Clock;
use storage::testing::TestDb;
use storage::{Db, MasterKey, vals};
use testkit::ManualClock;

use super::*;
use crate::testing::NOW;
use crate::testing::hub::{FakeHub, HUB_ID};

storage::conformance!(
    a_link_is_kept_without_showing_its_key_and_replaced,
    another_node_notices_a_link_and_its_end,
    a_fault_is_kept_until_a_send_works,
    each_fault_of_a_hub_is_told_when_linking_and_when_sending,
    a_hub_with_a_certificate_is_told_when_linking_and_when_sending,
);

/// A directory that says the same of every hub.
struct Knows(Option<ApnsMode>);

impl HubDirectory for Knows {
    fn apns_mode(&self, _: &Link) -> Option<ApnsMode> {
        self.0
    }
}

async fn links_that_know(db: Db, mode: Option<ApnsMode>) -> Links {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    let outbound = Outbound::new(AddressPolicy::everything(), None).unwrap();
    let hub = Hub::new(outbound, Arc::clone(&clock));
    let master = Arc::new(MasterKey::from_bytes(&[7; 32]));
    Links::open(db, master, clock, hub, Arc::new(Knows(mode))).await.unwrap()
}

async fn links(db: &TestDb) -> Links {
    links_that_know(Db::clone(db), None).await
}

fn push(platform: Platform) -> Push {
    Push { platform, handle: "h".to_owned(), body: "{}".into(), headers: &[] }
}

fn count(links: &Links, kind: FaultKind, stage: Stage) -> u64 {
    let counters = links.counters();
    let found = counters.iter().find(|(code, at, _)| *code == kind.code() && *at == stage);
    found.unwrap().2
}

async fn a_link_is_kept_without_showing_its_key_and_replaced(db: TestDb) {
    let (links, hub) = (links(&db).await, FakeHub::start().await);
    assert_eq!(links.get("local").await.unwrap(), None);
    assert_eq!(links.link("local", HUB_ID, &hub.connection_string()).await.unwrap(), []);
    let link = links.get("local").await.unwrap().unwrap();
    assert_eq!((link.hub_id.as_str(), link.connection.key.expose()), (HUB_ID, "not-a-secret"));
    let rows = db.query("SELECT sealed FROM communication_links", vals![]).await.unwrap();
    let sealed: Vec<u8> = rows[0].get(0).unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("not-a-secret"));

    let other = FakeHub::start().await;
    links.link("local", HUB_ID, &other.connection_string()).await.unwrap();
    links.send("local", &push(Platform::Fcm)).await.unwrap();
    assert_eq!(other.next().await.format, "fcmv1");
}

async fn another_node_notices_a_link_and_its_end(db: TestDb) {
    let (one, hub) = (links(&db).await, FakeHub::start().await);
    let two = links_that_know(db.another_handle().await, None).await;
    one.link("local", HUB_ID, &hub.connection_string()).await.unwrap();
    assert!(one.is_linked("local") && !two.is_linked("local"));
    two.refresh().await.unwrap();
    assert!(two.is_linked("local"));
    assert_eq!(two.get("local").await.unwrap(), one.get("local").await.unwrap());
    two.unlink("local").await.unwrap();
    one.refresh().await.unwrap();
    assert!(!one.is_linked("local"));
    let sent = one.send("local", &push(Platform::Apns)).await.unwrap();
    assert!(matches!(&sent, Sent::Fault(it) if it.kind == FaultKind::NotLinked), "{sent:?}");
}

async fn a_fault_is_kept_until_a_send_works(db: TestDb) {
    let (links, hub) = (links(&db).await, FakeHub::start().await);
    links.link("local", HUB_ID, &hub.connection_string()).await.unwrap();
    hub.answers(Some((401, "InvalidSignature: The token has an invalid signature.")));
    for _ in 0..2 {
        links.send("local", &push(Platform::Apns)).await.unwrap();
    }
    let (fault, at) = links.status("local").await.unwrap().unwrap().fault.unwrap();
    assert_eq!((fault.kind, at), (FaultKind::KeyRejected, NOW));
    assert_eq!(count(&links, FaultKind::KeyRejected, Stage::Send), 2);
    hub.answers(None);
    links.send("local", &push(Platform::Apns)).await.unwrap();
    assert_eq!(links.status("local").await.unwrap().unwrap().fault, None);
}

async fn each_fault_of_a_hub_is_told_when_linking_and_when_sending(db: TestDb) {
    let (links, hub) = (links(&db).await, FakeHub::start().await);
    links.link("local", HUB_ID, &hub.connection_string()).await.unwrap();
    let missing = "The notification has no target applications. The notification format is x.";
    for (status, detail, kind) in [
        (401, "InvalidSignature", FaultKind::KeyRejected),
        (403, "Send is missing", FaultKind::SendRightMissing),
        (404, "No service is hosted at the specified address.", FaultKind::HubNotFound),
        (400, missing, FaultKind::CredentialsMissing),
    ] {
        hub.answers(Some((status, detail)));
        let refused = links.link("other", HUB_ID, &hub.connection_string()).await.unwrap_err();
        assert_eq!(refused.code(), kind.code());
        let sent = links.send("local", &push(Platform::Apns)).await.unwrap();
        assert!(matches!(&sent, Sent::Fault(it) if it.kind == kind), "{sent:?}");
        for stage in [Stage::Link, Stage::Send] {
            assert!(count(&links, kind, stage) > 0, "{kind:?} {stage:?}");
        }
    }
    assert!(!links.is_linked("other"));
}

async fn a_hub_with_a_certificate_is_told_when_linking_and_when_sending(db: TestDb) {
    let hub = FakeHub::start().await;
    let before = links_that_know(Db::clone(&db), Some(ApnsMode::Token)).await;
    before.link("local", HUB_ID, &hub.connection_string()).await.unwrap();

    let links = links_that_know(Db::clone(&db), Some(ApnsMode::Certificate)).await;
    let refused = links.link("other", HUB_ID, &hub.connection_string()).await.unwrap_err();
    assert_eq!(refused.code(), "NotificationHubApnsCertificateMode");
    assert!(refused.message().contains(".p8"), "{refused}");
    let kind = FaultKind::ApnsCertificateMode;
    let sent = links.send("local", &push(Platform::Apns)).await.unwrap();
    assert!(matches!(&sent, Sent::Fault(it) if it.kind == kind), "{sent:?}");
    assert_eq!(links.send("local", &push(Platform::Fcm)).await.unwrap(), Sent::Accepted);
    assert_eq!((count(&links, kind, Stage::Link), count(&links, kind, Stage::Send)), (1, 1));
    assert_eq!(hub.next().await.format, "fcmv1", "Apple's is not even asked");
}
