//! How many messages a second reach the disk. Run by hand:
//! `cargo test --release -p tidings-communication -- --ignored accepted_durably`.

use std::sync::Arc;

use kernel::Clock;

use crate::testing::{World, text};

/// Messages of one run, sent by this many at a time.
const MESSAGES: usize = 20_000;
const SENDERS: usize = 64;
/// What one machine must take, each message on disk when it is answered.
const AT_LEAST: f64 = 2_000.0;

async fn rate(threads: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let db = storage::Db::open(path, &storage::Options::default()).unwrap();
    let world = World::over(db).await;
    let (alice, bob) = (world.user("chat").await, world.user("chat").await);
    let mut ids = Vec::new();
    for _ in 0..threads {
        ids.push(world.thread(&alice, &[&bob]).await);
    }
    let ids = Arc::new(ids);
    let begun = kernel::SystemClock.now();
    let senders = (0..SENDERS).map(|sender| {
        let (chat, alice, ids) = (world.chat().clone(), alice.clone(), Arc::clone(&ids));
        tokio::spawn(async move {
            for number in 0..MESSAGES / SENDERS {
                let thread = &ids[(sender + number * SENDERS) % ids.len()];
                chat.send(&alice, thread, text("a message of the usual length")).await.unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    MESSAGES as f64 / kernel::SystemClock.now().since(begun).as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; takes seconds and a machine of its own"]
async fn messages_are_accepted_durably_at_speed() {
    for threads in [1, 100] {
        let rate = rate(threads).await;
        tracing::info!(threads, rate, "messages a second");
        assert!(rate >= AT_LEAST, "{rate:.0} messages a second into {threads} threads");
    }
}
