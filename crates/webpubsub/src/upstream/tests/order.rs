//! The events of one connection stay in order; connections do not wait for one another.

use tokio::sync::Semaphore;
use tokio::task::yield_now;

use super::*;
use crate::upstream::tests::fake_handler::Seen;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_connection_arrive_in_order_however_many_there_are() {
    let fake = FakeHandler::start(|seen: Seen| async move {
        // Some answers take longer than others.
        for _ in 0..seen.body.len() % 7 * 20 {
            yield_now().await;
        }
        ([("content-type", "text/plain")], seen.body)
    })
    .await;
    let world = World::new();
    let hub = hub(vec![handler(fake.port)]);
    let contexts: Vec<_> =
        (0..20).map(|index| world.connection_of(&hub, &format!("c{index}"))).collect();
    let mut replies = Vec::new();
    for number in 0..20 {
        let text = "x".repeat(1 + (number * 13) % 20);
        for context in &contexts {
            replies.push((text.clone(), world.raise(context, "e", &text)));
        }
    }
    for (text, reply) in replies {
        assert_eq!(reply.await.unwrap(), said(&text));
    }
    for context in &contexts {
        let source = format!("{context:?}").replace("ConnectionContext(", "/hubs/chat/client/");
        let ids: Vec<u64> = fake
            .events()
            .iter()
            .filter(|it| it.header("ce-source") == Some(source.trim_end_matches(')')))
            .map(|it| it.header("ce-id").unwrap().parse().unwrap())
            .collect();
        assert_eq!(ids, (1..=20).collect::<Vec<_>>(), "{source}");
    }
}

#[tokio::test]
async fn a_slow_handler_holds_up_one_connection_only() {
    let gate = Arc::new(Semaphore::new(0));
    let inside = Arc::clone(&gate);
    let fake = FakeHandler::start(move |seen: Seen| {
        let gate = Arc::clone(&inside);
        async move {
            if seen.event() == "slow" {
                gate.acquire().await.unwrap().forget();
            }
            StatusCode::NO_CONTENT
        }
    })
    .await;
    let world = World::new();
    let hub = hub(vec![handler(fake.port)]);
    let (held, free) = (world.connection_of(&hub, "held"), world.connection_of(&hub, "free"));
    let mut slow = world.raise(&held, "slow", "12345");
    let mut behind = world.raise(&held, "quick", "");
    for _ in 0..10 {
        assert_eq!(world.ask(&free, "quick", "").await, UserOutcome::Handled(None));
    }
    assert!(slow.try_recv().is_err() && behind.try_recv().is_err());
    assert_eq!(held.pending(), Pending { events: 2, bytes: 5 });
    assert_eq!(world.upstream.counters().in_flight.get(), 1);
    gate.add_permits(1);
    assert_eq!(slow.await.unwrap(), UserOutcome::Handled(None));
    assert_eq!(behind.await.unwrap(), UserOutcome::Handled(None));
    assert_eq!(held.pending(), Pending::default());
}

#[tokio::test]
async fn a_handler_gets_no_more_requests_at_once_than_it_may() {
    let gate = Arc::new(Semaphore::new(0));
    let inside = Arc::clone(&gate);
    let fake = FakeHandler::start(move |_: Seen| {
        let gate = Arc::clone(&inside);
        async move {
            gate.acquire().await.unwrap().forget();
            StatusCode::NO_CONTENT
        }
    })
    .await;
    let world = World::new();
    let name = HubName::parse("chat").unwrap();
    let hub = Arc::new(HubHandlers::new(name, "h", vec![handler(fake.port)], 2));
    let raise = |id: usize| world.raise(&world.connection_of(&hub, &id.to_string()), "e", "");
    let replies: Vec<_> = (0..6).map(raise).collect();
    for finished in 0..6 {
        let arrived = (finished + 2).min(6);
        while fake.events().len() < arrived {
            yield_now().await;
        }
        assert_eq!(fake.events().len(), arrived, "two are under way, the others wait");
        gate.add_permits(1);
    }
    for reply in replies {
        assert_eq!(reply.await.unwrap(), UserOutcome::Handled(None));
    }
}

#[test]
fn events_may_be_raised_from_threads_that_know_no_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (fake, world) =
        runtime.block_on(async { (FakeHandler::start(nothing).await, World::new()) });
    let context = world.connection(fake.port, "abc");
    let reply = world.raise(&context, "order", "");
    assert_eq!(runtime.block_on(reply).unwrap(), UserOutcome::Handled(None));
}
