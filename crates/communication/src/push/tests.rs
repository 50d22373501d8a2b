//! Devices in the store, on every engine.

use std::sync::Arc;
use std::time::Duration;

use storage::testing::TestDb;
use storage::{Db, MasterKey, vals};
use testkit::ManualClock;

use super::devices::Devices;
use super::registration::{Registration, Secrets};
use super::*;
use crate::identifier::RawId;
use crate::link::Platform;
use crate::testing::NOW;

storage::conformance!(
    a_device_is_registered_renewed_and_forgotten,
    a_registration_ends_with_its_time,
    devices_are_found_by_user_and_purpose,
    a_user_has_so_many_devices_and_those_that_end_first_make_room,
    the_store_does_not_show_a_handle,
);

async fn devices(db: &TestDb) -> (Devices, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    let master = Arc::new(MasterKey::from_bytes(&[7; 32]));
    (Devices::open(Db::clone(db), master, clock.clone()).await.unwrap(), clock)
}

pub(crate) fn device(id: &str, purpose: Purpose, seconds: u64) -> Registration {
    Registration {
        id: id.to_owned(),
        purpose,
        platform: Platform::Apns,
        ttl: Duration::from_secs(seconds),
        secrets: Secrets { handle: format!("handle_of_{id}"), keys: None },
    }
}

fn user(name: &str) -> RawId {
    RawId::user("r", name)
}

async fn a_device_is_registered_renewed_and_forgotten(db: TestDb) {
    let (devices, _) = devices(&db).await;
    let bob = user("bob");
    devices.put(&bob, &device("phone", Purpose::Chat, 60)).await.unwrap();
    let renewed = Registration { platform: Platform::Fcm, ..device("phone", Purpose::Calls, 60) };
    devices.put(&bob, &renewed).await.unwrap();
    let found = devices.get(&bob, "phone").await.unwrap().unwrap();
    assert_eq!((found.platform, &found.secrets), (Platform::Fcm, &renewed.secrets));
    assert_eq!(devices.get(&user("eve"), "phone").await.unwrap(), None);
    for _ in 0..2 {
        devices.delete(&bob, "phone").await.unwrap();
    }
    assert_eq!(devices.get(&bob, "phone").await.unwrap(), None);
}

async fn a_registration_ends_with_its_time(db: TestDb) {
    let (devices, clock) = devices(&db).await;
    let bob = user("bob");
    devices.put(&bob, &device("phone", Purpose::Chat, 60)).await.unwrap();
    clock.advance(Duration::from_secs(60));
    assert_eq!(devices.get(&bob, "phone").await.unwrap(), None);
    assert_eq!(devices.of(std::slice::from_ref(&bob), Purpose::Chat).await.unwrap(), []);
    devices.put(&user("eve"), &device("phone", Purpose::Chat, 60)).await.unwrap();
    let rows = db.query("SELECT owner FROM communication_devices", vals![]).await.unwrap();
    assert_eq!(rows.len(), 1, "what is over makes room");
}

async fn devices_are_found_by_user_and_purpose(db: TestDb) {
    let (devices, _) = devices(&db).await;
    for (name, id, purpose) in [
        ("bob", "chat phone", Purpose::Chat),
        ("bob", "calling phone", Purpose::Calls),
        ("eve", "tablet", Purpose::Calls),
        ("dan", "phone", Purpose::Calls),
    ] {
        devices.put(&user(name), &device(id, purpose, 60)).await.unwrap();
    }
    let found = devices.of(&[user("bob"), user("eve")], Purpose::Calls).await.unwrap();
    let expected = [(user("bob"), "calling phone".to_owned()), (user("eve"), "tablet".to_owned())];
    assert_eq!(found, expected);
    assert_eq!(devices.of(&[], Purpose::Calls).await.unwrap(), []);
}

async fn a_user_has_so_many_devices_and_those_that_end_first_make_room(db: TestDb) {
    let (devices, _) = devices(&db).await;
    let bob = user("bob");
    for number in 0..25 {
        let registration = device(&format!("{number:02}"), Purpose::Chat, 60 + number);
        devices.put(&bob, &registration).await.unwrap();
    }
    let left = devices.of(std::slice::from_ref(&bob), Purpose::Chat).await.unwrap();
    let left: Vec<&str> = left.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!((left.len(), left[0]), (20, "05"));
}

async fn the_store_does_not_show_a_handle(db: TestDb) {
    let (devices, _) = devices(&db).await;
    devices.put(&user("bob"), &device("phone", Purpose::Chat, 60)).await.unwrap();
    let rows = db.query("SELECT sealed FROM communication_devices", vals![]).await.unwrap();
    let sealed: Vec<u8> = rows[0].get(0).unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("handle_of"));
}
