//! Push services that fail: nobody is lost, nobody is told twice, no device goes that still lives.

use super::*;
use crate::push::Breaker;

const MINUTE: Duration = Duration::from_secs(60);

impl Hubs {
    /// Sends to a platform that works and waits for it: a proof that the queue had its turn.
    async fn take_turn(&self, format: &str) {
        let id = self.send(format).await;
        assert_eq!(self.settled(&id).await.state, State::Completed);
    }

    /// Waits until some are reached and the others wait, and lets that time pass too.
    async fn completed_in_two(&self, id: &str) {
        eventually("some are reached", async || self.count(id, "Success").await > 0).await;
        self.world.pass(2 * MINUTE);
        assert_eq!(self.settled(id).await.state, State::Completed);
    }

    /// Until when targets of a format were left alone, each time.
    fn suspended(&self, format: &str) -> Vec<Timestamp> {
        let of = |step| match step {
            Step::Suspended(target, until) if target.ends_with(format) => Some(until),
            _ => None,
        };
        self.steps().into_iter().filter_map(of).collect()
    }
}

#[tokio::test]
async fn a_throttled_target_waits_as_long_as_it_is_told_and_delays_nobody_else() {
    let hubs = Hubs::start().await;
    hubs.androids(3).await;
    hubs.iphones(2).await;
    let quota = Rule { retry_after: Some(120), ..Rule::always(Service::Fcm, "QUOTA_EXCEEDED") };
    hubs.fail(quota);
    let id = hubs.send("fcmv1").await;
    eventually("the target is left alone", async || !hubs.suspended("fcmv1").is_empty()).await;
    let told = hubs.world.clock().now() + 2 * MINUTE;
    assert!(hubs.suspended("fcmv1").iter().all(|until| *until >= told), "{:?}", hubs.steps());
    hubs.world.fake.failures.clear();
    // Others go their way, at once.
    hubs.take_turn("apple").await;
    assert_eq!((hubs.reached(Service::Apns), hubs.reached(Service::Fcm)), (2, 0));
    hubs.world.pass(2 * MINUTE - Duration::from_secs(1));
    hubs.take_turn("apple").await;
    assert_eq!(hubs.reached(Service::Fcm), 0, "a second too early");
    hubs.world.pass(Duration::from_secs(10));
    assert_eq!(hubs.settled(&id).await.state, State::Completed);
    assert_eq!((hubs.count(&id, "Success").await, hubs.reached(Service::Fcm)), (3, 3));
    assert!(hubs.metric("outgoing.fcmv1.throttled") >= 1);
}

#[tokio::test]
async fn a_refused_credential_is_named_and_costs_no_device() {
    let hubs = Hubs::start().await;
    hubs.iphones(5).await;
    hubs.fail(Rule::always(Service::Apns, "InvalidProviderToken"));
    let id = hubs.send("apple").await;
    eventually("the credential is paused", async || !hubs.suspended("apple").is_empty()).await;
    assert_eq!((hubs.details(&id).await.state, hubs.devices().await), (State::Processing, 5));
    let [apple] = hubs.standing("apple").await.try_into().unwrap();
    assert_eq!(apple["credentialRefused"], true);
    assert_eq!(apple["lastProblem"]["reason"], "InvalidProviderToken");
    assert!(apple["lastProblem"]["explanation"].as_str().unwrap().contains("key id"), "{apple}");
    hubs.world.fake.failures.clear();
    hubs.world.pass(2 * MINUTE);
    // One message tries the credential; whoever was sent beside it waits once more.
    hubs.completed_in_two(&id).await;
    assert_eq!((hubs.count(&id, "Success").await, hubs.devices().await), (5, 5));
    assert_eq!(hubs.standing("apple").await[0]["credentialRefused"], false);
}

#[tokio::test]
async fn after_the_window_a_credential_that_stays_refused_is_the_outcome() {
    let hubs = Hubs::start().await;
    hubs.iphones(3).await;
    hubs.fail(Rule::always(Service::Apns, "InvalidProviderToken"));
    let id = hubs.send("apple").await;
    eventually("the credential is paused", async || !hubs.suspended("apple").is_empty()).await;
    hubs.world.pass(WINDOW + MINUTE);
    hubs.settled(&id).await;
    assert_eq!((hubs.count(&id, "InvalidCredentials").await, hubs.devices().await), (3, 3));
    let asked = hubs.metric("outgoing.apns.invalidcredentials");
    assert!((1..=6).contains(&asked), "{asked}: a paused credential is tried with one message");
}

#[tokio::test]
async fn a_service_that_stays_away_is_given_up_after_the_window() {
    let hubs = Hubs::start().await;
    hubs.androids(2).await;
    hubs.fail(Rule::always(Service::Fcm, "UNAVAILABLE"));
    let id = hubs.send("fcmv1").await;
    eventually("it is to be tried again", async || !hubs.steps().is_empty()).await;
    hubs.world.pass(WINDOW + MINUTE);
    assert_eq!(hubs.settled(&id).await.state, State::Abandoned);
    assert_eq!(hubs.count(&id, "AbandonedNotificationMessages").await, 2);
    assert_eq!(hubs.devices().await, 2);
}

