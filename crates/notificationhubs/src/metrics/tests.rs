//! The documented metrics as sums of what was counted.

use std::collections::BTreeSet;

use super::*;

fn value(counters: &Counters, name: &str) -> i64 {
    counters.value(METRICS.iter().find(|it| it.name == name).unwrap())
}

#[test]
fn every_name_is_there_once() {
    let names: BTreeSet<_> = METRICS.iter().map(|it| it.name).collect();
    assert_eq!(names.len(), METRICS.len());
    for documented in ["incoming", "incoming.all.failedrequests", "outgoing.wns.wrongtoken"] {
        assert!(names.contains(documented), "{documented}");
    }
}

#[test]
fn requests_are_counted_by_kind_and_answer() {
    let counters = Counters::default();
    for (kind, accepted) in [
        (Request::Send, true),
        (Request::Send, false),
        (Request::Schedule, true),
        (Request::Cancel, true),
        (Request::RegistrationPut, true),
        (Request::InstallationPatch, true),
        (Request::Other, true),
    ] {
        let refusal = crate::refusal::bad_request("no");
        let refusal = (!accepted).then_some(&refusal);
        counters.request(kind, refusal, Timestamp::from_secs(7));
    }
    for (name, expected) in [
        ("incoming", 2),
        ("incoming.all.requests", 7),
        ("incoming.all.failedrequests", 1),
        ("incoming.scheduled", 1),
        ("incoming.scheduled.cancel", 1),
        ("registration.all", 1),
        ("registration.update", 1),
        ("registration.create", 0),
        ("installation.all", 1),
        ("installation.patch", 1),
    ] {
        assert_eq!(value(&counters, name), expected, "{name}");
    }
    let (accepted, refused, last) = counters.sends();
    let last = last.unwrap();
    assert_eq!((accepted, refused, last.at.as_secs(), last.status), (2, 1, 7, 400));
    assert_eq!(counters.refused_device(), None);
}

#[test]
fn an_outcome_counts_for_its_platform_and_for_all() {
    let counters = Counters::default();
    for (platform, outcome) in [
        (Platform::Apple, OutcomeName::Success),
        (Platform::Apple, OutcomeName::BadChannel),
        (Platform::FcmV1, OutcomeName::ExpiredChannel),
        (Platform::FcmV1, OutcomeName::WrongToken),
        (Platform::Browser, OutcomeName::InvalidNotificationSize),
        (Platform::Gcm, OutcomeName::PnsUnavailable),
    ] {
        counters.push(platform, outcome);
    }
    for (name, expected) in [
        ("notificationhub.pushes", 6),
        ("outgoing.allpns.success", 1),
        ("outgoing.allpns.badorexpiredchannel", 2),
        ("outgoing.allpns.channelerror", 3),
        ("outgoing.allpns.invalidpayload", 1),
        ("outgoing.allpns.pnserror", 1),
        ("outgoing.apns.success", 1),
        ("outgoing.apns.badchannel", 1),
        ("outgoing.fcmv1.expiredchannel", 1),
        ("outgoing.fcmv1.authenticationerror", 1),
        ("outgoing.browser.invalidnotificationsize", 1),
        ("outgoing.gcm.pnserror", 1),
        ("outgoing.gcm.success", 0),
    ] {
        assert_eq!(value(&counters, name), expected, "{name}");
    }
}

#[test]
fn every_outcome_of_an_attempt_has_its_own_counter() {
    let counters = Counters::default();
    for (at, name) in OutcomeName::ALL.into_iter().enumerate() {
        assert_eq!(name.index(), at);
        counters.push(Platform::Xiaomi, name);
    }
    let seen: Vec<_> = counters.seen().filter(|it| it.0 == Platform::Xiaomi).collect();
    assert_eq!(seen.len(), OutcomeName::ALL.len());
    assert!(seen.iter().all(|it| it.2 == 1));
}
