//! Handlers that refuse, break, or are not there.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::response::IntoResponse;
use testkit::LogLines;

use super::*;
use crate::upstream::tests::fake_handler::Seen;

/// A handler that answers with these statuses, one after another, and then with 204.
async fn answering(statuses: &'static [u16]) -> FakeHandler {
    let next = Arc::new(AtomicUsize::new(0));
    FakeHandler::start(move |_: Seen| {
        let status = statuses.get(next.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(204);
        async move { StatusCode::from_u16(status).unwrap() }
    })
    .await
}

fn reason(outcome: UserOutcome) -> String {
    match outcome {
        UserOutcome::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn trouble_of_the_handler_is_tried_again_with_the_same_event() {
    let fake = answering(&[500, 408]).await;
    let world = World::new();
    let context = world.connection(fake.port, "abc");
    assert_eq!(world.ask(&context, "order", "x").await, UserOutcome::Handled(None));
    let ids: Vec<_> =
        fake.events().iter().map(|it| it.header("ce-id").map(str::to_owned)).collect();
    assert_eq!(ids, vec![Some("1".to_owned()); 3]);
    assert_eq!(world.upstream.counters().retries.get(), 2);
}

#[tokio::test]
async fn retries_end() {
    let fake = answering(&[503; 10]).await;
    let world = World::new();
    let context = world.connection(fake.port, "abc");
    let reason = reason(world.ask(&context, "order", "x").await);
    assert_eq!(reason, "got unexpected response with status code 503");
    assert_eq!(fake.events().len(), 3);
    assert_eq!(world.ask(&context, "order", "x").await, UserOutcome::Failed(reason));
}

#[tokio::test]
async fn a_refusal_is_final() {
    for status in [400, 401, 429] {
        let fake =
            FakeHandler::start(move |_| async move { StatusCode::from_u16(status).unwrap() }).await;
        let world = World::new();
        let context = world.connection(fake.port, "abc");
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(world.ask(&context, "order", "").await, UserOutcome::Refused(status));
        let ConnectOutcome::Refused(refusal) = world.connect(&context).await else { panic!() };
        assert_eq!(refusal.status, status);
        assert_eq!(fake.events().len(), 2);
    }
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_not_asked_twice() {
    let fake = FakeHandler::start(|_| std::future::pending::<StatusCode>()).await;
    let limits = UpstreamLimits { attempt: Duration::from_millis(50), ..limits() };
    let world = World::with(AddressPolicy::everything(), limits);
    let reason = reason(world.ask(&world.connection(fake.port, "abc"), "order", "").await);
    assert!(reason.contains("did not answer within 0.05 seconds"), "{reason}");
    assert_eq!(fake.events().len(), 1);
}

#[tokio::test]
async fn a_handler_that_does_not_agree_gets_nothing_until_it_does() {
    let agrees = Arc::new(AtomicBool::new(false));
    let inside = Arc::clone(&agrees);
    let fake = FakeHandler::start_choosy(move |_| {
        let allowed = if inside.load(Ordering::SeqCst) { "LOCAL.example" } else { "other.example" };
        async move { [("webhook-allowed-origin", allowed)].into_response() }
    })
    .await;
    let world = World::new();
    let context = world.connection(fake.port, "abc");
    let ConnectOutcome::Failed(why) = world.connect(&context).await else { panic!("let in") };
    assert!(why.contains("missing allowed origins: other.example."), "{why}");
    world.upstream.raise(Arc::clone(&context), QueuedEvent::Connected);
    assert_eq!(reason(world.ask(&context, "order", "").await), why);
    assert_eq!((fake.handshakes(), fake.events().len()), (1, 0));
    assert_eq!(world.upstream.counters().failed_handshakes.get(), 1);

    agrees.store(true, Ordering::SeqCst);
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(world.ask(&context, "order", "").await, UserOutcome::Handled(None));
    assert_eq!((fake.handshakes(), fake.events().len()), (2, 1));
}

#[tokio::test]
async fn a_handler_that_is_not_there_and_one_that_must_not_be_called_are_told_apart() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let world = World::new();
    let closed = reason(world.ask(&world.connection(port, "abc"), "order", "").await);
    assert!(closed.contains("cannot be connected to") && !closed.contains("hidden"), "{closed}");

    let fake = FakeHandler::start(nothing).await;
    let strict = World::with(AddressPolicy::default(), limits());
    let refused = reason(strict.ask(&strict.connection(fake.port, "abc"), "order", "").await);
    assert!(refused.contains("a loopback address"), "{refused}");
    assert_eq!(fake.handshakes(), 0);
}

#[tokio::test]
async fn a_client_that_sends_more_than_may_wait_hears_so_at_once() {
    let fake = FakeHandler::start(nothing).await;
    let limits = UpstreamLimits { queue: Pending { events: 2, bytes: 100 }, ..limits() };
    let world = World::with(AddressPolicy::everything(), limits);
    let context = world.connection(fake.port, "abc");
    let mut replies: Vec<_> = (0..3).map(|_| world.raise(&context, "order", "")).collect();
    assert_eq!(replies.remove(2).try_recv().unwrap(), UserOutcome::Overloaded);
    for reply in replies {
        assert_eq!(reply.await.unwrap(), UserOutcome::Handled(None));
    }
    assert_eq!(world.upstream.counters().overloaded.get(), 1);
    assert_eq!(fake.events().len(), 2);
}

#[tokio::test]
async fn the_log_tells_when_a_handler_begins_to_fail_and_when_it_works_again() {
    let log = LogLines::catch();
    let fake = answering(&[404, 404, 204, 401, 502, 502, 502]).await;
    let world = World::new();
    let context = world.connection(fake.port, "abc");
    for _ in 0..5 {
        world.ask(&context, "order", "payload").await;
    }
    let text = log.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    let expected = [
        ("WARN", "an event handler fails", "status code 404"),
        ("INFO", "an event handler works again", "/{hub}/{event}"),
        ("WARN", "an event handler fails", "status code 502"),
    ];
    for (line, (level, message, detail)) in lines.iter().zip(expected) {
        assert!(line.contains(level) && line.contains(message) && line.contains(detail), "{line}");
    }
    assert!(!text.contains("hidden") && !text.contains("payload"), "{text}");
}