#[tokio::test]
async fn a_device_that_is_gone_is_removed_unless_it_came_back_since() {
    let hubs = Hubs::start().await;
    hubs.iphones(2).await;
    let phone = |number: usize| format!("{number:064x}");
    let before = crate::fake::tests::START.as_secs() - 60;
    for (number, seconds) in [(0, before), (1, before + 120)] {
        let timestamp = Some(seconds * 1000);
        let rule = Rule::of_device(Service::Apns, &phone(number), "Unregistered");
        hubs.fail(Rule { timestamp, ..rule });
    }
    hubs.world.pass(10 * MINUTE);
    let id = hubs.send("apple").await;
    assert_eq!(hubs.settled(&id).await.state, State::Completed);
    assert_eq!(hubs.count(&id, "ExpiredChannel").await, 2);
    let left = hubs.ask("GET", "/registrations", "").await.body;
    assert_eq!(hubs.devices().await, 1, "{left}");
    assert!(left.contains(&phone(0).to_uppercase()), "it had registered after its death: {left}");
}

#[tokio::test]
async fn a_wrong_environment_wipes_no_hub() {
    let hubs = Hubs::start().await;
    hubs.iphones(50).await;
    hubs.fail(Rule::always(Service::Apns, "BadDeviceToken"));
    let id = hubs.send("apple").await;
    hubs.settled(&id).await;
    assert_eq!(hubs.count(&id, "BadChannel").await, 50);
    assert_eq!(hubs.devices().await, 50, "nothing has ever been taken with this credential");
    hubs.world.fake.failures.clear();
    hubs.take_turn("apple").await;
    hubs.fail(Rule::always(Service::Apns, "BadDeviceToken"));
    for _ in 0..2 {
        let id = hubs.send("apple").await;
        hubs.settled(&id).await;
        let kept = 50 - i64::from(Breaker::LIMIT);
        assert_eq!(hubs.devices().await, kept, "the breaker opens after its limit and stays open");
    }
    assert_eq!(hubs.standing("apple").await[0]["keepsDeadDevices"], true);
}

#[tokio::test]
async fn a_refused_payload_is_counted_and_not_tried_again() {
    let hubs = Hubs::start().await;
    hubs.androids(2).await;
    hubs.iphones(1).await;
    hubs.fail(Rule::always(Service::Fcm, "INVALID_ARGUMENT"));
    let id = hubs.send("fcmv1").await;
    assert_eq!(hubs.settled(&id).await.state, State::Completed);
    assert_eq!(hubs.count(&id, "InvalidNotificationFormat").await, 2);
    hubs.world.pass(5 * MINUTE);
    hubs.take_turn("apple").await;
    assert_eq!(hubs.metric("outgoing.fcmv1.invalidnotificationformat"), 2);
    assert_eq!(hubs.devices().await, 3);
}

#[tokio::test]
async fn a_goaway_in_the_middle_of_a_send_loses_nobody() {
    let hubs = Hubs::start().await;
    hubs.iphones(40).await;
    hubs.take_turn("apple").await;
    hubs.world.fake.inbox.clear();
    hubs.fail(Rule::once(Service::Apns, "GoAway"));
    let id = hubs.send("apple").await;
    hubs.completed_in_two(&id).await;
    assert_eq!((hubs.count(&id, "Success").await, hubs.reached(Service::Apns)), (40, 40));
}

#[tokio::test]
async fn a_crash_repeats_nothing_but_the_page_that_was_under_way() {
    const PAGE: usize = 10;
    let hubs = Hubs::with_page(PAGE).await;
    hubs.androids(35).await;
    // One of the third page never answers, so that page cannot end.
    hubs.fail(Rule::of_device(Service::Fcm, &android(25), "Stall"));
    let id = hubs.send("fcmv1").await;
    let all_but_one = async || hubs.reached(Service::Fcm) == 3 * PAGE - 1;
    eventually("two pages are settled and the third is under way", all_but_one).await;
    hubs.world.fake.failures.clear();
    let hubs = hubs.after_a_crash().await;
    assert_eq!(hubs.settled(&id).await.state, State::Completed);
    assert_eq!(hubs.count(&id, "Success").await, 35);
    let times = |number: usize| {
        hubs.world.inbox().iter().filter(|it| *it.device == *android(number)).count()
    };
    for number in 0..35 {
        let under_way = (2 * PAGE..3 * PAGE).contains(&number);
        let most = if under_way { 2 } else { 1 };
        assert!((1..=most).contains(&times(number)), "{number}: {}", times(number));
    }
}

#[tokio::test]
async fn over_a_day_tokens_stay_within_the_limits_of_apple() {
    let hubs = Hubs::start().await;
    hubs.iphones(1).await;
    // The fake refuses tokens of more than an hour, and those that come too often.
    for _ in 0..48 {
        hubs.take_turn("apple").await;
        hubs.world.pass(30 * MINUTE);
    }
    assert_eq!(hubs.metric("outgoing.apns.success"), 48);
    assert_eq!(hubs.metric("notificationhub.pushes"), 48);
}
